// Package client is a small XMPP client for tests, load generation and bots. It speaks direct TLS and STARTTLS, SASL SCRAM, resource
// binding, presence, messages with an origin-id (XEP-0359) and stream management with resumption (XEP-0198).
//
// Dial logs in; Run reads the stream until it ends. Both work on the caller's goroutine and start none, so that a connection costs
// one goroutine and a buffer of a few kilobytes, and thousands fit into one process:
//
//	conn, err := client.Dial(ctx, &client.Config{
//		Addr: "127.0.0.1:5223", JID: "romeo@localhost/garden", Password: "secret", Management: true,
//		OnStanza: func(c *client.Conn, e *xmpp.Element) { fmt.Println(e.Name, e.Attr("from")) },
//		OnAck:    func(c *client.Conn, sent []client.Sent) { fmt.Println("the server is responsible for", len(sent)) },
//	})
//	if err != nil {
//		return err
//	}
//	go func() { ended <- conn.Run() }()
//	err = conn.SendMessage(&client.Message{To: "juliet@localhost", Body: "Hi", OriginID: client.NewID()}, nil)
//
// # Order and delivery
//
// Stanzas leave in the order of the calls that sent them. The callbacks run on Run's goroutine, in the order of the stream; a stanza
// counts as handled in the sense of XEP-0198 when OnStanza has returned, and not before. What callbacks send is collected and written
// at once when the bytes read so far are handled. A send blocks while the system takes no more bytes.
//
// With management, every stanza sent is kept until the server acknowledges it. After the connection is lost, Conn.Resumption says
// what is needed to go on: a Dial with it resumes the stream and sends again what the server didn't get. Where the server refuses,
// Dial binds anew, and Conn.Carried holds the stanzas whose fate is unknown.
package client
