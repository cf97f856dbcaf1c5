// Package interop runs the XMPP clients that people use against the real server binary: slixmpp, go-sendxmpp, sendxmpp, @xmpp/client,
// libstrophe and profanity, and the Go client of this module beside them. It holds tests only.
//
// Each client logs in with a verified certificate, sends and receives, gets what came while it was offline, confirms with receipts
// (XEP-0184) and resumes its stream after its socket was cut (XEP-0198), as far as it can: on the same node, and on the others of a
// cluster of three. Two of them are also sent away by a node that is emptied, and lose their node to kill -9. The table of what each can
// do, and why not where it can't, is in table_test.go; the tests print it with their results.
//
// The clients come from Debian 12 and from npm; install.sh installs them. The cluster needs PostgreSQL (make postgres). The tests are
// skipped unless JACKDAW_INTEROP is set:
//
//	internal/interop/install.sh && JACKDAW_INTEROP=1 go test -count=1 -v ./internal/interop
//
// A client that is a program is run as its users run it. A client that is a library is driven by a small program of ours in clients/,
// by lines on its standard input and output. Every client connects through a proxy in the test, which can cut its socket. When a test
// fails, it names the client and prints the last stanzas that the client logged.
package interop
