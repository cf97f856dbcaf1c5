package dump

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrFormat is the error of reading what is no dump.
var ErrFormat = errors.New("dump: this is no dump")

// part is one section as it stands in a file.
type part struct {
	name string
	made made
	body []byte
}

// appendTo writes the section as it was.
func (p part) appendTo(to []byte) []byte {
	to = appendSection(to, p.name, p.made, nil)
	to = append(to, p.body...)
	if n := len(p.body); n > 0 && p.body[n-1] != '\n' {
		to = append(to, '\n')
	}
	return to
}

// split cuts a file into its sections. What stands above the first is left out. The parts are good also with an error, which is the
// reader's.
func split(r io.Reader) ([]part, error) {
	var parts []part
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case bytes.HasPrefix(line, []byte("=")) && (err == nil || len(parts) > 0):
			parts = append(parts, heading(string(line[1:])))
		case len(parts) > 0:
			last := &parts[len(parts)-1]
			last.body = append(last.body, line...)
		}
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return parts, fmt.Errorf("dump: reading: %w", err)
		}
	}
}

// heading reads a section's line.
func heading(line string) part {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	p := part{name: name}
	_ = json.Unmarshal([]byte(rest), &p.made) // a line that is cut off tells less
	return p
}

// decode reads the body of a section as JSON.
func decode[T any](p part) (T, error) {
	var v T
	if err := json.Unmarshal(p.body, &v); err != nil {
		return v, fmt.Errorf("dump: section %s: %w", p.name, err)
	}
	return v, nil
}
