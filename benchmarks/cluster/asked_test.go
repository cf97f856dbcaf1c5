package main

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testpg"
)

func TestAsked(t *testing.T) {
	user := func(s string) string { return `\x` + hex.EncodeToString([]byte(s)) }
	a := asked{}
	for _, s := range []testpg.Statement{
		{SQL: "SELECT user_id, rev, disabled", Parameters: []string{user("u1@localhost")}},
		{SQL: "SELECT msgid, ord, exp", Parameters: []string{"12", user("u1@localhost")}},
		{SQL: "SELECT msgid, device FROM mail_ack WHERE", Parameters: []string{"12", user("u1@localhost")}},
		{SQL: "SELECT msgid, body FROM (", Parameters: []string{"12", user("u1@localhost"), "64", "1000"}},
		{SQL: "SELECT msgid, body FROM mail WHERE", Parameters: []string{"12", user("u1@localhost"), `{"\\x00"}`}},
		{SQL: "SELECT msgid, ord, exp", Parameters: []string{"12", user("u2@localhost")}},
		{SQL: "SELECT user_id, rev, disabled", Parameters: []string{user("u3@localhost")}},
		{SQL: "INSERT INTO mail", Parameters: []string{user("u2@localhost")}},
		{SQL: "DELETE FROM mail", Parameters: []string{user("u2@localhost")}},
		{SQL: "SELECT pg_advisory_xact_lock_shared", Parameters: []string{"1", "2"}},
		{SQL: "SELECT whatever", Parameters: []string{`\x00`, `\xzz`, ""}},
	} {
		s.At, s.By = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), "n1"
		a.statement(s)
	}
	if a.most() != 3 || len(a["u1@localhost"]) != 3 || len(a["u2@localhost"]) != 1 || len(a) != 3 {
		t.Errorf("asked %v", map[string][]string(a))
	}
	want := "u1@localhost\n\t12:00:00.000 n1: SELECT user_id, rev, disabled\n\t12:00:00.000 n1: SELECT msgid, ord, exp\n\t12:00:00.000 n1: SELECT msgid, body FROM mail WHERE"
	if got := a.moreThan(2); len(got) != 1 || got[0] != want {
		t.Errorf("it says %q", got)
	}
	a["u4@localhost"], a["u5@localhost"] = make([]string, 5), make([]string, 2)
	if got := a.String(); got != "2 once, 1 twice, 1 three times, 0 4 times, 1 5 times" {
		t.Errorf("it says %q", got)
	}
	if got := (asked{}).String(); got != "" {
		t.Errorf("of nothing it says %q", got)
	}
}
