package entry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

func TestJudge(t *testing.T) {
	alert := func(text string) error { return &net.OpError{Op: "remote error", Err: errors.New("tls: " + text)} }
	for _, c := range []struct {
		what string
		err  error
		want judgement
	}{
		{"a good answer", nil, accepts},
		{"revoked", fmt.Errorf("x: %w", trust.ErrRevoked), refuses},
		{"its bundle is late", trust.ErrLeaving, silent},
		{"its certificate isn't taken", fmt.Errorf("%w: (%w)", trust.ErrRefused, alert("bad certificate")), refuses},
		{"it has another authority", fmt.Errorf("x: %w", trust.ErrOtherAuthority), refuses},
		{"it is revoked itself", fmt.Errorf("x: %w: eve", trust.ErrPeerRevoked), silent},
		{"a stranger's certificate", x509.UnknownAuthorityError{}, silent},
		{"a node of another cluster", trust.ErrOtherCluster, silent},
		{"a clock is wrong", fmt.Errorf("%w: (%w)", trust.ErrRefused, alert("expired certificate")), silent},
		{"anybody's alert", fmt.Errorf("x: %w", alert("bad certificate")), silent},
		{"another service", alert("no application protocol"), silent},
		{"nobody", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, silent},
		{"cut", fmt.Errorf("%w: (%w)", trust.ErrRefused, &net.OpError{Op: "read", Err: syscall.ECONNRESET}), silent},
	} {
		if got := judge(c.err); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
