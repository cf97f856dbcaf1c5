package pg

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

func named(id string) actors.Ref { return actors.Ref{Kind: "a", ID: id} }

func namedAll(ids string) (list []actors.Ref) {
	for _, id := range strings.Fields(ids) {
		list = append(list, named(id))
	}
	return list
}

// ids writes the names of refs in order.
func ids(refs []actors.Ref) string {
	var list []string
	for _, r := range refs {
		list = append(list, r.ID)
	}
	sort.Strings(list)
	return strings.Join(list, " ")
}

// book is a scope as the manual describes it: per node, group and actor a number of joins.
type book map[ident.NodeID]map[string]map[actors.Ref]int

func (b book) add(node ident.NodeID, group string, ref actors.Ref, n int) {
	if b[node] == nil {
		b[node] = map[string]map[actors.Ref]int{}
	}
	if b[node][group] == nil {
		b[node][group] = map[actors.Ref]int{}
	}
	if b[node][group][ref] += n; b[node][group][ref] <= 0 {
		if delete(b[node][group], ref); len(b[node][group]) == 0 {
			delete(b[node], group)
		}
	}
}

func (b book) ended(node ident.NodeID, ref actors.Ref) {
	for group := range b[node] {
		b.add(node, group, ref, -1<<30)
	}
}

// members lists a group over the given nodes, as often as each has joined; group "" is all.
func (b book) members(group string, nodes ...ident.NodeID) map[string][]actors.Ref {
	all := map[string][]actors.Ref{}
	for _, node := range nodes {
		for g, members := range b[node] {
			for ref, n := range members {
				if group == "" || g == group {
					all[g] = append(all[g], slices.Repeat([]actors.Ref{ref}, n)...)
				}
			}
		}
	}
	return all
}

// draw writes groups so that two can be compared.
func draw(groups map[string][]actors.Ref) string {
	var sb strings.Builder
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		if len(groups[g]) > 0 {
			fmt.Fprintf(&sb, "%s: %s; ", g, ids(groups[g]))
		}
	}
	return sb.String()
}

// seen is what a table shows.
func (t *table) seen() map[string][]actors.Ref {
	all := map[string][]actors.Ref{}
	t.each(func(g string, v *view) { all[g] = refs(v.total, v.here, v.there) })
	return all
}

// listener keeps what a monitor has told.
type listener struct {
	groups map[string][]actors.Ref // nil before the first Current
	heard  []string
	fault  string // what can't be
}

func (l *listener) hear(msg any) {
	switch m := msg.(type) {
	case *Current:
		l.groups = maps.Clone(m.Groups)
		l.heard = append(l.heard, "current "+strings.TrimSpace(draw(m.Groups)))
	case *Change:
		word := "join"
		if m.Left {
			word = "leave"
		}
		l.heard = append(l.heard, fmt.Sprintf("%s %s: %s", word, m.Group, ids(m.Members)))
		if l.groups == nil {
			l.fault = "a change before all there is"
			return
		}
		for _, ref := range m.Members {
			list := slices.Clone(l.groups[m.Group])
			if !m.Left {
				list = append(list, ref)
			} else if i := slices.Index(list, ref); i >= 0 {
				list = slices.Delete(list, i, i+1)
			} else {
				l.fault = "left without being there: " + ref.ID
			}
			l.groups[m.Group] = list
		}
	}
}
