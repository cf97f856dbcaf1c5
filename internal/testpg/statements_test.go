package testpg

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestStatements(t *testing.T) {
	const log = `2025-11-26 01:00:00 UTC p [11] jackdaw n1@1 LOG:  execute jackdaw_11: SELECT a
	FROM t WHERE b = $1
2025-11-26 01:00:00 UTC p [12] jackdaw n1@1 LOG:  execute <unnamed>: SELECT b: c
2025-11-26 01:00:00 UTC p [11] jackdaw n1@1 DETAIL:  parameters: $1 = '12', $2 = '\x7540', $3 = NULL
2025-11-26 01:00:00 UTC p [12] jackdaw n1@1 DETAIL:  Parameters: $1 = '{"\\x75", "\\x76..."}'
2025-11-26 01:00:00 UTC p [12] jackdaw n1@1 LOG:  execute x: COMMIT
2025-11-26 01:00:00 UTC p [13] jackdaw n1@1 LOG:  statement: SELECT 1
2025-11-26 01:00:00 UTC p [13] jackdaw n1@1 DETAIL:  parameters: $1 = 'of nothing'
2025-11-26 01:00:00 UTC p [13] jackdaw n1@1 LOG:  execute y: SELECT 2`
	var got []string
	if err := statements(strings.NewReader(log), func(sql string, parameters []string) {
		got = append(got, fmt.Sprintf("%s %q", sql, parameters))
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{`SELECT a ["12" "\\x7540" "NULL"]`, `SELECT b: c ["{\"\\\\x75\", \"\\\\x76...\"}"]`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
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
	ask("meanwhile")
	var got []string
	if err := w.Stop(t.Context(), func(sql string, parameters []string) { got = append(got, sql+" "+strings.Join(parameters, ",")) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{`SELECT $1::bytea \x6d65616e7768696c65`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
