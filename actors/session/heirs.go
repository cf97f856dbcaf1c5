package session

import (
	"sync"

	"github.com/jackdaw-im/jackdaw/actors"
)

// heirs knows where resumed streams live. A stream management id is the id of the session that enabled it, which finds
// that session; only when another has taken over is there an entry here. Safe for concurrent use.
type heirs struct {
	mu struct {
		sync.Mutex
		at map[string]actors.Ref
	}
}

func (h *heirs) find(id string) (actors.Ref, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ref, ok := h.mu.at[id]
	return ref, ok
}

func (h *heirs) set(id string, ref actors.Ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.at == nil {
		h.mu.at = map[string]actors.Ref{}
	}
	h.mu.at[id] = ref
}

// remove forgets an entry that still leads to ref.
func (h *heirs) remove(id string, ref actors.Ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.at[id] == ref {
		delete(h.mu.at, id)
	}
}
