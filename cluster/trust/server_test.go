package trust

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestJoin(t *testing.T) {
	r := newRig(t, "a")
	a := r.nodes["a"]
	var told Joining
	r.admit = func(j Joining) error { told = j; return nil }
	got, err := join(a, "b")
	if err != nil || got.Stamp() != a.Stamp() {
		t.Fatal(err)
	}
	if told.Name != "b" || told.Advertise != "127.0.0.1:1" || told.Release != "test" || !strings.HasPrefix(told.From.String(), "127.0.0.1:") {
		t.Errorf("%+v", told)
	}
	b := r.start("b", got)
	if s, c := shake(a.ServerTLS("t"), b.ClientTLS("a", "t")); s != nil || c != nil {
		t.Errorf("%v, %v", s, c)
	}
	third, err := join(b, "c") // any node is a seed
	if err != nil || third.Stamp() != a.Stamp() {
		t.Error(err)
	}
	r.admit = func(j Joining) error { return fmt.Errorf("a node called %s is alive", j.Name) }
	if _, err := join(a, "b"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "a node called b is alive") {
		t.Errorf("%v", err)
	}
	for _, entry := range a.logs.All() {
		if found := seen(a.Bundle(), fmt.Sprint(entry.Message, entry.ContextMap())); len(found) > 0 {
			t.Errorf("the log shows %v", found)
		}
	}
}

func TestRefusedJoins(t *testing.T) {
	r := newRig(t, "a", "other")
	a := r.nodes["a"]
	r.nodes["other"].Close()
	stranger := r.start("stranger", newBundle(t, time.Now()))
	token, err := a.NewToken(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	expired, err := a.Bundle().NewToken(time.Minute, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.NewToken(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	void := token
	void.mac[0] ^= 1
	posing := foreign // pins a's authority, and says another cluster
	posing.Pins = token.Pins
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("eve", "ada", time.Now()) }))
	old := token
	if token, err = a.NewToken(time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		token Token
		node  string
		seed  string
		want  error
	}{
		{"expired", must2(expiredNow(a, expired)), "b", a.addr, ErrTokenExpired},
		{"of another cluster", foreign, "b", a.addr, ErrNotPinned},
		{"of another cluster, with the right pins", posing, "b", a.addr, ErrNotPinned},
		{"a bad MAC", void, "b", a.addr, ErrTokenVoid},
		{"from before the token key was rotated", old, "b", a.addr, ErrTokenVoid},
		{"a revoked name", token, "eve", a.addr, ErrRevoked},
		{"a seed of another cluster", token, "b", stranger.addr, ErrNotPinned},
		{"an impossible name", token, "No Name", a.addr, nil},
		{"nobody there", token, "b", "127.0.0.1:1", nil},
		{"good", token, "b", a.addr, nil},
	} {
		got, err := Join(context.Background(), JoinRequest{Seed: c.seed, Token: c.token, Name: c.node})
		if c.name == "good" {
			if err != nil || got.Stamp() != a.Stamp() {
				t.Error(err)
			}
			continue
		}
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), c.token.Text()[20:60]) {
			t.Errorf("%s: the error shows the token", c.name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Join(ctx, JoinRequest{Seed: a.addr, Token: token, Name: "b"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for i := range 100 {
		if _, err = join(a, "b"); err != nil {
			if !errors.Is(err, ErrBusy) || i < 5 {
				t.Errorf("attempt %d: %v", i, err)
			}
			return
		}
	}
	t.Error("one address may try a hundred times a second")
}

// expiredNow makes an expired token with the node's current key.
func expiredNow(a *rigNode, t Token) (Token, error) {
	t.Pins = a.Bundle().Pins()
	t.mac = t.sum(a.Bundle().Token.Secret)
	return t, nil
}

func must2(t Token, _ error) Token { return t }

func TestFetchAndPush(t *testing.T) {
	r := newRig(t, "a", "b")
	a, b := r.nodes["a"], r.nodes["b"]
	ctx := context.Background()
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("ada", time.Now()), nil }))
	if m, err := b.Fetch(ctx, r.member("a")); err != nil || m.Lost != nil || b.Stamp() != a.Stamp() {
		t.Errorf("fetch: %v", err)
	}
	must(t)(b.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("bob", time.Now()), nil }))
	if s, err := b.Push(ctx, r.member("a")); err != nil || s != b.Stamp() || a.Stamp() != b.Stamp() {
		t.Errorf("push: %v, %v", s, err)
	}
	// Each makes a change beside the other: both say so, and they agree.
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("ada", time.Now()), nil }))
	must(t)(b.Change(func(b *Bundle) (*Bundle, error) { return b.WithStores(nil, "postgres://x:y@z/", "bob", time.Now()) }))
	m, err := b.Fetch(ctx, r.member("a"))
	if err != nil || m.Lost == nil {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := a.Fetch(ctx, r.member("b")); err != nil || a.Stamp() != b.Stamp() {
		t.Errorf("%v: %v and %v", err, a.Stamp(), b.Stamp())
	}
	if a.logs.FilterMessage("two bundles were made beside each other").Len()+b.logs.FilterMessage("two bundles were made beside each other").Len() == 0 {
		t.Error("nobody says that a change was lost")
	}
	// An older one that is pushed changes nothing, and the pusher learns what there is.
	before := a.Stamp()
	late := r.start("late", a.Bundle())
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("ada", time.Now()), nil }))
	if s, err := late.Push(ctx, r.member("a")); err != nil || s != a.Stamp() || s == before {
		t.Errorf("%v, %v", s, err)
	}
	stranger := r.start("stranger", newBundle(t, time.Now()))
	if _, err := stranger.Fetch(ctx, r.member("a")); err == nil {
		t.Error("a stranger's fetch")
	}
	wrong := r.member("a")
	wrong.Name = "z"
	if _, err := b.Fetch(ctx, wrong); err == nil || !strings.Contains(err.Error(), "the peer is a, and z was called") {
		t.Errorf("%v", err)
	}
}

