package extending

import (
	"bytes"
	"context"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/archtest"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// user is who writes, and password what the reader would have typed.
const user, password = "juliet@localhost", "secret"

// patience is how long a message, a line of the log or a command may take on a busy machine.
const patience = 2 * time.Minute

// reader does what the page says, in a copy of the module.
type reader struct {
	*testing.T
	dir   string
	files map[string]bool // of the page, by path in the module; true for those that were there before

	node       *testnode.Node
	conn       *client.Conn
	inbox      chan string
	background *exec.Cmd // what a command with & has started
	heard      *bytes.Buffer
}

func newReader(t *testing.T) *reader {
	r := &reader{T: t, dir: t.TempDir(), files: map[string]bool{}, inbox: make(chan string, 100)}
	if err := r.clone(os.DirFS("../..")); err != nil {
		t.Fatal(err)
	}
	return r
}

// notCloned are folders that a clone doesn't have.
var notCloned = []string{"bin", "jackdaw-data", "node_modules"}

// maxFile is how large a file of the source may be, in bytes.
const maxFile = 4 << 20

// clone copies the source as it is now, committed or not.
func (r *reader) clone(module fs.FS) error {
	return fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(notCloned, d.Name()) || name != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(r.dir, name), 0o700)
		}
		if info, err := d.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
			return err
		}
		body, err := fs.ReadFile(module, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(r.dir, name), body, 0o600)
	})
}

// follow does what one block says.
func (r *reader) follow(b block) {
	r.Helper()
	switch b.kind {
	case "go":
		r.write(b)
	case "diff":
		r.edit(b)
	case "console":
		r.console(b)
	case "chat":
		r.chat(b)
	case "log": // pieces of lines
		for i, text := range b.text {
			r.await(b.line+i, text)
		}
	default:
		r.Fatalf("EXTENDING.md:%d: what is a reader to do with %q?", b.line, b.kind)
	}
}

// write makes a file.
func (r *reader) write(b block) {
	r.Helper()
	if b.file == "" {
		r.Fatalf("EXTENDING.md:%d: code that belongs to no file isn't compiled", b.line)
	}
	at := filepath.Join(r.dir, b.file)
	if _, err := os.Stat(at); err == nil {
		r.Fatalf("EXTENDING.md:%d: %s is there already", b.line, b.file)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		r.Fatal(err)
	}
	r.files[b.file] = false
	r.save(b, strings.Join(b.text, "\n")+"\n")
}

// edit edits a file.
func (r *reader) edit(b block) {
	r.Helper()
	body, err := os.ReadFile(filepath.Join(r.dir, b.file))
	if err != nil {
		r.Fatalf("EXTENDING.md:%d: %v", b.line, err)
	}
	edited, err := edit(string(body), b.text)
	if err != nil {
		r.Fatalf("EXTENDING.md:%d: %s: %v", b.line, b.file, err)
	}
	r.files[b.file] = true
	r.save(b, edited)
}

