// Command jackdaw is the server and the tool of whoever runs it. `jackdaw help` says what it can do.
//
// It is wiring only: flags become a config.Config, which becomes a node.Node, or a way to the users of one (admin.Access). A command
// writes its results to standard output, and questions, progress, notes and errors to standard error. An error is one line that says
// what to do.
package main
