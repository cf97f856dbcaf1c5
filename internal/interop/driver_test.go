//go:build linux

package interop

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The drivers in clients/ are run by lines whose fields are separated by tabs; no field holds a tab or a line break.
//
// On standard input they take
//
//	send TO ID REQUEST BODY   sends a chat message; REQUEST is 1 if a receipt is wanted, else 0
//	quit                      logs out in order and ends
//
// and on standard output they report
//
//	online JID                      logged in and available
//	resumed                         the stream was resumed
//	offline                         the socket is gone; unless quit was read, the driver connects again
//	message FROM ID DELAYED BODY    a message with a body, less a line break at its end; DELAYED is 1 if it has a time stamp
//	                                (XEP-0203), else 0
//	receipt FROM ID                 the receipt for the message with this id
//	error FROM CONDITION            a message came back
//	failed REASON                   the login failed, and the driver ends
//
// A driver answers pings and requests for receipts by itself, logs all stanzas on standard error, and keeps what it is to send while
// it has no connection.

// login says where and as whom a client logs in.
type login struct {
	addr          string // host:port
	direct        bool   // TLS from the first byte, else STARTTLS
	jid, password string // the bare address
	ca            string // the file with the authority to trust
	unmanaged     bool   // without stream management, where the client has a switch for it
	// to is the only recipient of the messages that this session will send. Some programs take it when they start.
	to string
}

// full is the address with a resource.
func (l login) full() string { return l.jid + "/interop" }

// starttlsOrDirect is the drivers' word for how TLS starts.
func (l login) starttlsOrDirect() string {
	if l.direct {
		return "direct"
	}
	return "starttls"
}

// drive starts a driver.
func drive(tb testing.TB, name string, l login, environment []string, command ...string) *session {
	tb.Helper()
	log := new(logbook)
	s := newSession(tb, name, l.jid)
	s.log = log.String
	p := start(tb, log, func(line string) {
		if e, ok := parseEvent(line); ok {
			s.report(e)
		}
	}, environment, command...)
	watchEnd(tb, s, p)
	s.send = func(m message) error {
		request := "0"
		if m.request {
			request = "1"
		}
		return p.write("send", m.to, m.id, request, m.body)
	}
	s.quit = func() error {
		if err := p.write("quit"); err != nil {
			return err
		}
		return p.wait()
	}
	return s
}

// watchEnd reports the end of the program to its session.
func watchEnd(tb testing.TB, s *session, p *process) {
	var watching sync.WaitGroup
	watching.Go(func() {
		<-p.exited
		s.report(event{kind: finished})
	})
	tb.Cleanup(func() {
		p.kill()
		watching.Wait()
	})
}

// parseEvent reads a line of a driver.
func parseEvent(line string) (e event, ok bool) {
	fields := strings.SplitN(line, "\t", 5)
	e.kind = fields[0]
	wanted := map[string]int{online: 2, resumed: 1, offline: 1, incoming: 5, receipt: 3, refusal: 3, failed: 2}[e.kind]
	if wanted == 0 || len(fields) < wanted {
		return e, false
	}
	switch e.kind {
	case failed:
		e.id = fields[1]
		return e, true
	case incoming:
		e.delayed, e.body = fields[3] == "1", fields[4]
	}
	if wanted > 1 {
		e.from = fields[1]
	}
	if wanted > 2 {
		e.id = fields[2]
	}
	return e, true
}

func startSlixmpp(tb testing.TB, l login) *session {
	host, port, _ := net.SplitHostPort(l.addr)
	// Debian's own Python is the one that has Debian's slixmpp.
	command := []string{"/usr/bin/python3", "clients/slixmpp/driver.py", "--host", host, "--port", port, "--jid", l.full(),
		"--password", l.password, "--ca", l.ca, "--tls", l.starttlsOrDirect()}
	if !l.unmanaged {
		command = append(command, "--management")
	}
	return drive(tb, "slixmpp", l, nil, command...)
}

func startXMPPjs(tb testing.TB, l login) *session {
	host, port, _ := net.SplitHostPort(l.addr)
	return drive(tb, "@xmpp/client", l, []string{"NODE_EXTRA_CA_CERTS=" + l.ca}, "node", "clients/xmppjs/driver.mjs", "--host", host,
		"--port", port, "--jid", l.full(), "--password", l.password, "--tls", l.starttlsOrDirect())
}

func startStrophe(tb testing.TB, l login) *session {
	host, port, _ := net.SplitHostPort(l.addr)
	management := "sm"
	if l.unmanaged {
		management = "nosm"
	}
	return drive(tb, "libstrophe", l, nil, strophe.binary, host, port, l.full(), l.password, l.ca, l.starttlsOrDirect(), management)
}

// strophe is the driver of libstrophe, compiled once.
var strophe struct{ binary string }

// compileStrophe compiles the driver of libstrophe into a folder.
func compileStrophe(dir string) ([]byte, error) {
	strophe.binary = filepath.Join(dir, "strophe")
	return exec.Command("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", strophe.binary, "clients/strophe/driver.c",
		"-lstrophe").CombinedOutput()
}

func TestParseEvent(t *testing.T) {
	for line, want := range map[string]event{
		"online\tu@localhost/r": {kind: online, from: "u@localhost/r"},
		"resumed":               {kind: resumed},
		"offline":               {kind: offline},
		"message\ta@b/c\t\t1\tGrüße 👋 \t tab": {kind: incoming, from: "a@b/c", delayed: true, body: "Grüße 👋 \t tab"},
		"receipt\ta@b/c\tid 1":                {kind: receipt, from: "a@b/c", id: "id 1"},
		"error\ta@b/c\tservice-unavailable":   {kind: refusal, from: "a@b/c", id: "service-unavailable"},
		"failed\tno such luck":                {kind: failed, id: "no such luck"},
	} {
		if got, ok := parseEvent(line); !ok || got != want {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "other\tx", "message\ta\tb\t0", "online", "finished"} {
		if got, ok := parseEvent(line); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestLogbook(t *testing.T) {
	var lines []string
	log := watching(func(line string) { lines = append(lines, line) })
	for _, part := range []string{"one\ntw", "o\n", "\nthree"} {
		if n, err := log.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := strings.Join(lines, "|"); got != "one|two|" {
		t.Errorf("lines %q", got)
	}
	for range 5 {
		_, _ = log.Write([]byte(strings.Repeat("x", logKept)))
	}
	if n := len(log.String()); n < logKept || n > 2*logKept {
		t.Errorf("%d bytes kept", n)
	}
}
