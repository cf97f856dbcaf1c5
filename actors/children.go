package actors

import "sync"

// Children are the live actors of one Owner: an owner that has millions of them finds its own without walking over all. It is
// embedded by value in an Owner with the method Family; the runtime keeps it. The zero value is empty.
type Children struct {
	mu    sync.Mutex
	first *process
	n     int
}

// family is the ability of an Owner to have its children listed.
type family interface{ Family() *Children }

// Len is how many there are.
func (c *Children) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Each calls f for every child that is there now, until f returns false. Children may come and go meanwhile, also by f.
func (c *Children) Each(f func(*Child) bool) {
	c.mu.Lock()
	all := make([]*process, 0, c.n)
	for p := c.first; p != nil; p = p.next {
		all = append(all, p)
	}
	c.mu.Unlock()
	for _, p := range all {
		if !f(&Child{p}) {
			return
		}
	}
}

func (c *Children) add(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.next = c.first; p.next != nil {
		p.next.prev = p
	}
	c.first = p
	c.n++
}

func (c *Children) remove(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case p.prev != nil:
		p.prev.next = p.next
	case c.first == p:
		c.first = p.next
	default:
		return // removed before
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	p.next, p.prev = nil, nil
	c.n--
}
