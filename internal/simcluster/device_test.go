package simcluster

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	domain   = "example.org"
	password = "secret"
	// loginTime is how long a device waits for a login, and patience, some of them haste, for any sign of a server that owes it one.
	loginTime = 20 * time.Second
	patience  = time.Minute
	haste     = 8 * time.Second
)

// phase is how far a device's stream is.
type phase uint8

const (
	away      phase = iota
	greeting        // the first stream header
	loggingIn       // its password is being checked
	reopening       // the second stream header
	resuming
	binding
	enabling
	online
)

// device is a user's client: it logs in, sends and gets messages and presence, counts stanzas, resumes its stream where it can, and comes back
// elsewhere when it is lost or sent away. It writes down what it hears.
type device struct {
	w    *world
	user ident.UserID
	full string // its address
	name string // of it and all its streams

	mu     sync.Mutex
	rng    *rand.Rand
	lazy   bool // acknowledges a beat later
	hasty  bool // doesn't wait for long
	sock   *socket
	phase  phase
	framer xmpp.Framer
	buf    []byte
	heard  time.Time // when the server said something last, or, if that is later, when it was first owed an answer
	want   string    // the node to go to next
	quits  bool      // goes for good

	previd   string
	location string
	handled  uint32                       // stanzas that came
	unsaid   []ident.MessageID            // messages among them of which the server has not been told
	has      map[ident.MessageID]struct{} // messages of which it has
	sent     []sent                       // that the server has not acknowledged
	acked    uint32
	asked    bool   // an <r/> waits for its answer
	carried  []sent // of a stream that couldn't be resumed

	counts map[ident.UserID]int // messages to each
	nextAt time.Time            // when it says something
	status int                  // of its presence
	asks   map[string]answer    // requests: whether they are open
	sees   map[string]sight     // by full JID
	roster map[string]struct{}  // contacts, as it was told

	bound, resumed, refused int // streams
}

// answer is what became of a request.
type answer uint8

const (
	awaited answer = iota + 1
	lapsed         // its stream has ended, and the answer may come to another one or not
	had
)

// sent is a stanza that was sent.
type sent struct {
	text  string
	id    ident.MessageID // zero: it is no message
	again bool            // on another stream before
}

// connect makes a device of a user, with its client at a node.
func (w *world) connect(u ident.UserID, resource string, n *node) {
	seed := uint64(w.draw(1 << 30))
	d := &device{w: w, user: u, full: string(u) + "/" + resource, name: u.Local() + "/" + resource, rng: rand.New(rand.NewPCG(uint64(len(w.devices)), seed)),
		counts: map[ident.UserID]int{}, sees: map[string]sight{}, asks: map[string]answer{}, want: n.name}
	d.lazy, d.hasty = d.rng.IntN(3) == 0, d.rng.IntN(3) == 0
	w.devices = append(w.devices, d)
	d.begin()
	time.AfterFunc(beat, d.beats)
}

// receive takes what the server has written on a connection.
func (d *device) receive(s *socket, data string, closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sock != s {
		return
	}
	d.heard = time.Now()
	d.buf = append(d.buf, data...)
	for d.sock == s {
		item, n, err := d.framer.Next(d.buf)
		d.buf = d.buf[n:]
		if err != nil {
			d.w.Errorf("%s got %q: %v", d.name, data, err)
			return
		}
		switch item.Kind {
		case xmpp.NeedMore:
			if n > 0 {
				continue
			}
		case xmpp.StanzaItem:
			e, err := xmpp.Parse(item.Raw)
			if err != nil {
				d.w.Errorf("%s got %s: %v", d.name, item.Raw, err)
				return
			}
			d.element(e)
			continue
		case xmpp.StreamOpen, xmpp.StreamClose:
			continue
		}
		break
	}
	if closed && d.sock == s {
		d.lost(d.soon())
	}
}

// element takes what stands in the stream.
func (d *device) element(e *xmpp.Element) {
	switch {
	case e.Name == "error" && e.Space != xmpp.NSClient:
		d.w.net.Note("%s: stream error %s", d.name, e.AppendXML(nil, ""))
		if host := e.Child("urn:ietf:params:xml:ns:xmpp-streams", "see-other-host"); host != nil {
			d.want = host.Text()
		}
	case d.phase != online:
		d.login(e)
	case e.Space == nsSM:
		d.manage(e)
	default:
		d.handled++
		d.stanza(e)
	}
}

// manage is XEP-0198 on a stream that counts.
func (d *device) manage(e *xmpp.Element) {
	switch e.Name {
	case "r":
		if d.asked = d.lazy; !d.lazy {
			d.answer()
		}
	case "a":
		d.covered(e.Attr("h"))
	}
}

func (d *device) answer() {
	d.asked = false
	d.says()
	d.sock.stanza(fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsSM, d.handled))
}

// says notes that the server is told of all that came.
func (d *device) says() {
	if d.has == nil {
		d.has = map[ident.MessageID]struct{}{}
	}
	for _, id := range d.unsaid {
		d.has[id] = struct{}{}
	}
	d.unsaid = nil
}

