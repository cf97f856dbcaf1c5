package main

import (
	"encoding/hex"
	"testing"
)

func TestAsked(t *testing.T) {
	user := func(s string) string { return `\x` + hex.EncodeToString([]byte(s)) }
	a := asked{}
	for _, s := range []struct {
		sql        string
		parameters []string
	}{
		{"SELECT user_id, rev, disabled", []string{user("u1@localhost")}},
		{"SELECT msgid, ord, exp", []string{"12", user("u1@localhost")}},
		{"SELECT msgid, device FROM mail_ack WHERE", []string{"12", user("u1@localhost")}},
		{"SELECT msgid, body FROM (", []string{"12", user("u1@localhost"), "64", "1000"}},
		{"SELECT msgid, body FROM mail WHERE", []string{"12", user("u1@localhost"), `{"\\x00"}`}},
		{"SELECT msgid, ord, exp", []string{"12", user("u2@localhost")}},
		{"SELECT user_id, rev, disabled", []string{user("u3@localhost")}},
		{"INSERT INTO mail", []string{user("u2@localhost")}},
		{"DELETE FROM mail", []string{user("u2@localhost")}},
		{"SELECT pg_advisory_xact_lock_shared", []string{"1", "2"}},
		{"SELECT whatever", []string{`\x00`, `\xzz`, ""}},
	} {
		a.statement(s.sql, s.parameters)
	}
	if a.most() != 3 || a["u1@localhost"] != 3 || a["u2@localhost"] != 1 || len(a) != 3 {
		t.Errorf("asked %v", map[string]int(a))
	}
	a["u4@localhost"], a["u5@localhost"] = 5, 2
	if got := a.String(); got != "2 once, 1 twice, 1 three times, 0 4 times, 1 5 times" {
		t.Errorf("it says %q", got)
	}
	if got := (asked{}).String(); got != "" {
		t.Errorf("of nothing it says %q", got)
	}
}
