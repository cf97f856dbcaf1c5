package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/supervision"
)

const (
	juliet = ident.UserID("juliet@montague.example")
	paris  = ident.UserID("paris@montague.example")
)

// sessionQueue bounds what waits for a session of the rig.
const sessionQueue = 64

// rig is a system with accounts over real lanes and a store in memory; sessions and mailboxes only note what they get.
type rig struct {
	t        *testing.T
	kit      *actorstest.Kit
	sys      *actors.System // the kit's
	engine   *memstore.Engine
	lanes    *faulty
	accounts *supervision.Dynamic
	sessions *supervision.Dynamic

	mu    sync.Mutex
	heard map[actors.Ref][]string

	counters Counters
	reunions atomic.Uint64
}

// faulty is lanes that fail on request: fault, if set, wraps what is asked for.
type faulty struct {
	*lane.Lanes
	mu    sync.Mutex
	fault func(f func(store.Engine) (any, error)) func(store.Engine) (any, error)
	asked int
}

func (l *faulty) Directory(ctx *actors.Context, user ident.UserID, timeout time.Duration, f func(store.Engine) (any, error)) actors.CallID {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.fault != nil {
		f = l.fault(f)
	}
	return l.Lanes.Directory(ctx, user, timeout, f)
}

// failing makes the next n requests end with err, before they are run or, if done is set, after.
func (l *faulty) failing(n int, err error, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = func(f func(store.Engine) (any, error)) func(store.Engine) (any, error) {
		if n--; n < 0 {
			return f
		}
		return func(e store.Engine) (any, error) {
			if done {
				_, _ = f(e)
			}
			return nil, err
		}
	}
}

// crashing makes the asking actor crash at the next request.
func (l *faulty) crashing() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = func(func(store.Engine) (any, error)) func(store.Engine) (any, error) {
		l.fault = nil
		panic("on purpose")
	}
}

// ear is a session or a mailbox that notes what it gets.
type ear struct{ r *rig }

func (e *ear) Init(*actors.Context, any) error { return nil }

func (e *ear) Handle(ctx *actors.Context, msg any) error {
	if reason, ok := msg.(actors.Reason); ok {
		if reason.Code == actors.CodeCrashed {
			return reason.Err
		}
		ctx.Stop(reason)
		return nil
	}
	if hold, ok := msg.(chan struct{}); ok {
		<-hold
		return nil
	}
	line := fmt.Sprint(msg)
	if m := show([]cast{{msg: asMessage(msg)}}); m != "" {
		_, line, _ = strings.Cut(m, " ")
	}
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	e.r.heard[ctx.Self()] = append(e.r.heard[ctx.Self()], line)
	return nil
}

func run(t *testing.T, f func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, engine: memstore.New(memstore.Options{}), heard: map[actors.Ref][]string{}}
		r.start()
		f(r)
	})
}

func (r *rig) start() {
	r.t.Helper()
	r.kit = actorstest.New(r.t, actorstest.Config{Node: "n@1"})
	r.sys = r.kit.System()
	r.lanes = &faulty{Lanes: lane.New(r.engine, lane.Options{})}
	newEar := func() actors.Behaviour { return &ear{r} }
	mailboxes := supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "mailboxes", Partitions: 1, Entities: true,
		Child: actors.Spec{Kind: mailbox.Kind, New: newEar}})
	r.sessions = supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "sessions", Partitions: 1,
		Child: actors.Spec{Kind: "session", New: newEar, QueueLen: sessionQueue}, Restart: supervision.Temporary})
	r.accounts = Supervisor(r.sys, Config{Lanes: r.lanes, Counters: &r.counters, Reunions: r.reunions.Load})
	r.kit.Start(append(r.lanes.Children(), mailboxes.Child(), r.accounts.Child(), r.sessions.Child())...)
}

// restart is a node that stops and starts over the same store.
func (r *rig) restart() {
	r.t.Helper()
	r.kit.Stop()
	r.start()
	r.heard = map[actors.Ref][]string{}
}

// call asks an account and returns its answer.
func (r *rig) call(user ident.UserID, req any) any {
	r.t.Helper()
	v, err := r.tryCall(user, req)
	if err != nil {
		r.t.Fatalf("%T to %s: %v", req, user, err)
	}
	return v
}

func (r *rig) tryCall(user ident.UserID, req any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	return r.sys.Call(ctx, Ref(user), req)
}

// code is the code of the answer to a request.
func (r *rig) code(user ident.UserID, req any) nodepb.Code {
	r.t.Helper()
	return r.call(user, req).(interface{ GetCode() nodepb.Code }).GetCode()
}

