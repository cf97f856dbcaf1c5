package simcluster

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

// TestKeys: keys and certificates change, whatever happens to nodes and network meanwhile. As in other histories nothing is lost by it; in the end all
// who belong to the cluster have the same bundle, and who doesn't is out.
func TestKeys(t *testing.T) {
	for i, f := range rotations {
		f.trust = true
		if f.slow && *seeds == 0 {
			continue
		}
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			for _, seed := range seedsOf(i) {
				t.Run(fmt.Sprint(seed), func(t *testing.T) { history(t, seed, f, seed%4 >= 2) })
			}
		})
	}
}

// rotationTime is how long the rotation of all keys may take, once all nodes see each other.
const rotationTime = 30 * time.Second

// rotations are what happens to the keys, and to nodes and network meanwhile.
var rotations = []fault{
	{name: "rotate", nodes: 3, within: 3 * time.Second, do: func(w *world) {
		old := w.token(time.Hour)
		before := w.rotate(w.some())
		w.oneBundle(rotationTime)
		w.renewed(before)
		for _, n := range w.living() {
			if err := n.keys.live.Bundle().CheckToken(old, time.Now()); err == nil {
				w.Errorf("%s takes a token of before", n.id)
			}
		}
	}},
	{name: "rotate and crash", nodes: 4, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(w.between(0, 8*time.Second))
		crashAndRestart(w)
		w.oneBundle(time.Minute)
		w.renewed(before)
	}},
	{name: "rotate and restart at once", nodes: 3, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(w.between(0, 8*time.Second))
		n := w.some()
		n.crash()
		w.wait(w.between(0, 2*time.Second))
		w.start(n.name)
		w.wait(20 * time.Second)
		w.oneBundle(time.Minute)
		w.renewed(before)
	}},
	{name: "rotate and the leader crashes", nodes: 4, do: func(w *world) {
		leader := slices.MinFunc(w.living(), func(a, b *node) int { return cmp.Compare(a.id.Incarnation(), b.id.Incarnation()) }) // who began first takes the steps
		before := w.rotate(w.some())
		w.wait(w.between(0, 8*time.Second))
		leader.crash()
		w.wait(w.between(0, 25*time.Second))
		w.start(leader.name)
		w.wait(20 * time.Second)
		w.oneBundle(time.Minute)
		w.renewed(before)
	}},
	{name: "rotate and all restart", nodes: 3, waits: true, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(w.between(time.Second, 8*time.Second))
		list := w.living()
		for _, n := range list {
			n.crash()
		}
		w.wait(w.between(0, 5*time.Second))
		for _, n := range list {
			w.start(n.name)
		}
		w.oneBundle(time.Minute)
		w.renewed(before)
		w.wait(20 * time.Second)
	}},
	{name: "rotate and join", nodes: 3, within: 3 * time.Second, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(w.between(0, 8*time.Second))
		w.start(nameOf(4))
		w.oneBundle(rotationTime)
		w.renewed(before)
	}},
	{name: "rotate and leave", nodes: 4, within: 3 * time.Second, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(w.between(0, 8*time.Second))
		w.some().leave()
		w.oneBundle(rotationTime)
		w.renewed(before)
	}},
	{name: "rotate in a cut 2|2", nodes: 4, parts: true, do: func(w *world) { rotateParted(w, w.draw(3)) }},
	{name: "rotate in both halves", nodes: 4, parts: true, do: func(w *world) { rotateParted(w, 2) }},
	{name: "cut as it rotates", nodes: 4, parts: true, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(w.between(0, 8*time.Second))
		w.part(2, w.between(5*time.Second, 40*time.Second))
		w.oneBundle(2 * time.Minute)
		w.renewed(before)
	}},
	{name: "rotate and pause", nodes: 4, parts: true, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(w.between(0, 5*time.Second))
		n := w.some()
		n.sim.Pause()
		w.wait(w.between(time.Second, 30*time.Second))
		n.sim.Resume()
		w.oneBundle(2 * time.Minute)
		w.renewed(before)
	}},
	{name: "rotate on a bad net", nodes: 4, do: func(w *world) {
		w.net.Loss(0.1)
		w.net.Duplicate(0.1)
		w.net.Reorder(0.1)
		w.net.Delay(10*time.Millisecond, 300*time.Millisecond)
		before := w.rotate(w.some())
		w.oneBundle(2 * time.Minute)
		w.renewed(before)
		w.calm()
	}},
	{name: "rotate and a one way cut", nodes: 4, within: detourTime, do: func(w *world) { rotateFiltered(w, false) }},
	{name: "rotate and a cut of a pair", nodes: 4, within: detourTime, do: func(w *world) { rotateFiltered(w, true) }},
	{name: "pins spread", nodes: 4, within: 3 * time.Second, do: func(w *world) {
		before := w.rotate(w.some())
		w.wait(time.Second) // what is changed on two nodes at once is lost on one
		for range 10 {
			w.pinSome(w.users)
			w.wait(w.between(0, time.Second))
		}
		for _, u := range w.users {
			w.pin(u, "")
		}
		w.oneBundle(rotationTime)
		w.renewed(before)
	}},
	{name: "revoke", nodes: 4, parts: true, do: func(w *world) {
		eve, by := w.pair()
		held := w.revoke(by, eve)
		w.out(eve, held)
		eve.stop()
	}},
	{name: "revoke one of two", nodes: 2, parts: true, do: func(w *world) {
		eve, by := w.pair()
		held := w.revoke(by, eve)
		w.out(eve, held)
		if err := by.keys.why(); err != nil {
			w.Errorf("it stays out, who has revoked the other: %v", err)
		}
		eve.stop()
	}},
	{name: "revoke the leader", nodes: 4, parts: true, do: func(w *world) {
		list := w.living()
		held := w.revoke(list[3], list[0])
		w.out(list[0], held)
		list[0].stop()
	}},
	{name: "revoke as it rotates", nodes: 4, parts: true, do: func(w *world) {
		w.rotate(w.some())
		w.wait(w.between(0, 8*time.Second))
		eve, by := w.pair()
		held := w.revoke(by, eve)
		w.out(eve, held)
		eve.stop()
	}},
	{name: "revoke who is cut off", nodes: 4, parts: true, do: func(w *world) {
		eve, by := w.pair()
		var others []string
		for _, n := range w.living() {
			if n != eve {
				others = append(others, n.name)
			}
		}
		w.net.Partition([]string{eve.name}, others)
		w.wait(w.between(0, 30*time.Second))
		held := w.revoke(by, eve)
		w.wait(w.between(0, 30*time.Second))
		if eve.keys.outcast() != nil {
			w.Error("it says that it is shut out, though it reaches nobody")
		}
		w.net.Heal()
		w.out(eve, held)
		eve.stop()
	}},
	{name: "revoke in a cut 2|2", nodes: 4, parts: true, do: revokeParted},
	{name: "revoke and a crash", nodes: 5, parts: true, do: func(w *world) {
		eve, by := w.pair()
		held := w.revoke(by, eve)
		w.wait(w.between(0, 2*time.Second))
		for _, n := range w.living() {
			if n != eve && n != by { // which may be the only one that knows
				n.crash()
				break
			}
		}
		w.out(eve, held)
		eve.stop()
	}},
	{name: "readmit", nodes: 3, parts: true, do: func(w *world) {
		eve, by := w.pair()
		held := w.revoke(by, eve)
		w.out(eve, held)
		eve.stop()
		w.oneBundle(rotationTime)
		w.change(by, func(b *trust.Bundle) (*trust.Bundle, error) { return b.Readmit(eve.name, "ada", time.Now()) })
		w.oneBundle(rotationTime)
		if err := os.Remove(filepath.Join(w.vault.folder, eve.name)); err != nil {
			w.Fatal(err)
		}
		delete(w.remembered, eve.name)
		w.start(eve.name)
		w.oneBundle(rotationTime)
	}},
	{name: "one of two away for all of a rotation", nodes: 2, parts: true, do: func(w *world) { awayForAll(w, (*node).leave) }},
	{name: "away for all of a rotation", nodes: 4, parts: true, do: func(w *world) { awayForAll(w, (*node).leave) }},
	{name: "lost for all of a rotation", nodes: 4, parts: true, slow: true, do: func(w *world) { awayForAll(w, (*node).crash) }},
}

