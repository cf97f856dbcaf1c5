// Package node builds one server from a Config: it opens the store, loads the certificate, and starts the supervision tree
// of tree.go, which is the whole running system in one list.
//
// Open takes what can be refused (folder, store, certificate) and runs nothing but the store. Start starts the tree from
// the bottom up: the store's lanes first, the listeners last, so that nobody logs in before everything behind is there.
// Stop goes the other way: the listeners close, clients are told and their last stanzas get their outcome, then the actors
// end, the lanes commit what they hold, and the store closes.
package node
