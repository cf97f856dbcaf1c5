package session

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// node is a running system with sessions, whose accounts and mailboxes are the test's.
type node struct {
	t        *testing.T
	sys      *actors.System
	sessions *supervision.Dynamic
	root     *supervision.Root
	counters Counters

	mu     sync.Mutex
	heard  []any                 // casts to accounts and mailboxes
	pushed []*nodepb.PushedRow   // what a mailbox has for whoever attaches
	held   bool                  // mailboxes answer no message
	late   []func()              // their answers then
	at     map[string]actors.Ref // accounts' sessions by resource
}

// other is an account or a mailbox.
type other struct{ n *node }

func (o *other) Init(*actors.Context, any) error { return nil }

func (o *other) Handle(ctx *actors.Context, msg any) error {
	n, self := o.n, ctx.Self()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = append(n.heard, msg)
	switch m := msg.(type) {
	case *nodepb.Deliver:
		answer := func() {
			_ = n.sys.Answer(actors.RefOf(m.SenderRef), &nodepb.Outcome{From: self.Proto(), Seq: m.Seq, Code: nodepb.Code_OK})
		}
		if n.held {
			n.late = append(n.late, answer)
		} else {
			answer()
		}
	case *nodepb.Attach:
		if m.Connected && m.Available && len(n.pushed) > 0 {
			return ctx.Answer(actors.RefOf(m.Session), &nodepb.Push{Mailbox: self.Proto(), Epoch: m.Epoch, Rows: n.pushed})
		}
	case crash:
		return errors.New("as asked")
	}
	return nil
}

// crash makes an actor crash.
type crash struct{}

func (o *other) HandleCall(_ *actors.Context, _ actors.From, req any) (any, error) {
	o.n.mu.Lock()
	defer o.n.mu.Unlock()
	switch m := req.(type) {
	case *nodepb.GetCredentials:
		return known(), nil
	case *nodepb.Bind:
		resource := m.Resource
		if resource == "" {
			resource = "made-up"
		}
		o.n.at[resource] = actors.RefOf(m.Session)
		return &nodepb.Bound{Code: nodepb.Code_OK, Resource: resource}, nil
	case *nodepb.GetRoster:
		return &nodepb.Roster{Code: nodepb.Code_OK}, nil
	}
	return nil, errors.New("what?")
}

// Exited implements actors.Owner: what crashed lives again.
func (n *node) Exited(c *actors.Child, reason actors.Reason) {
	if !reason.Ended() {
		c.Restart()
	}
}

// onNode runs a test on a node in a bubble.
func onNode(t *testing.T, test func(t *testing.T, n *node)) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{t: t, at: map[string]actors.Ref{}}
		n.sys = actors.NewSystem(actors.Config{Node: "n@1", Workers: 2})
		if err := n.sys.Start(); err != nil {
			t.Fatal(err)
		}
		n.sessions = Supervisor(n.sys, Config{Domain: "example.org", Secret: []byte("secret"), Counters: &n.counters})
		var err error
		n.root, err = supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "test", Children: []supervision.ChildSpec{n.sessions.Child()}})
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{accountKind, mailboxKind} {
			for _, user := range []ident.UserID{alice, bob} {
				spec := actors.Spec{Kind: kind, New: func() actors.Behaviour { return &other{n} }}
				if _, err := n.sys.Spawn(spec, actors.Ref{Kind: kind, ID: string(user)}, nil, n); err != nil {
					t.Fatal(err)
				}
			}
		}
		test(t, n)
		n.stop()
		if live := n.counters.Live.Load(); live != 0 {
			t.Errorf("%d sessions live on", live)
		}
		if err := n.sys.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func (n *node) stop() {
	if err := n.root.Stop(context.Background()); err != nil {
		n.t.Error(err)
	}
}

// took returns the casts of one type that accounts and mailboxes have heard, and forgets them.
func took[T any](n *node) []T {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []T
	rest := n.heard[:0]
	for _, msg := range n.heard {
		if m, ok := msg.(T); ok {
			all = append(all, m)
		} else {
			rest = append(rest, msg)
		}
	}
	n.heard = rest
	return all
}

// conn is one connection: the client's end is the test, and the gateway's, too.
type conn struct {
	n   *node
	ref actors.Ref

	mu                sync.Mutex
	data              string
	stanzas           int
	restarts          int
	authed, closed    bool
	writesAfterTheEnd int
}

// Write implements Outlet.
func (c *conn) Write(out Out) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.writesAfterTheEnd++
	}
	c.data += string(out.Data)
	c.stanzas += out.Stanzas
	c.authed, c.closed = c.authed || out.Authed, c.closed || out.Close
	if out.Restart {
		c.restarts++
	}
	return 0, nil
}

