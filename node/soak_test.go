package node

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// The size of the soak.
const (
	soakUsers    = 20
	soakPeers    = 3  // whom each of them writes to
	soakEach     = 80 // messages to each of these
	soakPatience = 40 * time.Second
)

// ledger is what the clients know: what they sent, what the server took, and what arrived.
type ledger struct {
	mu       sync.Mutex
	sent     []string
	acked    map[string]bool
	refused  map[string]string
	arrived  map[string][]int // numbers by "from to", in the order of first arrivals
	seen     map[string]bool
	again    int
	problems []string
}

// arrive books one message; id is "from to number".
func (l *ledger) arrive(to string, e *xmpp.Element) {
	from, _, _ := strings.Cut(e.Attr("from"), "/")
	id := ""
	if o := e.Child("urn:xmpp:sid:0", "origin-id"); o != nil {
		id = o.Attr("id")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Attr("type") == "error" {
		l.refused[e.Attr("id")] = fmt.Sprint(e)
		return
	}
	body := e.Child("jabber:client", "body").Text()
	parts := strings.Split(id, " ")
	if len(parts) != 3 || parts[0] != from || parts[1] != to || body != "no. "+parts[2] {
		l.problems = append(l.problems, fmt.Sprintf("%s got %q from %s, whose id is %q", to, body, from, id))
		return
	}
	if l.seen[id] {
		l.again++
		return
	}
	l.seen[id] = true
	n, _ := strconv.Atoi(parts[2])
	l.arrived[from+" "+to] = append(l.arrived[from+" "+to], n)
}

// open says how many messages were sent, which have no acknowledgement, and which have one and did neither arrive nor come back.
func (l *ledger) open() (sent int, unacked, missing []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.sent {
		switch {
		case !l.acked[id]:
			unacked = append(unacked, id)
		case !l.seen[id] && l.refused[id] == "":
			missing = append(missing, id)
		}
	}
	return len(l.sent), unacked, missing
}

// player is one user with a client that always comes back.
type player struct {
	l      *ledger
	c      *chaos
	name   string
	peers  []string
	cfg    client.Config
	next   int
	resume *client.Resumption
	carry  []client.Sent
}

// play connects until ctx is over, each time where it left off.
func (p *player) play(ctx context.Context) {
	p.cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		if e.Name == "message" {
			p.l.arrive(p.name, e)
		}
	}
	p.cfg.OnAck = func(_ *client.Conn, sent []client.Sent) {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		for _, s := range sent {
			if id, ok := s.Tag.(string); ok {
				p.l.acked[id] = true
			}
		}
	}
	for ctx.Err() == nil {
		cfg := p.cfg
		cfg.Resume = p.resume
		dialing, cancel := context.WithTimeout(ctx, 5*time.Second)
		conn, err := client.Dial(dialing, &cfg)
		cancel()
		if err != nil {
			continue
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = conn.Run() }()
		p.talk(ctx, conn)
		conn.Cut()
		<-ended
		if r, ok := conn.Resumption(); ok {
			p.resume = &r
		} else {
			p.resume, p.carry = nil, append(conn.Unacked(), p.carry...)
		}
	}
}

