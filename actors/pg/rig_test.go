package pg

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// rig is a scope, and members under a dynamic supervisor.
type rig struct {
	t       *testing.T
	sys     *actors.System
	scope   *Scope
	members *supervision.Dynamic
	root    *supervision.Root
	all     map[string]*member
	actor   *mortal       // the scope's life
	hold    chan struct{} // if there is one, the scope's next life begins once it is closed
}

// member does what it is sent: functions run on its turn, the rest is noted.
type member struct {
	r     *rig
	id    string
	first func(ctx *actors.Context) // what Init does, in each life
	got   []any
	ear   listener
	lives int
}

type do func(*actors.Context) error

var errOnPurpose = errors.New("on purpose")

func (m *member) Init(ctx *actors.Context, _ any) error {
	m.lives++
	if m.first != nil {
		m.first(ctx)
	}
	return nil
}

func (m *member) Handle(ctx *actors.Context, msg any) error {
	switch x := msg.(type) {
	case do:
		return x(ctx)
	case *Current, *Change:
		m.ear.hear(x)
	default:
		m.got = append(m.got, msg)
	}
	return nil
}

// body is the behaviour of a member's life: what it has noted outlives it.
type body struct{ *member }

func (b *body) Init(ctx *actors.Context, args any) error {
	b.member = args.(*member)
	return b.member.Init(ctx, nil)
}

// poison makes a scope's handler panic.
const poison = "poison"

// mortal is a scope that can be made to crash.
type mortal struct {
	actor
	r *rig
}

func (m *mortal) Init(ctx *actors.Context, args any) error {
	if args == m.r.scope {
		m.r.actor = m
	}
	if m.r.hold != nil {
		<-m.r.hold
	}
	return m.actor.Init(ctx, args)
}

func (m *mortal) Handle(ctx *actors.Context, msg any) error {
	if msg == poison {
		panic("on purpose")
	}
	if hold, ok := msg.(chan struct{}); ok {
		<-hold
	}
	return m.actor.Handle(ctx, msg)
}

func run(t *testing.T, f func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, sys: actors.NewSystem(actors.Config{Workers: 2, Node: "n@1"}), all: map[string]*member{}}
		if err := r.sys.Start(); err != nil {
			t.Fatal(err)
		}
		r.scope = New(r.sys, "scope")
		scope := Spec(r.scope)
		scope.Spec.New = func() actors.Behaviour { return &mortal{r: r} }
		r.members = supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "members", Partitions: 1, Restart: supervision.Transient,
			Child: actors.Spec{Kind: "member", QueueLen: 4, New: func() actors.Behaviour { return new(body) }}})
		var err error
		r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{scope, r.members.Child()}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(r.root.Stop(context.Background()), r.sys.Stop(context.Background())); err != nil {
				t.Error(err)
			}
		}()
		f(r)
		synctest.Wait()
		if a := r.actor; len(a.monitors) != len(a.st.local) {
			t.Errorf("%d monitors of %d actors", len(a.monitors), len(a.st.local))
		}
	})
}

// start starts a member; first, if given, is what each of its lives begins with.
func (r *rig) start(id string, first ...func(*actors.Context)) actors.Ref {
	r.t.Helper()
	m := &member{r: r, id: id}
	if len(first) > 0 {
		m.first = first[0]
	}
	r.all[id] = m
	ref, err := r.members.StartChild(id, m)
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return ref
}

// on runs f on an actor's turn and waits until all has settled.
func (r *rig) on(ref actors.Ref, f func(ctx *actors.Context) error) {
	r.t.Helper()
	if err := r.sys.Cast(ref, do(f)); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func (r *rig) crash(ref actors.Ref) {
	r.t.Helper()
	r.on(ref, func(*actors.Context) error { return errOnPurpose })
}

func (r *rig) end(ref actors.Ref) {
	r.t.Helper()
	r.on(ref, func(ctx *actors.Context) error { ctx.Stop(actors.Normal); return nil })
}

// must fails the test on an error.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func (r *rig) wants(group, members string) {
	r.t.Helper()
	synctest.Wait()
	if got := ids(r.scope.Members(group)); got != members {
		r.t.Fatalf("%s has %q, want %q", group, got, members)
	}
}

// hears compares what a member's monitors have told since the last time.
func (r *rig) hears(id, want string) {
	r.t.Helper()
	synctest.Wait()
	l := &r.all[id].ear
	if got := strings.Join(l.heard, ", "); got != want || l.fault != "" {
		r.t.Fatalf("%s heard %q %s, want %q", id, got, l.fault, want)
	}
	l.heard = nil
}

// must2 is must without waiting, beside goroutines that never rest.
func (r *rig) must2(err error) {
	if err != nil {
		r.t.Fatal(err)
	}
}
