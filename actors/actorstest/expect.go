package actorstest

import (
	"fmt"
	"strings"
	"time"
)

// Expect waits until all is at rest and fails the test unless the next messages are these, in this order. Each of want is a value
// or a Matcher. More may have come after them.
func (p *Probe) Expect(want ...any) {
	p.k.tb.Helper()
	p.k.Wait()
	for _, w := range want {
		p.take(w)
	}
}

// ExpectType is Expect of a message of type T, which it returns.
func ExpectType[T any](p *Probe) T {
	p.k.tb.Helper()
	p.k.Wait()
	msg, _ := p.take(Type[T]()).(T)
	return msg
}

// ExpectCall is Expect of a call, which it returns; want is what is asked.
func (p *Probe) ExpectCall(want any) *Call {
	p.k.tb.Helper()
	p.k.Wait()
	c, _ := p.take(Matcher{"call " + show(want), func(msg any) bool {
		c, ok := msg.(*Call)
		return ok && matches(want, c.Req)
	}}).(*Call)
	return c
}

// ExpectAll waits until all is at rest and fails the test unless all messages since the last expectation are these, in whatever
// order: nothing is missing, and nothing is left.
func (p *Probe) ExpectAll(want ...any) {
	p.k.tb.Helper()
	p.k.Wait()
	left := p.Waiting()
	var missing []any
	for _, w := range want {
		at := -1
		for i, msg := range left {
			if matches(w, msg) {
				at = i
				break
			}
		}
		if at < 0 {
			missing = append(missing, w)
			continue
		}
		left = append(left[:at:at], left[at+1:]...)
	}
	if len(missing)+len(left) > 0 {
		p.fatalf("got other messages than wanted%s%s", list("missing", missing), list("not wanted", left))
	}
	p.Skip()
}

// ExpectNone lets d pass and fails the test if anything has come that no expectation has had; 0 is now.
func (p *Probe) ExpectNone(d time.Duration) {
	p.k.tb.Helper()
	if d > 0 {
		p.k.Advance(d)
	}
	p.k.Wait()
	if left := p.Waiting(); len(left) > 0 {
		p.fatalf("nothing was to come%s", list("not wanted", left))
	}
}

// Await lets time pass until the next message comes, within at most, and fails the test unless it is want. It returns the time that
// has passed.
func (p *Probe) Await(within time.Duration, want any) time.Duration {
	p.k.tb.Helper()
	begin := time.Now()
	over := time.NewTimer(within)
	defer over.Stop()
	for len(p.Waiting()) == 0 {
		select {
		case <-p.news:
		case <-over.C:
			p.fatalf("nothing came within %v\n    want: %s", within, show(want))
		}
	}
	p.k.Wait()
	p.take(want)
	return time.Since(begin)
}

// Waiting returns what the probe has got and no expectation has had, oldest first.
func (p *Probe) Waiting() []any {
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []any
	for _, r := range p.mu.got[p.mu.taken:] {
		left = append(left, r.msg)
	}
	return left
}

// Skip waits until all is at rest and leaves aside what no expectation has had.
func (p *Probe) Skip() {
	p.k.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.taken = len(p.mu.got)
}

// take takes the next message, which must be want.
func (p *Probe) take(want any) any {
	p.k.tb.Helper()
	left := p.Waiting()
	if len(left) == 0 {
		p.fatalf("nothing more has come\n    want: %s", show(want))
	}
	if !matches(want, left[0]) {
		p.fatalf("got another message than wanted\n    want: %s\n     got: %s", show(want), showGot(left[0]))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.taken++
	return left[0]
}

// fatalf ends the test with everything that the probe has got.
func (p *Probe) fatalf(format string, args ...any) {
	p.k.tb.Helper()
	p.k.fatalf("%v: %s%s", p.ref, fmt.Sprintf(format, args...), p.history())
}

// maxShown is how many of the messages before the last expected one a failure shows.
const maxShown = 50

// history draws all that came; what expectations have had is ticked off.
func (p *Probe) history() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.got) == 0 {
		return "\n  it has got no message at all"
	}
	var b strings.Builder
	b.WriteString("\n  all it has got (+ expected, - not yet):")
	for i, r := range p.mu.got {
		if i < p.mu.taken-maxShown {
			continue
		}
		mark := '-'
		if i < p.mu.taken {
			mark = '+'
		}
		fmt.Fprintf(&b, "\n    %c %d. after %v: %s", mark, i+1, r.at, showGot(r.msg))
	}
	return b.String()
}

// showGot writes a message as it came: calls are told from casts.
func showGot(msg any) string {
	if c, ok := msg.(*Call); ok {
		return "call " + show(c.Req)
	}
	return show(msg)
}

func list(title string, msgs []any) string {
	if len(msgs) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n    %s:", title)
	for _, m := range msgs {
		fmt.Fprintf(&b, "\n      %s", showGot(m))
	}
	return b.String()
}
