//go:build linux

package interop

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// profanity has no interface but its screen. It is run in a pseudo-terminal, and what it does is read from files it writes: stanzas
// and logins from its debug log, messages from its chat logs, which hold what it has shown.
type profanity struct {
	session *session
	home    string
	process *process
	screen  logbook
	read    map[string]int // how many lines of each chat log were reported
	up      bool           // logged in or resumed
	sent    map[string]bool
	mu      sync.Mutex // guards sent
}

// profanitySettings are the parts of its settings that make it quiet and quick, and confirm what it receives.
const profanitySettings = `[connection]
receipts.request=true
receipts.send=true
reconnect=1
autoping=0
[ui]
splash=false
vercheck=false
[logging]
chlog=true
[chatstates]
enabled=false
outtype=false
gone=0
`

// profanityHomes are the home folders of accounts within one test, so that a second login finds what the first left.
var profanityHomes sync.Map

// profanityHome returns the home folder of an account, with its settings and this login.
func profanityHome(tb testing.TB, l login) string {
	tb.Helper()
	home := tb.TempDir()
	if found, ok := profanityHomes.LoadOrStore(tb.Name()+l.jid, home); ok {
		home = found.(string)
	}
	host, port, _ := net.SplitHostPort(l.addr)
	policy := "force"
	if l.direct {
		policy = "legacy"
	}
	account := fmt.Sprintf("[account]\nenabled=true\njid=%s\nresource=interop\nserver=%s\nport=%s\ntls.policy=%s\npassword=%s\n",
		l.jid, host, port, policy, l.password)
	for name, content := range map[string]string{
		".config/profanity/profrc": profanitySettings, ".local/share/profanity/accounts": account,
	} {
		file := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return home
}

func startProfanity(tb testing.TB, l login) *session {
	tb.Helper()
	p := &profanity{home: profanityHome(tb, l), sent: make(map[string]bool), read: make(map[string]int)}
	p.session = newSession(tb, "profanity", l.jid)
	p.chats(func(string, string) {}) // of an earlier login
	logFile := filepath.Join(p.home, "debug.log")
	_ = os.Remove(logFile) // of an earlier login, if there was one
	environment := []string{"HOME=" + p.home, "XDG_CONFIG_HOME=" + filepath.Join(p.home, ".config"),
		"XDG_DATA_HOME=" + filepath.Join(p.home, ".local/share"), "SSL_CERT_FILE=" + l.ca, "SSL_CERT_DIR=/nonexistent"}
	p.process = startTerminal(tb, &p.screen, environment, "profanity", "--log", "DEBUG", "--logfile", logFile, "--account", "account")
	s := p.session
	s.log = func() string {
		data, err := os.ReadFile(logFile)
		if err != nil {
			return err.Error() + "\n" + p.screen.String()
		}
		return stanzaLines(string(data))
	}
	s.send = p.send
	s.quit = func() error {
		if err := p.enter("/quit"); err != nil {
			return err
		}
		return p.process.wait()
	}
	var following sync.WaitGroup
	following.Go(func() { p.follow(logFile) })
	tb.Cleanup(func() {
		p.process.kill()
		following.Wait()
	})
	return s
}

// enter types a line.
func (p *profanity) enter(line string) error {
	_, err := p.process.input.Write([]byte(line + "\r"))
	return err
}

// send types a message, and waits until profanity has sent it: a line typed while it has lost its connection is refused.
func (p *profanity) send(m message) error {
	if err := p.enter("/msg " + m.to + " " + m.body); err != nil {
		return err
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		p.mu.Lock()
		sent := p.sent[m.body]
		p.mu.Unlock()
		if sent {
			return nil
		}
		select {
		case <-ticker.C:
		case <-p.process.exited:
			return fmt.Errorf("profanity ended: %v", p.process.err)
		case <-timeout.C:
			return fmt.Errorf("%q is not sent; the screen:\n%s", m.body, p.screen.String())
		}
	}
}

// follow reports what profanity writes to its files until it has ended.
func (p *profanity) follow(logFile string) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	offset := int64(0)
	log := watching(p.line)
	for ended := false; ; {
		if file, err := os.Open(logFile); err == nil {
			data := make([]byte, 1<<20)
			n, _ := file.ReadAt(data, offset) // the end is no error
			offset += int64(n)
			_, _ = log.Write(data[:n])
			_ = file.Close() // only read
		}
		p.chats(func(from, body string) { p.session.report(event{kind: incoming, from: from, body: body}) })
		if ended {
			p.session.report(event{kind: finished})
			return
		}
		select {
		case <-p.process.exited:
			ended = true // once more for the last lines
		case <-ticker.C:
		}
	}
}

var (
	receivedStanza = regexp.MustCompile(`RECV: <message.* from="([^"]*)".*<received .*id="([^"]*)"|RECV: <message.*<received .*id="([^"]*)".* from="([^"]*)"`)
	sentBody       = regexp.MustCompile(`SENT: <message.*<body>(.*)</body>`)
	unescape       = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")
)

// line reads a line of the debug log.
func (p *profanity) line(line string) {
	switch {
	case strings.Contains(line, "Connection handler: XMPP_CONN_DISCONNECT"):
		p.up = false
		p.session.report(event{kind: offline})
	case strings.HasSuffix(line, "prof: INF: Login failed"):
		p.session.report(event{kind: failed, id: line})
	case strings.Contains(line, "preverify_ok:0"):
		_ = p.enter("/tls deny") // it asks whether to trust the certificate nevertheless; without an answer the login doesn't end
	case strings.Contains(line, "RECV: <resumed"):
		p.up = true
		p.session.report(event{kind: resumed})
	case strings.Contains(line, "Updating presence: online") && !p.up:
		p.up = true
		p.session.report(event{kind: online, from: p.session.jid + "/interop"})
	}
	if m := sentBody.FindStringSubmatch(line); m != nil {
		p.mu.Lock()
		p.sent[unescape.Replace(m[1])] = true
		p.mu.Unlock()
	}
	if m := receivedStanza.FindStringSubmatch(line); m != nil {
		p.session.report(event{kind: receipt, from: m[1] + m[4], id: m[2] + m[3]})
	}
}

// chatLine is a line of a chat log: the time, who, and the text.
var chatLine = regexp.MustCompile(`^\S+ - ([^:]+): (.*)$`)

// chats gives the new lines of the chat logs that are from others, one file per contact and day.
func (p *profanity) chats(message func(from, body string)) {
	files, _ := filepath.Glob(filepath.Join(p.home, ".local/share/profanity/chatlogs/*/*/*.log")) // the pattern is well-formed
	slices.Sort(files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		lines := strings.Split(string(data), "\n")
		lines = lines[:len(lines)-1] // what follows the last line break isn't complete
		for _, line := range lines[min(p.read[file], len(lines)):] {
			if m := chatLine.FindStringSubmatch(line); m != nil && m[1] != "me" {
				message(m[1], m[2])
			}
		}
		p.read[file] = len(lines)
	}
}

// stanzaLines are the lines of a debug log that show the stanzas and the state of the connection.
func stanzaLines(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line, "RECV: ") || strings.Contains(line, "SENT: ") || strings.Contains(line, "onnection") ||
			strings.Contains(line, ": ERR:") || strings.Contains(line, "tls: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
