package node

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/admin"
)

// Bounds of the search for what may have been meant by a Ref that nobody has.
const (
	searchTime = 50 * time.Millisecond
	searchStep = 1024 // actors between two looks at the clock
	maxSimilar = 5
)

// refuseElsewhere refuses a Ref that another node has by this one's view, and says which; nil if none has. It isn't asked there: an actor
// that is stuck would hold up the one that answers other nodes.
func (n *Node) refuseElsewhere(ref actors.Ref) error {
	if n.peers == nil || !n.peers.up.Load() {
		return nil
	}
	owner := n.cluster.Owner(ref)
	if owner == "" || owner == n.sys.Node() {
		return nil
	}
	where := owner.Name()
	for _, m := range n.peers.member.View().Members {
		if m.ID == owner {
			where += " at " + hostOf(m.Gossip)
		}
	}
	return admin.Refuse(admin.ErrNoActor, "%v isn't on this node, %s: by its view %s has it, if it is alive. Run the same command on that machine, with --data of its node",
		ref, n.sys.Node().Name(), where)
}

// nobody refuses a Ref that no live actor has, and tells who may be meant: kinds that there are, or actors of this kind with a similar
// id. It looks at as many actors as it gets to in a moment.
func nobody(system *actors.System, ref actors.Ref) error {
	begun := time.Now()
	kinds := map[string]bool{}
	var similar nearest
	seen := 0
	system.Each(func(r actors.Ref) bool {
		kinds[r.Kind] = true
		if r.Kind == ref.Kind {
			similar.add(r, distance(ref.ID, r.ID))
		}
		seen++
		return seen%searchStep != 0 || time.Since(begun) < searchTime
	})
	text := fmt.Sprintf("no actor %v is alive", ref)
	switch {
	case !kinds[ref.Kind]:
		names := slices.Sorted(maps.Keys(kinds))
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(distance(ref.Kind, a), distance(ref.Kind, b)) })
		text += fmt.Sprintf(", nor any of its kind; there are the kinds %s", strings.Join(names, ", "))
	case len(similar.refs) > 0:
		text += "; of its kind there are " + similar.String()
	}
	return admin.Refuse(admin.ErrNoActor, "%s", text)
}

// nearest are the actors whose ids are the most similar.
type nearest struct {
	refs []actors.Ref
	far  []int
}

func (n *nearest) add(ref actors.Ref, far int) {
	i, _ := slices.BinarySearch(n.far, far+1) // behind those that are as near
	if i >= maxSimilar {
		return
	}
	n.refs, n.far = slices.Insert(n.refs, i, ref), slices.Insert(n.far, i, far)
	n.refs, n.far = n.refs[:min(len(n.refs), maxSimilar)], n.far[:min(len(n.far), maxSimilar)]
}

// String lists them.
func (n *nearest) String() string {
	names := make([]string, len(n.refs))
	for i, r := range n.refs {
		names[i] = r.String()
	}
	return strings.Join(names, ", ")
}

// maxCompared bounds the length of what is compared, in bytes.
const maxCompared = 64

// distance is how many bytes must be put in, left out or changed to make b of a (Levenshtein). A part of b is near it.
func distance(a, b string) int {
	switch {
	case a == b:
		return 0
	case a != "" && (strings.HasPrefix(b, a) || strings.HasSuffix(b, a)):
		return 1
	case a != "" && strings.Contains(b, a):
		return 2
	}
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	var rows [2][maxCompared + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := range len(a) {
		before, now := &rows[i%2], &rows[(i+1)%2]
		now[0] = i + 1
		for j := range len(b) {
			now[j+1] = min(before[j+1], now[j]) + 1
			if same := before[j]; a[i] == b[j] {
				now[j+1] = min(now[j+1], same)
			} else {
				now[j+1] = min(now[j+1], same+1)
			}
		}
	}
	return rows[len(a)%2][len(b)]
}
