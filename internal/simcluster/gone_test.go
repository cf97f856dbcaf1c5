package simcluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// TestGoneWhileParted: whoever has gone while the cluster was parted, and doesn't come back, is seen by nobody once it is one again.
func TestGoneWhileParted(t *testing.T) {
	for _, seed := range seedsOf(0) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, seed, options{users: *crowd, devices: true}, func(w *world) {
				w.begin(4)
				w.until("everybody sees everybody", time.Minute, w.blind)
				gone := w.users[w.draw(len(w.users))]
				time.AfterFunc(w.between(3*time.Second, 10*time.Second), func() {
					w.net.Note("%s goes", gone)
					for _, d := range w.devices {
						if d.user == gone {
							d.quit()
						}
					}
				})
				// Its account rests, on both sides, before the cluster is one again, or doesn't.
				w.part(2, w.between(20*time.Second, 90*time.Second))
				w.agree(2 * time.Minute)
				w.Logf("after %v nobody sees %s", w.until("nobody sees "+string(gone), time.Minute, func() string { return w.seen(gone) }), gone)
				w.empty()
			})
		})
	}
}

// seen says who sees a user; "" if nobody does.
func (w *world) seen(u ident.UserID) string {
	var who []string
	for _, d := range w.devices {
		d.mu.Lock()
		for from, s := range d.sees {
			if d.user != u && s.available && strings.HasPrefix(from, string(u)+"/") {
				who = append(who, d.name+" sees "+from)
			}
		}
		d.mu.Unlock()
	}
	return strings.Join(who, ", ")
}
