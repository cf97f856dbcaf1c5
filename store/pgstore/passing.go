package pgstore

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jackdaw-im/jackdaw/store"
)

// passingCodes are the classes of SQLSTATE that say how a server is now, and nothing of who asks: the connection, the resources,
// locks and deadlocks, a server that starts, stops or is told to.
var passingCodes = []string{"08", "40", "53", "55", "57", "58"}

// readOnlyCode is the answer of a server that takes no writes now.
const readOnlyCode = "25006"

// Passing reports whether an error of Open may be gone when it is tried again, without anybody's changing what was asked for: a server
// that can't be reached, starts, is full, or isn't the one to be used because it was left behind by a failover. A refused password, a
// database that isn't there, a newer schema, another list or another cluster's databases are no such errors. Of several hosts of
// which one can't be reached and another refuses the password, the latter counts.
func Passing(err error) bool {
	passing := false
	final := anyOf(err, func(e error) bool {
		switch e := e.(type) { // each error of the tree by itself
		case *pgconn.PgError:
			if e.Code != readOnlyCode && (len(e.Code) < 2 || !slices.Contains(passingCodes, e.Code[:2])) {
				return true
			}
			passing = true
		case *net.OpError:
			// These are crypto/tls's words for alerts: of a certificate that isn't taken, say.
			passing = passing || e.Op != "remote error" && e.Op != "local error"
		case net.Error:
			passing = passing || e.Timeout()
		}
		switch e {
		case ErrForeign, store.ErrNewer, store.ErrInvalid, store.ErrCorrupt:
			return true
		case ErrStandby, ErrLagging, ErrOutdated, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF:
			passing = true
		}
		return false
	})
	var dns *net.DNSError
	return !final && (passing || errors.As(err, &dns) || pgconn.Timeout(err))
}

// anyOf reports whether f is true for an error or any that it wraps.
func anyOf(err error, f func(error) bool) bool {
	if err == nil {
		return false
	}
	if f(err) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return anyOf(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(err error) bool { return anyOf(err, f) })
	}
	return false
}
