package simcluster

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const nsSM = "urn:xmpp:sm:3"

// begin connects, to the node that it wants if that takes users, else to any.
func (d *device) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.w.ended() || d.quits || d.sock != nil {
		return
	}
	n := d.w.towards(d.want)
	d.want = ""
	if n == nil {
		time.AfterFunc(time.Second, d.begin)
		return
	}
	s, err := d.w.dial(d, n)
	if err != nil { // the node ends
		time.AfterFunc(d.soon(), d.begin)
		return
	}
	d.w.net.Note("%s connects to %s: %s", d.name, n.id, s.ref.ID)
	d.sock, d.heard = s, time.Now()
	time.AfterFunc(loginTime, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.sock == s && d.phase != online {
			d.w.net.Note("%s can't log in at %s", d.name, n.id)
			s.lose()
			d.lost(d.soon())
		}
	})
	d.reopen(greeting)
}

// reopen begins a stream, or begins it anew.
func (d *device) reopen(p phase) {
	d.phase, d.buf = p, nil
	d.framer.Reset()
	d.framer.SetLimit(1 << 20)
	d.sock.open()
}

// lost is that the connection is gone. The device comes back after a while, if it can to where its stream is.
func (d *device) lost(after time.Duration) {
	d.sock, d.phase, d.buf, d.asked = nil, away, nil, false
	if d.want == "" && d.rng.IntN(2) == 0 {
		d.want = d.location
	}
	if !d.quits {
		time.AfterFunc(after, d.begin)
	}
}

// login goes one step on.
func (d *device) login(e *xmpp.Element) {
	switch d.phase {
	case greeting:
		d.phase = loggingIn
		first := base64.StdEncoding.EncodeToString([]byte("\x00" + d.user.Local() + "\x00" + d.w.passwordOf(d.user)))
		d.sock.stanza("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + first + "</auth>")
	case loggingIn:
		if e.Name != "success" {
			d.w.net.Note("%s: %s", d.name, e.AppendXML(nil, ""))
			d.sock.lose()
			d.lost(d.soon())
			return
		}
		d.reopen(reopening)
	case reopening:
		if d.previd == "" {
			d.bind()
			return
		}
		d.phase = resuming
		d.sock.stanza(fmt.Sprintf("<resume xmlns='%s' previd='%s' h='%d'/>", nsSM, d.previd, d.handled))
	case resuming:
		d.resumption(e)
	case binding:
		if e.Attr("type") != "result" {
			d.w.net.Note("%s: %s", d.name, e.AppendXML(nil, ""))
			d.sock.lose()
			d.lost(d.soon())
			return
		}
		d.phase = enabling
		d.sent, d.acked = nil, 0 // the server counts from here, the client from the answer
		d.sock.stanza("<enable xmlns='" + nsSM + "' resume='true'/>")
	case enabling:
		d.enabled(e)
	}
}

func (d *device) resource() string {
	_, r, _ := strings.Cut(d.full, "/")
	return r
}

func (d *device) bind() {
	d.phase = binding
	d.sock.stanza("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + d.resource() + "</resource></bind></iq>")
}

// resumption goes on with the stream, or with another.
func (d *device) resumption(e *xmpp.Element) {
	if e.Space != nsSM {
		d.w.Errorf("%s got %s instead of its stream", d.name, e.AppendXML(nil, ""))
		return
	}
	if h := e.Attr("h"); h != "" {
		d.covered(h)
	}
	d.w.net.Note("%s: %s, %d stanzas came, %d are out", d.name, e.Name, d.handled, len(d.sent))
	if e.Name != "resumed" {
		d.refused++
		d.previd = ""
		d.carried = append(d.carried, d.sent...)
		d.sent = nil
		d.bind()
		return
	}
	d.resumed++
	d.says() // by its h
	d.phase = online
	d.location = d.sock.n.name
	for _, x := range d.sent {
		d.sock.stanza(x.text)
	}
	d.sock.stanza("<r xmlns='" + nsSM + "'/>")
}

// enabled begins a new stream: what is known of others is void, and messages that the server may not have come again.
func (d *device) enabled(e *xmpp.Element) {
	if e.Name == "message" || e.Name == "presence" || e.Name == "iq" { // which came before counting begins
		d.stanza(e)
		return
	}
	d.bound++
	d.phase = online
	d.previd, d.location = e.Attr("id"), e.Attr("location")
	d.handled, d.unsaid, d.has = 0, nil, nil // what it told last may have got lost with the stream before
	clear(d.sees)
	for id, x := range d.asks {
		if x == awaited {
			d.asks[id] = lapsed
		}
	}
	d.ask(string(d.user), "<query xmlns='jabber:iq:roster'/>")
	d.tell()
	carried := d.carried
	d.carried = nil
	for _, x := range carried {
		if x.id != (ident.MessageID{}) {
			x.again = true
			d.w.book.again(x.id)
			d.send(x)
		}
	}
}