// TestDialByOtherMeans: a node's Dial is used for what it fetches and pushes, and who is given none uses TCP.
func TestDialByOtherMeans(t *testing.T) {
	r := newRig(t, "a", "b")
	a, b := r.nodes["a"], r.nodes["b"]
	var dialled []string
	b.o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		dialled = append(dialled, addr)
		var d net.Dialer
		return d.DialContext(ctx, "tcp", a.addr)
	}
	nowhere := Member{Name: "a", Addr: "192.0.2.1:1"}
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("ada", time.Now()), nil }))
	if _, err := b.Fetch(t.Context(), nowhere); err != nil || b.Stamp() != a.Stamp() {
		t.Errorf("fetch: %v", err)
	}
	must(t)(b.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("bob", time.Now()), nil }))
	if s, err := b.Push(t.Context(), nowhere); err != nil || s != b.Stamp() || a.Stamp() != b.Stamp() {
		t.Errorf("push: %v, %v", s, err)
	}
	if len(dialled) != 2 || dialled[0] != nowhere.Addr {
		t.Errorf("dialled %v", dialled)
	}
	b.o.Dial = func(context.Context, string) (net.Conn, error) { return nil, io.ErrClosedPipe }
	if _, err := b.Fetch(t.Context(), r.member("a")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

func TestTheRevokedGetNothing(t *testing.T) {
	r := newRig(t, "a", "b", "eve")
	a, b, eve := r.nodes["a"], r.nodes["b"], r.nodes["eve"]
	ctx := context.Background()
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("eve", "ada", time.Now()) }))
	if _, err := eve.Fetch(ctx, r.member("a")); !errors.Is(err, ErrRefused) {
		t.Errorf("eve fetches: %v", err)
	}
	if _, err := eve.Push(ctx, r.member("a")); !errors.Is(err, ErrRefused) {
		t.Errorf("eve pushes: %v", err)
	}
	if _, err := a.Fetch(ctx, r.member("eve")); !errors.Is(err, ErrPeerRevoked) || !errors.Is(err, ErrRevoked) {
		t.Errorf("a fetches from eve: %v", err)
	}
	mallory := r.start("mallory", eve.Bundle()) // eve by another name, which its authority's key allows
	if _, err := mallory.Fetch(ctx, r.member("a")); !errors.Is(err, ErrLeaving) {
		t.Errorf("eve fetches by another name: %v", err)
	}
	must(t)(mallory.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("eve", time.Now()), nil }))
	if _, err := mallory.Push(ctx, r.member("a")); !errors.Is(err, ErrLeaving) {
		t.Errorf("eve pushes by another name: %v", err)
	}
	if _, err := b.Fetch(ctx, r.member("a")); !errors.Is(err, ErrLeaving) { // it has to wait for the push
		t.Errorf("b fetches: %v", err)
	}
	if s, err := a.Push(ctx, r.member("b")); err != nil || s != a.Stamp() {
		t.Errorf("push to b: %v, %v", s, err)
	}
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.Advance(time.Now()) }))
	if _, err := b.Fetch(ctx, r.member("a")); err != nil { // by the new authority
		t.Errorf("b fetches the next step: %v", err)
	}
	must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.Advance(time.Now()) }))
	if _, err := b.Fetch(ctx, r.member("a")); err != nil {
		t.Errorf("b fetches the last step: %v", err)
	}
	if _, err := mallory.Fetch(ctx, r.member("a")); err == nil {
		t.Error("the old authority still counts")
	}
	if _, err := a.Push(ctx, Member{Name: "eve", Addr: eve.addr}); err == nil {
		t.Error("a revoked node got the bundle")
	}
}

