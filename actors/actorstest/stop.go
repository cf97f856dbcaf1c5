package actorstest

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Stop ends everything, in the order in which a node does, and fails the test for what is wrong or left. The end of the test does so
// anyway: it is for a test that goes on with another kit, over the same store for example.
func (k *Kit) Stop() {
	k.tb.Helper()
	if k.ended {
		return
	}
	k.ended = true
	ctx, cancel := context.WithTimeout(context.Background(), StopTime)
	defer cancel()
	k.Wait()
	for _, t := range slices.Backward(k.trees) {
		if reason := k.endOf(t); reason != nil {
			if !t.known {
				k.errorf("the tree %s has ended by itself (%v): its supervisors could not mend a fault", t.id, reason)
			}
			continue
		}
		if err := t.root.Stop(ctx); err != nil {
			k.errorf("the tree %s: %v", t.id, err)
		}
	}
	for _, p := range k.probes {
		p.child.Stop(actors.Shutdown)
	}
	k.Wait()
	if left := k.living(); len(left) > 0 {
		k.errorf("actors are left once the tree has stopped: %s", strings.Join(left, ", "))
	}
	for _, f := range k.faults {
		if !f.done.Load() && !k.tb.Failed() {
			k.errorf("%v", f)
		}
	}
	if err := k.sys.Stop(ctx); err != nil {
		k.errorf("%v", err)
	}
	k.Wait()
	if waited := k.calls.waited(); waited != nil {
		k.errorf("actors have waited for each other in a circle:%s", describe(waited))
	} else if cycle := k.calls.cycle(); cycle != nil {
		k.errorf("actors call each other in a circle, so that they could all wait for each other; against the message's path go casts:%s", describe(cycle))
	}
	k.reportGoroutines()
}

// endOf returns why a tree has ended by itself, nil while it runs.
func (k *Kit) endOf(t *tree) *actors.Reason {
	if t.ended == nil {
		select {
		case reason := <-t.root.Done():
			t.ended = &reason
		default:
		}
	}
	return t.ended
}

// living are the names of the actors that live, maxNamed of them.
func (k *Kit) living() (left []string) {
	k.sys.Each(func(ref actors.Ref) bool {
		left = append(left, ref.String())
		return true
	})
	slices.Sort(left)
	if n := len(left) - maxNamed; n > 0 {
		left = append(left[:maxNamed], fmt.Sprintf("and %d more", n))
	}
	return left
}

// maxNamed is how many actors a failure names.
const maxNamed = 20

// goroutineHead is the first line of a goroutine in a dump: number, state, and the bubble it is in.
var goroutineHead = regexp.MustCompile(`^goroutine (\d+) \[[^\]]*(synctest bubble \d+)[^\]]*\]:`)

// minDump is how long a dump of all goroutines is expected to be.
const minDump = 64 << 10

// stacks returns the goroutines of this bubble but for the calling one, by number.
func stacks() map[string]string {
	buf := make([]byte, minDump)
	n := runtime.Stack(buf, true)
	for ; n == len(buf); n = runtime.Stack(buf, true) {
		buf = make([]byte, 2*len(buf))
	}
	dump := strings.Split(string(buf[:n]), "\n\n")
	mine := goroutineHead.FindStringSubmatch(dump[0]) // the calling goroutine is the first
	if mine == nil {
		return nil
	}
	found := map[string]string{}
	for _, g := range dump[1:] {
		if m := goroutineHead.FindStringSubmatch(g); m != nil && m[2] == mine[2] {
			found[m[1]] = strings.TrimSpace(g)
		}
	}
	return found
}

// goroutines returns the numbers of the goroutines of this bubble.
func goroutines() map[string]bool {
	ids := map[string]bool{}
	for id := range stacks() {
		ids[id] = true
	}
	return ids
}

// reportGoroutines fails the test for each goroutine of the bubble that has begun since the kit was made and hasn't ended.
func (k *Kit) reportGoroutines() {
	k.tb.Helper()
	for id, stack := range stacks() {
		if !k.before[id] {
			k.errorf("a goroutine is left:\n    %s", strings.ReplaceAll(stack, "\n", "\n    "))
		}
	}
}