// awayForAll has a node miss a whole rotation: it can't come back with the keys that it has, says so and does nothing; with a token it can. For who
// doesn't say that it leaves the rotation waits.
func awayForAll(w *world, goes func(*node)) {
	n := w.some()
	goes(n)
	w.wait(15 * time.Second)
	w.rotate(w.some())
	took := w.oneBundle(2*trust.AwayPatience + time.Minute)
	if lost := took > trust.AwayPatience; lost != (n.member.Self().State == member.Active) {
		w.Errorf("the rotation took %v", took)
	}
	w.wait(w.between(0, 20*time.Second))
	again := w.start(n.name)
	w.wait(time.Minute)
	w.excluded(again)
	if err := again.keys.why(); err == nil || !strings.Contains(err.Error(), "a new token") {
		w.Errorf("it doesn't say what keeps it out: %v", err)
	}
	again.stop()
	w.vault.give(n.name, w.token(time.Hour))
	w.start(n.name)
	w.oneBundle(rotationTime)
}

// rotateParted cuts the cluster into halves, of which the first, the second, or both rotate all keys.
func rotateParted(w *world, who int) {
	list := w.living()
	w.net.Partition([]string{list[0].name, list[1].name}, []string{list[2].name, list[3].name})
	w.wait(w.between(0, 30*time.Second))
	before := w.living()[0].keys.live.Bundle()
	if who != 1 {
		w.rotate(list[w.draw(2)])
	}
	w.wait(w.between(0, 5*time.Second))
	if who != 0 {
		w.rotate(list[2+w.draw(2)])
	}
	w.wait(w.between(5*time.Second, 40*time.Second))
	w.net.Heal()
	w.oneBundle(3 * time.Minute)
	w.renewed(before)
	if who == 2 && w.vault.times(saidLost) == 0 {
		w.Error("two bundles were made, and nobody says that one is lost")
	}
}

