package extending

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// block is one fenced block of a page.
type block struct {
	line int    // of its first line of text
	kind string // the word behind the fence
	file string // the file it is or edits: what the line above it names in bold
	text []string
}

var bold = regexp.MustCompile(`^\*\*([^* ]+)\*\*$`)

// blocks reads the fenced blocks of a page, in their order.
func blocks(page string) (list []block) {
	var open *block
	file := ""
	for i, line := range strings.Split(page, "\n") {
		word, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 2, kind: word, file: file}
		case fence:
			list = append(list, *open)
			open, file = nil, ""
		case open != nil:
			open.text = append(open.text, line)
		case line != "":
			file = ""
			if m := bold.FindStringSubmatch(line); m != nil {
				file = m[1]
			}
		}
	}
	return list
}

// edit applies a block of edits to a text. Parts are set apart by lines "@@"; the lines of a part that are not new must stand in the
// text exactly once.
func edit(text string, diff []string) (string, error) {
	for part := range strings.SplitSeq(strings.Join(diff, "\n"), "\n@@\n") {
		var was, is []string
		for line := range strings.SplitSeq(part, "\n") {
			if line == "" {
				line = " "
			}
			if line[0] != '+' {
				was = append(was, line[1:])
			}
			if line[0] != '-' {
				is = append(is, line[1:])
			}
		}
		from, to := "\n"+strings.Join(was, "\n")+"\n", "\n"+strings.Join(is, "\n")+"\n"
		if n := strings.Count(text, from); n != 1 {
			return "", fmt.Errorf("what is to be edited is there %d times:\n%s", n, strings.Join(was, "\n"))
		}
		text = strings.Replace(text, from, to, 1)
	}
	return text, nil
}

var (
	number = regexp.MustCompile(`[0-9]+(\\\.[0-9]+)?(([nu]|m?)s\b)?`) // or a duration
	spaces = regexp.MustCompile(`\s+`)
)

// pattern makes a regular expression of lines that the page shows: numbers and the width of gaps may differ, and a line "..." stands for
// any number of lines.
func pattern(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		if line == "..." {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		line = regexp.QuoteMeta(strings.TrimSpace(line))
		line = number.ReplaceAllString(line, `[0-9][0-9.]*(?:[a-zµ]*s)?`)
		b.WriteString(`[ \t]*` + spaces.ReplaceAllString(line, `[ \t]+`) + `[ \t]*\n`)
	}
	return b.String()
}

// shows reports whether an output is what the page shows: all of it, in its order.
func shows(lines []string, output string) bool {
	return regexp.MustCompile(`\A\s*` + pattern(lines) + `\s*\z`).MatchString(strings.TrimRight(output, "\n") + "\n")
}

func TestBlocks(t *testing.T) {
	page := "# A\n\n**a/b.go**\n```go\npackage b\n```\n**not** this\n```console\n$ x\ny\n```\n**c.md**\n\n```diff\n+z\n```\n"
	var got []string
	for _, b := range blocks(page) {
		got = append(got, fmt.Sprint(b.line, " ", b.kind, " ", b.file, " ", strings.Join(b.text, "|")))
	}
	want := []string{"5 go a/b.go package b", "9 console  $ x|y", "15 diff c.md +z"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEdit(t *testing.T) {
	const text = "a\nb\n\nc\nd\nb\n"
	for _, c := range []struct{ diff, want string }{
		{" a\n+x", "a\nx\nb\n\nc\nd\nb\n"},
		{" b\n\n-c\n+C\n@@\n+y\n d", "a\nb\n\nC\ny\nd\nb\n"},
		{" b\n+x", ""},
		{" e\n+x", ""},
	} {
		got, err := edit("\n"+text, strings.Split(c.diff, "\n"))
		if got = strings.TrimPrefix(got, "\n"); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q gives %q, %v; want %q", c.diff, got, err, c.want)
		}
	}
}

func TestShows(t *testing.T) {
	for _, c := range []struct {
		lines, output string
		want          bool
	}{
		{"a 1 (b)", "a   23 (b)\n", true},
		{"a 1.5s", "  a 0.25s", true},
		{"took 4us", "took 1.25ms", true},
		{"1 timers", "2 timers", true},
		{"a", "a\nb\n", false},
		{"a\n...", "a\nb\nc\n", true},
		{"...\nc", "a\nb\nc\n", true},
		{"a\n...\nc", "a\nc\n", true},
		{"b", "a\nb\n", false},
		{"a b", "ab", false},
		{"a*", "aa", false},
	} {
		if got := shows(strings.Split(c.lines, "\n"), c.output); got != c.want {
			t.Errorf("%q shows %q: %v", c.lines, c.output, got)
		}
	}
}
