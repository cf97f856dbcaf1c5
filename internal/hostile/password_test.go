//go:build !race

package hostile

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const notAuthorized = "<failure xmlns='" + nsSASL + "'><not-authorized/></failure>"

// TestWrongPasswords: whoever guesses learns nothing of who exists, and is slowed.
func TestWrongPasswords(t *testing.T) {
	s := usual.get(t)
	user := s.account(t)
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"} {
		known := s.opened(t).exchange(s, mechanism, user, "wrong")
		unknown := s.opened(t).exchange(s, mechanism, "nobody", "wrong")
		if shape(t, known) != shape(t, unknown) || known[len(known)-1] != notAuthorized {
			t.Errorf("%s: %q is answered to a wrong password, and %q to an unknown user", mechanism, known, unknown)
		}
	}
	// That were three failures of each, which are free.
	failed := s.metric(t, `jackdaw_logins_total{result="failed"}`)
	for _, name := range []string{user, "nobody"} {
		began := time.Now()
		if got := s.opened(t).login(s, "PLAIN", name, "wrong"); got != notAuthorized {
			t.Errorf("%s: answered %q", name, got)
		}
		if passed := time.Since(began); passed < 500*time.Millisecond { // a slow machine makes it longer only
			t.Errorf("%s: the fourth wrong password is answered after %v", name, passed)
		}
	}
	if n := s.metric(t, `jackdaw_logins_total{result="failed"}`) - failed; n != 2 {
		t.Errorf("%d failures are counted, and not 2", n)
	}
	s.bound(t, user) // the right password isn't slowed, or refused
}

var (
	nonce = regexp.MustCompile(`r=[^,]+`)
	salt  = regexp.MustCompile(`s=([^,]+)`)
)

// shape is what can be told from the answers of a login: all but the nonce and the salt, of which it is the length.
func shape(t *testing.T, answers []string) string {
	t.Helper()
	var b strings.Builder
	for _, a := range answers {
		_, text, _ := strings.Cut(a, ">")
		text = strings.TrimSuffix(text, "</challenge>")
		if data, err := base64.StdEncoding.DecodeString(text); err == nil && strings.HasPrefix(a, "<challenge") {
			if m := salt.FindSubmatch(data); m == nil || len(m[1]) < 16 {
				t.Errorf("challenge %q", data)
			}
			a = salt.ReplaceAllStringFunc(nonce.ReplaceAllString(string(data), "r"), func(s string) string { return strings.Repeat("s", len(s)) })
		}
		b.WriteString(a)
	}
	return b.String()
}

// TestFakeSalts: a user who isn't there has one salt per mechanism for ever, as a real one has, and another than others.
func TestFakeSalts(t *testing.T) {
	s := usual.get(t)
	saltOf := func(user, mechanism string) string {
		a := s.opened(t)
		a.send("<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + base64.StdEncoding.EncodeToString([]byte("n,,n="+user+",r=fyko")) + "</auth>")
		_, text, _ := strings.Cut(a.until("</challenge>"), ">")
		data, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, "</challenge>"))
		if err != nil {
			t.Fatal(err)
		}
		return salt.FindString(string(data))
	}
	real, ghost := s.account(t), "ghost"
	seen := map[string]string{}
	for _, user := range []string{real, ghost, "ghost2"} {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
			one := saltOf(user, mechanism)
			if again := saltOf(user, mechanism); again != one {
				t.Errorf("%s, %s: the salt is %s, then %s", user, mechanism, one, again)
			}
			if other := seen[one]; other != "" {
				t.Errorf("%s and %s have one salt", user, other)
			}
			seen[one] = user
		}
	}
}

