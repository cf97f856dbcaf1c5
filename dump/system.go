package dump

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// childOf is one line of the tree.
func childOf(c supervision.ChildInfo) Child {
	return Child{
		ID: c.ID, Ref: c.Ref.String(), Type: c.Type.String(), Restart: c.Restart.String(), State: c.State.String(), Restarts: c.Restarts,
		Live: c.Live, Restarted: c.Restarted,
	}
}

// below fills in what is below a supervisor.
func below(ctx context.Context, s Source, sup *Child, ref actors.Ref) {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	infos, err := s.Children(call, ref)
	if err != nil {
		sup.Error = err.Error()
		return
	}
	sup.Children = make([]Child, len(infos))
	for i, info := range infos {
		sup.Children[i] = childOf(info)
		if info.Type == supervision.SupervisorType && info.State != supervision.Stopped {
			below(ctx, s, &sup.Children[i], info.Ref)
		}
	}
}

// states asks the actors that a reader is likely to ask about: those that stand in the tree, and the first of each list.
func (c *collector) states(ctx context.Context) (any, error) {
	all := []State{}
	for _, name := range c.worthAsking() {
		s := State{Ref: name}
		if err := ctx.Err(); err != nil {
			return all, fmt.Errorf("dump: states: %d were not asked: %w", len(c.worthAsking())-len(all), err)
		}
		if doc, err := c.state(ctx, name); err != nil {
			s.Error = err.Error()
		} else {
			s.State = doc
		}
		all = append(all, s)
	}
	return all, nil
}

// state is one actor's, as JSON.
func (c *collector) state(ctx context.Context, name string) (json.RawMessage, error) {
	ref, err := actors.ParseRef(name)
	if err != nil {
		return nil, fmt.Errorf("dump: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, stateTime)
	defer cancel()
	v, err := c.source.State(ctx, ref)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(v)
	switch {
	case err != nil:
		return nil, fmt.Errorf("dump: state of %s: %w", name, err)
	case len(doc) > maxState:
		return nil, fmt.Errorf("dump: state of %s: %d bytes are too many", name, len(doc))
	}
	return doc, nil
}

// worthAsking names the actors whose states are told. Those that have been in a handler for long would not answer, and what
// supervisors have to say stands in the tree.
func (c *collector) worthAsking() (names []string) {
	told := map[string]bool{}
	add := func(name string) {
		if len(names) < maxStates && !told[name] {
			told[name] = true
			names = append(names, name)
		}
	}
	if c.tree != nil {
		c.tree.each(func(n *Child) {
			if n.Type == worker && n.State == running {
				add(n.Ref)
			}
			told[n.Ref] = true
		})
	}
	if a := c.actors; a != nil {
		for i := range maxRows {
			for _, list := range [][]Actor{a.Longest, a.Oldest, a.Restarted, a.Busiest} {
				if i < len(list) && list[i].For < Duration(stateTime) {
					add(list[i].Ref)
				}
			}
		}
	}
	return names
}

// each calls f for a child and all below it.
func (c *Child) each(f func(*Child)) {
	f(c)
	for i := range c.Children {
		c.Children[i].each(f)
	}
}
