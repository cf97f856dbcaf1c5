package account

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// debtor is an account whose casts get lost.
type debtor struct {
	*testing.T
	st  *state
	now time.Time
}

func newDebtor(t *testing.T) *debtor {
	d := &debtor{T: t, st: romeo(), now: t0}
	bound(t, d.st, "1", "orchard")
	available(d.st, "1", 0)
	return d
}

// lose gives casts back, as from another node, and reports how many of them were the end of it.
func (d *debtor) lose(casts []cast, err error) (dropped int) {
	for _, c := range casts {
		if d.st.undelivered(&effects{now: d.now}, c.to, proto.Clone(c.msg), err, 0) {
			dropped++
		}
	}
	return dropped
}

// pay returns what is cast again in a second.
func (d *debtor) pay() (casts []cast) {
	d.now = d.now.Add(owedPause)
	fx := &effects{now: d.now}
	d.st.tick(fx)
	for _, o := range fx.again {
		casts = append(casts, o.cast)
	}
	return casts
}

// TestPresenceThatGotLost: the contact hears the latest in the end.
func TestPresenceThatGotLost(t *testing.T) {
	for _, err := range []error{actors.ErrNoConnection, actors.ErrOverloaded, actors.ErrNoProc} {
		d := newDebtor(t)
		lost := []cast{{Ref("juliet@montague.example"), presence("romeo@montague.example/orchard", "juliet@montague.example", nodepb.PresenceType_AVAILABLE, &nodepb.SetPresence{Payload: []byte("old")})}}
		if n := d.lose(append(lost, lost...), err); n != 0 || d.st.mayRest() {
			t.Fatalf("%d dropped, rests %v", n, d.st.mayRest())
		}
		if next := d.st.nextTick(); !next.Equal(d.now.Add(owedPause)) {
			t.Fatalf("due at %v", next)
		}
		casts := d.pay()
		expect(t, "once", casts, "account/juliet AVAILABLE from romeo/orchard")
		if p := casts[0].msg.(*nodepb.Presence); string(p.Payload) != "<show>chat</show>" {
			t.Fatalf("told %v", p)
		}
		d.lose(lost, err)
		d.st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0)
		expect(t, "gone meanwhile", d.pay(), "account/juliet UNAVAILABLE from romeo/orchard")
		expect(t, "nothing is owed", d.pay())
	}

	d := newDebtor(t)
	probe := []cast{{Ref("mercutio@montague.example"), &nodepb.Presence{Type: nodepb.PresenceType_PROBE, From: "romeo@montague.example", To: "mercutio@montague.example"}}}
	d.lose(probe, actors.ErrNoConnection)
	expect(t, "a probe", d.pay(), "account/mercutio PROBE from romeo")
	again := proto.Clone(probe[0].msg).(*nodepb.Presence)
	again.Refresh = true
	d.lose(append(probe, cast{probe[0].to, again}, probe[0]), actors.ErrNoConnection)
	if casts := d.pay(); len(casts) != 1 || !casts[0].msg.(*nodepb.Presence).GetRefresh() {
		t.Fatalf("of two probes the one that asks for more: %v", casts)
	}
	other := proto.Clone(again).(*nodepb.Presence)
	other.To = "mercutio@montague.example/phone"
	d.lose([]cast{{probe[0].to, again}, {probe[0].to, other}}, actors.ErrNoConnection)
	expect(t, "two questions", d.pay(), "account/mercutio PROBE from romeo", "account/mercutio PROBE from romeo")
	d.lose(probe, actors.ErrNoConnection)
	d.st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0)
	expect(t, "nobody wants to know any more", d.pay())

	d = newDebtor(t)
	d.lose([]cast{{Ref("juliet@montague.example"), presence("romeo@montague.example", "", nodepb.PresenceType_UNAVAILABLE, nil)}}, actors.ErrNoConnection)
	expect(t, "somebody has come since", d.pay())

	d = newDebtor(t)
	d.lose([]cast{{Ref("juliet@montague.example"), presence("romeo@montague.example/orchard", "", nodepb.PresenceType_AVAILABLE, nil)}}, actors.ErrNoConnection)
	delete(d.st.contacts, "juliet@montague.example")
	expect(t, "no subscriber any more", d.pay())
}

