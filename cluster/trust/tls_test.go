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
	stranger := newBundle(t, epoch)
	late := nodeOf(t, "late", b, &now)
	for _, c := range []struct {
		what, name string
		b          *Bundle
		want       bool
	}{
		{"the one that was called", "x", rotated, true},
		{"another node of the cluster", "y", rotated, false},
		{"a node of another cluster", "x", stranger, false},
	} {
		_, err := shake(nodeOf(t, c.name, c.b, &now).ServerTLS("t"), late.ClientTLS("x", "t"))
		if errors.Is(err, ErrOtherAuthority) != c.want || err == nil || !strings.Contains(err.Error(), "is none of this cluster: x509: certificate signed by unknown authority") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	now = now.Add(100 * NodeLife) // certificates that have ended say nothing of keys
	if _, err := shake(nodeOf(t, "x", b, &epoch).ServerTLS("t"), late.ClientTLS("x", "t")); err == nil || errors.Is(err, ErrOtherAuthority) {
		t.Errorf("expired: %v", err)
	}
}
