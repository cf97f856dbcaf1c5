package supervision

import (
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// request takes a request of another: what changes nothing is answered at once, the rest in its turn.
func (s *state) request(now time.Time, from actors.From, req any) {
	switch r := req.(type) {
	case WhichChildrenReq:
		s.emit(answer{from, s.infos(), nil})
	case CountChildrenReq:
		s.emit(answer{from, s.counts(), nil})
	case describeReq:
		s.emit(answer{from, description{s.flags(now), s.infos()}, nil})
	case GetChildSpecReq:
		if k := s.byID(r.ID); k != nil {
			spec := k.spec
			spec.Shutdown = spec.shutdown()
			s.emit(answer{from, spec, nil})
		} else {
			s.emit(answer{from, nil, ErrNotFound})
		}
	case StartChildReq, TerminateChildReq, RestartChildReq, DeleteChildReq:
		if s.ends {
			s.emit(answer{from, nil, actors.ErrNoProc})
			break
		}
		s.late = append(s.late, request{from, req})
	default:
		s.emit(answer{from, nil, fmt.Errorf("supervision: a supervisor doesn't understand %T", req)})
	}
	s.proceed(now)
}

// serve carries out a request, whose turn it is.
func (s *state) serve(now time.Time, r request) {
	v, err := any(nil), error(nil)
	switch req := r.req.(type) {
	case StartChildReq:
		if err = s.startChild(req.Spec, r); err == nil {
			return
		}
	case TerminateChildReq:
		k := s.byID(req.ID)
		if k == nil {
			err = ErrNotFound
			break
		}
		k.strikes = strikes{}
		s.perform(r, k, step{k: k, do: stop})
		return
	case RestartChildReq:
		k := s.byID(req.ID)
		if err = s.idle(k); err == nil {
			s.perform(r, k, step{k: k})
			return
		}
	case DeleteChildReq:
		k := s.byID(req.ID)
		if err = s.idle(k); err == nil {
			s.remove(k)
		}
	}
	s.emit(answer{r.from, v, err})
}

func (s *state) perform(r request, k *kid, st step) {
	s.op = &op{k: k, from: r.from, do: r.req}
	s.plan = append(s.plan, st)
}

// startChild adds a child, unless there is a reason not to.
func (s *state) startChild(spec ChildSpec, r request) error {
	if err := spec.check(s.spec.AutoShutdown); err != nil {
		return err
	}
	if old := s.byID(spec.ID); old != nil {
		if old.phase == running {
			return &AlreadyStartedError{s.refOf(old)}
		}
		return ErrAlreadyPresent
	}
	k := newKid(spec)
	s.kids = append(s.kids, k)
	s.perform(r, k, step{k: k})
	return nil
}

// idle reports why a child isn't one that doesn't run.
func (s *state) idle(k *kid) error {
	switch {
	case k == nil:
		return ErrNotFound
	case k.wait != nil, k.phase == crashed, k.phase == gone:
		return ErrRestarting
	case k.phase != absent:
		return ErrRunning
	}
	return nil
}

// fail notes that the request's child can't be started. One that was to be added isn't.
func (o *op) fail(err error) {
	o.err = err
	if _, added := o.do.(StartChildReq); added {
		o.k.unwanted = true
	}
}

// finishOp answers the request that has been carried out.
func (s *state) finishOp() {
	o := s.op
	if o == nil {
		return
	}
	s.op = nil
	if _, ok := o.do.(TerminateChildReq); ok || o.err != nil {
		s.emit(answer{o.from, nil, o.err})
		return
	}
	ref := actors.Ref{}
	if o.k.life != nil { // it hasn't declined
		ref = s.refOf(o.k)
	}
	s.emit(answer{o.from, ref, nil})
}

// refuse answers what can't be carried out any more.
func (s *state) refuse() {
	if s.op != nil {
		s.emit(answer{s.op.from, nil, actors.ErrNoProc})
		s.op = nil
	}
	for _, e := range s.late {
		if r, ok := e.(request); ok {
			s.emit(answer{r.from, nil, actors.ErrNoProc})
		}
	}
	s.late = nil
}

// refOf is the name of a child's actor. Supervisors of one name may stand at several places, their names are their paths.
func (s *state) refOf(k *kid) actors.Ref {
	id := k.spec.ID
	if k.spec.Type != Worker {
		id = s.spec.ID + "." + id
	}
	return actors.Ref{Kind: k.spec.Spec.Kind, ID: id}
}

// description is the answer to a describeReq.
type description struct {
	flags    Flags
	children []ChildInfo
}

func (s *state) flags(now time.Time) Flags {
	return Flags{s.spec.Strategy, max(s.spec.Intensity, 0), s.spec.Period, s.spec.AutoShutdown, s.counted(now)}
}

func (s *state) infos() []ChildInfo {
	list := make([]ChildInfo, 0, len(s.kids))
	for _, k := range s.kids {
		info := ChildInfo{
			ID: k.spec.ID, Ref: s.refOf(k), Type: k.spec.Type, Restart: k.spec.Restart, Significant: k.spec.Significant,
			Shutdown: ShutdownTime(k.spec.shutdown()), Restarts: k.restarts, State: s.stateOf(k),
		}
		info.Up = info.State == Running
		if p, ok := k.spec.Args.(*partition); ok {
			info.Live, info.Restarted = p.live.Load(), p.restarted.Load()
		}
		list = append(list, info)
	}
	return list
}

// stateOf is what a listing says of a child.
func (s *state) stateOf(k *kid) State {
	switch k.phase {
	case running, stopping:
		return Running
	case starting:
		return s.comes(k)
	case crashed, gone:
		return Restarting
	case clearing:
		return Stopped
	}
	if k.wait != nil {
		return Restarting
	}
	for _, st := range s.plan {
		if st.k == k && st.do == start {
			return s.comes(k)
		}
	}
	return Stopped
}

// comes tells a first start from another.
func (s *state) comes(k *kid) State {
	if s.up && s.op == nil {
		return Restarting
	}
	return Starting
}

func (s *state) counts() Counts {
	var c Counts
	for _, k := range s.kids {
		c.Specs++
		if s.stateOf(k) == Running {
			c.Active++
		}
		if k.spec.Type == Worker {
			c.Workers++
		} else {
			c.Supervisors++
		}
	}
	return c
}