func (n *node) connect() *conn {
	n.t.Helper()
	c := &conn{n: n}
	ref, err := Start(n.sessions, Args{Outlet: c, Remote: "192.0.2.1"})
	if err != nil {
		n.t.Fatal(err)
	}
	c.ref = ref
	return c
}

// got returns what the client got since last time.
func (c *conn) got() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	data := c.data
	c.data = ""
	return data
}

func (c *conn) cast(msg any) {
	c.n.t.Helper()
	if err := c.n.sys.Cast(c.ref, msg); err != nil {
		c.n.t.Fatal(err)
	}
}

// send gives the session stanzas and returns what the client got.
func (c *conn) send(stanzas ...string) string {
	c.n.t.Helper()
	for _, s := range stanzas {
		e, err := xmpp.Parse([]byte(s))
		if err != nil {
			c.n.t.Fatalf("%s: %v", s, err)
		}
		c.cast(Stanza{Elem: e, Size: len(s)})
	}
	return c.got()
}

func (c *conn) open() string {
	c.n.t.Helper()
	c.cast(Opened{Header: xmpp.StreamHeader{To: "example.org", Version: "1.0"}})
	return c.got()
}

func (c *conn) want(got string, parts ...string) {
	c.n.t.Helper()
	(&rig{t: c.n.t}).want(got, parts...)
}

// login takes the client through SCRAM to an authenticated stream.
func (c *conn) login() {
	t := c.n.t
	t.Helper()
	c.want(c.open(), "<mechanism>SCRAM-SHA-256</mechanism>")
	client, err := sasl.NewClient(sasl.SCRAMSHA256, "alice", password, nil)
	if err != nil {
		t.Fatal(err)
	}
	step := func(got, name string) string {
		data := ""
		if got != "" {
			c.want(got, "<"+name+" ")
			_, rest, _ := strings.Cut(got, ">")
			text, _, _ := strings.Cut(rest, "<")
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			data = string(raw)
		}
		next, err := client.Step([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		return b64(string(next))
	}
	got := c.send(auth(sasl.SCRAMSHA256, step("", "")))
	got = c.send(response(step(got, "challenge")))
	step(got, "success")
	if !client.Done() || !c.authed || c.restarts != 1 {
		t.Fatalf("done %v, authed %v, %d restarts", client.Done(), c.authed, c.restarts)
	}
	if r := took[*nodepb.LoginResult](c.n); len(r) != 1 || !r[0].Ok {
		t.Fatalf("the account was told %v", r)
	}
	c.want(c.open(), "<bind")
}

// bind takes the client all the way to a bound resource.
func (c *conn) bind() {
	c.n.t.Helper()
	c.login()
	c.want(c.send("<iq type='set' id='b'><bind xmlns='"+nsBind+"'><resource>phone</resource></bind></iq>"),
		"<iq type='result' id='b'", "<jid>alice@example.org/phone</jid>")
}

// TestFromLoginToAck is a client's whole way: login, bind, a message, its outcome, its acknowledgement.
func TestFromLoginToAck(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		c := n.connect()
		c.bind()
		n.mu.Lock()
		n.held = true
		n.mu.Unlock()
		c.want(c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>"), "<enabled ")
		if got := c.send(toBob, askSM); got != answerSM(0) {
			t.Fatalf("before the outcome: %s", got)
		}
		d := took[*nodepb.Deliver](n)
		if len(d) != 1 || d[0].Message.From != "alice@example.org/phone" || d[0].Seq != 1 || actors.RefOf(d[0].SenderRef) != c.ref {
			t.Fatalf("delivered %v", d)
		}
		counted := c.stanzas
		n.mu.Lock()
		n.held = false
		for _, answer := range n.late {
			answer()
		}
		n.mu.Unlock()
		if got := c.got(); got != answerSM(1) || c.stanzas != counted+1 {
			t.Fatalf("after the outcome: %s, %d newly counted", got, c.stanzas-counted)
		}
		c.cast(Closed{Reason: ClientClosed})
		if got := c.got(); !strings.HasSuffix(got, streamEnd) || !c.closed {
			t.Fatalf("the end: %s", got)
		}
		if len(took[*nodepb.Unbind](n)) != 1 || len(took[*nodepb.Detach](n)) != 1 {
			t.Fatal("account and mailbox don't know of the end")
		}
		if n.counters.Live.Load() != 0 || c.writesAfterTheEnd != 0 {
			t.Fatalf("%d live, %d writes after the end", n.counters.Live.Load(), c.writesAfterTheEnd)
		}
	})
}

// TestRowsAreAcknowledged: rows come by Push and are acknowledged by an answer to a ping.
func TestRowsAreAcknowledged(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		n.pushed = []*nodepb.PushedRow{row("r1", "one"), row("r2", "two")}
		c := n.connect()
		c.bind()
		got := c.send("<presence/>")
		c.want(got, "<body>one</body>", "<body>two</body>", "id='ping-1'")
		took[*nodepb.Ack](n)
		c.send("<iq type='result' id='ping-1' to='example.org'/>")
		if a := took[*nodepb.Ack](n); len(a) != 1 || len(a[0].Ids) != 2 || a[0].Epoch != 1 {
			t.Fatalf("acknowledged %v", a)
		}
	})
}

