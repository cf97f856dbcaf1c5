package account

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// bench drives the pure state by hand: messages and the store's answers in, effects out.
type bench struct {
	t   *testing.T
	st  *state
	fx  effects
	now time.Time
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, st: newState(juliet), now: t0}
	b.turn()
	b.st.load(&b.fx)
	b.answer(&snapshot{&store.Profile{Account: store.Account{User: juliet}}}, nil)
	b.turn()
	return b
}

func (b *bench) turn() { b.fx = effects{now: b.now, fresh: func() string { return "fresh" }} }

func (b *bench) ask(msg any) {
	b.turn()
	b.st.receive(&b.fx, message{&actors.From{}, msg})
}

func (b *bench) answer(v any, err error) {
	b.turn()
	b.st.stored(&b.fx, v, err)
}

// pass lets time go by until the next tick.
func (b *bench) pass() {
	b.t.Helper()
	next := b.st.nextTick()
	if next.IsZero() {
		b.t.Fatal("nothing is due")
	}
	b.now = next
	b.turn()
	b.st.tick(&b.fx)
}

// want compares the codes answered in this turn, and whether the store was asked.
func (b *bench) want(asked bool, codes ...nodepb.Code) {
	b.t.Helper()
	if got := b.fx.store != nil; got != asked {
		b.t.Fatalf("store asked: %v, want %v", got, asked)
	}
	var got []nodepb.Code
	for _, r := range b.fx.replies {
		got = append(got, r.msg.(interface{ GetCode() nodepb.Code }).GetCode())
	}
	if fmt.Sprint(got) != fmt.Sprint(codes) {
		b.t.Fatalf("answered %v, want %v", got, codes)
	}
}

func setItem(jid string) *nodepb.SetRoster {
	return &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: jid}}
}

const ok = nodepb.Code_OK

func TestOneChangeAtATime(t *testing.T) {
	b := newBench(t)
	b.ask(setItem("a@x"))
	b.want(true)
	b.ask(setItem("b@x"))
	b.want(false)
	b.ask(&nodepb.Subscription{From: string(juliet), To: "a@x", Type: unsubd})
	b.want(false)
	b.ask(&nodepb.GetRoster{})
	b.want(false, ok)
	b.answer(uint64(1), nil)
	b.want(true, ok)
	b.answer(uint64(2), nil)
	b.want(false, ok, ok) // the last needed no change
	if b.st.rev != 2 || b.st.work != nil || !b.st.nextTick().IsZero() {
		t.Fatalf("revision %d, %+v", b.st.rev, b.st.work)
	}
}

func TestChangesAreBounded(t *testing.T) {
	b := newBench(t)
	for i := range maxWaiting + 1 {
		b.ask(setItem(fmt.Sprint(i, "@x")))
	}
	b.want(false)
	b.ask(setItem("late@x"))
	b.want(false, nodepb.Code_LATER)
	b.answer(uint64(1), nil)
	b.want(true, ok)
	b.ask(setItem("late@x"))
	b.want(false)
}

func TestRetriesAndWhatFollows(t *testing.T) {
	b := newBench(t)
	b.ask(setItem("a@x"))
	b.answer(nil, errDisk)
	b.want(false)
	b.ask(setItem("b@x"))
	b.want(false)
	b.pass()
	b.want(true)
	b.answer(nil, store.ErrFull) // this try wasn't done; of the first nobody knows
	b.want(false)
	b.pass()
	b.answer(nil, store.ErrRevision)
	b.want(true) // read again
	roster := store.Roster{Rev: 1, Items: []store.RosterItem{{Contact: "a@x", Listed: true}}}
	b.answer(&snapshot{&store.Profile{Account: store.Account{User: juliet}, Roster: roster}}, nil)
	b.want(true, ok) // the first try did it; now the second change
	b.answer(nil, store.ErrRevision)
	b.answer(nil, errDisk)
	b.want(false)
	b.pass()
	b.want(true)
	roster.Rev = 7
	b.answer(&snapshot{&store.Profile{Account: store.Account{User: juliet}, Roster: roster}}, nil)
	b.want(true)
	b.answer(uint64(8), nil)
	b.want(false, ok)
	if b.st.rev != 8 || len(b.st.contacts) != 2 {
		t.Fatalf("revision %d, %d contacts", b.st.rev, len(b.st.contacts))
	}
}

func TestSomebodyElseAlwaysComesFirst(t *testing.T) {
	b := newBench(t)
	b.ask(setItem("a@x"))
	for range maxTries - 1 {
		b.answer(nil, store.ErrRevision)
		b.want(true)
		b.answer(&snapshot{&store.Profile{Account: store.Account{User: juliet}}}, nil)
		b.want(true)
	}
	b.answer(nil, store.ErrRevision)
	b.answer(&snapshot{&store.Profile{Account: store.Account{User: juliet}}}, nil)
	b.want(false, nodepb.Code_LATER)
}

