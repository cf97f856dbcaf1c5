// Package loadtest is a small XMPP server in memory, for tests of the load driver: direct TLS, SCRAM-SHA-1, binding, stream management
// without resumption, messages with an offline queue. It serves whoever knows the one password. It can crash and start again with its
// queues, as a durable server does, and it can be told to break its promises.
package loadtest