// speak opens a connection of a protocol and sends bytes.
func speak(t *testing.T, addr, protocol string, l *Live, send []byte) (got []byte) {
	t.Helper()
	cfg := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}
	if l != nil {
		cfg = l.ClientTLS("", protocol)
	}
	conn, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(send)
	_ = conn.CloseWrite()
	got, _ = io.ReadAll(conn)
	return got
}

func frame(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

func TestHostileClients(t *testing.T) {
	r := newRig(t, "a", "b")
	a := r.nodes["a"]
	before := a.Bundle()
	for name, c := range map[string]struct {
		protocol string
		by       *Live
		send     []byte
		want     string
	}{
		"no protocol":              {"http/1.1", nil, nil, ""},
		"nothing":                  {JoinProtocol, nil, nil, "other"},
		"half a length":            {JoinProtocol, nil, []byte{0, 0}, "other"},
		"a huge length":            {JoinProtocol, nil, []byte{255, 255, 255, 255}, "other"},
		"more than a stranger may": {JoinProtocol, nil, binary.BigEndian.AppendUint32(nil, maxJoin+1), "other"},
		"cut short":                {JoinProtocol, nil, frame(`{"token":"x"}`)[:10], "other"},
		"no JSON":                  {JoinProtocol, nil, frame(`GET / HTTP/1.1`), "other"},
		"a number as token":        {JoinProtocol, nil, frame(`{"token":7}`), "other"},
		"no token":                 {JoinProtocol, nil, frame(`{}`), "malformed"},
		"null":                     {JoinProtocol, nil, frame(`null`), "malformed"},
		"deeply nested":            {JoinProtocol, nil, frame(strings.Repeat("[", 4000)), "other"},
		"a stranger fetches":       {TrustProtocol, nil, frame(`{"op":"fetch"}`), ""},
		"a join that fetches":      {JoinProtocol, nil, frame(`{"op":"fetch"}`), "malformed"},
		"a member asks nonsense":   {TrustProtocol, r.nodes["b"].Live, frame(`{"op":"dance"}`), "other"},
		"a member pushes nothing":  {TrustProtocol, r.nodes["b"].Live, frame(`{"op":"push"}`), "other"},
		"a member pushes nonsense": {TrustProtocol, r.nodes["b"].Live, frame(`{"op":"push","bundle":{"version":99}}`), "other"},
		"a member pushes another cluster's": {TrustProtocol, r.nodes["b"].Live,
			frame(`{"op":"push","bundle":` + string(newBundle(t, epoch).Encode()) + `}`), "cluster"},
		"a member's huge length": {TrustProtocol, r.nodes["b"].Live, binary.BigEndian.AppendUint32(nil, maxFrame+1), "other"},
	} {
		got := speak(t, a.addr, c.protocol, c.by, c.send)
		var ans answer
		if err := readFrame(bytes.NewReader(got), maxFrame, &ans); (err == nil) != (c.want != "") || ans.Refused != c.want || ans.Bundle != nil {
			t.Errorf("%s: %v, %q %q", name, err, ans.Refused, ans.Text)
		}
	}
	if a.Bundle() != before {
		t.Error("the bundle has changed")
	}
}

func TestHostileSeeds(t *testing.T) {
	b := newBundle(t, time.Now())
	token, err := b.NewToken(time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Authorities[0].Issue("a", b.Cluster, NodeLife, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string][]byte{
		"nothing": nil, "half a length": {0}, "a huge length": {255, 0, 0, 0}, "no JSON": frame("x"), "no bundle": frame(`{}`), "a bad bundle": frame(`{"bundle":{}}`),
		"a refusal of a later release": frame(`{"refused":"moon","text":"\u001b[2Jfull moon"}`), "another cluster": frame(`{"bundle":` + string(newBundle(t, epoch).Encode()) + `}`),
	} {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*c}, NextProtos: []string{JoinProtocol}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var ignored request
			_ = readFrame(conn, maxJoin, &ignored)
			_, _ = conn.Write(send)
			_ = conn.Close()
		}()
		_, err = Join(context.Background(), JoinRequest{Seed: listener.Addr().String(), Token: token, Name: "b"})
		if err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "a refusal of a later release" && !strings.Contains(err.Error(), "full moon") {
			t.Errorf("%v", err)
		}
		_ = listener.Close()
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Join(ctx, JoinRequest{Seed: silent.Addr().String(), Token: token, Name: "b"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent seed: %v", err)
	}
}

// TestTooManyConnections: who only connects, and says nothing, keeps nobody out; of too many the oldest are ended.
func TestTooManyConnections(t *testing.T) {
	r := newRig(t, "a")
	a := r.nodes["a"]
	var held []net.Conn
	for range 2 * connections {
		c, err := net.Dial("tcp", a.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		held = append(held, c)
	}
	if _, err := join(a, "b"); err != nil {
		t.Errorf("a node that joins meanwhile: %v", err)
	}
	for i, c := range held[:connections] {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the %dth is held: %v", i, err)
		}
	}
	open := 0
	for _, c := range held[connections:] {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open < connections-1 {
		t.Errorf("%d of %d are held", open, connections)
	}
}

// TestAlertOfAnybody: what comes before a server has shown who it is says nothing about this node's certificate.
func TestAlertOfAnybody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = c.Write([]byte{0x15, 3, 3, 0, 2, 2, 42}) // bad_certificate
			_ = c.Close()
		}
	}()
	now := time.Now()
	l := nodeOf(t, "a", newBundle(t, now), &now)
	_, err = l.Fetch(t.Context(), Member{Name: "b", Addr: listener.Addr().String()})
	if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "bad certificate") {
		t.Errorf("got %v", err)
	}
}

