package trust

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Merged is what came of two bundles.
type Merged struct {
	// Bundle holds from now on. It is one of the two, or a next version with the revocations of both.
	Bundle *Bundle
	// Lost is the other one, if it holds changes that Bundle knows nothing of; nil if nothing was lost.
	Lost *Bundle
}

// Conflict says what was lost, in a sentence for the log; "" if nothing was. It holds no secret.
func (m Merged) Conflict() string {
	if m.Lost == nil {
		return ""
	}
	return fmt.Sprintf("two versions of the bundle were made beside each other: %s (by %s: %s) holds, %s (by %s: %s) is lost, but for whom it revokes; "+
		"what it changed must be done again", m.Bundle.Stamp(), m.Bundle.Last.By, m.Bundle.Last.What, m.Lost.Stamp(), m.Lost.Last.By, m.Lost.Last.What)
}

// Merge decides between the bundle that a node has and one that it hears of. The higher version wins; of equal ones a change that
// somebody asked for wins over one that came by itself, and then the greater digest, so that all nodes decide alike. If neither comes
// from the other, the revocations of both hold; a union that the winner hadn't is a new version, the same at every node, whose authorities
// are leaving, so that a Keeper rotates all keys. An error means that other is of another cluster.
func Merge(ours, other *Bundle) (Merged, error) {
	if ours.Cluster != other.Cluster {
		return Merged{}, fmt.Errorf("%w: the bundle is of cluster %s, and this is %s", ErrOtherCluster, short(other.Cluster), short(ours.Cluster))
	}
	winner, loser := ours, other
	order := ours.Stamp().Compare(other.Stamp())
	if order == 0 {
		order = bytes.Compare(ours.Encode(), other.Encode())
	}
	switch {
	case order == 0:
		return Merged{Bundle: ours}, nil
	case order < 0:
		winner, loser = other, ours
	}
	if winner.descends(loser) {
		return Merged{Bundle: winner}, nil
	}
	var missing []string
	for _, name := range loser.Revoked {
		if !winner.IsRevoked(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 || len(missing)+len(winner.Revoked) > maxRevoked {
		return Merged{Bundle: winner, Lost: loser}, nil
	}
	n := winner.next(itself, "revocations of two versions are united: "+strings.Join(missing, ", "), winner.Last.At)
	n.Revoked = append(n.Revoked, missing...)
	slices.Sort(n.Revoked)
	for i := range n.Authorities {
		n.Authorities[i].Leaving = true
	}
	return Merged{Bundle: n, Lost: loser}, nil
}

// descends reports whether a bundle was made from an earlier one, as far as its history reaches.
func (b *Bundle) descends(earlier *Bundle) bool {
	for _, c := range b.History {
		if c.Version == earlier.Version {
			return c.Digest == earlier.shortDigest()
		}
	}
	return len(b.History) > 0 && earlier.Version < b.History[len(b.History)-1].Version
}

func short(id string) string { return id[:min(len(id), 8)] }
