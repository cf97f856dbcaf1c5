package testpg

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStatements(t *testing.T) {
	const log = `2025-11-26 01:00:00.123 UTC p [11] jackdaw n1@1 LOG:  execute jackdaw_11: SELECT a
	FROM t WHERE b = $1
2025-11-26 01:00:00.123 UTC p [12] jackdaw n2@1 LOG:  execute <unnamed>: SELECT b: c
2025-11-26 01:00:00.123 UTC p [11] jackdaw n1@1 DETAIL:  parameters: $1 = '12', $2 = '\x7540', $3 = NULL
2025-11-26 01:00:00.123 UTC p [12] jackdaw n2@1 DETAIL:  Parameters: $1 = '{"\\x75", "\\x76..."}'
2025-11-26 01:00:00.123 UTC p [12] jackdaw n2@1 LOG:  execute x: COMMIT
2025-11-26 01:00:00.123 UTC p [13] jackdaw n1@1 LOG:  statement: SELECT 1
2025-11-26 01:00:00.123 UTC p [13] jackdaw n1@1 DETAIL:  parameters: $1 = 'of nothing'
2025-11-26 01:00:00.123 UTC p [13] jackdaw n1@1 LOG:  execute y: SELECT 2`
	var got []string
	if err := statements(strings.NewReader(log), func(s Statement) {
		got = append(got, fmt.Sprintf("%s %s: %s %q", s.At.Format("15:04:05.000"), s.By, s.SQL, s.Parameters))
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{`01:00:00.123 jackdaw n1@1: SELECT a ["12" "\\x7540" "NULL"]`, `01:00:00.123 jackdaw n2@1: SELECT b: c ["{\"\\\\x75\", \"\\\\x76...\"}"]`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := statements(strings.NewReader("noon p [11] jackdaw LOG:  execute x: SELECT 1\n"), nil); err == nil {
		t.Error("a line without a time is taken")
	}
}

// TestStatementsOfAServer: what was prepared is seen with its parameters, and only what was asked meanwhile.
func TestStatementsOfAServer(t *testing.T) {
	s := Run(t, Options{})
	c, err := s.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	ask := func(value string) {
		var back []byte
		if err := c.QueryRow(t.Context(), "SELECT $1::bytea", []byte(value)).Scan(&back); err != nil || string(back) != value {
			t.Fatal(back, err)
		}
	}
	ask("before")
	w, err := s.Statements(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Truncate(time.Millisecond)
	ask("meanwhile")
	var got []string
	if err := w.Stop(t.Context(), func(s Statement) {
		if s.At.Before(begin) || s.At.After(time.Now()) {
			t.Errorf("asked at %v, not after %v", s.At, begin)
		}
		got = append(got, s.SQL+" "+strings.Join(s.Parameters, ","))
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{`SELECT $1::bytea \x6d65616e7768696c65`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
