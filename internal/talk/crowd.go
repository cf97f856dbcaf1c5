package talk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Config says who talks. Users and Addrs are needed.
type Config struct {
	// Users is how many there are: Prefix0@Domain and so on, each with Password. They have to exist.
	Users int
	// Prefix and Domain make their addresses; empty means u, and localhost.
	Prefix, Domain string
	// Addrs are where nodes take clients by direct TLS, also those that are away for the moment. Any goroutine calls it.
	Addrs func() []string
	// Every is how often each says something to one of the others; 0 means 50 ms.
	Every time.Duration
}

// Crowd is users who talk until Finish. Its methods are for one goroutine.
type Crowd struct {
	cfg    Config
	people []*person
	lives  sync.WaitGroup
	ctx    context.Context
	end    context.CancelFunc

	mu struct {
		sync.Mutex
		*ledger
		quiet   bool          // nobody says anything new
		changed chan struct{} // closed and replaced whenever something has happened
	}
}

// Start brings all users online, and returns once they are.
func Start(ctx context.Context, cfg Config) (*Crowd, error) {
	if cfg.Users < 2 || cfg.Addrs == nil {
		return nil, errors.New("talk: it takes two, and somewhere to go")
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "u"
	}
	if cfg.Domain == "" {
		cfg.Domain = "localhost"
	}
	if cfg.Every == 0 {
		cfg.Every = 50 * time.Millisecond
	}
	c := &Crowd{cfg: cfg}
	c.mu.ledger, c.mu.changed = newLedger(NewScript()), make(chan struct{})
	c.ctx, c.end = context.WithCancel(context.WithoutCancel(ctx))
	for i := range cfg.Users {
		p := newPerson(c, i)
		c.people = append(c.people, p)
		c.lives.Go(func() { p.device.Live(c.ctx) })
	}
	if err := c.Online(ctx); err != nil {
		c.Close()
		return nil, err
	}
	for _, p := range c.people {
		c.lives.Go(p.talk)
	}
	return c, nil
}

// Online waits until all users are online at once.
func (c *Crowd) Online(ctx context.Context) error {
	return c.until(ctx, "everybody to be online", func() bool {
		for _, p := range c.people {
			if _, ok := p.device.At(); !ok {
				return false
			}
		}
		return true
	})
}

// Says waits until n more messages have been acknowledged.
func (c *Crowd) Says(ctx context.Context, n int) error {
	c.mu.Lock()
	n += c.mu.check.Acked()
	c.mu.Unlock()
	return c.until(ctx, "more acknowledgements", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.mu.check.Acked() >= n
	})
}

// Report is what has been seen so far. What is under way is no fault yet.
func (c *Crowd) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.report()
}

// Finish lets all come to rest: nobody says anything new, and what was said is acknowledged and arrives. Then all leave.
func (c *Crowd) Finish(ctx context.Context) (Report, error) {
	c.happened(func() { c.mu.quiet = true })
	err := c.until(ctx, "rest", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.mu.check.Open() == 0 && c.mu.missing(c.cfg.Users) == 0
	})
	c.Close()
	return c.mu.judge(), err // nobody else is there any more
}

// Close ends all connections, and waits for that. Finish does it, too.
func (c *Crowd) Close() {
	c.end()
	c.lives.Wait()
}

// happened does something with what is known, and lets those know who wait for it.
func (c *Crowd) happened(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.mu.changed)
	c.mu.changed = make(chan struct{})
}

func (c *Crowd) until(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	for {
		c.mu.Lock()
		changed := c.mu.changed
		c.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			c.mu.Lock()
			defer c.mu.Unlock()
			return fmt.Errorf("talk: waiting for %s: %w: %d open, %d missing, %+v", what, ctx.Err(), c.mu.check.Open(), c.mu.missing(c.cfg.Users), c.mu.report())
		}
	}
}

func (c *Crowd) jid(i int) string { return fmt.Sprintf("%s%d@%s", c.cfg.Prefix, i, c.cfg.Domain) }

// say makes a new message, or none if it is quiet.
func (c *Crowd) say(from, to int) *message {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.quiet {
		return nil
	}
	return c.mu.send(from, to, c.jid(to))
}