func (r *rig) cast(to actors.Ref, msg any) {
	r.t.Helper()
	if err := r.sys.Cast(to, msg); err != nil {
		r.t.Fatalf("%T to %s: %v", msg, to, err)
	}
	synctest.Wait()
}

// want compares what an actor has heard since the last time.
func (r *rig) want(ref actors.Ref, lines ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := strings.Join(r.heard[ref], "\n")
	delete(r.heard, ref)
	if want := strings.Join(lines, "\n"); got != want {
		r.t.Fatalf("%s heard\n%s\nwant\n%s", ref, got, want)
	}
}

// create makes users with the password keys of their names.
func (r *rig) create(users ...ident.UserID) {
	r.t.Helper()
	for _, u := range users {
		code, err := Create(r.t.Context(), r.sys, u, nil, keys(string(u)))
		if err != nil || code != nodepb.Code_OK {
			r.t.Fatalf("create of %s: %v, %v", u, code, err)
		}
		r.want(mailbox.Ref(u), "CREATED")
	}
}

func keys(word string) *nodepb.Scram {
	return &nodepb.Scram{Salt: []byte("salt of " + word), Iterations: 4096, StoredKey: []byte("stored key of " + word), ServerKey: []byte("server key of " + word)}
}

// online starts a session of a user, binds it, reads the roster and sends initial presence. What it hears by that is
// forgotten.
func (r *rig) online(user ident.UserID, resource string) actors.Ref {
	r.t.Helper()
	ref := r.bind(user, resource)
	if code := r.code(user, &nodepb.GetRoster{Session: ref.Proto()}); code != nodepb.Code_OK {
		r.t.Fatalf("roster of %s: %v", user, code)
	}
	r.available(user, ref)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.heard, ref)
	return ref
}

func (r *rig) bind(user ident.UserID, resource string) actors.Ref {
	r.t.Helper()
	ref, err := r.sessions.StartChild(user.Local()+"-"+resource, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if code := r.code(user, &nodepb.Bind{Session: ref.Proto(), Resource: resource}); code != nodepb.Code_OK {
		r.t.Fatalf("bind of %s: %v", ref, code)
	}
	return ref
}

func (r *rig) available(user ident.UserID, ref actors.Ref) {
	r.t.Helper()
	r.cast(Ref(user), &nodepb.SetPresence{Session: ref.Proto(), Available: true})
}

// subscription sends both halves of a subscription stanza as a session does, and what is answered by itself back.
func (r *rig) subscription(from, to ident.UserID, t nodepb.PresenceType) {
	r.t.Helper()
	req := nodepb.Subscription{From: string(from), To: string(to), Type: t, Id: "s1", Payload: []byte("<status>hi</status>")}
	half := func(user ident.UserID, req *nodepb.Subscription) *nodepb.SubscriptionDone {
		r.t.Helper()
		done := r.call(user, req).(*nodepb.SubscriptionDone)
		if done.GetCode() != nodepb.Code_OK {
			r.t.Fatalf("%v at %s: %v", t, user, done.GetCode())
		}
		return done
	}
	if !half(from, &req).GetForward() {
		return
	}
	in := nodepb.Subscription{Inbound: true, From: req.From, To: req.To, Type: t, Id: req.Id, Payload: req.Payload}
	if reply := half(to, &in).GetReply(); reply != nodepb.PresenceType_AVAILABLE {
		half(from, &nodepb.Subscription{Inbound: true, From: string(to), To: string(from), Type: reply})
	}
	synctest.Wait()
}

// friends makes two users subscribe to each other.
func (r *rig) friends(a, b ident.UserID) {
	r.t.Helper()
	for _, pair := range [][2]ident.UserID{{a, b}, {b, a}} {
		r.subscription(pair[0], pair[1], nodepb.PresenceType_SUBSCRIBE)
		r.subscription(pair[1], pair[0], nodepb.PresenceType_SUBSCRIBED)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = map[actors.Ref][]string{}
}

// stored is one user's roster in the store, as "contact subscription" with ? for a request out and ! for one in.
func (r *rig) stored(user ident.UserID) string {
	r.t.Helper()
	p, err := r.engine.Directory().Accounts().Account(context.Background(), user)
	if errors.Is(err, store.ErrNotFound) {
		p, err = &store.Profile{}, nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, i := range p.Roster.Items {
		line := i.Contact.Local() + " " + i.Subscription.String()
		if i.Ask {
			line += "?"
		}
		if i.PendingIn {
			line += "!"
		}
		all = append(all, line)
	}
	return strings.Join(all, ", ")
}
