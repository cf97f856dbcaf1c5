package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is a data folder with a way to run user commands on it.
type folder struct {
	t    *testing.T
	data string
}

func (f folder) user(c *typed, args ...string) (int, string, string) {
	f.t.Helper()
	code := run(append(append([]string{"user"}, args...), "--data", f.data), &c.console)
	return code, c.stdout.String(), c.stderr.String()
}

func (f folder) list() string {
	f.t.Helper()
	code, out, stderr := f.user(newTyped(""), "list")
	if code != exitOK || stderr != "" {
		f.t.Fatalf("list: %d %q", code, stderr)
	}
	var names []string
	for line := range strings.Lines(out) {
		name, _, _ := strings.Cut(line, "\t")
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func TestUserCommandsOnAFolder(t *testing.T) {
	f := folder{t, filepath.Join(t.TempDir(), "data")}
	if code, _, stderr := f.user(newTyped(""), "list"); code != exitFailure || !strings.Contains(stderr, "--data") {
		t.Errorf("list of no folder: %d %q", code, stderr)
	}
	code, out, stderr := f.user(newTyped("", "secret", "secret"), "add", "Juliet@localhost")
	if code != exitOK || out != "added juliet@localhost\n" || stderr != "Password: \nThe same again: \n" {
		t.Errorf("add: %d %q %q", code, out, stderr)
	}
	if code, out, _ := f.user(newTyped("secret\nnot this\n"), "add", "romeo", "--password-stdin"); code != exitOK || out != "added romeo@localhost\n" {
		t.Errorf("add by name: %d %q", code, out)
	}
	code, out, _ = f.user(newTyped(""), "add", "nurse@example.org", "--generate")
	if lines := strings.Split(out, "\n"); code != exitOK || len(lines) != 3 || lines[0] != "added nurse@example.org" || len(strings.TrimPrefix(lines[1], "password: ")) < 20 {
		t.Errorf("add with a password made up: %d %q", code, out)
	}
	if got := f.list(); got != "juliet@localhost nurse@example.org romeo@localhost" {
		t.Errorf("list %q", got)
	}
	if code, _, stderr := f.user(newTyped("x"), "add", "juliet", "--password-stdin"); code != exitFailure || stderr != "jackdaw: juliet@localhost: admin: the user exists already\n" {
		t.Errorf("add again: %d %q", code, stderr)
	}
	if code, out, _ := f.user(newTyped("x"), "passwd", "juliet", "--password-stdin"); code != exitOK || out != "changed the password of juliet@localhost\n" {
		t.Errorf("passwd: %d %q", code, out)
	}
	if code, _, stderr := f.user(newTyped("x"), "passwd", "paris", "--password-stdin"); code != exitFailure || !strings.Contains(stderr, "no such user") {
		t.Errorf("passwd of nobody: %d %q", code, stderr)
	}
	if code, out, _ := f.user(newTyped(""), "remove", "romeo"); code != exitOK || out != "removed romeo@localhost\n" {
		t.Errorf("remove: %d %q", code, out)
	}
	if code, _, stderr := f.user(newTyped(""), "remove", "romeo"); code != exitFailure || !strings.Contains(stderr, "romeo@localhost: admin: there is no such user") {
		t.Errorf("remove again: %d %q", code, stderr)
	}
	if got := f.list(); got != "juliet@localhost nurse@example.org" {
		t.Errorf("list %q", got)
	}
}

func TestPasswordsThatAreNone(t *testing.T) {
	f := folder{t, filepath.Join(t.TempDir(), "data")}
	for _, c := range []struct {
		console *typed
		flags   []string
		want    string
	}{
		{newTyped("", "one", "two"), nil, "the two passwords differ; nothing was changed"},
		{newTyped("", ""), nil, "an empty password is none"},
		{newTyped("", "only once"), nil, "the terminal is gone"},
		{newTyped(""), []string{"--password-stdin"}, "no password on standard input"},
		{newTyped("\r\n"), []string{"--password-stdin"}, "no password on standard input"},
		{newTyped("a\x01b\n"), []string{"--password-stdin"}, "password"},
	} {
		if code, out, stderr := f.user(c.console, append([]string{"add", "a@localhost"}, c.flags...)...); code != exitFailure || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%d %q %q, want %q", code, out, stderr, c.want)
		}
	}
}

func TestImportCommand(t *testing.T) {
	f := folder{t, filepath.Join(t.TempDir(), "data")}
	file := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(file, []byte("a@localhost,x\nb@localhost,y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := f.user(newTyped(""), "import", file)
	if code != exitOK || !strings.HasPrefix(out, "imported 2 users (2 new, 0 changed) in ") || stderr != "" {
		t.Errorf("import: %d %q %q", code, out, stderr)
	}
	code, out, stderr = f.user(newTyped("b@localhost,y\nnonsense\nc@localhost,z\n"), "import", "-")
	if code != exitFailure || !strings.HasPrefix(out, "imported 2 users (1 new, 1 changed) in ") || !strings.HasPrefix(stderr, "line 2: ") ||
		!strings.HasSuffix(stderr, "jackdaw: 1 lines of the list were not taken\n") {
		t.Errorf("import with a bad line: %d %q %q", code, out, stderr)
	}
	if got := f.list(); got != "a@localhost b@localhost c@localhost" {
		t.Errorf("list %q", got)
	}
	var bad strings.Builder
	for i := range shownBad + 50 {
		fmt.Fprintf(&bad, "nonsense %d\n", i)
	}
	if code, _, stderr := f.user(newTyped(bad.String()), "import", "-"); code != exitFailure || strings.Count(stderr, "\n") != shownBad+1 {
		t.Errorf("many bad lines: %d, %d lines", code, strings.Count(stderr, "\n"))
	}
	if code, _, stderr := f.user(newTyped(""), "import", filepath.Join(t.TempDir(), "none")); code != exitFailure || !strings.Contains(stderr, "the list can't be read") {
		t.Errorf("no list: %d %q", code, stderr)
	}
	if code, out, stderr := f.user(newTyped("a@localhost,"+strings.Repeat("x", 100_000)), "import", "-"); code != exitFailure || out != "" || !strings.Contains(stderr, "the import stopped") {
		t.Errorf("a line too long: %d %q %q", code, out, stderr)
	}
}
