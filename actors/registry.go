package actors

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount is a power of two: the low bits of a name's hash choose the shard, the others the place in it.
const (
	shardBits  = 8
	shardCount = 1 << shardBits
)

var seed = maphash.MakeSeed()

// hashOf spreads names over shards and run queues. Names of different kinds with one id share it.
func hashOf(id string) uint32 { return uint32(maphash.String(seed, id)) }

func shardOf(r Ref) uint32 { return hashOf(r.ID) % shardCount }

// registry finds live actors by Ref. A pinned Ref of this node and the unpinned one are different names. Looking up takes no
// lock: places hold one word, and a table that has become too small is replaced as a whole.
type registry struct {
	shards [shardCount]shard
}

type shard struct {
	places atomic.Pointer[[]place] // a power of two of them, at least a quarter free
	mu     sync.Mutex
	live   int
	used   int // live ones and left ones
	_      [24]byte
}

// place is nil, left, or an actor, which stands at the first free place after that of its hash.
type place = atomic.Pointer[process]

// left marks a place that was taken: whoever looks for a name goes on behind it.
var left = &process{}

func (r *registry) find(ref Ref) *process {
	h := hashOf(ref.ID)
	t := r.shards[h%shardCount].places.Load()
	if t == nil {
		return nil
	}
	places := *t
	mask := uint32(len(places) - 1)
	for i := h >> shardBits & mask; ; i = (i + 1) & mask {
		p := places[i].Load()
		if p == nil {
			return nil
		}
		if p.hash == h && p != left && p.named(ref) {
			return p
		}
	}
}

// add registers p and returns it, or returns who has the name already.
func (r *registry) add(p *process) *process {
	sh := &r.shards[p.hash%shardCount]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if t := sh.places.Load(); t == nil || (sh.used+1)*4 > len(*t)*3 {
		sh.rebuild()
	}
	places := *sh.places.Load()
	mask := uint32(len(places) - 1)
	free := -1
	for i := p.hash >> shardBits & mask; ; i = (i + 1) & mask {
		switch old := places[i].Load(); {
		case old == nil:
			if free < 0 {
				free = int(i)
				sh.used++
			}
			places[free].Store(p)
			sh.live++
			return p
		case old == left:
			if free < 0 {
				free = int(i)
			}
		case old.hash == p.hash && old.named(p.ref()):
			return old
		}
	}
}

// rebuild makes a table in which the live ones take less than half of the places.
func (sh *shard) rebuild() {
	n := 8
	for n < 2*(sh.live+1) {
		n *= 2
	}
	places := make([]place, n)
	mask := uint32(n - 1)
	if old := sh.places.Load(); old != nil {
		for i := range *old {
			p := (*old)[i].Load()
			if p == nil || p == left {
				continue
			}
			at := p.hash >> shardBits & mask
			for places[at].Load() != nil {
				at = (at + 1) & mask
			}
			places[at].Store(p)
		}
	}
	sh.used = sh.live
	sh.places.Store(&places)
}

// remove frees p's name, and calls then before somebody else can have it.
func (r *registry) remove(p *process, then func()) {
	sh := &r.shards[p.hash%shardCount]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.places.Load()
	if t == nil {
		return
	}
	places := *t
	mask := uint32(len(places) - 1)
	for i := p.hash >> shardBits & mask; ; i = (i + 1) & mask {
		switch places[i].Load() {
		case nil:
			return
		case p:
			places[i].Store(left)
			sh.live--
			for places[(i+1)&mask].Load() == nil && places[i].Load() == left { // nobody stands behind it
				places[i].Store(nil)
				sh.used--
				i = (i - 1) & mask
			}
			if len(places) > 64 && sh.live*8 < len(places) {
				sh.rebuild()
			}
			then()
			return
		}
	}
}

// each calls f for every live actor, until it returns false; only for dumps and shutdown.
func (r *registry) each(f func(*process) bool) {
	for i := range r.shards {
		t := r.shards[i].places.Load()
		if t == nil {
			continue
		}
		for j := range *t {
			if p := (*t)[j].Load(); p != nil && p != left && !f(p) {
				return
			}
		}
	}
}
