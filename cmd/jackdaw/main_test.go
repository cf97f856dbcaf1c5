package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/gateway"
	"github.com/jackdaw-im/jackdaw/internal/golden"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/node"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := testnode.RemoveBuild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// typed is a console with text on standard input and passwords typed at a terminal, if there are any.
type typed struct {
	console
	stdout, stderr bytes.Buffer
}

func newTyped(stdin string, passwords ...string) *typed {
	t := &typed{}
	t.console = console{name: "jackdaw", in: strings.NewReader(stdin), out: &t.stdout, err: &t.stderr, terminal: len(passwords) > 0}
	t.readPassword = func() ([]byte, error) {
		if len(passwords) == 0 {
			return nil, errors.New("the terminal is gone")
		}
		p := passwords[0]
		passwords = passwords[1:]
		return []byte(p), nil
	}
	return t
}

// call runs one command without a terminal.
func call(args ...string) (code int, stdout, stderr string) {
	c := newTyped("")
	code = run(args, &c.console)
	return code, c.stdout.String(), c.stderr.String()
}

// TestHelp: what each command says of itself.
func TestHelp(t *testing.T) {
	var all strings.Builder
	for _, cmd := range []string{"", "serve", "user", "user add", "user passwd", "user list", "user remove", "user import", "cluster", "cluster token", "cluster rotate", "cluster revoke", "cluster readmit", "cluster pin",
		"cluster unpin", "cluster store", "drain", "undrain", "top", "tree",
		"sys", "sys status", "sys state", "sys replace", "sys trace", "sys suspend", "sys resume", "dump", "dump view",
		"backup", "restore", "store", "store check", "store move", "store migrate", "store reconcile", "store release", "cert", "cert ca", "cert node", "cert show", "cert rotate", "config", "config check", "config print", "version"} {
		code, out, stderr := call(append(strings.Fields(cmd), "--help")...)
		if code != exitOK || stderr != "" || !strings.Contains(out, "Examples:") && cmd != "" {
			t.Errorf("%s --help: %d %q", cmd, code, stderr)
		}
		fmt.Fprintf(&all, "$ %s\n%s\n", strings.Join(strings.Fields("jackdaw "+cmd+" --help"), " "), out)
	}
	golden.File(t, "testdata/help.txt", all.String())
}

