// Package admin is how an operator reaches a server: the socket in its data folder, through which users are managed, and the HTTP
// listener with health, metrics and profiles.
//
// [Users] is what can be done to users, and there are three of it. [Live] does it inside a running server: through the account
// actors, so that sessions and caches hear of it. [Client] asks a running server for it, through its socket. [Folder] does it to the
// store of a server that isn't running. [Open] picks one of the last two; the command line needs no more than that.
//
// [Inspector] and [Overview] look into a running server: at single actors, at the supervision tree, at its load. Package node
// implements them, and Client, so that the command line asks a server as if it were part of it. What they tell are messages of
// package adminpb.
//
// [Cluster] is what operators see of a cluster and do to it, through the socket of any of its nodes. What is about another node goes
// to that node's operator, a small actor, and [Own] is what it does there.
//
// An import is the one thing that doesn't go through the account actors: Live puts whole batches into the store, which is one flush
// for some hundred users, and then tells each account to read itself again. An account that is asleep has nothing to forget, and one
// that is awake changes at once.
//
// Passwords are made into keys by whoever asks (the command, on all its cores), and don't travel.
package admin
