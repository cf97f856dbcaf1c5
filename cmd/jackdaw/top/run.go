package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// soon is how long after the first measurement the second follows, which brings the rates.
const soon = 300 * time.Millisecond

// Fetch measures a server.
type Fetch func(context.Context) (*adminpb.Top, error)

// Terminal is what Run needs of one; [TTY] is one.
type Terminal interface {
	// Keys are those that are pressed; it is closed when the terminal is gone.
	Keys() <-chan Key
	// Resized tells that the size has changed.
	Resized() <-chan os.Signal
	// Size is the terminal's in columns and lines.
	Size() (width, height int)
	// Draw shows a screen of a size.
	Draw(lines []Line, width, height int) error
}

// Run measures a server every interval and shows it, sorted by one of the sorting keys, until a key or ctx ends it, which is no error. It doesn't wait for a server that
// is slow to answer, and says so on the screen.
func Run(ctx context.Context, t Terminal, fetch Fetch, by Key, interval time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	type answer struct {
		top *adminpb.Top
		err error
	}
	answers := make(chan answer, 1)
	var asked time.Time // zero: nothing is being asked
	ask := func() {
		asked = time.Now()
		asking.Go(func() {
			top, err := guarded(ctx, fetch)
			answers <- answer{top, err}
		})
	}
	ask()
	ticker := time.NewTicker(min(soon, interval))
	defer ticker.Stop()
	s := Screen{sort: by}
	for {
		width, height := t.Size()
		if err := t.Draw(s.Lines(width, height), width, height); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.Resized():
		case k, ok := <-t.Keys():
			switch {
			case !ok:
				return errors.New("top: the terminal is gone")
			case s.Press(k):
				return nil
			}
		case a := <-answers:
			if a.err != nil && ctx.Err() == nil {
				return a.err
			}
			if s.top != nil {
				ticker.Reset(interval)
			}
			asked = time.Time{}
			s.Take(a.top)
		case <-ticker.C:
			switch late := time.Since(asked); {
			case !asked.IsZero() && late >= 2*interval:
				s.Waits(late)
			case asked.IsZero() && !s.paused:
				ask()
			}
		}
	}
}

// guarded makes a panic an error, so that the terminal is given back before anybody reads of it.
func guarded(ctx context.Context, fetch Fetch) (top *adminpb.Top, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("top: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fetch(ctx)
}

// Once measures a server twice, an interval apart, so that there are rates.
func Once(ctx context.Context, fetch Fetch, interval time.Duration) (*adminpb.Top, error) {
	before, err := fetch(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(interval):
	case <-ctx.Done():
		return nil, fmt.Errorf("top: %w", ctx.Err())
	}
	now, err := fetch(ctx)
	if err != nil {
		return nil, err
	}
	Rates(now, before)
	return now, nil
}

// Text is a measurement as a screen without a terminal, sorted by one of the sorting keys: all actors, nothing cut off.
func Text(top *adminpb.Top, by Key) string {
	s := Screen{top: top, sort: by}
	text := ""
	for _, l := range s.Lines(0, 0) {
		text += l.Text + "\n"
	}
	return text
}