// TestChangesThatGotLost: what follows from a committed change is told until it is heard, unless it is undone.
func TestChangesThatGotLost(t *testing.T) {
	d := newDebtor(t)
	change := cast{mailbox.Ref(d.st.user), &nodepb.MailboxChange{ContactsAdded: []string{"juliet@montague.example", "nurse@montague.example"},
		ContactsRemoved: []string{"paris@montague.example", "benvolio@montague.example"}}}
	d.lose([]cast{change}, actors.ErrNoConnection)
	expect(t, "what still holds", d.pay(), "mailbox/romeo +[juliet] -[paris]")
	for what, stands := range map[nodepb.MailboxChange_What]bool{nodepb.MailboxChange_CREATED: true, nodepb.MailboxChange_REMOVED: false} {
		d.lose([]cast{{mailbox.Ref(d.st.user), &nodepb.MailboxChange{What: what}}}, actors.ErrNoConnection)
		if casts := d.pay(); (len(casts) == 1) != stands {
			t.Fatalf("%v: %s", what, show(casts))
		}
	}
	for typ, lines := range map[nodepb.PresenceType][2]string{
		nodepb.PresenceType_UNSUBSCRIBED: {"paris", "juliet"}, nodepb.PresenceType_UNSUBSCRIBE: {"paris", "mercutio"},
	} {
		d.lose([]cast{d.st.ends("paris@montague.example", typ), d.st.ends("juliet@montague.example", typ), d.st.ends("mercutio@montague.example", typ)}, actors.ErrNoConnection)
		for _, c := range d.pay() {
			if c.to == Ref("juliet@montague.example") || c.to.ID == lines[1]+"@montague.example" {
				t.Fatalf("%v denies a subscription that stands", c.msg)
			}
		}
	}
}

// TestLostForGood: what is for a session of a lost node, or best effort, is counted only, and nothing is owed for ever.
func TestLostForGood(t *testing.T) {
	d := newDebtor(t)
	toSession := []cast{{ref("1"), &nodepb.RosterPush{}}, {ref("1"), &nodepb.Presence{From: "juliet@montague.example/pc"}}, {ref("1"), unable}, {ref("9"), &nodepb.RosterPush{}}}
	directed := cast{Ref("juliet@montague.example"), &nodepb.Presence{Directed: true}}
	if n := d.lose(append(toSession, directed), actors.ErrNoConnection); n != 5 || len(d.st.owed) != 0 {
		t.Fatalf("%d are counted, %d owed", n, len(d.st.owed))
	}
	if !d.st.undelivered(&effects{}, ref("1"), "no message", actors.ErrNoConnection, 0) {
		t.Fatal("it isn't counted")
	}
	fx := &effects{now: d.now}
	if d.st.undelivered(fx, ref("1"), &nodepb.RosterPush{}, actors.ErrOverloaded, 0) || len(fx.casts) != 1 || fx.casts[0].msg != proto.Message(unable) {
		t.Fatalf("a client that can't be told of its roster: %v", fx.casts)
	}
	tries := 0
	d.lose([]cast{{mailbox.Ref(d.st.user), &nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED}}}, actors.ErrNoConnection)
	for len(d.st.owed) > 0 {
		o := d.st.owed[0]
		if len(d.pay()) != 1 {
			t.Fatal("it isn't cast")
		}
		tries++
		d.st.undelivered(&effects{now: d.now}, o.to, o.msg, actors.ErrNoConnection, o.tries)
	}
	if tries != owedTries {
		t.Fatalf("tried %d times", tries)
	}
	for i := range maxOwed + 5 {
		d.lose([]cast{{Ref("juliet@montague.example"), &nodepb.Presence{From: fmt.Sprintf("romeo@montague.example/%d", i)}}}, actors.ErrNoConnection)
	}
	if len(d.st.owed) != maxOwed {
		t.Fatalf("%d are owed", len(d.st.owed))
	}
}

func TestRetire(t *testing.T) {
	for name, test := range map[string]struct {
		change func(st *state)
		done   bool
	}{
		"at rest":      {func(*state) {}, true},
		"being read":   {func(st *state) { st.loading = true }, false},
		"a change":     {func(st *state) { st.work = &work{} }, false},
		"changes wait": {func(st *state) { st.backlog = []message{{}} }, false},
		"stashed":      {func(st *state) { st.stash = []message{{}} }, false},
	} {
		d := newDebtor(t)
		test.change(d.st)
		d.lose([]cast{{Ref("juliet@montague.example"), presence("romeo@montague.example/orchard", "", nodepb.PresenceType_AVAILABLE, nil)}}, actors.ErrNoConnection)
		fx := &effects{now: d.now}
		if done := d.st.retire(fx); done != test.done {
			t.Errorf("%s: done %v", name, done)
		}
		if len(fx.again) != 1 || len(d.st.owed) != 0 {
			t.Errorf("%s: what is owed isn't paid", name)
		}
	}
}
