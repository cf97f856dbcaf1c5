package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jackdaw-im/jackdaw/store"
)

func TestPassing(t *testing.T) {
	sqlstate := func(code string) error { return &pgconn.PgError{Code: code} }
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, c := range []struct {
		what string
		err  error
		want bool
	}{
		{"a refused connection", refused, true},
		{"a connection cut", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{"a connection closed", io.ErrUnexpectedEOF, true},
		{"no answer", context.DeadlineExceeded, true},
		{"an unknown host", &net.DNSError{Err: "no such host", IsNotFound: true}, true},
		{"starting", sqlstate("57P03"), true},
		{"too many connections", sqlstate("53300"), true},
		{"a lock", sqlstate("55P03"), true},
		{"read-only", sqlstate("25006"), true},
		{"a standby", ErrStandby, true},
		{"a laggard", ErrLagging, true},
		{"an old primary", ErrOutdated, true},
		{"a wrong password", sqlstate("28P01"), false},
		{"no entry for this host", sqlstate("28000"), false},
		{"no such database", sqlstate("3D000"), false},
		{"no right to", sqlstate("42501"), false},
		{"an error without a class", sqlstate(""), false},
		{"another server", ErrForeign, false},
		{"a newer schema", store.ErrNewer, false},
		{"damage", store.ErrCorrupt, false},
		{"a certificate that isn't taken", &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, false},
		{"another list", errors.New("the list of stores is"), false},
		{"one host away, the other refusing", errors.Join(refused, sqlstate("28P01")), false},
		{"one host without TLS, and starting", errors.Join(errors.New("tls error: server refused TLS connection"), sqlstate("57P03")), true},
		{"nothing", nil, false},
	} {
		if got := Passing(c.err); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
		if c.err != nil {
			if got := Passing(fmt.Errorf("pgstore: shard 0: %w", errors.Join(fmt.Errorf("more: %w", c.err)))); got != c.want {
				t.Errorf("%s, wrapped: %v", c.what, got)
			}
		}
	}
}