// revokeParted cuts the cluster into halves, of which one revokes a node of the other: the other half has missed all of a rotation and can't come back by
// itself. It says so, and its good node can with a token.
func revokeParted(w *world) {
	list := w.living()
	w.net.Partition([]string{list[0].name, list[1].name}, []string{list[2].name, list[3].name})
	w.wait(w.between(10*time.Second, 30*time.Second))
	good, eve := list[2], list[3]
	held := w.revoke(list[w.draw(2)], eve)
	w.until("the keys are rotated", time.Minute, func() string { return w.bundles(list[:2]) })
	w.net.Heal()
	w.until("the other half says that it was left behind", 2*time.Minute, func() string {
		if w.vault.times(saidParted) == 0 {
			return "it doesn't"
		}
		return ""
	})
	good.stop()
	token, err := list[0].keys.live.NewToken(time.Hour)
	if err != nil {
		w.Fatal(err)
	}
	w.vault.give(good.name, token)
	w.wait(30 * time.Second)
	w.start(good.name)
	w.out(eve, held)
	eve.stop()
}

// rotateFiltered rotates while two nodes don't reach each other, and others reach both.
func rotateFiltered(w *world, both bool) {
	from, to := w.pair()
	w.net.Cut(from.name, to.name)
	if both {
		w.net.Cut(to.name, from.name)
	}
	w.wait(w.between(0, 10*time.Second))
	before := w.rotate(w.some())
	w.oneBundle(time.Minute)
	w.renewed(before)
	w.net.Heal()
}