// covered takes what the server has handled.
func (d *device) covered(attribute string) {
	h, err := strconv.ParseUint(attribute, 10, 32)
	n := int(uint32(h) - d.acked)
	if err != nil || n < 0 || n > len(d.sent) {
		d.w.Errorf("%s: h=%q after %d, and %d stanzas are out", d.name, attribute, d.acked, len(d.sent))
		return
	}
	for _, x := range d.sent[:n] {
		if x.id != (ident.MessageID{}) {
			d.w.book.handled(x.id)
		}
	}
	d.sent, d.acked = d.sent[n:], uint32(h)
}

// stanza takes one that came.
func (d *device) stanza(e *xmpp.Element) {
	switch e.Name {
	case "message":
		d.message(e)
	case "presence":
		d.presence(e)
	case "iq":
		d.request(e)
	}
}

// request answers one of another client, or takes the answer to one of its own.
func (d *device) request(e *xmpp.Element) {
	id := e.Attr("id")
	d.contacts(e)
	if t := e.Attr("type"); t == "get" || t == "set" {
		d.send(sent{text: fmt.Sprintf("<iq type='result' id='%s' to='%s'/>", id, e.Attr("from"))})
		return
	}
	switch d.asks[id] {
	case awaited, lapsed:
		d.asks[id] = had
	case had:
		d.w.book.twice.Add(1)
	default:
		d.w.Errorf("%s got an answer to %q, which it has not asked", d.name, id)
	}
}

// ask asks another device, or the server.
func (d *device) ask(to, query string) {
	id := fmt.Sprintf("%s-%d", d.name, len(d.asks))
	d.asks[id] = awaited
	d.w.net.Note("%s asks %s: %s", d.name, to, id)
	d.send(sent{text: fmt.Sprintf("<iq type='get' id='%s' to='%s'>%s</iq>", id, to, query)})
}

func (d *device) message(e *xmpp.Element) {
	text := e.Attr("id")
	id := ident.HashMessageID([]byte(text))
	if e.Attr("type") != "error" {
		if _, had := d.has[id]; had {
			d.w.net.Note("%s has told that it has %q, which comes again", d.name, text)
			d.w.book.repeated.Add(1)
		}
		d.unsaid = append(d.unsaid, id)
		d.w.book.saw(id, d.user, d.name)
		return
	}
	code := nodepb.Code_LATER
	if e.Child(xmpp.NSClient, "error").Child("urn:ietf:params:xml:ns:xmpp-stanzas", "remote-server-timeout") != nil {
		code = nodepb.Code_OUTCOME_UNKNOWN
	}
	for _, x := range d.sent {
		if x.id == id && x.again { // the first attempt may have been taken
			code = nodepb.Code_OUTCOME_UNKNOWN
		}
	}
	d.w.book.settled(id, code)
}

// send sends a stanza, and keeps it until the server has handled it.
func (d *device) send(x sent) {
	if len(d.sent) == 0 {
		d.heard = time.Now() // a server that owes nothing may be silent for as long as it likes
	}
	d.sent = append(d.sent, x)
	d.sock.stanza(x.text)
	d.sock.stanza("<r xmlns='" + nsSM + "'/>")
}

// say sends the next message to a user.
func (d *device) say(to ident.UserID) {
	d.counts[to]++
	n := d.counts[to]
	text := fmt.Sprintf("%s %s %d", d.name, to.Local(), n)
	id := ident.HashMessageID([]byte(text))
	d.w.book.said(id, d.name, to, n)
	d.send(sent{id: id, text: fmt.Sprintf("<message to='%s' type='chat' id='%s'><body>%d</body><origin-id xmlns='urn:xmpp:sid:0' id='%s'/></message>", to, text, n, text)})
}

// beats does what is due.
func (d *device) beats() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.w.ended() || d.quits {
		return
	}
	time.AfterFunc(beat, d.beats)
	if d.phase != online {
		return
	}
	now := time.Now()
	wait := patience
	if d.hasty {
		wait = haste
	}
	if len(d.sent) > 0 && now.Sub(d.heard) > wait {
		d.w.net.Note("%s gives %s up", d.name, d.sock.n.id)
		d.sock.lose()
		d.lost(d.soon())
		return
	}
	if d.asked {
		d.answer()
	}
	pause := d.w.pause.Load()
	if pause == 0 || d.nextAt.After(now) {
		return
	}
	if !d.nextAt.IsZero() {
		d.say(d.w.users[d.rng.IntN(len(d.w.users))])
		switch d.rng.IntN(10) {
		case 0, 1:
			d.tell()
		case 2:
			d.ask(d.w.devices[d.rng.IntN(len(d.w.devices))].full, "<ping xmlns='urn:xmpp:ping'/>")
		}
	}
	d.nextAt = now.Add(time.Duration(d.rng.Int64N(2 * pause)))
}

// quit ends the stream for good.
func (d *device) quit() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.quits = true
	if d.sock != nil {
		d.answer()
		d.sock.end()
	}
}

// soon is a short time.
func (d *device) soon() time.Duration { return time.Duration(d.rng.Int64N(int64(time.Second))) }