// TestResumptionBetweenActors: a second connection takes the first one's place.
func TestResumptionBetweenActors(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		n.pushed = []*nodepb.PushedRow{row("r1", "one")}
		c := n.connect()
		c.bind()
		got := c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<presence/>")
		c.want(got, "<enabled ", "<body>one</body>")
		_, rest, _ := strings.Cut(got, " id='")
		previd, _, _ := strings.Cut(rest, "'")
		c.cast(Closed{Reason: SocketLost})
		if a := took[*nodepb.Attach](n); a[len(a)-1].Connected {
			t.Fatalf("the mailbox was told %v", a)
		}
		second := n.connect()
		second.login()
		got = second.send("<resume xmlns='urn:xmpp:sm:3' previd='" + previd + "' h='0'/>")
		second.want(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+previd+"' h='1'/>", "<body>one</body>")
		if n.at["phone"] != second.ref {
			t.Fatalf("the account has %v bound", n.at)
		}
		if len(took[*nodepb.Unbind](n)) != 0 {
			t.Fatal("the account was told goodbye")
		}
		second.send(answerSM(1))
		if a := took[*nodepb.Ack](n); len(a) == 0 || len(a[len(a)-1].Ids) != 1 {
			t.Fatalf("acknowledged %v", a)
		}
		time.Sleep(2 * forwardTime)
		synctest.Wait()
		if live := n.counters.Live.Load(); live != 1 {
			t.Fatalf("%d sessions are alive", live)
		}
	})
}

// TestCrashOfTheOthers: sessions bind and attach again when account and mailbox have crashed.
func TestCrashOfTheOthers(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		c := n.connect()
		c.bind()
		c.send("<presence/>")
		for range 3 {
			for _, ref := range []actors.Ref{accountOf(alice), mailboxOf(alice)} {
				took[any](n)
				n.mu.Lock()
				n.at = map[string]actors.Ref{}
				n.mu.Unlock()
				if err := n.sys.Cast(ref, crash{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * retryTime)
				attached, told := 0, 0
				for _, msg := range took[any](n) {
					switch m := msg.(type) {
					case *nodepb.Attach:
						if attached++; !m.Connected || !m.Available || m.Epoch < 2 {
							t.Errorf("attached with %v", m)
						}
					case *nodepb.SetPresence:
						if told++; !m.Quiet || !m.Available {
							t.Errorf("told %v", m)
						}
					}
				}
				account := ref == accountOf(alice)
				if attached != 1 && !account || told != 1 && account || attached+told != 1 || (n.at["phone"] == c.ref) != account {
					t.Fatalf("after a crash of %v: attached %d times, told %d times, bound %v", ref, attached, told, n.at)
				}
			}
		}
	})
}

// TestSilentConnections: who says nothing is asked, and then closed.
func TestSilentConnections(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		c := n.connect()
		c.open()
		time.Sleep(loginTime + time.Second)
		c.want(c.got(), "<connection-timeout", streamEnd)
		if !c.closed || n.counters.Live.Load() != 0 {
			t.Fatal("it is kept")
		}
		d := n.connect()
		d.bind()
		time.Sleep(DefaultIdlePing + time.Second)
		d.want(d.got(), "#info")
		time.Sleep(DefaultPingTimeout + time.Second)
		d.want(d.got(), "<connection-timeout", streamEnd)
		if n.counters.Unanswered.Load() != 1 || n.counters.Live.Load() != 0 {
			t.Fatal("it is kept")
		}
	})
}

// TestServerStops: every client is told.
func TestServerStops(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		c, d := n.connect(), n.connect()
		c.bind()
		d.open()
		n.stop()
		for _, x := range []*conn{c, d} {
			x.want(x.got(), "<system-shutdown", streamEnd)
			if !x.closed {
				t.Error("a connection stands")
			}
		}
		var err error
		if n.root, err = supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "again"}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestUnknownCalls: an actor that asks a session for what it doesn't know gets an error, and the session lives.
func TestUnknownCalls(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		c := n.connect()
		c.bind()
		if _, err := n.sys.Call(t.Context(), c.ref, "what?"); err == nil {
			t.Error("answered")
		}
		c.cast("what?")
		c.want(c.send("<iq type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>"), "type='result'")
	})
}
