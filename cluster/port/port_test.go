package port

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

// patience bounds what a test waits for; it passes long before.
const patience = 20 * time.Second

func start(t *testing.T, cfg Config) *Port {
	t.Helper()
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dial(t *testing.T, p *Port, first string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, first); err != nil {
		t.Fatal(err)
	}
	return c
}

// gone waits until the other side has closed a connection.
func gone(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	var timeout net.Error
	if n != 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection is still open: %d, %v", n, err)
	}
}

func TestTheFirstByteDecides(t *testing.T) {
	p := start(t, Config{})
	for _, first := range []string{"\x00", "\x0d", "\xf4", "G", "\x15", "\x17"} {
		_ = dial(t, p, first+"gossip")
		expect(t, <-p.Transport().StreamCh(), first+"gossip")
	}
	_ = dial(t, p, "\x16\x03\x01")
	c, err := p.TLS().Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, c, "\x16\x03\x01")
	if err := p.Close(); err != nil { // waits for who counts
		t.Fatal(err)
	}
	if s := p.Stats(); s.Streams != 6 || s.TLS != 1 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	if p.TLS().Addr().String() != p.Addr().String() {
		t.Errorf("%v and %v", p.TLS().Addr(), p.Addr())
	}
}

// expect reads text from a connection in the smallest pieces, and closes it.
func expect(t *testing.T, c net.Conn, text string) {
	t.Helper()
	defer func() { _ = c.Close() }()
	var got []byte
	for len(got) < len(text) {
		b := make([]byte, 1)
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, b[:n]...)
	}
	if string(got) != text {
		t.Errorf("read %q, want %q", got, text)
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read: %d, %v", n, err)
	}
}

func TestPackets(t *testing.T) {
	a, b := start(t, Config{}), start(t, Config{})
	for _, to := range []string{b.Addr().String(), fmt.Sprintf("localhost:%d", b.Addr().Port())} {
		if _, err := a.Transport().WriteToAddress([]byte("\x16 a packet"), memberlist.Address{Addr: to}); err != nil {
			t.Fatal(err)
		}
		got := <-b.Transport().PacketCh()
		if string(got.Buf) != "\x16 a packet" || got.From.String() != a.Addr().String() || got.Timestamp.IsZero() {
			t.Errorf("%q from %v at %v", got.Buf, got.From, got.Timestamp)
		}
	}
	if s := a.Stats(); s.PacketsOut != 2 || s.BytesOut != 20 {
		t.Errorf("%+v", s)
	}
	if s := b.Stats(); s.PacketsIn != 2 || s.BytesIn != 20 {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"", "127.0.0.1", "127.0.0.1:x"} {
		if _, err := a.Transport().WriteTo([]byte("x"), bad); err == nil {
			t.Errorf("a packet to %q was sent", bad)
		}
	}
}

