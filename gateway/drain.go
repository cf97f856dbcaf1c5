package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/session"
)

// errDraining answers a second Drain while one runs.
var errDraining = errors.New("gateway: its clients are being sent away already")

// DrainOptions say how Drain sends clients away.
type DrainOptions struct {
	// Over is the time over which the clients are spread, in random order; 0 sends all at once.
	Over time.Duration
	// Host says where the next client should go, as session.Drain has it; it may be nil. It is called for each client, once at a
	// time, and must be quick.
	Host func() string
	// Listen keeps the listeners open. Who comes is sent away as soon as it can be told.
	Listen bool
}

// DrainProgress says how far a gateway has got with sending its clients away.
type DrainProgress struct {
	// Draining is set from the beginning of a Drain to Undrain, also when all are gone.
	Draining bool
	Began    time.Time
	// Total is how many clients there were in the beginning, Told how many have been told, those that came later included, and
	// Left how many are there now.
	Total, Told, Left int
}

// drain is one Drain, guarded by the server's lock.
type drain struct {
	opts  DrainOptions
	began time.Time
	total int
	told  int
	gone  chan struct{} // a stream has ended
	over  bool          // Drain has returned
}

// Drain sends all clients away, since the node is about to stop, and takes no new ones. It returns once they are gone, or with an error
// when ctx is over, or the server was stopped; either way no client is taken until Undrain. It may be called again once it has returned:
// for all that are left it begins anew.
func (s *Server) Drain(ctx context.Context, opts DrainOptions) error {
	d := &drain{opts: opts, began: time.Now(), gone: make(chan struct{}, 1)}
	s.mu.Lock()
	if old := s.mu.drain; old != nil && !old.over || s.mu.stopping {
		s.mu.Unlock()
		return errDraining
	}
	s.mu.drain = d
	defer func() {
		s.mu.Lock()
		d.over = true
		s.mu.Unlock()
	}()
	d.total = len(s.mu.streams)
	s.mu.Unlock()
	if !opts.Listen {
		s.closeListeners()
	}
	list := s.open(true)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for i, st := range list {
		at := time.Duration((float64(i) + rand.Float64()) / float64(len(list)) * float64(opts.Over))
		select {
		case <-time.After(time.Until(d.began.Add(at))):
			s.sendAway(d, st)
		case <-ctx.Done():
			return fmt.Errorf("gateway: %d clients were not sent away in time: %w", len(list)-i, ctx.Err())
		case <-s.ctx.Done():
			return net.ErrClosed
		}
	}
	for left := s.left(); left > 0; left = s.left() {
		select {
		case <-d.gone:
		case <-ctx.Done():
			return fmt.Errorf("gateway: %d clients that were sent away are not gone yet: %w", left, ctx.Err())
		}
	}
	return nil
}

// sendAway tells the session of a stream to let its client go, unless that has ended meanwhile.
func (s *Server) sendAway(d *drain, st *stream) {
	s.mu.Lock()
	_, there := s.mu.streams[st]
	host := ""
	if there {
		d.told++
		if d.opts.Host != nil {
			host = d.opts.Host()
		}
	}
	s.mu.Unlock()
	if there {
		st.cast(session.Drain{Host: host})
	}
}

// left is how many streams there are.
func (s *Server) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.streams)
}

// Draining says how far a Drain is.
func (s *Server) Draining() DrainProgress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := DrainProgress{Left: len(s.mu.streams)}
	if d := s.mu.drain; d != nil {
		p.Draining, p.Began, p.Total, p.Told = true, d.began, d.total, d.told
	}
	return p
}

// Undrain takes clients again, after a Drain has returned: it opens the listeners that this one has closed.
func (s *Server) Undrain() error {
	s.mu.Lock()
	d := s.mu.drain
	s.mu.drain = nil
	old := s.mu.listeners
	if d == nil || d.opts.Listen || s.mu.stopping {
		s.mu.Unlock()
		return nil
	}
	s.mu.listeners = nil
	s.mu.Unlock()
	for i, l := range old {
		if err := s.listen(l.Addr().String(), l.flag, l.direct); err != nil {
			s.mu.Lock()
			s.mu.drain = d
			s.mu.listeners = append(s.mu.listeners, old[i:]...) // to be tried again
			s.mu.Unlock()
			s.closeListeners()
			return err
		}
	}
	return nil
}
