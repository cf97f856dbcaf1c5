package xmpp_test

import (
	"errors"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

const header = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' " +
	"xmlns:stream='http://etherx.jabber.org/streams'>"

// opened is a framer that has read a header, and allows stanzas of limit bytes if that isn't 0.
func opened(tb testing.TB, limit int) *xmpp.Framer {
	tb.Helper()
	f := new(xmpp.Framer)
	item, n, err := f.Next([]byte(header))
	if item.Kind != xmpp.StreamOpen || n != len(header) || err != nil {
		tb.Fatal(item, n, err)
	}
	if limit > 0 {
		f.SetLimit(limit)
	}
	return f
}

// condition is the condition of a stream error, "" for nil, and what the error says if it is another one.
func condition(err error) string {
	var se *xmpp.StreamError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &se):
		return se.Condition
	}
	return err.Error()
}