func TestUnknownForEver(t *testing.T) {
	b := newBench(t)
	b.ask(setItem("a@x"))
	for range maxTries - 1 {
		b.answer(nil, actors.ErrTimeout)
		b.want(false)
		b.pass()
		b.want(true)
	}
	b.answer(nil, actors.ErrTimeout)
	b.want(true, nodepb.Code_OUTCOME_UNKNOWN) // and the account is read again
	b.answer(&snapshot{}, nil)
	b.want(false)
	if b.st.exists {
		t.Fatal("the account is gone, and it doesn't know")
	}
}

func TestCodesOfErrors(t *testing.T) {
	for _, c := range []struct {
		err          error
		code, unsure nodepb.Code // at the first try, and after one of unknown outcome
	}{
		{store.ErrRevision, nodepb.Code_GAP, nodepb.Code_GAP},
		{store.ErrNotFound, nodepb.Code_GAP, nodepb.Code_GAP},
		{store.ErrExists, nodepb.Code_GAP, nodepb.Code_GAP},
		{fmt.Errorf("x: %w", store.ErrFull), nodepb.Code_STORE_FULL, nodepb.Code_OUTCOME_UNKNOWN},
		{store.ErrInvalid, nodepb.Code_BAD_REQUEST, nodepb.Code_OUTCOME_UNKNOWN},
		{store.ErrClosed, nodepb.Code_LATER, nodepb.Code_OUTCOME_UNKNOWN},
		{actors.ErrOverloaded, nodepb.Code_LATER, nodepb.Code_OUTCOME_UNKNOWN},
		{actors.ErrNoProc, nodepb.Code_LATER, nodepb.Code_OUTCOME_UNKNOWN},
		{actors.ErrTimeout, nodepb.Code_OUTCOME_UNKNOWN, nodepb.Code_OUTCOME_UNKNOWN},
		{actors.ErrCrashed, nodepb.Code_OUTCOME_UNKNOWN, nodepb.Code_OUTCOME_UNKNOWN},
		{errDisk, nodepb.Code_OUTCOME_UNKNOWN, nodepb.Code_OUTCOME_UNKNOWN},
	} {
		if got := codeOf(c.err, false); got != c.code {
			t.Errorf("%v: %v, want %v", c.err, got, c.code)
		}
		if got := codeOf(c.err, true); got != c.unsure {
			t.Errorf("%v after an unknown outcome: %v, want %v", c.err, got, c.unsure)
		}
	}
}

func TestMayRest(t *testing.T) {
	b := newBench(t)
	if !b.st.mayRest() {
		t.Fatal("an idle account stays")
	}
	b.ask(setItem("a@x"))
	if b.st.mayRest() {
		t.Fatal("it rests with a change under way")
	}
	b.answer(uint64(1), nil)
	if !b.st.mayRest() {
		t.Fatal("an account with nothing to do stays")
	}
	bound(t, b.st, "1", "balcony")
	if b.st.mayRest() {
		t.Fatal("it rests with a session")
	}
}

func TestTooManyWait(t *testing.T) {
	st := newState(juliet)
	fx := &effects{now: t0, fresh: func() string { return "fresh" }}
	st.load(fx)
	for range maxWaiting {
		st.receive(fx, message{&actors.From{}, &nodepb.GetRoster{}})
	}
	if len(fx.replies) != 0 {
		t.Fatal("answered too early")
	}
	for _, c := range []struct {
		req  any
		code nodepb.Code
	}{
		{&nodepb.Bind{}, nodepb.Code_LATER}, {&nodepb.GetRoster{}, nodepb.Code_LATER}, {&nodepb.SetRoster{}, nodepb.Code_LATER},
		{&nodepb.Subscription{}, nodepb.Code_LATER}, {&nodepb.RemoveAccount{}, nodepb.Code_LATER},
	} {
		fx.replies = nil
		st.receive(fx, message{&actors.From{}, c.req})
		if len(fx.replies) != 1 || fx.replies[0].msg.(interface{ GetCode() nodepb.Code }).GetCode() != c.code {
			t.Errorf("%T: %v", c.req, fx.replies)
		}
	}
	fx.replies = nil
	st.receive(fx, message{&actors.From{}, &nodepb.GetCredentials{}})
	if len(fx.replies) != 1 || !errors.Is(fx.replies[0].err, actors.ErrOverloaded) {
		t.Errorf("GetCredentials: %v", fx.replies)
	}
	st.receive(fx, message{nil, &nodepb.Presence{}})
	if len(st.stash) != maxWaiting || len(fx.replies) != 1 {
		t.Error("a cast too many was kept or answered")
	}
	st.stored(fx, &snapshot{&store.Profile{Account: store.Account{User: juliet}}}, nil)
	if len(st.stash) != 0 || len(fx.replies) != 1+maxWaiting {
		t.Fatalf("%d replies", len(fx.replies))
	}
}

