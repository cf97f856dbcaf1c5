package node

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/sys"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// asker is who uses sys, in the log: whoever may open the administration's socket.
const asker = "administration"

// shownKinds is how many types of waiting messages a status tells apart.
const shownKinds = 20

// inspector is sys on this node's actors. It implements admin.Inspector.
type inspector struct {
	sys *actors.System
	// elsewhere refuses an actor that another node has; nil: there is no other.
	elsewhere func(actors.Ref) error
}

// resolve finds the live actor that is meant: by name, or, where the node is left out, this node's pinned one.
func (in inspector) resolve(ref actors.Ref) (actors.Ref, error) {
	if ref == actors.Named(ref.ID) {
		if named, ok := in.sys.WhereIs(ref.ID); ok {
			return named, nil
		}
		return ref, admin.Refuse(admin.ErrNoActor, "nobody has the name %q: write kind/id, as in mailbox/juliet@localhost", ref.ID)
	}
	for _, candidate := range []actors.Ref{ref, {Kind: ref.Kind, ID: ref.ID, Node: cmp.Or(ref.Node, in.sys.Node())}} {
		if _, err := in.sys.Facts(candidate); err == nil {
			return candidate, nil
		}
	}
	if in.elsewhere != nil {
		if err := in.elsewhere(ref); err != nil {
			return ref, err
		}
	}
	return ref, nobody(in.sys, ref)
}

// on does something to a live actor, and gives its error the administration's names.
func (in inspector) on(ref actors.Ref, f func(actors.Ref) error) error {
	ref, err := in.resolve(ref)
	if err != nil {
		return err
	}
	switch err := f(ref); {
	case errors.Is(err, actors.ErrNoProc):
		return admin.Refuse(admin.ErrNoActor, "%v has ended", ref)
	case errors.Is(err, actors.ErrTimeout):
		return in.stuck(ref)
	case errors.Is(err, sys.ErrNoReplace), errors.Is(err, sys.ErrNoState), errors.Is(err, sys.ErrTraced):
		return admin.Refuse(admin.ErrInvalid, "%v: %s", ref, strings.TrimPrefix(err.Error(), "sys: "))
	case err != nil:
		return err
	}
	return nil
}

// stuck says why an actor did not come to it.
func (in inspector) stuck(ref actors.Ref) error {
	f, err := in.sys.Facts(ref)
	switch {
	case err != nil:
		return admin.Refuse(admin.ErrNoActor, "%v has ended", ref)
	case f.Running != "":
		return admin.Refuse(admin.ErrBusy, "%v did not come to it in time: it has been handling a %s for %v", ref, f.Running, f.For.Round(time.Millisecond))
	}
	return admin.Refuse(admin.ErrBusy, "%v did not come to it in time; try again", ref)
}

// State implements admin.Inspector.
func (in inspector) State(ctx context.Context, ref actors.Ref) (doc []byte, err error) {
	err = in.on(ref, func(ref actors.Ref) (err error) {
		doc, err = sys.GetState(ctx, in.sys, ref, asker)
		return err
	})
	return doc, err
}

// Replace implements admin.Inspector.
func (in inspector) Replace(ctx context.Context, ref actors.Ref, doc []byte) error {
	return in.on(ref, func(ref actors.Ref) error { return sys.ReplaceStateWith(ctx, in.sys, ref, asker, doc) })
}

// Suspend implements admin.Inspector.
func (in inspector) Suspend(ctx context.Context, ref actors.Ref) error {
	return in.on(ref, func(ref actors.Ref) error { return sys.Suspend(ctx, in.sys, ref, asker) })
}

// Resume implements admin.Inspector.
func (in inspector) Resume(ctx context.Context, ref actors.Ref) error {
	return in.on(ref, func(ref actors.Ref) error { return sys.Resume(ctx, in.sys, ref, asker) })
}

// ActorStatus implements admin.Inspector.
func (in inspector) ActorStatus(ctx context.Context, ref actors.Ref) (st *adminpb.ActorStatus, err error) {
	err = in.on(ref, func(ref actors.Ref) error {
		r, err := sys.Status(ctx, in.sys, ref, asker)
		if err != nil {
			return err
		}
		st = &adminpb.ActorStatus{
			Ref: r.Ref.String(), Behaviour: r.Behaviour, Phase: r.Phase, Queue: int64(r.Queue), Control: int64(r.Control),
			OldestUs: r.Oldest.Microseconds(), Waiting: kindCounts(r.Waiting), Running: r.Running, RunningUs: r.For.Microseconds(),
			Last: r.Last, Restarts: int64(r.Restarts), Timers: int64(r.Timers), Monitors: int64(r.Monitors), Links: int64(r.Links),
			Calls: int64(r.Calls), MemoryBytes: int64(r.Memory), Stuck: !r.OnTurn,
		}
		return nil
	})
	return st, err
}

// kindCounts are the types that most messages have.
func kindCounts(kinds map[string]int) []*adminpb.KindCount {
	var counts []*adminpb.KindCount
	for kind, n := range kinds {
		counts = append(counts, &adminpb.KindCount{Kind: kind, Count: int64(n)})
	}
	slices.SortFunc(counts, func(a, b *adminpb.KindCount) int {
		return cmp.Or(cmp.Compare(b.GetCount(), a.GetCount()), cmp.Compare(a.GetKind(), b.GetKind()))
	})
	return counts[:min(len(counts), shownKinds)]
}

// Trace implements admin.Inspector.
func (in inspector) Trace(ctx context.Context, ref actors.Ref, n int, f func(*adminpb.TraceEvent) error) error {
	return in.on(ref, func(ref actors.Ref) error {
		return sys.Trace(ctx, in.sys, ref, asker, n, func(e actors.TraceEvent) error { return f(traceEvent(e)) })
	})
}

func traceEvent(e actors.TraceEvent) *adminpb.TraceEvent {
	t := &adminpb.TraceEvent{Time: e.Time.UnixMicro(), Kind: e.Kind, How: e.How, TookUs: e.Took.Microseconds(), Queue: int64(e.Queue)}
	if e.Err != nil {
		t.Error = strings.TrimPrefix(e.Err.Error(), "sys: ")
	}
	for _, s := range e.Sent {
		t.Sent = append(t.Sent, &adminpb.Sent{To: s.To.String(), Kind: s.Kind})
	}
	return t
}
