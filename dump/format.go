package dump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxText bounds a section's text in bytes. What is over it is cut off.
const maxText = 8 << 20

// made is what the line above a section's body tells of its making.
type made struct {
	Took  Duration `json:"took"`
	Error string   `json:"error,omitempty"`
}

// appendSection writes a section: its line, and its body. A string is a text, everything else becomes JSON, nil nothing.
func appendSection(to []byte, name string, m made, body any) []byte {
	var text []byte
	switch body := body.(type) {
	case nil:
	case string:
		text = []byte(body)
		if len(text) > maxText {
			text = append(text[:maxText:maxText], "\n(cut off)"...)
		}
		text = bytes.ReplaceAll(text, []byte("\n="), []byte("\n =")) // no line of it begins a section
		if bytes.HasPrefix(text, []byte("=")) {
			text = append([]byte(" "), text...)
		}
	default:
		var err error
		if text, err = json.MarshalIndent(body, "", "  "); err != nil {
			text, m.Error = nil, strings.TrimPrefix(m.Error+"; "+err.Error(), "; ")
		}
	}
	head, err := json.Marshal(m)
	if err != nil {
		head = nil // it has nothing that could fail
	}
	to = append(to, '=')
	to = append(to, name...)
	to = append(to, ' ')
	to = append(to, head...)
	to = append(to, '\n')
	to = append(to, text...)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		to = append(to, '\n')
	}
	return to
}

// syncer is a file.
type syncer interface{ Sync() error }

// writeSection writes a section and, if w is a file, waits until it is on the disk.
func writeSection(w io.Writer, name string, m made, body any) error {
	if _, err := w.Write(appendSection(nil, name, m, body)); err != nil {
		return fmt.Errorf("dump: writing %s: %w", name, err)
	}
	if f, ok := w.(syncer); ok {
		if err := f.Sync(); err != nil {
			return fmt.Errorf("dump: writing %s: %w", name, err)
		}
	}
	return nil
}

// took is the time since begin, in steps that a reader cares about.
func took(begin, end time.Time) Duration {
	return Duration(end.Sub(begin).Round(10 * time.Microsecond))
}
