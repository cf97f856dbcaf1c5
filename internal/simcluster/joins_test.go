package simcluster

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

// TestJoinsThatAreRefused: on the simulated network too nobody gets the bundle without a good token.
func TestJoinsThatAreRefused(t *testing.T) {
	run(t, *first, options{trust: true}, func(w *world) {
		w.begin(3)
		short, old := w.token(time.Minute), w.token(time.Hour)
		other, err := trust.New("another", nil, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := other.NewToken(time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		try := func(what, name string, token trust.Token, want error) {
			t.Helper()
			b, err := w.join(&node{w: w, name: name, sim: w.net.Node(name)}, token)
			if !errors.Is(err, want) || (b == nil) != (want != nil) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		try("good", "n9", old, nil)
		try("of another cluster", "n9", foreign, trust.ErrNotPinned)
		w.wait(time.Minute + trust.TokenSkew)
		try("expired", "n9", short, trust.ErrTokenExpired)
		w.change(w.some(), func(b *trust.Bundle) (*trust.Bundle, error) { return b.RotateToken("ada", time.Now()), nil })
		w.oneBundle(rotationTime)
		try("void", "n9", old, trust.ErrTokenVoid)
		w.rotate(w.some())
		w.oneBundle(rotationTime)
		try("of another authority", "n9", old, trust.ErrNotPinned)
		w.change(w.some(), func(b *trust.Bundle) (*trust.Bundle, error) { return b.Revoke("n9", "ada", time.Now()) })
		w.oneBundle(rotationTime)
		fresh := w.token(time.Hour)
		try("a revoked name", "n9", fresh, trust.ErrRevoked)
		try("another name", "n8", fresh, nil)
		w.net.Partition([]string{"n8"}, []string{"n1", "n2", "n3"})
		try("nobody is reached", "n8", fresh, os.ErrDeadlineExceeded)
	})
}

// TestNamesInUse: who has a good token and a name that is in use gets nothing.
func TestNamesInUse(t *testing.T) {
	run(t, *first, options{trust: true}, func(w *world) {
		w.begin(2)
		b, err := w.join(&node{w: w, name: "n2", sim: w.net.Node("n2's twin")}, w.token(time.Hour))
		if !errors.Is(err, trust.ErrRefused) || b != nil {
			t.Errorf("%v", err)
		}
		if why := w.disagreement(); why != "" {
			t.Error(why)
		}
	})
}