func (r *reader) save(b block, text string) {
	r.Helper()
	if src, err := format.Source([]byte(text)); strings.HasSuffix(b.file, ".go") && (err != nil || string(src) != text) {
		r.Errorf("EXTENDING.md:%d: %s is not formatted: %v", b.line, b.file, err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, b.file), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// console runs commands and compares what they print.
func (r *reader) console(b block) {
	r.Helper()
	for i := 0; i < len(b.text); {
		command, ok := strings.CutPrefix(b.text[i], "$ ")
		if !ok {
			r.Fatalf("EXTENDING.md:%d: no command", b.line+i)
		}
		at := b.line + i
		next := i + 1
		for next < len(b.text) && !strings.HasPrefix(b.text[next], "$ ") {
			next++
		}
		r.Logf("EXTENDING.md:%d: $ %s", at, command)
		output := strings.ReplaceAll(r.run(at, command), "(cached)", "0.1s")
		if lines := b.text[i+1 : next]; len(lines) > 0 && !shows(lines, output) {
			r.Errorf("EXTENDING.md:%d: %s prints\n%s\nwhere the page shows\n%s", at, command, output, strings.Join(lines, "\n"))
		}
		i = next
	}
}

func (r *reader) run(line int, command string) string {
	r.Helper()
	switch {
	case strings.HasPrefix(command, "git clone "), command == "bin/jackdaw user add "+user: // serve has made the user
		return ""
	case command == "make archtest":
		r.rules(line)
		return ""
	case command == "bin/jackdaw serve":
		r.serve(line)
		return ""
	case strings.HasPrefix(command, "curl -s "):
		return r.fetch(line, command)
	case command == "wait":
		if err := r.background.Wait(); err != nil {
			r.Fatalf("EXTENDING.md:%d: %s: %v\n%s", line, r.background, err, r.heard)
		}
		return r.heard.String()
	case strings.HasSuffix(command, " &"):
		r.start(line, strings.TrimSuffix(command, " &"))
		return ""
	}
	return r.shell(line, command)
}

// shell runs a command as the reader's shell would.
func (r *reader) shell(line int, command string) string {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 5*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("EXTENDING.md:%d: %s: %v\n%s", line, command, err, out)
	}
	return string(out)
}

func (r *reader) start(line int, command string) {
	r.Helper()
	r.heard = new(bytes.Buffer)
	r.background = exec.CommandContext(r.Context(), "sh", "-c", "exec "+command)
	r.background.Dir, r.background.Stdout, r.background.Stderr = r.dir, r.heard, r.heard
	if err := r.background.Start(); err != nil {
		r.Fatalf("EXTENDING.md:%d: %s: %v", line, command, err)
	}
	if strings.Contains(command, " trace ") { // the next messages are those that come once the server knows
		r.await(line, "an actor's messages are traced")
	}
}

// rules holds the page's files to the rules of the code.
func (r *reader) rules(line int) {
	r.Helper()
	tree, err := archtest.Load(os.DirFS(r.dir))
	if err != nil {
		r.Fatal(err)
	}
	levels, err := archtest.LevelsOf(tree.Text("docs/ARCHITECTURE.md"))
	if err != nil {
		r.Fatal(err)
	}
	found := archtest.Imports(tree, levels)
	for _, rule := range []func(*archtest.Tree) []archtest.Finding{
		archtest.Confined, archtest.Caps, archtest.Documented, archtest.PackageDocs, archtest.Goroutines, archtest.Clocks, archtest.Sleeps,
		archtest.LogKeys, archtest.Names, archtest.Unfinished, archtest.Shape,
	} {
		found = append(found, rule(tree)...)
	}
	for _, f := range found {
		for name, old := range r.files {
			if place, _, _ := strings.Cut(f.Place, ":"); !old && (place == name || place == filepath.Dir(name)) {
				r.Errorf("EXTENDING.md:%d: %v", line, f)
			}
		}
	}
}

// serve starts the built server on the data folder that its commands look for, with the user.
func (r *reader) serve(line int) {
	r.Helper()
	var err error
	r.node, err = testnode.New(testnode.Config{Data: filepath.Join(r.dir, "jackdaw-data"), Binary: filepath.Join(r.dir, "bin", "jackdaw")})
	if err == nil {
		err = r.node.Import(r.Context(), []testnode.User{{JID: user, Password: password}})
	}
	if err == nil {
		err = r.node.Start(r.Context())
	}
	if err != nil {
		r.Fatalf("EXTENDING.md:%d: %v", line, err)
	}
	r.Cleanup(func() {
		r.node.Kill()
		if r.Failed() {
			r.Logf("the server's output:\n%s", r.node.Output())
		}
	})
}

// fetch is curl and grep: curl -s http://127.0.0.1:5290/PATH | grep WORD.
func (r *reader) fetch(line int, command string) string {
	r.Helper()
	f := strings.Fields(command)
	if len(f) != 6 || f[3] != "|" || f[4] != "grep" {
		r.Fatalf("EXTENDING.md:%d: %s is more than a reader of this page can do", line, command)
	}
	resp, err := http.Get(strings.Replace(f[2], "127.0.0.1:5290", r.node.Admin, 1))
	if err != nil {
		r.Fatalf("EXTENDING.md:%d: %v", line, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatalf("EXTENDING.md:%d: %v", line, err)
	}
	var out strings.Builder
	for l := range strings.Lines(string(body)) {
		if strings.Contains(l, f[5]) {
			out.WriteString(l)
		}
	}
	return out.String()
}

// chat writes what the user writes, and waits for what comes back. A line is "FROM to TO: TEXT" or "FROM: TEXT".
func (r *reader) chat(b block) {
	r.Helper()
	if r.conn == nil {
		r.login(b.line)
	}
	for i, line := range b.text {
		from, text, _ := strings.Cut(line, ": ")
		if to, ours := strings.CutPrefix(from, user+" to "); ours {
			if err := r.conn.SendMessage(&client.Message{To: to, Type: "chat", Body: text}, nil); err != nil {
				r.Fatalf("EXTENDING.md:%d: %v", b.line+i, err)
			}
			continue
		}
		select {
		case got := <-r.inbox:
			if got != line {
				r.Errorf("EXTENDING.md:%d: %q came, not %q", b.line+i, got, line)
			}
		case <-time.After(patience):
			r.Fatalf("EXTENDING.md:%d: %q never came", b.line+i, line)
		}
	}
}

func (r *reader) login(line int) {
	r.Helper()
	cfg := &client.Config{Addr: r.node.C2STLS, JID: user + "/page", Password: password, Management: true, TLS: client.TLSConfig("localhost", nil)}
	cfg.TLS.InsecureSkipVerify = true // the server has made it itself
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		if e.Name == "message" {
			r.inbox <- fmt.Sprintf("%s: %s", e.Attr("from"), e.Child("jabber:client", "body").Text())
		}
	}
	conn, err := client.Dial(r.Context(), cfg)
	if err != nil {
		r.Fatalf("EXTENDING.md:%d: %v", line, err)
	}
	r.conn = conn
	ended := make(chan struct{})
	go func() { defer close(ended); _ = conn.Run() }()
	r.Cleanup(func() { conn.Cut(); <-ended })
	if err := conn.Presence(0); err != nil {
		r.Fatalf("EXTENDING.md:%d: %v", line, err)
	}
}

// await waits until the server's output has a text.
func (r *reader) await(line int, text string) {
	r.Helper()
	for over := time.After(patience); !strings.Contains(r.node.Output(), text); {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-over:
			r.Fatalf("EXTENDING.md:%d: the server has not printed %s", line, text)
		}
	}
}
