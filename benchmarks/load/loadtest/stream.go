package loadtest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	nsSASL = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSM   = "urn:xmpp:sm:3"
	header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s' " +
		"from='localhost' version='1.0'>"
)

// stream is one connection. Its fields belong to its goroutine, except acked and what push does, which need the server's lock.
type stream struct {
	server       *Server
	socket, conn net.Conn
	framer       xmpp.Framer
	login        *scram.ServerConversation
	bare, full   string
	managed      bool
	handled      int // inbound stanzas
	acked        int // messages acknowledged by the client
}

// push writes one message. The caller holds the server's lock.
func (st *stream) push(raw []byte) {
	if st.managed {
		raw = append(raw[:len(raw):len(raw)], "<r xmlns='"+nsSM+"'/>"...)
	}
	_, _ = st.conn.Write(raw) // a client that is gone shows in serve
}

func (st *stream) send(raw string) error {
	st.server.mu.Lock()
	defer st.server.mu.Unlock()
	_, err := st.conn.Write([]byte(raw))
	return err
}

// serve reads until the stream or the connection ends.
func (st *stream) serve() error {
	st.framer.SetLimit(1 << 20)
	var data []byte
	buf := make([]byte, 8<<10)
	for {
		n, err := st.conn.Read(buf)
		if err != nil {
			return err
		}
		data = append(data, buf[:n]...)
		for len(data) > 0 {
			item, n, err := st.framer.Next(data)
			if err != nil {
				return err
			}
			if item.Kind == xmpp.NeedMore {
				data = data[n:]
				break
			}
			if err := st.item(item); err != nil {
				return err
			}
			data = data[n:]
		}
	}
}

func (st *stream) item(item xmpp.Item) error {
	switch item.Kind {
	case xmpp.StreamOpen:
		features := "<mechanisms xmlns='" + nsSASL + "'><mechanism>SCRAM-SHA-1</mechanism></mechanisms>"
		if st.bare != "" {
			features = "<bind xmlns='" + nsBind + "'/>"
		}
		return st.send(header + "<stream:features>" + features + "</stream:features>")
	case xmpp.StreamClose:
		return errors.Join(st.send("</stream:stream>"), net.ErrClosed)
	}
	e, err := xmpp.Parse(item.Raw)
	if err != nil {
		return err
	}
	switch e.Space {
	case nsSASL:
		return st.authenticate(e)
	case nsSM:
		return st.manage(e)
	}
	return st.stanza(e, item.Raw)
}

func (st *stream) authenticate(e *xmpp.Element) error {
	data, err := base64.StdEncoding.DecodeString(e.Text())
	if err != nil {
		return err
	}
	if st.login == nil {
		server, err := scram.SHA1.NewServer(credentials)
		if err != nil {
			return err
		}
		st.login = server.NewConversation()
	}
	answer, err := st.login.Step(string(data))
	if err != nil {
		return errors.Join(st.send("<failure xmlns='"+nsSASL+"'><not-authorized/></failure>"), err)
	}
	name := "challenge"
	if st.login.Done() {
		name = "success"
		st.bare = st.login.Username() + "@localhost"
		st.framer.Reset()
	}
	return st.send(fmt.Sprintf("<%s xmlns='%s'>%s</%s>", name, nsSASL, base64.StdEncoding.EncodeToString([]byte(answer)), name))
}

// credentials are the same for all.
func credentials(user string) (scram.StoredCredentials, error) {
	client, err := scram.SHA1.NewClient(user, Password, "")
	if err != nil {
		return scram.StoredCredentials{}, err
	}
	return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
}

func (st *stream) manage(e *xmpp.Element) error {
	switch e.Name {
	case "enable":
		st.managed = true
		return st.send("<enabled xmlns='" + nsSM + "'/>")
	case "r":
		return st.send("<a xmlns='" + nsSM + "' h='" + strconv.Itoa(st.handled) + "'/>")
	case "a":
		h, err := strconv.Atoi(e.Attr("h"))
		st.server.handled(st, h)
		return err
	}
	return nil
}

func (st *stream) stanza(e *xmpp.Element, raw []byte) error {
	if st.managed {
		st.handled++
	}
	switch e.Name {
	case "message":
		to, _, _ := strings.Cut(e.Attr("to"), "/")
		st.server.deliver(st.full, to, append([]byte(nil), raw...))
	case "presence":
		st.server.available(st)
	case "iq":
		bind := e.Child(nsBind, "bind")
		if bind == nil {
			return nil
		}
		st.full = st.bare + "/" + bind.Child(nsBind, "resource").Text()
		return st.send("<iq type='result' id='" + e.Attr("id") + "'><bind xmlns='" + nsBind + "'><jid>" + st.full + "</jid></bind></iq>")
	}
	return nil
}