func TestWrongUsage(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct{ args, want string }{
		{"srve", "unknown command"},
		{"serve --nonsense", "unknown flag"},
		{"serve localhost", "unknown command"},
		{"user add", "one user's address is needed"},
		{"user add a b", "one user's address is needed"},
		{"user add a@localhost", "no terminal"},
		{"user add a@localhost --generate --password-stdin", "exclude each other"},
		{"user add a@/b --generate", "not a user's address"},
		{"user remove a@b/c", "not a user's address"},
		{"user import", "one file is needed"},
		{"user list juliet", "unknown command"},
		{"user nonsense", "unknown command"},
	} {
		code, stdout, stderr := call(append(strings.Fields(c.args), "--data", data)...)
		if strings.HasPrefix(c.args, "user remove") {
			if err := os.MkdirAll(data, 0o700); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr = call(append(strings.Fields(c.args), "--data", data)...)
		}
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) || !strings.HasSuffix(stderr, "--help` says how it is used\n") {
			t.Errorf("%s: %d, %q, %q; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

func TestConfigCommands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jackdaw.yaml")
	if err := os.WriteFile(file, []byte("domain: example.org\nc2s: :1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := call("config", "print", "--config", file, "--c2s-tls", ":4321")
	want := config.Default()
	want.Domain, want.C2S, want.C2STLS = "example.org", ":1234", ":4321"
	if code != exitOK || out != want.Print() {
		t.Errorf("print: %d\n%s", code, out)
	}
	if code, out, stderr := call("config", "check", "--config", file); code != exitOK || out != "the configuration is good\n" || stderr != "" {
		t.Errorf("check: %d %q %q", code, out, stderr)
	}
	if err := os.WriteFile(file, []byte("domain: example.org\ncolour: blue\nmailbox:\n  share: all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call("config", "check", "--config", file)
	if lines := strings.Split(strings.TrimSpace(stderr), "\n"); code != exitFailure || len(lines) != 2 || !strings.Contains(lines[0], file+":2: unknown key colour") ||
		!strings.HasPrefix(lines[1], "jackdaw: config: "+file+":4: mailbox.share") {
		t.Errorf("check of mistakes: %d %q", code, stderr)
	}
	c := newTyped("")
	c.environ = []string{"JACKDAW_CERTIFICATE=" + file, "JACKDAW_KEY=" + file}
	if code := run([]string{"config", "check"}, &c.console); code != exitFailure || !strings.Contains(c.stderr.String(), "certificate "+file) {
		t.Errorf("check of a certificate that is none: %d %q", code, c.stderr.String())
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := call("version"); code != exitOK || !strings.HasPrefix(out, "jackdaw ") || !strings.Contains(out, "go1.") {
		t.Errorf("%d %q", code, out)
	}
}

func TestGreeting(t *testing.T) {
	plain := config.Default()
	moved := config.Default()
	moved.Data, moved.Domain, moved.Certificate, moved.Key = "/var/lib/my jackdaw", "example.org", "/etc/ssl/example.pem", "/etc/ssl/example.key"
	golden.File(t, "testdata/greeting.txt", greeting("jackdaw", plain, node.Addrs{C2S: plain.C2S, C2STLS: plain.C2STLS, Admin: plain.Admin}, "AA:BB")+
		"\n----\n\n"+greeting("bin/jackdaw", moved, node.Addrs{C2STLS: "[::]:5223"}, "CC:DD"))
}

func TestPrivateAddresses(t *testing.T) {
	for addr, want := range map[string]bool{"": true, "127.0.0.1:5290": true, "[::1]:5290": true, "0.0.0.0:5290": false, "[::]:5290": false, "192.0.2.1:80": false} {
		if private(addr) != want {
			t.Errorf("%q: %v", addr, !want)
		}
	}
}

// TestDefaults: where a package has a default of its own, the configuration's is the same.
func TestDefaults(t *testing.T) {
	c := config.Default()
	for name, pair := range map[string][2]any{
		"limits.stanza_bytes_before_auth": {int(c.Limits.StanzaBytesBeforeAuth), gateway.DefaultStanzaBytesBeforeAuth},
		"limits.stanza_bytes":             {int(c.Limits.StanzaBytes), gateway.DefaultStanzaBytes},
		"mailbox.messages":                {c.Mailbox.Messages, mailbox.DefaultMessages},
		"mailbox.bytes":                   {int(c.Mailbox.Bytes), mailbox.DefaultBytes},
		"mailbox.stranger":                {c.Mailbox.Stranger, mailbox.DefaultStranger},
		"mailbox.share":                   {c.Mailbox.Share, mailbox.DefaultSharePercent},
		"mailbox.ttl":                     {c.Mailbox.TTL, mailbox.DefaultTTL},
		"session.resume_time":             {c.Session.ResumeTime, session.DefaultResumeTime},
		"session.idle_ping":               {c.Session.IdlePing, session.DefaultIdlePing},
		"session.ping_timeout":            {c.Session.PingTimeout, session.DefaultPingTimeout},
		"store.stop_below":                {int(c.Store.StopBelow), pebblestore.DefaultStopBelow},
		"store.resume_above":              {int(c.Store.ResumeAbove), pebblestore.DefaultResumeAbove},
		"store.cache":                     {int(c.Store.Cache), pebblestore.DefaultCache},
		"store.lanes":                     {c.Store.Lanes, lane.DefaultMail},
		"dump.keep":                       {c.Dump.Keep, dump.DefaultKeep},
	} {
		if fmt.Sprint(pair[0]) != fmt.Sprint(pair[1]) {
			t.Errorf("%s is %v, and the package's default %v", name, pair[0], pair[1])
		}
	}
}
