package load

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/jackdaw-im/jackdaw/client"
)

// loginWidth is how many logins go on at a time.
const loginWidth = 16

// Fleet is a number of connections with one goroutine each. Its zero value is empty. Its methods may be called at any time by any
// goroutine.
type Fleet struct {
	wg sync.WaitGroup
	mu struct {
		sync.Mutex
		conns []*client.Conn
	}
}

// Login logs one connection in, lets begin do the first with it (begin may be nil), and runs it.
func (f *Fleet) Login(ctx context.Context, cfg *client.Config, begin func(*client.Conn) error) (*client.Conn, error) {
	conn, err := client.Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.mu.conns = append(f.mu.conns, conn)
	f.mu.Unlock()
	if begin != nil {
		err = begin(conn)
	}
	f.wg.Go(func() { _ = conn.Run() }) // Conn.Err keeps the result
	return conn, err
}

// LoginAll logs n connections in, sixteen at a time, with the config and the first steps that are asked for. The connections are
// in the order of their numbers.
func (f *Fleet) LoginAll(ctx context.Context, n int, config func(i int) *client.Config,
	begin func(i int, c *client.Conn) error) ([]*client.Conn, error) {
	conns := make([]*client.Conn, n)
	err := Each(ctx, n, loginWidth, func(ctx context.Context, i int) error {
		var first func(*client.Conn) error
		if begin != nil {
			first = func(c *client.Conn) error { return begin(i, c) }
		}
		var err error
		conns[i], err = f.Login(ctx, config(i), first)
		return err
	})
	return conns, err
}

// Close ends every stream in order and waits for that, at most ten seconds.
func (f *Fleet) Close() {
	for _, c := range f.take() {
		_ = c.Close() // a connection that is gone is closed
	}
	f.wg.Wait()
}

// Cut closes every socket at once and waits until all connections know it.
func (f *Fleet) Cut() {
	for _, c := range f.take() {
		c.Cut()
	}
	f.wg.Wait()
}

// Wait waits until every connection has ended, which is for others to cause.
func (f *Fleet) Wait() { f.wg.Wait() }

// Ended is the error of some connection that has ended, or nil if all live or ended well.
func (f *Fleet) Ended() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.mu.conns {
		select {
		case <-c.Done():
			if c.Err() != nil {
				return c.Err()
			}
		default:
		}
	}
	return nil
}

func (f *Fleet) take() []*client.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	conns := f.mu.conns
	f.mu.conns = nil
	return conns
}

// Each runs f for the numbers from 0 to n-1, so many at a time, and waits for all. It returns the first error; what hasn't begun
// by then isn't run.
func Each(ctx context.Context, n, width int, f func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(width)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return f(ctx, i) })
	}
	return group.Wait()
}