func TestItemsComeBackAsTheyWere(t *testing.T) {
	request := &nodepb.Presence{Type: sub, From: "a@x", To: string(juliet), Id: "s1", Payload: []byte("<status/>")}
	for _, name := range []string{"None", "None+PO", "None+PI", "None+POI", "To", "To+PI", "From", "From+PO", "Both"} {
		c := &contact{jid: "a@x", name: "A", groups: []string{"g"}, listed: name != "None+PI", sub: parseState(name)}
		if c.sub.pendingIn {
			c.request = request
		}
		i := c.stored()
		back := contactOf(i)
		if !back.same(c) || back.jid != c.jid {
			t.Errorf("%s came back as %+v", name, back)
		}
		if i.Visible() != c.visible() {
			t.Errorf("%s is visible to the account: %v, to the mailbox: %v", name, c.visible(), i.Visible())
		}
	}
	a, b := &contact{jid: "a@x", listed: true}, &contact{jid: "a@x", listed: true, name: "A"}
	if a.same(b) || a.same(nil) || !(*contact)(nil).same(nil) {
		t.Error("same is wrong")
	}
	c := contactOf(store.RosterItem{Contact: "a@x", PendingIn: true, Request: []byte("nonsense")})
	if p := c.asks(juliet); p.GetType() != sub || p.GetFrom() != "a@x" || p.GetTo() != string(juliet) {
		t.Errorf("a request that can't be read is asked as %v", p)
	}
}

func TestRequestsOfStrangersAreBounded(t *testing.T) {
	b := newBench(t)
	ask := func(from ident.UserID, payload int) nodepb.Code {
		ch, a := b.st.prepareSubscription(&nodepb.Subscription{Inbound: true, From: string(from), To: string(juliet), Type: sub, Payload: make([]byte, payload)})
		if ch != nil {
			b.st.apply(ch)
			return ch.answer.sub.GetCode()
		}
		return a.sub.GetCode()
	}
	if code := ask("long@x", maxRequest+1); code != nodepb.Code_QUOTA {
		t.Fatalf("a long one: %v", code)
	}
	for i := range maxRequests {
		if code := ask(ident.UserID(fmt.Sprint(i, "@x")), 10); code != ok {
			t.Fatalf("request %d: %v", i, code)
		}
	}
	if code := ask("more@x", 10); code != nodepb.Code_QUOTA {
		t.Fatalf("one too many: %v", code)
	}
	if ch, _ := b.st.prepareSet(&nodepb.RosterItem{Jid: "friend@x"}); ch == nil {
		t.Fatal("strangers have filled the roster")
	} else {
		b.st.apply(ch)
	}
	if code := ask("friend@x", 10); code != ok {
		t.Fatalf("a contact's request: %v", code)
	}
}

// TestMailboxInfo: the user's mailbox is told what it must know, as soon as that is known.
func TestMailboxInfo(t *testing.T) {
	b := &bench{t: t, st: newState(juliet), now: t0}
	b.turn()
	b.st.load(&b.fx)
	b.ask(&nodepb.GetMailboxInfo{})
	if len(b.fx.replies) > 0 {
		t.Fatalf("answered %v before it was read", b.fx.replies)
	}
	info := func(want *nodepb.MailboxInfo) {
		t.Helper()
		if len(b.fx.replies) != 1 || !proto.Equal(b.fx.replies[0].msg, want) {
			t.Errorf("answered %v, want %v", b.fx.replies, want)
		}
	}
	b.answer(&snapshot{&store.Profile{Account: store.Account{User: juliet}, Blocks: []string{"spam.example"}, Devices: []store.Device{{ID: "phone", Since: 5}},
		Roster: store.Roster{Rev: 3, Items: []store.RosterItem{{Contact: "nurse@x", Ask: true}, {Contact: "paris@x", PendingIn: true}, {Contact: "a@x", Listed: true}}}}}, nil)
	info(&nodepb.MailboxInfo{Exists: true, Contacts: []string{"a@x", "nurse@x"}, Blocks: []string{"spam.example"},
		Devices: []*nodepb.MailboxInfo_Device{{Id: "phone", Since: 5}}})
	b.ask(setItem("b@x"))
	b.ask(&nodepb.GetMailboxInfo{})
	info(&nodepb.MailboxInfo{Exists: true, Contacts: []string{"a@x", "nurse@x"}, Blocks: []string{"spam.example"},
		Devices: []*nodepb.MailboxInfo_Device{{Id: "phone", Since: 5}}}) // of b the mailbox is told once that is stored
	b.ask(&nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED})
	b.answer(uint64(4), nil)
	b.answer(&snapshot{}, nil)
	b.ask(&nodepb.GetMailboxInfo{})
	info(&nodepb.MailboxInfo{})
}