func TestStopEndsAll(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	now := time.Now()
	l := nodeOf(t, "a", newBundle(t, now), &now)
	NewServer(ServerConfig{Live: l}).Stop() // never started
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(ServerConfig{Live: l})
	s.Start(listener)
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Stop()
	closed(t, c)
	_ = c.Close()
}

func TestLimiter(t *testing.T) {
	l := limiter{every: time.Second, burst: 3}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	now := epoch
	for i, want := range []bool{true, true, true, false, false} {
		if l.allow(a, now) != want {
			t.Errorf("attempt %d: %v", i, !want)
		}
	}
	if !l.allow(b, now) {
		t.Error("one address takes another's room")
	}
	if now = now.Add(time.Second); !l.allow(a, now) || l.allow(a, now) {
		t.Error("after a second there is room for one")
	}
	now = now.Add(time.Hour)
	for i := range 3 * maxBuckets {
		l.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if len(l.buckets) > maxBuckets+1 {
		t.Errorf("%d addresses are remembered", len(l.buckets))
	}
	if now = now.Add(time.Hour); !l.allow(a, now) {
		t.Error("an attack is remembered for ever")
	}
	for addr, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::", "[fe80::1%lo]:5": "fe80::", "nonsense": "invalid IP",
	} {
		if got := origin(address(addr)).String(); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
}

type address string

func (address) Network() string  { return "test" }
func (a address) String() string { return string(a) }

func FuzzFrames(f *testing.F) {
	f.Add(frame(`{"op":"join","token":"jackdaw1.","name":"a"}`))
	f.Add(frame(`{"refused":"busy","text":"x"}`))
	f.Add([]byte{0, 0, 0, 9, '{'})
	f.Fuzz(func(t *testing.T, text []byte) {
		var r request
		if readFrame(bytes.NewReader(text), maxJoin, &r) == nil {
			var out bytes.Buffer
			var again request
			if err := writeFrame(&out, r); err != nil {
				t.Fatal(err)
			}
			if err := readFrame(&out, maxFrame, &again); err != nil || again.Token != r.Token || again.Name != r.Name {
				t.Errorf("%v: %+v and %+v", err, r, again)
			}
			_, _ = ParseToken(r.Token)
			_ = CheckName(r.Name)
		}
		var a answer
		if readFrame(bytes.NewReader(text), maxFrame, &a) == nil {
			if err := a.err(); err != nil && strings.ContainsFunc(err.Error(), func(c rune) bool { return c < ' ' }) {
				t.Errorf("%q", err)
			}
			_, _ = Decode(a.Bundle)
		}
	})
}

func TestRefusalsKeepTheirErrors(t *testing.T) {
	for _, r := range refusals {
		text, err := json.Marshal(refuse(fmt.Errorf("somewhere: %w", r.err)))
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.Unmarshal(text, &a); err != nil || !errors.Is(a.err(), r.err) {
			t.Errorf("%s: %v, %v", r.code, a.err(), err)
		}
	}
}

func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return // of a pipe that is closed
	}
	_, err := c.Read(make([]byte, 1))
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is open: %v", err)
	}
}
