package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// rig drives the pure state by hand: stanzas and messages in, bytes and effects out.
type rig struct {
	t     *testing.T
	st    *state
	fx    *effects
	now   time.Time
	casts []cast
	calls []call
	watch []actors.Ref

	backlog        int // what the outlet says next
	stanzas, bytes int // credit freed
	authed, closed bool
	restart, stop  bool
}

const (
	alice = ident.UserID("alice@example.org")
	bob   = ident.UserID("bob@example.org")
)

var echoRef = actors.Ref{Kind: "echo", ID: "echo@example.org"}

func testShared() *shared {
	sh := newShared(Config{
		Domain: "example.org", Secret: []byte("0123456789abcdef"), Software: "Jackdaw", Version: "1.2.3",
		Services: map[ident.UserID]actors.Ref{"echo@example.org": echoRef},
	})
	sh.jitter = func(below time.Duration) time.Duration { return below / 2 }
	n := 0
	sh.random = func() string {
		n++
		return fmt.Sprintf("random%010d", n)
	}
	return sh
}

func newRig(t *testing.T) *rig { return newRigOn(t, testShared(), "s1") }

func newRigOn(t *testing.T, sh *shared, id string) *rig {
	r := &rig{t: t, now: epoch0}
	r.st = newState(sh, actors.Ref{Kind: Kind, ID: id, Node: "n@1"}, r.now)
	r.turn()
	return r
}

// turn begins the next turn.
func (r *rig) turn() { r.fx = &effects{now: r.now} }

// collect moves the effects of one handler into the rig.
func (r *rig) collect() {
	r.casts = append(r.casts, r.fx.casts...)
	r.calls = append(r.calls, r.fx.calls...)
	r.watch = append(r.watch, r.fx.watch...)
	r.fx.casts, r.fx.calls, r.fx.watch = nil, nil, nil
}

// end ends the turn and returns what the client got.
func (r *rig) end() string {
	r.t.Helper()
	var got strings.Builder
	for i := 0; r.st.fill(r.fx); i++ {
		if i > 1000 {
			r.t.Fatal("a turn doesn't end")
		}
		got.Write(r.fx.out)
		n := len(r.fx.out)
		r.stanzas, r.bytes = r.stanzas+r.fx.stanzas, r.bytes+r.fx.bytes
		r.authed, r.restart, r.closed = r.authed || r.fx.authed, r.restart || r.fx.restart, r.closed || r.fx.close
		r.fx.out, r.fx.stanzas, r.fx.bytes, r.fx.authed, r.fx.restart, r.fx.close = nil, 0, 0, false, false, false
		r.st.flushed(r.fx, n, r.backlog, nil)
		r.collect()
	}
	r.st.settle(r.fx)
	r.collect()
	r.stop = r.stop || r.fx.stop
	r.turn()
	return got.String()
}

// give hands the state stanzas in one turn and returns what the client got.
func (r *rig) give(stanzas ...string) string {
	r.t.Helper()
	for _, s := range stanzas {
		e, err := xmpp.Parse([]byte(s))
		if err != nil {
			r.t.Fatalf("%s: %v", s, err)
		}
		r.st.stanza(r.fx, Stanza{Elem: e, Size: len(s)})
		r.collect()
	}
	return r.end()
}

// do runs one handler as a turn.
func (r *rig) do(handle func(fx *effects)) string {
	r.t.Helper()
	handle(r.fx)
	r.collect()
	return r.end()
}

// pass lets time go by, ticking whenever something is due, and returns what the client got.
func (r *rig) pass(d time.Duration) string {
	r.t.Helper()
	until := r.now.Add(d)
	got := ""
	for i := 0; ; i++ {
		next := r.st.nextTick(r.now)
		if next.IsZero() || next.After(until) || r.stop {
			break
		}
		if i > 10000 {
			r.t.Fatalf("the tick at %v doesn't go forward", next.Sub(epoch0))
		}
		if next.After(r.now) {
			r.now = next
		}
		r.turn()
		got += r.do(r.st.tick)
	}
	r.now = until
	r.turn()
	return got
}

// answer answers the oldest call.
func (r *rig) answer(v any, err error) string {
	r.t.Helper()
	c := r.takeCall()
	return r.do(func(fx *effects) { c.done(fx, v, err) })
}

func (r *rig) takeCall() call {
	r.t.Helper()
	if len(r.calls) == 0 {
		r.t.Fatal("no call is open")
	}
	c := r.calls[0]
	r.calls = r.calls[1:]
	return c
}

// took returns the casts so far, as text, and forgets them.
func (r *rig) took() string {
	var b strings.Builder
	for _, c := range r.casts {
		if m, ok := c.msg.(proto.Message); ok {
			fmt.Fprintf(&b, "%s <- %s{%s}\n", c.to, m.ProtoReflect().Descriptor().Name(), squeeze(fmt.Sprint(m)))
		} else {
			fmt.Fprintf(&b, "%s <- %+v\n", c.to, c.msg)
		}
	}
	r.casts = nil
	return b.String()
}

// squeeze undoes the random spaces of protobuf's text form.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// castsOf returns the casts of one type so far and forgets all.
func castsOf[T any](r *rig) []T {
	var all []T
	for _, c := range r.casts {
		if m, ok := c.msg.(T); ok {
			all = append(all, m)
		}
	}
	r.casts = nil
	return all
}

// want fails unless got contains each part, in order.
func (r *rig) want(got string, parts ...string) {
	r.t.Helper()
	rest := got
	for _, p := range parts {
		i := strings.Index(rest, p)
		if i < 0 {
			r.t.Fatalf("missing %q\nin %s", p, got)
		}
		rest = rest[i+len(p):]
	}
}

// open sends a stream header.
func (r *rig) open() string {
	r.t.Helper()
	return r.do(func(fx *effects) {
		r.st.opened(fx, xmpp.StreamHeader{To: "example.org", Version: "1.0"})
	})
}

// boundRig is a session of alice with resource "phone"; everything up to there is forgotten.
func boundRig(t *testing.T) *rig {
	r := newRig(t)
	r.bind("phone")
	return r
}

// bind takes the short way to a bound session.
func (r *rig) bind(resource string) {
	r.t.Helper()
	r.authenticated()
	r.give(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
	r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: resource}, nil)
	if r.st.phase != bound {
		r.t.Fatalf("phase %d after bind", r.st.phase)
	}
	r.casts, r.watch, r.stanzas, r.bytes = nil, nil, 0, 0
}

// authenticated takes the short way to an authenticated stream with features.
func (r *rig) authenticated() {
	r.t.Helper()
	r.open()
	r.st.user, r.st.auth, r.st.phase = alice, nil, reopening
	r.open()
	if r.st.phase != binding {
		r.t.Fatalf("phase %d after login", r.st.phase)
	}
}

// row is a row for the client.
func row(id, body string) *nodepb.PushedRow {
	return &nodepb.PushedRow{Id: []byte(id), Cost: uint32(len(body) + 100), Message: chat(body)}
}

// push gives the session rows in its present epoch.
func (r *rig) push(rows ...*nodepb.PushedRow) string {
	r.t.Helper()
	return r.do(func(*effects) {
		r.st.push(&nodepb.Push{Epoch: r.st.epoch, Rows: rows})
	})
}