// TestTimeOfWrongPasswords: a wrong password takes about as long as an unknown user, with the mechanism that lets the server compute.
func TestTimeOfWrongPasswords(t *testing.T) {
	s := usual.get(t)
	const n = 15
	var known, unknown []time.Duration
	try := func(user string) time.Duration {
		a := s.opened(t)
		began := time.Now()
		if got := a.login(s, "PLAIN", user, "wrong"); got != notAuthorized {
			t.Fatal(got)
		}
		return time.Since(began)
	}
	for i := range n {
		known = append(known, try(s.account(t)))
		unknown = append(unknown, try("stranger"+string(rune('a'+i))))
	}
	slices.Sort(known)
	slices.Sort(unknown)
	a, b := known[n/2], unknown[n/2]
	if a > 4*b || b > 4*a { // a busy machine, not one that leaves the derivation out
		t.Errorf("a wrong password takes %v, an unknown user %v: %v, %v", a, b, known, unknown)
	}
}

// TestManyTries: one stream has a few tries.
func TestManyTries(t *testing.T) {
	s := usual.get(t)
	a := s.opened(t)
	tries := 0
	for _, in := range []string{
		"<auth xmlns='" + nsSASL + "' mechanism='X-NONE'/>",
		"<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>no base64</auth>",
		"<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>AAAA</auth>",
		"<abort xmlns='" + nsSASL + "'/>",
	} {
		a.send(in)
		a.until("</failure>")
		tries++
	}
	if tries != 4 {
		t.Fatal(tries)
	}
	a.fails("policy-violation")
	s.works(t)
}

// TestLoginsThatAreNone: the right failure for each, and the stream goes on.
func TestLoginsThatAreNone(t *testing.T) {
	s := usual.get(t)
	user := s.account(t)
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	auth := func(mechanism, data string) string {
		return "<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + data + "</auth>"
	}
	for _, c := range []struct{ name, in, want string }{
		{"an unknown mechanism", auth("EXTERNAL", "="), "invalid-mechanism"},
		{"no mechanism", auth("", b64("\x00a\x00b")), "invalid-mechanism"},
		{"no base64", auth("PLAIN", "***"), "incorrect-encoding"},
		{"a line in base64", auth("PLAIN", "AGEA\nYg=="), "incorrect-encoding"},
		{"PLAIN without password", auth("PLAIN", b64("\x00"+user)), "malformed-request"},
		{"PLAIN without UTF-8", auth("PLAIN", b64("\x00"+user+"\x00\xff\xfe")), "malformed-request"},
		{"an empty password", auth("PLAIN", b64("\x00"+user+"\x00")), "malformed-request"},
		{"somebody else's account", auth("PLAIN", b64("nobody@localhost\x00"+user+"\x00"+password)), "invalid-authzid"},
		{"a name that is none", auth("PLAIN", b64("\x00a@b@c\x00x")), "not-authorized"},
		{"SCRAM without name", auth("SCRAM-SHA-256", b64("n,,r=x")), "malformed-request"},
		{"SCRAM with channel binding", auth("SCRAM-SHA-256", b64("p=tls-exporter,,n="+user+",r=x")), "malformed-request"},
		{"a response to nothing", "<response xmlns='" + nsSASL + "'>AAAA</response>", "malformed-request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.opened(t)
			a.send(c.in)
			if got, want := a.until("</failure>"), "<failure xmlns='"+nsSASL+"'><"+c.want+"/></failure>"; got != want {
				t.Errorf("answered %s, want %s", got, want)
			}
			if got := a.login(s, "SCRAM-SHA-1", user, password); !strings.HasPrefix(got, "<success") {
				t.Errorf("then the right password is answered with %s", got)
			}
		})
	}
}

// TestPipelinedLogin: what was written before the login's outcome was known is never taken for the user's.
func TestPipelinedLogin(t *testing.T) {
	s := usual.get(t)
	friend, user := s.witness(t, s.account(t)), s.account(t)
	a := s.opened(t)
	a.send("<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)) + "</auth>" +
		message(friend.JID(), "too early"))
	if all := a.rest(); !strings.Contains(all, "<stream:error><") {
		t.Errorf("answered %s", all)
	}
	s.works(t)
	friend.gets()
}
