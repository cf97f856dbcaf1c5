package entry

import (
	"errors"
	"net"
	"strings"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

// judgement is what a member thinks of this node.
type judgement int

const (
	silent  judgement = iota // it doesn't answer, or what answers need not be it
	accepts                  // it takes this node's certificate
	refuses                  // it is, or seems to be, a node of this cluster, and one of the two doesn't take the other's certificate
)

// judge reads it from the end of a fetch. A connection that is cut proves nothing, nor does a stranger at the member's address, or one that this
// node refuses itself, because it is revoked or was away; nor one that takes a good certificate for expired: that speaks of clocks. While a
// revocation is under way members refuse those who don't have the new bundle yet, and bring it: who never gets it meets an alert.
func judge(err error) judgement {
	var alert *net.OpError
	switch {
	case err == nil:
		return accepts
	case errors.Is(err, trust.ErrPeerRevoked):
		return silent
	case errors.Is(err, trust.ErrRevoked), errors.Is(err, trust.ErrOtherAuthority):
		return refuses
	case errors.Is(err, trust.ErrRefused) && errors.As(err, &alert) && alert.Op == "remote error": // so does crypto/tls call an alert
		if text := alert.Err.Error(); strings.Contains(text, "certificate") && !strings.Contains(text, "expired") {
			return refuses
		}
	}
	return silent
}
