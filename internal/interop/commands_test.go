//go:build linux

package interop

import (
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// startSendxmpp starts sendxmpp in the mode in which it sends each line of its input to one recipient. It never reads a message.
func startSendxmpp(tb testing.TB, l login) *session {
	user, _, _ := strings.Cut(l.jid, "@")
	_, port, _ := strings.Cut(l.addr, ":")
	to := l.to
	if to == "" {
		to = l.jid
	}
	s := newSession(tb, "sendxmpp", l.jid)
	bound := false
	log := watching(func(line string) {
		// It claims to be authenticated in any case. The answer to its request for a resource is the last step of the login.
		bound = bound || strings.Contains(line, "Read: ") && strings.Contains(line, "<jid>")
		if bound && line == "sendxmpp: AuthSend: ok" {
			s.report(event{kind: online, from: l.jid + "/sendxmpp"})
		}
		// It isn't stopped by a certificate that it refuses: it reads on from the socket that didn't become one with TLS.
		plain := strings.Contains(line, "TLSClientProceed: ssl_sock(IO::Socket::INET=")
		if plain || strings.HasPrefix(line, "Could not connect") || strings.HasPrefix(line, "Error 'AuthSend'") {
			s.report(event{kind: failed, id: line})
		}
	})
	s.log = log.String
	security := "--tls"
	if l.direct {
		security = "--ssl"
	}
	// Its name for the server's host is also the domain, so it can't be an address.
	p := start(tb, log, nil, nil, "sendxmpp", "--debug", "--verbose", "--interactive", security, "--tls-ca-path", l.ca, "--username",
		user, "--password", l.password, "--jserver", "localhost:"+port, "--message-type", "chat", to)
	watchEnd(tb, s, p)
	s.send = func(m message) error { return p.write(m.body) }
	s.quit = func() error {
		if err := p.input.Close(); err != nil {
			return err
		}
		return p.wait()
	}
	return s
}

// listened is a line of go-sendxmpp for a message: the time, the sender's bare address and the body.
var listened = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ([^ ]+): (.*)$`)

// boundAddress is in the answer to a request for a resource.
var boundAddress = regexp.MustCompile(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>([^<]+)</jid>`)

// startGoSendxmpp starts go-sendxmpp twice, as the program can't do both at once: one listens, the other, if there is a recipient,
// sends each line of its input.
func startGoSendxmpp(tb testing.TB, l login) *session {
	s := newSession(tb, "go-sendxmpp", l.jid)
	waiting := new(atomic.Int32) // programs that aren't logged in
	watch := func(line string) {
		// With --debug it logs what it reads. The answer to its request for a resource is the last step of the login.
		if m := boundAddress.FindStringSubmatch(line); m != nil && waiting.Add(-1) == 0 {
			s.report(event{kind: online, from: m[1]})
		}
		if strings.Contains(line, "x509: ") {
			s.report(event{kind: failed, id: line})
		}
	}
	command := []string{"go-sendxmpp", "--debug", "--username", l.jid, "--password", l.password, "--jserver", l.addr}
	if l.direct {
		command = append(command, "--tls")
	}
	environment := []string{"SSL_CERT_FILE=" + l.ca, "SSL_CERT_DIR=/nonexistent"}
	waiting.Add(1)
	if l.to != "" {
		waiting.Add(1)
	}
	log := watching(watch)
	s.log = log.String
	listener := start(tb, log, func(line string) {
		if m := listened.FindStringSubmatch(line); m != nil {
			s.report(event{kind: incoming, from: m[1], body: m[2]})
		}
	}, environment, append(command, "--listen")...)
	watchEnd(tb, s, listener)
	var sender *process
	if l.to != "" {
		sender = start(tb, log, nil, environment, append(command, "--interactive", l.to)...)
		s.send = func(m message) error { return sender.write(m.body) }
	}
	s.quit = func() error {
		if sender != nil {
			if err := sender.input.Close(); err != nil {
				return err
			}
			if err := sender.wait(); !ended(err) {
				return err // it calls the end of its input an error
			}
		}
		// There is no other way to end it, and it doesn't close its stream.
		if err := listener.cmd.Process.Signal(syscall.SIGINT); err != nil {
			return err
		}
		if err := listener.wait(); !ended(err) {
			return err
		}
		return nil
	}
	return s
}

// ended says whether a program has ended, with whatever code or signal.
func ended(err error) bool {
	var exit *exec.ExitError
	return err == nil || errors.As(err, &exit)
}
