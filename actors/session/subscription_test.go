package session

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// hop is one call of a subscription and its answer.
type hop struct {
	to      actors.Ref
	inbound bool
	from    string
	typ     nodepb.PresenceType
	answer  *nodepb.SubscriptionDone
}

func TestSubscriptions(t *testing.T) {
	own, peer := accountOf(alice), accountOf(bob)
	ok := &nodepb.SubscriptionDone{Code: nodepb.Code_OK}
	forward := &nodepb.SubscriptionDone{Code: nodepb.Code_OK, Forward: true}
	const sub, subd, unsubd = nodepb.PresenceType_SUBSCRIBE, nodepb.PresenceType_SUBSCRIBED, nodepb.PresenceType_UNSUBSCRIBED
	tests := []struct {
		name string
		typ  string
		hops []hop
		want string
	}{
		{"subscribe", "subscribe", []hop{{own, false, "alice", sub, forward}, {peer, true, "alice", sub, ok}}, ""},
		{"the contact's account agrees by itself", "subscribe", []hop{{own, false, "alice", sub, forward},
			{peer, true, "alice", sub, &nodepb.SubscriptionDone{Code: nodepb.Code_OK, Reply: subd}}, {own, true, "bob", subd, ok}}, ""},
		{"nothing to tell", "unsubscribed", []hop{{own, false, "alice", unsubd, ok}}, ""},
		{"no such contact", "subscribe", []hop{{own, false, "alice", sub, forward},
			{peer, true, "alice", sub, &nodepb.SubscriptionDone{Code: nodepb.Code_NO_SUCH_USER}}, {own, true, "bob", unsubd, ok}}, ""},
		{"approval of a user who is gone", "subscribed", []hop{{own, false, "alice", subd, forward},
			{peer, true, "alice", subd, &nodepb.SubscriptionDone{Code: nodepb.Code_NO_SUCH_USER}}}, ""},
		{"roster full", "subscribe", []hop{{own, false, "alice", sub, &nodepb.SubscriptionDone{Code: nodepb.Code_QUOTA}}}, "<resource-constraint"},
		{"the contact's roster is full", "subscribe", []hop{{own, false, "alice", sub, forward},
			{peer, true, "alice", sub, &nodepb.SubscriptionDone{Code: nodepb.Code_QUOTA}}}, "<resource-constraint"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := boundRig(t)
			got := r.give(fmt.Sprintf("<presence type='%s' to='bob@example.org/any' id='s'><status>hi</status></presence>", tt.typ))
			for i, h := range tt.hops {
				if len(r.calls) != 1 || r.st.in.pending() != 1 {
					t.Fatalf("hop %d: %d calls, %d uncounted", i, len(r.calls), r.st.in.pending())
				}
				req := r.calls[0].req.(*nodepb.Subscription)
				if r.calls[0].to != h.to || req.Inbound != h.inbound || req.From != h.from+"@example.org" || req.Type != h.typ {
					t.Fatalf("hop %d: %s got %v", i, r.calls[0].to, req)
				}
				got += r.answer(h.answer, nil)
			}
			if len(r.calls) != 0 || r.st.in.pending() != 0 || r.st.subs != nil {
				t.Fatalf("it goes on: %d calls", len(r.calls))
			}
			if tt.want == "" && got != "" {
				t.Fatalf("the client got %s", got)
			}
			if tt.want != "" {
				r.want(got, "<presence type='error' id='s' from='bob@example.org'", tt.want)
			}
		})
	}
}

// TestSubscriptionIsRepeated: a lost answer may hide a committed change, so that the next step is taken even if the second
// answer says that there is nothing to tell.
func TestSubscriptionIsRepeated(t *testing.T) {
	r := boundRig(t)
	r.give("<presence type='subscribed' to='bob@example.org'/>")
	r.answer(nil, errors.New("no answer"))
	if len(r.calls) != 0 {
		t.Fatal("repeated at once")
	}
	r.pass(retryTime)
	r.answer(&nodepb.SubscriptionDone{Code: nodepb.Code_OK}, nil)
	if len(r.calls) != 1 || r.calls[0].to != accountOf(bob) {
		t.Fatal("the contact wasn't told")
	}
	r.answer(&nodepb.SubscriptionDone{Code: nodepb.Code_OK}, nil)
	if r.st.in.pending() != 0 {
		t.Fatal("not counted")
	}
}

func TestSubscriptionIsGivenUp(t *testing.T) {
	r := boundRig(t)
	got := r.give("<presence type='subscribe' to='bob@example.org' id='s'/>")
	tries := 0
	for ; len(r.calls) > 0 && tries < 100; tries++ {
		r.now = r.now.Add(subscriptionTry)
		r.turn()
		got += r.answer(nil, errors.New("no answer"))
		got += r.pass(retryTime)
	}
	r.want(got, "<presence type='error' id='s'", "type='wait'", "<remote-server-timeout")
	if tries < 4 || tries > 7 || r.st.in.pending() != 0 {
		t.Fatalf("%d tries, %d uncounted", tries, r.st.in.pending())
	}
}

// TestSubscriptionsToOneContactKeepTheirOrder.
func TestSubscriptionsToOneContactKeepTheirOrder(t *testing.T) {
	r := boundRig(t)
	r.give("<presence type='subscribe' to='bob@example.org'/>", "<presence type='unsubscribe' to='bob@example.org'/>",
		"<presence type='subscribe' to='carol@example.org'/>")
	if len(r.calls) != 2 {
		t.Fatalf("%d calls at once, want one per contact", len(r.calls))
	}
	r.answer(&nodepb.SubscriptionDone{Code: nodepb.Code_OK}, nil)
	if req := r.calls[1].req.(*nodepb.Subscription); req.Type != nodepb.PresenceType_UNSUBSCRIBE {
		t.Fatalf("then came %v", req)
	}
}
