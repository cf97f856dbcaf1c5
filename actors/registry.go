package actors

import (
	"hash/maphash"
	"sync"
)

const shardCount = 256

var seed = maphash.MakeSeed()

func shardOf(r Ref) uint64 {
	return maphash.String(seed, r.ID) % shardCount
}

// registry finds live actors by Ref. A pinned Ref of this node and the unpinned one are different names.
type registry struct {
	shards [shardCount]struct {
		sync.RWMutex
		m map[Ref]*process
	}
}

func (r *registry) find(ref Ref) *process {
	sh := &r.shards[shardOf(ref)]
	sh.RLock()
	p := sh.m[ref]
	sh.RUnlock()
	return p
}

// add registers p and returns it, or returns who has the name already.
func (r *registry) add(p *process) *process {
	sh := &r.shards[shardOf(p.ref)]
	sh.Lock()
	defer sh.Unlock()
	if old := sh.m[p.ref]; old != nil {
		return old
	}
	if sh.m == nil {
		sh.m = map[Ref]*process{}
	}
	sh.m[p.ref] = p
	return p
}

func (r *registry) remove(p *process) {
	sh := &r.shards[shardOf(p.ref)]
	sh.Lock()
	defer sh.Unlock()
	if sh.m[p.ref] == p {
		delete(sh.m, p.ref)
	}
}

// each calls f for every live actor; only for dumps and shutdown.
func (r *registry) each(f func(*process)) {
	for i := range r.shards {
		sh := &r.shards[i]
		sh.RLock()
		list := make([]*process, 0, len(sh.m))
		for _, p := range sh.m {
			list = append(list, p)
		}
		sh.RUnlock()
		for _, p := range list {
			f(p)
		}
	}
}