func TestWhoSendsNothingIsDropped(t *testing.T) {
	p := start(t, Config{FirstByte: 50 * time.Millisecond})
	gone(t, dial(t, p, ""))
	if err := p.Close(); err != nil { // waits for who counts
		t.Fatal(err)
	}
	if s := p.Stats(); s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTheOldestSilentOneMakesRoom(t *testing.T) {
	p := start(t, Config{FirstByte: time.Hour, Undecided: 3})
	var silent []net.Conn
	for range 10 {
		silent = append(silent, dial(t, p, ""))
	}
	for _, c := range silent[:7] {
		gone(t, c)
	}
	_ = dial(t, p, "\x00x") // one that speaks gets in, and the next oldest goes
	expect(t, <-p.Transport().StreamCh(), "\x00x")
	gone(t, silent[7])
	for _, c := range silent[8:] {
		if _, err := io.WriteString(c, "\x01y"); err != nil {
			t.Fatal(err)
		}
		expect(t, <-p.Transport().StreamCh(), "\x01y")
	}
}

func TestWhatNobodyTakesUpIsClosed(t *testing.T) {
	p := start(t, Config{})
	for range waiting {
		_ = dial(t, p, "\x00")
	}
	for p.Stats().Streams < waiting {
		_ = dial(t, p, "\x16") // the other side isn't held up
		c, err := p.TLS().Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	gone(t, dial(t, p, "\x00"))
	_ = dial(t, p, "\x16")
	if c, err := p.TLS().Accept(); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
}

func TestOneSideClosed(t *testing.T) {
	p := start(t, Config{})
	waits := dial(t, p, "\x00")
	for len(p.gossip.streams) == 0 {
		gossipOnce(t, p)
	}
	if err := p.Transport().Shutdown(); err != nil {
		t.Fatal(err)
	}
	gone(t, waits)
	gone(t, dial(t, p, "\x00"))
	_ = dial(t, p, "\x16")
	c, err := p.TLS().Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if err := p.TLS().Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, dial(t, p, "\x16"))
	if _, err := p.TLS().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}

// gossipOnce passes a packet through p, which takes a moment.
func gossipOnce(t *testing.T, p *Port) {
	t.Helper()
	if _, err := p.Transport().WriteTo([]byte{0}, p.Addr().String()); err != nil {
		t.Fatal(err)
	}
	<-p.Transport().PacketCh()
}

func TestCloseEndsAll(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p, err := Start(Config{Bind: "127.0.0.1:0", FirstByte: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	silent, stream, secured := dial(t, p, ""), dial(t, p, "\x00"), dial(t, p, "\x16")
	accepted := make(chan error)
	_, _ = p.TLS().Accept() // the one that has come
	go func() {
		_, err := p.TLS().Accept()
		accepted <- err
	}()
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	gone(t, silent)
	gone(t, stream)
	_ = secured.Close()
	if _, err := p.Transport().WriteTo([]byte{0}, "127.0.0.1:9"); err == nil {
		t.Error("a packet was sent after Close")
	}
	again, err := Start(Config{Bind: p.Addr().String()})
	if err != nil {
		t.Fatalf("the address is not free: %v", err)
	}
	_ = again.Close()
}

func TestBadAddresses(t *testing.T) {
	taken := start(t, Config{})
	for _, cfg := range []Config{
		{Bind: "127.0.0.1"}, {Bind: "127.0.0.1:x"}, {Bind: "127.0.0.1:70000"}, {Bind: taken.Addr().String()},
		{Bind: "127.0.0.1:0", Advertise: "nonsense"}, {Bind: "127.0.0.1:0", Advertise: "h:-1"},
	} {
		if p, err := Start(cfg); err == nil {
			_ = p.Close()
			t.Errorf("%+v was opened", cfg)
		}
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	if p, err := Start(Config{Bind: udp.LocalAddr().String()}); err == nil {
		_ = p.Close()
		t.Error("an address whose UDP port is taken was opened")
	}
}

func TestAdvertise(t *testing.T) {
	p := start(t, Config{})
	own := int(p.Addr().Port())
	for _, c := range []struct {
		advertise, ip string
		number        int
		want          string
	}{
		{"", "", 7946, fmt.Sprintf("127.0.0.1:%d", own)},
		{"192.0.2.7:99", "", 7946, "192.0.2.7:99"},
		{"192.0.2.7:0", "", 7946, fmt.Sprintf("192.0.2.7:%d", own)},
		{"localhost:98", "", 0, "127.0.0.1:98"},
		{"[2001:db8::1]:97", "", 0, "[2001:db8::1]:97"},
		{":96", "", 0, "127.0.0.1:96"},
		{"192.0.2.7:99", "192.0.2.8", 95, "192.0.2.8:95"},
		{"", "192.0.2.8", 0, fmt.Sprintf("192.0.2.8:%d", own)},
	} {
		p.cfg.Advertise = c.advertise
		ip, number, err := p.Transport().FinalAdvertiseAddr(c.ip, c.number)
		if got := (&net.TCPAddr{IP: ip, Port: number}).String(); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
	p.cfg.Advertise = ""
	p.bound = netip.MustParseAddrPort("0.0.0.0:5")
	if ip, number, err := p.Transport().FinalAdvertiseAddr("", 0); err == nil && (ip.IsUnspecified() || number != 5) {
		t.Errorf("%v:%d", ip, number)
	}
}

func TestPrivate(t *testing.T) {
	for _, c := range []struct {
		addrs []string
		want  string
	}{
		{[]string{"127.0.0.1/8", "::1/128", "fe80::1/64", "192.0.2.1/24", "fd00::1/64", "10.0.0.1/8", "10.0.0.2/8"}, "10.0.0.1"},
		{[]string{"192.0.2.1/24", "fd00::1/64"}, "fd00::1"},
		{[]string{"2001:db8::1/64", "192.0.2.1/24"}, "192.0.2.1"},
		{[]string{"nonsense", "2001:db8::1/64"}, "2001:db8::1"},
		{[]string{"127.0.0.1/8", "fe80::1/64"}, ""},
		{nil, ""},
	} {
		got, err := private(func() ([]net.Addr, error) {
			var addrs []net.Addr
			for _, a := range c.addrs {
				addrs = append(addrs, text(a))
			}
			return addrs, nil
		})
		if c.want == "" && err == nil || c.want != "" && got.String() != c.want {
			t.Errorf("%v: %v, %v", c.addrs, got, err)
		}
	}
	if _, err := private(func() ([]net.Addr, error) { return nil, io.ErrClosedPipe }); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type text string

func (text) Network() string  { return "test" }
func (s text) String() string { return string(s) }

// watcher hears of members.
type watcher chan string

func (w watcher) NotifyJoin(n *memberlist.Node)   { w <- "join " + n.Name }
func (w watcher) NotifyLeave(n *memberlist.Node)  { w <- "leave " + n.Name }
func (w watcher) NotifyUpdate(n *memberlist.Node) {}

// inbox takes what members send each other.
type inbox chan string

func (i inbox) NodeMeta(int) []byte             { return nil }
func (i inbox) NotifyMsg(b []byte)              { i <- string(b) }
func (i inbox) GetBroadcasts(int, int) [][]byte { return nil }
func (i inbox) LocalState(bool) []byte          { return nil }
func (i inbox) MergeRemoteState([]byte, bool)   {}

func gossip(t *testing.T, p *Port, name string, key []byte) (*memberlist.Memberlist, watcher, inbox) {
	t.Helper()
	cfg := memberlist.DefaultLocalConfig()
	events, in := make(watcher, 100), make(inbox, 100)
	cfg.Name, cfg.Transport, cfg.SecretKey, cfg.Label = name, p.Transport(), key, "a cluster"
	cfg.Events, cfg.Delegate, cfg.Logger = events, in, log.New(io.Discard, "", 0)
	m, err := memberlist.Create(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	return m, events, in
}

// await waits for an event.
func await(t *testing.T, events chan string, want string) {
	t.Helper()
	var got []string
	timeout := time.After(patience)
	for !slices.Contains(got, want) {
		select {
		case e := <-events:
			got = append(got, e)
		case <-timeout:
			t.Fatalf("no %q, but %q", want, got)
		}
	}
}

// TestMemberlist: real gossip, encrypted and labelled, and on the same address a node that joins the trust by a token.
func TestMemberlist(t *testing.T) {
	bundle, err := trust.New("test", nil, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	live, err := trust.Create(trust.Options{File: t.TempDir() + "/trust", Name: "a"}, bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	a, b := start(t, Config{}), start(t, Config{})
	server := trust.NewServer(trust.ServerConfig{Live: live, Logger: zap.NewNop()})
	server.Start(a.TLS())
	defer server.Stop()
	key := bundle.GossipKeys()[0]
	ma, ea, ia := gossip(t, a, "a", key)
	token, err := live.NewToken(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := trust.Join(context.Background(), trust.JoinRequest{Seed: a.Addr().String(), Token: token, Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	mb, eb, _ := gossip(t, b, "b", got.GossipKeys()[0])
	if n, err := mb.Join([]string{a.Addr().String()}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	await(t, ea, "join b")
	await(t, eb, "join a")
	if ma.LocalNode().Port != a.Addr().Port() {
		t.Errorf("a advertises %v", ma.LocalNode().FullAddress())
	}
	for _, n := range mb.Members() {
		if n.Name != "a" {
			continue
		}
		if err := mb.SendBestEffort(n, []byte("by packet")); err != nil {
			t.Error(err)
		}
		await(t, ia, "by packet")
		if err := mb.SendReliable(n, []byte("by stream")); err != nil {
			t.Error(err)
		}
		await(t, ia, "by stream")
	}
	if err := mb.Leave(patience); err != nil {
		t.Error(err)
	}
	await(t, ea, "leave b")
}
