package trust

import (
	"errors"
	"strings"
	"testing"
)

// TestOtherAuthority: a node of this cluster whose keys have gone on is told from strangers.
func TestOtherAuthority(t *testing.T) {
	now := epoch
	b := newBundle(t, epoch)
	rotated := newBundle(t, epoch)
	rotated.Cluster = b.Cluster
	ca, err := NewAuthority(b.Cluster, 2, epoch)
	if err != nil {
		t.Fatal(err)
	}
	rotated.Authorities = []Authority{ca}
	stranger := newBundle(t, epoch)
	late, ahead := nodeOf(t, "late", b, &now), nodeOf(t, "ahead", rotated, &now)
	for _, c := range []struct {
		what, name string
		b          *Bundle
		want       bool
	}{
		{"the one that was called", "x", rotated, true},
		{"another node of the cluster", "y", rotated, false},
		{"a node of another cluster", "x", stranger, false},
		{"one that was away itself", "x", b, false},
	} {
		late := late
		if c.b == b {
			late = ahead
		}
		_, err := shake(nodeOf(t, c.name, c.b, &now).ServerTLS("t"), late.ClientTLS("x", "t"))
		if errors.Is(err, ErrOtherAuthority) != c.want || err == nil || !strings.Contains(err.Error(), "is none of this cluster: x509: certificate signed by unknown authority") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	// Of two that have the same number, exactly one is the later.
	if rotated.Authorities[0], err = NewAuthority(b.Cluster, 1, epoch); err != nil {
		t.Fatal(err)
	}
	twin := nodeOf(t, "twin", rotated, &now)
	_, one := shake(twin.ServerTLS("t"), late.ClientTLS("", "t"))
	_, other := shake(late.ServerTLS("t"), twin.ClientTLS("", "t"))
	if one == nil || other == nil || errors.Is(one, ErrOtherAuthority) == errors.Is(other, ErrOtherAuthority) {
		t.Errorf("%v, %v", one, other)
	}
	now = now.Add(100 * NodeLife) // certificates that have ended say nothing of keys
	if _, err := shake(nodeOf(t, "x", b, &epoch).ServerTLS("t"), late.ClientTLS("x", "t")); err == nil || errors.Is(err, ErrOtherAuthority) {
		t.Errorf("expired: %v", err)
	}
}