// talk sends what is due on one connection, until that ends.
func (p *player) talk(ctx context.Context, conn *client.Conn) {
	if !conn.Resumed() {
		if conn.Presence(0) != nil {
			return
		}
		again := append(slices.Clone(conn.Carried()), p.carry...)
		for p.carry = nil; len(again) > 0; again = again[1:] {
			if again[0].Tag != nil && conn.Send(again[0].Stanza, again[0].Tag) != nil {
				// it is kept by the connection even so, and those after it are kept here
				p.carry = again[1:]
				return
			}
		}
	}
	for ctx.Err() == nil {
		pause := 100 * time.Millisecond
		if p.next < soakPeers*soakEach {
			p.send(conn)
			pause = time.Duration(p.c.pick(20)) * time.Millisecond
		}
		if p.next%4 == 0 || p.next == soakPeers*soakEach {
			_ = conn.RequestAck()
		}
		if p.c.hit(100) {
			conn.Cut()
		}
		select {
		case <-conn.Done():
			return
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// send sends the next message. What the connection didn't take, it keeps.
func (p *player) send(conn *client.Conn) {
	n := p.next / soakPeers
	to := p.peers[p.next%soakPeers]
	id := fmt.Sprintf("%s %s %d", p.name, to, n)
	err := conn.SendMessage(&client.Message{To: to, ID: id, OriginID: id, Body: fmt.Sprintf("no. %d", n)}, id)
	if err == client.ErrClosed {
		return // nothing was sent
	}
	p.next++
	p.l.mu.Lock()
	p.l.sent = append(p.l.sent, id)
	p.l.mu.Unlock()
}

// TestSoak lets users chat while commits fail, lanes, mailboxes and sessions crash and sockets are cut: every message that was
// acknowledged arrives, first arrivals in the order of their sender, and what comes twice has one id.
func TestSoak(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("JACKDAW_SOAK_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("JACKDAW_SOAK_SEED=%d", seed)
	c := newChaos(seed)
	c.over.Store(true) // until all is set up
	core, logs := observer.New(zapcore.WarnLevel)
	n, users := soakNode(t, c, zap.New(core))
	c.over.Store(false)

	l := &ledger{acked: map[string]bool{}, refused: map[string]string{}, arrived: map[string][]int{}, seen: map[string]bool{}}
	ctx, cancel := context.WithTimeout(t.Context(), soakPatience)
	var players sync.WaitGroup
	keys := sasl.NewKeyCache()
	for i, name := range users {
		p := &player{l: l, c: c, name: name, cfg: client.Config{
			Addr: n.Listening().C2STLS, JID: name + "/here", Password: "secret", Management: true, Keys: keys}}
		for k := range soakPeers {
			p.peers = append(p.peers, users[(i+1+k*5)%soakUsers])
		}
		p.cfg.TLS = client.TLSConfig("localhost", nil)
		p.cfg.TLS.InsecureSkipVerify = true // it is its own, made by the node
		players.Go(func() { p.play(ctx) })
	}
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	began := time.Now()
	for i := 0; time.Since(began) < 3*time.Second; i++ {
		<-beat.C
		c.crash(n.sys, users, i%60 == 30 && i < 180) // as many lanes as their supervisor bears
	}
	c.over.Store(true)
	var sent int
	var unacked, missing []string
	for ; ctx.Err() == nil; <-beat.C {
		if sent, unacked, missing = l.open(); sent == soakUsers*soakPeers*soakEach && len(unacked)+len(missing) == 0 {
			break
		}
	}
	cancel()
	players.Wait()

	l.mu.Lock()
	defer l.mu.Unlock()
	kinds := map[string]int{}
	for _, e := range logs.All() {
		kind, _, _ := strings.Cut(fmt.Sprint(e.ContextMap()["actor"], e.ContextMap()["child"]), "/")
		kinds[e.Message+" "+kind]++
	}
	t.Logf("%d sent, %d refused, %d came again, %d resumed in %v; %v", len(l.sent), len(l.refused), l.again, n.sessions.Resumed.Load(), time.Since(began).Round(time.Millisecond), kinds)
	if len(l.refused) > 0 {
		t.Logf("refusals: %v", slices.Collect(maps.Values(l.refused)))
	}
	if sent != soakUsers*soakPeers*soakEach || len(unacked)+len(missing) > 0 {
		t.Errorf("%d sent; without acknowledgement %q, acknowledged and lost %q", sent, unacked, missing)
	}
	for _, p := range l.problems {
		t.Error(p)
	}
	for pair, got := range l.arrived {
		if !slices.IsSorted(got) {
			t.Errorf("%s: out of order: %v", pair, got)
		}
	}
}

// soakNode is a node over a store that chaos has in its hands, with users.
func soakNode(t *testing.T, c *chaos, log *zap.Logger) (*Node, []string) {
	t.Helper()
	n, err := OpenOn(testConfig(t), log, shaky{memory(t), c})
	if err != nil {
		t.Fatal(err)
	}
	actorstest.Tap(n.sys, c.see)
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, n)
	u, err := admin.NewUser("x@localhost", "secret")
	if err != nil {
		t.Fatal(err)
	}
	var users []string
	for i := range soakUsers {
		u.ID = ident.UserID(fmt.Sprintf("user%d@localhost", i))
		users = append(users, string(u.ID))
		if err := n.Users().Create(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	return n, users
}
