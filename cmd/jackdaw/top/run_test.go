package top

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// paper is a Terminal that keeps what was drawn.
type paper struct {
	keys    chan Key
	resized chan os.Signal
	full    error

	mu    sync.Mutex
	width int
	drawn [][]Line
}

func newPaper() *paper { return &paper{keys: make(chan Key), resized: make(chan os.Signal), width: 80} }

func (p *paper) Keys() <-chan Key          { return p.keys }
func (p *paper) Resized() <-chan os.Signal { return p.resized }

func (p *paper) Size() (int, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.width, 24
}

func (p *paper) resize(width int) {
	p.mu.Lock()
	p.width = width
	p.mu.Unlock()
	p.resized <- nil
}

func (p *paper) Draw(lines []Line, _, _ int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drawn = append(p.drawn, lines)
	return p.full
}

// last is the last drawing, and how many there were.
func (p *paper) last() (text string, drawings int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return drawn(p.drawn[len(p.drawn)-1]), len(p.drawn)
}

// says reports whether the last drawing has a text in it.
func (p *paper) says(text string) bool {
	last, _ := p.last()
	return strings.Contains(last, text)
}

// second is a server that is a second older each time.
func second() Fetch {
	n := int64(60)
	return func(context.Context) (*adminpb.Top, error) {
		n++
		return measured(n), nil
	}
}

// running runs a screen in fake time and returns what ends it and waits for that.
func running(t *testing.T, p *paper, fetch Fetch) (end func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, p, fetch, SortQueue, 2*time.Second) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaper()
		end := running(t, p, second())
		if !p.says("up 00:01:01") || p.says("32k msg/s") {
			last, _ := p.last()
			t.Errorf("at first: %s", last)
		}
		time.Sleep(soon)
		synctest.Wait()
		if !p.says("up 00:01:02") || !p.says("32k msg/s") {
			t.Error("no rates soon after")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !p.says("up 00:01:03") {
			t.Error("not one measurement every interval")
		}
		p.keys <- SortAge
		synctest.Wait()
		if !p.says("AGEv") {
			t.Error("a key isn't shown at once")
		}
		p.keys <- Pause
		time.Sleep(time.Minute)
		synctest.Wait()
		if !p.says("PAUSED  jackdaw") || !p.says("up 00:01:03") {
			t.Error("it goes on in the pause")
		}
		p.keys <- Pause
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !p.says("up 00:01:04") {
			t.Error("it doesn't go on after the pause")
		}
		_, before := p.last()
		p.resize(132)
		synctest.Wait()
		if _, after := p.last(); after != before+1 {
			t.Error("another size isn't drawn")
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunEndsByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaper()
		ended := make(chan error, 1)
		go func() { ended <- Run(t.Context(), p, second(), SortQueue, time.Second) }()
		p.keys <- Quit
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestSlowServer: keys work while the server doesn't answer, and the screen says that it doesn't.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fetch, answer := newPaper(), second(), make(chan struct{}, 1)
		answer <- struct{}{}
		end := running(t, p, func(ctx context.Context) (*adminpb.Top, error) {
			select {
			case <-answer:
				return fetch(ctx)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		time.Sleep(soon + 10*time.Second)
		synctest.Wait()
		if !p.says("|NO ANSWER FOR ") {
			last, _ := p.last()
			t.Errorf("it isn't told: %s", last)
		}
		p.keys <- SortMessages
		synctest.Wait()
		if !p.says("MSG/Sv") {
			t.Error("keys wait for the server")
		}
		answer <- struct{}{}
		synctest.Wait()
		if p.says("NO ANSWER") || !p.says("up 00:01:02") {
			t.Error("an answer that comes late isn't shown")
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunFails(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fetch Fetch
		full  error
		gone  bool
		want  string
	}{
		"the server":   {fetch: func(context.Context) (*adminpb.Top, error) { return nil, broken }, want: "broken"},
		"a panic":      {fetch: func(context.Context) (*adminpb.Top, error) { panic("ouch") }, want: "top: panic: ouch"},
		"the terminal": {fetch: second(), full: broken, want: "broken"},
		"hung up":      {fetch: second(), gone: true, want: "top: the terminal is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPaper()
			p.full = c.full
			if c.gone {
				close(p.keys)
			}
			if err := Run(t.Context(), p, c.fetch, SortQueue, time.Minute); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		top, err := Once(t.Context(), second(), 5*time.Second)
		if err != nil || top.GetMessagesPerSecond() < 32_000 || time.Since(begun) != 5*time.Second {
			t.Errorf("%v, %v after %v", top.GetMessagesPerSecond(), err, time.Since(begun))
		}
		broken := errors.New("broken")
		if _, err := Once(t.Context(), func(context.Context) (*adminpb.Top, error) { return nil, broken }, time.Second); !errors.Is(err, broken) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Once(ctx, second(), time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
