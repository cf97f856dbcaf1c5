package account

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// storeTime is how long a result of the store is awaited.
const storeTime = 5 * time.Second

// actor runs the effects of one state. It decides nothing.
type actor struct {
	cfg    *Config
	all    *throttles // of the node
	st     *state
	fx     effects
	asked  actors.CallID // what the store was asked last
	timer  actors.TimerRef
	wakeAt time.Time // when the timer fires; zero: there is none
}

// unable ends a session that has no room for what its client must know: the client connects again and reads the roster.
var unable = &nodepb.EndSession{Condition: "resource-constraint", Text: "too much waits for this client"}

// wake is the one timer's message.
type wake struct{}

// Init implements actors.Behaviour: the account is read. The Ref's id is the user.
func (a *actor) Init(ctx *actors.Context, _ any) error {
	a.st = newState(ident.UserID(ctx.Self().ID))
	a.st.throttle = a.all.load(a.st.user)
	a.st.began, a.st.moved, a.st.joined = ctx.Now(), a.cfg.Moving(), a.cfg.Reunions()
	a.st.load(a.begin(ctx))
	a.run(ctx)
	return nil
}

// Handle implements actors.Behaviour.
func (a *actor) Handle(ctx *actors.Context, msg any) error {
	fx := a.begin(ctx)
	switch m := msg.(type) {
	case *actors.Reply:
		if m.ID == a.asked {
			a.st.stored(fx, m.Value, m.Err)
		}
	case actors.Down:
		fx.cast(a.st.down(m.Target, m.Reason, fx.now)...)
	case wake:
		a.wakeAt = time.Time{}
		a.st.tick(fx)
	case proto.Message:
		a.st.receive(fx, message{msg: m})
	}
	a.run(ctx)
	return nil
}

// HandleCall implements actors.CallHandler.
func (a *actor) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	if refusal(req, nodepb.Code_OK) == nil {
		switch req.(type) {
		case *nodepb.GetCredentials, *nodepb.GetMailboxInfo:
		default:
			return nil, fmt.Errorf("account: called with %T", req)
		}
	}
	a.st.receive(a.begin(ctx), message{&from, req})
	a.run(ctx)
	return actors.NoReply, nil
}

// Undelivered implements actors.UndeliveredHandler.
func (a *actor) Undelivered(ctx *actors.Context, u actors.Undelivered) error {
	a.lost(a.begin(ctx), cast{u.To, asProto(u.Msg)}, u.Err, 0)
	a.run(ctx)
	return nil
}

// lost has a cast that got lost, or was refused, repeated, or counts it.
func (a *actor) lost(fx *effects, c cast, err error, tries int) {
	if a.st.undelivered(fx, c.to, c.msg, err, tries) {
		a.cfg.Counters.Dropped.Add(1)
	}
}

func asProto(msg any) proto.Message {
	m, _ := msg.(proto.Message)
	return m
}

// Retire implements actors.Retirer.
func (a *actor) Retire(ctx *actors.Context) bool {
	done := a.st.retire(a.begin(ctx))
	a.run(ctx)
	return done
}

// MayPassivate implements actors.Passivator.
func (a *actor) MayPassivate(*actors.Context) bool { return a.st.mayRest() }

// Terminate implements actors.Terminator: nobody waits in vain.
func (a *actor) Terminate(ctx *actors.Context, reason actors.Reason) {
	if a.st == nil {
		return
	}
	err := actors.ErrCrashed
	if reason.IsNormal() {
		err = actors.ErrNoProc
	}
	a.st.abandon(a.begin(ctx), err)
	for _, r := range a.fx.replies {
		ctx.Reply(r.to, nil, r.err)
	}
	if a.st.leaving && reason.IsNormal() { // what it had not finished in time may be written
		a.st.bequeath(&a.fx)
		for _, c := range a.fx.casts {
			if ctx.Answer(c.to, c.msg) != nil {
				a.cfg.Counters.Dropped.Add(1)
			}
		}
		a.cfg.Counters.Dropped.Add(int64(len(a.st.owed))) // what was tried once more in vain
	}
}

func (a *actor) begin(ctx *actors.Context) *effects {
	a.fx = effects{now: ctx.Now(), fresh: fresh, reunions: a.cfg.Reunions()}
	return &a.fx
}

// run does what the state asked for.
func (a *actor) run(ctx *actors.Context) {
	for _, ref := range a.fx.watch {
		ctx.Monitor(ref)
	}
	for i := 0; i < len(a.fx.casts); i++ {
		a.cast(ctx, a.fx.casts[i], 0)
	}
	for _, o := range a.fx.again {
		a.cast(ctx, o.cast, o.tries)
	}
	for _, r := range a.fx.replies {
		ctx.Reply(r.to, r.msg, r.err)
	}
	if f := a.fx.store; f != nil {
		a.asked = a.cfg.Lanes.Directory(ctx, a.st.user, storeTime, f)
	}
	if a.fx.throttled {
		a.all.save(a.st.user, a.st.throttle)
	}
	a.fx = effects{}
	a.arm(ctx)
}

// cast casts one message. tries is how often that was done before.
func (a *actor) cast(ctx *actors.Context, c cast, tries int) {
	var err error
	switch c.msg.(type) {
	case *nodepb.Subscription, *nodepb.MailboxChange:
		// In its place among the presence or the messages that go there, if there is room; out of it rather than not at all.
		if err = ctx.Cast(c.to, c.msg); errors.Is(err, actors.ErrOverloaded) {
			err = ctx.Answer(c.to, c.msg)
		}
	case *nodepb.Presence, *nodepb.RosterPush:
		if err = ctx.Cast(c.to, c.msg); errors.Is(err, actors.ErrOverloaded) && a.st.leaving && c.to.Kind == Kind { // nobody repeats it
			err = ctx.Answer(c.to, c.msg)
		}
	default:
		err = ctx.Answer(c.to, c.msg) // never refused while its addressee lives
	}
	if err != nil {
		a.lost(&a.fx, c, err, tries)
	}
}

// arm sets the timer for what comes due next. One that fires early finds nothing to do and is set again.
func (a *actor) arm(ctx *actors.Context) {
	next := a.st.nextTick()
	if next.IsZero() || !a.wakeAt.IsZero() && !next.Before(a.wakeAt) {
		return
	}
	if !a.wakeAt.IsZero() {
		ctx.CancelTimer(a.timer)
	}
	a.timer, a.wakeAt = ctx.SendAfter(max(next.Sub(ctx.Now()), 0), wake{}), next
}

// fresh makes a resource for a session that asks for none.
func fresh() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
