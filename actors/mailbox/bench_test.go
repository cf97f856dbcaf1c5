package mailbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// cpu is the processor time of this process so far, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pinger sends one message after the other to its user's mailbox, and is that user's only session.
type pinger struct {
	user ident.UserID
	ref  *nodepb.Ref
	left chan struct{} // a message may be sent for each
	done chan struct{}
	box  *Outbox
	n    uint64
	body []byte
	late bool     // rows are acknowledged with the next push: by then they are stored
	rows [][]byte // to be acknowledged late
}

// Init implements actors.Behaviour.
func (p *pinger) Init(ctx *actors.Context, args any) error {
	*p = *args.(*pinger)
	p.ref, p.box = ctx.Self().Proto(), NewOutbox(0)
	return ctx.Answer(Ref(p.user), &nodepb.Attach{Session: p.ref, Resource: "x", Epoch: 1, Connected: true, Available: true, Credit: plenty})
}

// Handle implements actors.Behaviour.
func (p *pinger) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case string:
		p.next(ctx)
	case *nodepb.Push:
		ack := &nodepb.Ack{Session: p.ref, Epoch: 1}
		for _, r := range m.Rows {
			ack.Ids, ack.Credit = append(ack.Ids, r.Id), ack.Credit+r.Cost
		}
		if p.late {
			ack.Ids, p.rows = p.rows, ack.Ids
		}
		return ctx.Answer(Ref(p.user), ack)
	case *nodepb.Outcome:
		for range p.box.Outcome(ctx.Now(), m).Settled {
			if m.Code != nodepb.Code_OK {
				return fmt.Errorf("outcome %v", m.Code)
			}
			p.next(ctx)
		}
	}
	return nil
}

func (p *pinger) next(ctx *actors.Context) {
	select {
	case <-p.left:
	default:
		p.done <- struct{}{}
		return
	}
	p.n++
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], p.n)
	id := ident.HashMessageID([]byte(p.user), n[:])
	d := &nodepb.Deliver{SenderRef: p.ref, Id: id[:], Sender: "juliet@example.org", Store: true, Message: &chatpb.Message{
		Type: chatpb.MessageType_CHAT, From: "juliet@example.org/balcony", To: string(p.user), Id: "m1", Payload: p.body, SentUs: ctx.Now().UnixMicro()}}
	if p.box.Send(ctx.Now(), Ref(p.user), d) {
		_ = ctx.Cast(Ref(p.user), d)
	}
}

// BenchmarkRound is one message from Deliver to Outcome, with its push and its acknowledgement, through mailbox, lane and the
// embedded store, in a closed loop of pairs. cpu-us/msg is all of the process. At once, most acknowledgements overtake their
// appends, and nothing is written; late, every message is written and deleted.
//
//	go test ./actors/mailbox -run '^$' -bench Round -benchtime 100000x
func BenchmarkRound(b *testing.B) {
	for _, pairs := range []int{1, 200} {
		for _, late := range []bool{false, true} {
			b.Run(fmt.Sprintf("pairs=%d/late=%v", pairs, late), func(b *testing.B) { round(b, pairs, late) })
		}
	}
}

func round(b *testing.B, pairs int, late bool) {
	engine, err := pebblestore.Open("pebble:"+b.TempDir(), pebblestore.Options{StopBelow: 1 << 20, ResumeAbove: 1 << 20, Ballast: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	sys := actors.NewSystem(actors.Config{Node: "n@1"})
	if err := sys.Start(); err != nil {
		b.Fatal(err)
	}
	lanes := lane.New(engine, lane.Options{})
	peers := supervision.NewDynamic(sys, supervision.DynamicSpec{ID: "peers", Child: actors.Spec{Kind: "pinger", New: func() actors.Behaviour { return &pinger{} }}})
	children := append(lanes.Children(), Supervisor(sys, Config{Lanes: lanes}).Child(), peers.Child())
	root, err := supervision.StartRoot(sys, supervision.SupervisorSpec{ID: "root", Children: children})
	if err != nil {
		b.Fatal(err)
	}
	left, done := make(chan struct{}, b.N), make(chan struct{}, pairs)
	var refs []actors.Ref
	for i := range pairs {
		p := &pinger{user: ident.UserID(fmt.Sprintf("user%d@example.org", i)), left: left, done: done, late: late, body: []byte("<body>" + strings.Repeat("x", 150) + "</body>")}
		if err := engine.Directory().Accounts().Create(&store.Account{User: p.user}); err != nil {
			b.Fatal(err)
		}
		ref, err := peers.StartChild(fmt.Sprint(i), p)
		if err != nil {
			b.Fatal(err)
		}
		refs = append(refs, ref)
	}
	for range b.N {
		left <- struct{}{}
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	for _, ref := range refs {
		if err := sys.Cast(ref, "go"); err != nil {
			b.Fatal(err)
		}
	}
	for range pairs {
		<-done
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-us/msg")
	c := &lanes.Counters
	b.ReportMetric(float64(b.N)/float64(max(c.Commits.Load(), 1)), "msg/commit")
	b.ReportMetric(float64(c.Annihilated.Load())/float64(b.N), "annihilated")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = root.Stop(ctx)
	_ = sys.Stop(ctx)
}
