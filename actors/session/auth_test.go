package session

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

const password = "correct horse"

// known is what alice's account keeps of her password.
var known = sync.OnceValue(func() *nodepb.Credentials {
	sha1, sha256, err := sasl.NewCredentials(password)
	if err != nil {
		panic(err)
	}
	return &nodepb.Credentials{Known: true, Sha1: sha1, Sha256: sha256}
})

// held is c, with refusals held back.
func held(c *nodepb.Credentials, wait time.Duration) *nodepb.Credentials {
	return &nodepb.Credentials{Known: c.GetKnown(), Sha1: c.GetSha1(), Sha256: c.GetSha256(), WaitMs: uint32(wait / time.Millisecond)}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func auth(mechanism, data string) string {
	return "<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + data + "</auth>"
}

func response(data string) string { return "<response xmlns='" + nsSASL + "'>" + data + "</response>" }

func failure(condition string) string {
	return "<failure xmlns='" + nsSASL + "'><" + condition + "/></failure>"
}

// plain is a PLAIN login of alice.
func plain(password string) string { return auth("PLAIN", b64("\x00alice\x00"+password)) }

// said is the data of what the server answered.
func (r *rig) said(got, name string) []byte {
	r.t.Helper()
	head := "<" + name + " xmlns='" + nsSASL + "'>"
	r.want(got, head)
	text, _, _ := strings.Cut(got[strings.Index(got, head)+len(head):], "<")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

// scram goes through SCRAM up to the client's last message and returns the answer to that.
func (r *rig) scram(mechanism, user, password string, c *nodepb.Credentials) (string, *sasl.Client) {
	r.t.Helper()
	client, err := sasl.NewClient(mechanism, user, password, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	first, err := client.Step(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if got := r.give(auth(mechanism, b64(string(first)))); got != "" {
		r.t.Fatalf("answered before the account did: %s", got)
	}
	if r.stanzas != 0 {
		r.t.Fatal("more is read before the answer")
	}
	last, err := client.Step(r.said(r.answer(c, nil), "challenge"))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.stanzas != 1 {
		r.t.Fatal("the answer isn't awaited")
	}
	r.stanzas = 0
	return r.give(response(b64(string(last)))), client
}

// loggedIn fails unless the stream starts anew for alice.
func (r *rig) loggedIn(got string) {
	r.t.Helper()
	r.want(got, "<success xmlns='"+nsSASL+"'>", "</success>")
	if !r.authed || !r.restart || r.closed || r.st.phase != reopening || r.st.user != alice || r.st.auth != nil || r.stanzas != 1 {
		r.t.Fatalf("authed %v, restart %v, closed %v, phase %d, user %q, %d credited", r.authed, r.restart, r.closed, r.st.phase, r.st.user, r.stanzas)
	}
	if n := r.st.Counters.Logins.Load(); n != 1 {
		r.t.Fatalf("%d logins were counted", n)
	}
	results := castsOf[*nodepb.LoginResult](r)
	if len(results) == 0 || !results[len(results)-1].Ok {
		r.t.Fatalf("the account was told %v", results)
	}
	r.want(r.open(), "<stream:stream", "<bind")
}

func TestLoginBySCRAM(t *testing.T) {
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
		for _, user := range []string{"alice", "Alice", "ALICE"} {
			r := newRig(t)
			r.open()
			got, client := r.scram(mechanism, user, password, known())
			if _, err := client.Step(r.said(got, "success")); err != nil || !client.Done() {
				t.Fatalf("the client isn't convinced: %v", err)
			}
			r.loggedIn(got)
		}
	}
}

func TestLoginByPlain(t *testing.T) {
	for _, authzid := range []string{"", "alice@example.org", "Alice@Example.org"} {
		r := newRig(t)
		r.open()
		if got := r.give(auth("PLAIN", b64(authzid+"\x00alice\x00"+password))); got != "" {
			t.Fatalf("answered before the account did: %s", got)
		}
		if c := r.calls[0]; c.to != accountOf(alice) {
			t.Fatalf("asked %v", c.to)
		}
		r.loggedIn(r.answer(known(), nil))
		if n := r.st.Counters.PlainChecks.Load(); n != 1 {
			t.Fatalf("%d checks were counted", n)
		}
	}
}

// TestClientsThatSendNothingFirst: without an initial response the client is asked for its first message.
func TestClientsThatSendNothingFirst(t *testing.T) {
	r := newRig(t)
	r.open()
	if got := r.give(auth("PLAIN", "")); got != "<challenge xmlns='"+nsSASL+"'></challenge>" || len(r.calls) != 0 {
		t.Fatalf("got %s", got)
	}
	if r.stanzas != 1 {
		t.Fatal("the first message isn't read")
	}
	r.stanzas = 0
	r.give(response(b64("\x00alice\x00" + password)))
	r.loggedIn(r.answer(known(), nil))
}

// TestRefusedLogins: a wrong password and a user who doesn't exist get the same answer at the same time.
func TestRefusedLogins(t *testing.T) {
	for name, credentials := range map[string]*nodepb.Credentials{"wrong password": known(), "unknown user": {}, "no keys": {Known: true}} {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"} {
			for _, wait := range []time.Duration{0, 2 * time.Second} {
				t.Run(fmt.Sprint(name, " ", mechanism, " ", wait), func(t *testing.T) {
					r := newRig(t)
					r.open()
					c := held(credentials, wait)
					try := password
					if c.Known && c.Sha1 != nil {
						try = "battery staple"
					}
					var got string
					if mechanism == "PLAIN" {
						r.give(plain(try))
						got = r.answer(c, nil)
					} else {
						got, _ = r.scram(mechanism, "alice", try, c)
					}
					// The account knows at once, so that a client that doesn't wait gains nothing.
					if results := castsOf[*nodepb.LoginResult](r); len(results) != 1 || results[0].Ok {
						t.Fatalf("the account was told %v", results)
					}
					if wait > 0 {
						if got != "" || r.stanzas != 0 {
							t.Fatalf("answered at once: %s", got)
						}
						if got = r.pass(wait - time.Millisecond); got != "" {
							t.Fatalf("answered early: %s", got)
						}
						got = r.pass(time.Millisecond)
					}
					if got != failure("not-authorized") || r.stanzas != 1 || r.closed {
						t.Fatalf("got %s, %d credited", got, r.stanzas)
					}
					if n := r.st.Counters.LoginsFailed.Load(); n != 1 {
						t.Fatalf("%d failures were counted", n)
					}
					if n := r.st.Counters.LoginsSlowed.Load(); (n == 1) != (wait > 0) {
						t.Fatalf("%d logins were slowed", n)
					}
					r.stanzas = 0
					r.give(plain(password))
					r.loggedIn(r.answer(held(known(), wait), nil)) // who knows the password isn't held back
				})
			}
		}
	}
}

// TestFakeSalts: an unknown user's salt stays the same, and no two users share one.
func TestFakeSalts(t *testing.T) {
	challenge := func(mechanism, user string) string {
		r := newRig(t)
		r.open()
		r.give(auth(mechanism, b64("n,,n="+user+",r=abc")))
		got := string(r.said(r.answer(&nodepb.Credentials{}, nil), "challenge"))
		_, rest, _ := strings.Cut(got, ",s=")
		return rest
	}
	first := challenge("SCRAM-SHA-256", "nobody")
	if first != challenge("SCRAM-SHA-256", "nobody") || first != challenge("SCRAM-SHA-256", "NoBody") {
		t.Error("the salt changes")
	}
	if first == challenge("SCRAM-SHA-256", "somebody") || first == challenge("SCRAM-SHA-1", "nobody") {
		t.Error("a salt is shared")
	}
	if !strings.HasSuffix(first, ",i=4096") {
		t.Errorf("got %q", first)
	}
}

// TestBadLogins is one line for each way to get an exchange wrong. None of them is a wrong password.
func TestBadLogins(t *testing.T) {
	const first = "n,,n=alice,r=abc"
	tests := []struct{ name, stanza, want string }{
		{"unknown mechanism", auth("DIGEST-MD5", ""), "invalid-mechanism"},
		{"channel binding", auth("SCRAM-SHA-256-PLUS", b64("p=tls-exporter,,n=alice,r=abc")), "invalid-mechanism"},
		{"no mechanism", "<auth xmlns='" + nsSASL + "'/>", "invalid-mechanism"},
		{"the name in small letters", auth("plain", b64("\x00alice\x00x")), "invalid-mechanism"},
		{"no base64", auth("PLAIN", "!"), "incorrect-encoding"},
		{"no padding", auth("PLAIN", strings.TrimRight(b64("\x00alice\x00x"), "=")), "incorrect-encoding"},
		{"bits left over", auth("PLAIN", "AGFsaWNlAHh="), "incorrect-encoding"},
		{"a line break", auth("PLAIN", b64("\x00alice\x00x")[:4]+"\n"+b64("\x00alice\x00x")[4:]), "incorrect-encoding"},
		{"spaces", auth("PLAIN", " "+b64("\x00alice\x00x")), "incorrect-encoding"},
		{"URL alphabet", auth("PLAIN", "-___"), "incorrect-encoding"},
		{"nothing, said so", auth("PLAIN", "="), "malformed-request"},
		{"nothing, said so, SCRAM", auth("SCRAM-SHA-1", "="), "malformed-request"},
		{"PLAIN's message for SCRAM", auth("SCRAM-SHA-1", b64("\x00alice\x00x")), "malformed-request"},
		{"SCRAM's message for PLAIN", auth("PLAIN", b64(first)), "malformed-request"},
		{"binding used without PLUS", auth("SCRAM-SHA-256", b64("p=tls-exporter,,n=alice,r=abc")), "malformed-request"},
		{"another's authzid", auth("PLAIN", b64("bob@example.org\x00alice\x00x")), "invalid-authzid"},
		{"a full authzid", auth("PLAIN", b64("alice@example.org/pc\x00alice\x00x")), "invalid-authzid"},
		{"a local authzid", auth("SCRAM-SHA-1", b64("n,a=alice,n=alice,r=abc")), "invalid-authzid"},
		{"an authzid elsewhere", auth("PLAIN", b64("alice@elsewhere.example\x00alice\x00x")), "invalid-authzid"},
		{"a broken authzid", auth("PLAIN", b64("@\x00alice\x00x")), "invalid-authzid"},
		{"a user with a domain", auth("PLAIN", b64("\x00alice@example.org\x00x")), "not-authorized"},
		{"an impossible user", auth("PLAIN", b64("\x00al<ice\x00x")), "not-authorized"},
		{"a user with a resource", auth("SCRAM-SHA-1", b64("n,,n=alice/x,r=abc")), "not-authorized"},
		{"a response to nothing", response(b64(first)), "malformed-request"},
		{"abort of nothing", "<abort xmlns='" + nsSASL + "'/>", "aborted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.open()
			if got := r.give(tt.stanza); got != failure(tt.want) || r.closed {
				t.Fatalf("got %s, want %s", got, tt.want)
			}
			if len(r.calls) != 0 || len(r.casts) != 0 || r.st.Counters.LoginsFailed.Load() != 0 {
				t.Fatalf("asked %v, told %s", r.calls, r.took())
			}
			if r.stanzas != 1 {
				t.Fatalf("%d credited", r.stanzas)
			}
			r.stanzas = 0
			r.give(plain(password))
			r.loggedIn(r.answer(known(), nil))
		})
	}
}

// TestBadResponses: what breaks an exchange under way.
func TestBadResponses(t *testing.T) {
	tests := []struct{ name, stanza, want string }{
		{"abort", "<abort xmlns='" + nsSASL + "'/>", "aborted"},
		{"another auth", plain(password), "malformed-request"},
		{"no base64", response("%"), "incorrect-encoding"},
		{"empty", response(""), "malformed-request"},
		{"another nonce", response(b64("c=biws,r=abcdef,p=AAAA")), "malformed-request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.open()
			r.give(auth("SCRAM-SHA-256", b64("n,,n=alice,r=abc")))
			r.want(r.answer(known(), nil), "<challenge")
			if got := r.give(tt.stanza); got != failure(tt.want) {
				t.Fatalf("got %s", got)
			}
			if r.st.auth.exchange != nil || r.st.auth.mechanism != "" || len(r.casts) != 0 {
				t.Fatalf("something is left: %+v, %s", r.st.auth, r.took())
			}
		})
	}
}

func TestUnknownSASLElement(t *testing.T) {
	r := newRig(t)
	r.open()
	r.want(r.give("<success xmlns='"+nsSASL+"'/>"), "<unsupported-stanza-type", streamEnd)
}

func TestTooManyTries(t *testing.T) {
	r := newRig(t)
	r.open()
	for i := range maxTries {
		r.give(plain("wrong"))
		got := r.answer(known(), nil)
		r.want(got, failure("not-authorized"))
		if last := i == maxTries-1; last != r.closed || last != strings.Contains(got, "<policy-violation") {
			t.Fatalf("try %d: closed %v: %s", i+1, r.closed, got)
		}
	}
	if !r.stop || len(r.calls) != 0 {
		t.Fatal("the session goes on")
	}
}

// TestAccountDoesNotAnswer: nothing can be said of the password then.
func TestAccountDoesNotAnswer(t *testing.T) {
	for _, err := range []error{actors.ErrOverloaded, actors.ErrCrashed, nil} {
		r := newRig(t)
		r.open()
		r.give(plain(password))
		if got := r.answer(nil, err); got != failure("temporary-auth-failure") || r.stanzas != 1 {
			t.Fatalf("%v: %s", err, got)
		}
		if r.st.Counters.LoginsFailed.Load() != 0 || len(r.casts) != 0 {
			t.Fatal("counted as a wrong password")
		}
	}
}

// TestStreamEndsDuringLogin: what comes afterwards finds nobody.
func TestStreamEndsDuringLogin(t *testing.T) {
	r := newRig(t)
	r.open()
	r.give(plain(password))
	r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: SocketLost}) })
	if got := r.answer(known(), nil); got != "" || !r.stop || r.authed {
		t.Fatalf("got %s, stopped %v", got, r.stop)
	}
	q := newRig(t)
	q.open()
	q.give(plain("wrong"))
	q.answer(held(known(), time.Second), nil)
	if got := q.do(func(fx *effects) { q.st.closed(fx, Closed{Reason: ClientClosed}) }); got != streamEnd || !q.stop {
		t.Fatalf("got %s, stopped %v", got, q.stop)
	}
	if got := q.pass(time.Minute); got != "" {
		t.Fatalf("a closed stream gets %s", got)
	}
}

// TestStanzasBeforeSuccess: nothing written before the login is taken for the new stream.
func TestStanzasBeforeSuccess(t *testing.T) {
	r := newRig(t)
	r.open()
	r.give(plain(password), "<presence/>")
	got := r.answer(known(), nil)
	r.want(got, "<not-authorized", streamEnd)
	if strings.Contains(got, "<success") || r.authed || !r.closed {
		t.Fatalf("got %s", got)
	}
	q := newRig(t)
	q.open()
	q.give(plain("wrong"), plain(password)) // the next try may come early
	q.want(q.answer(known(), nil), failure("not-authorized"))
	q.stanzas = 0
	q.loggedIn(q.answer(known(), nil))
}

// TestManyPlainLogins: beyond a burst they take turns, and beyond those that can be borne they are refused.
func TestManyPlainLogins(t *testing.T) {
	sh := testShared()
	sh.plain.interval = time.Second
	try := func(id string) (*rig, string) {
		r := newRigOn(t, sh, id)
		r.open()
		r.give(plain(password))
		return r, r.answer(known(), nil)
	}
	r, got := try("first")
	r.loggedIn(got)
	sh.Counters.Logins.Store(0)
	r, got = try("second")
	if got != "" || r.stanzas != 0 {
		t.Fatalf("the second doesn't wait: %s", got)
	}
	if got = r.pass(time.Second / 4); got != "" {
		t.Fatalf("got %s before its turn", got)
	}
	r.loggedIn(r.pass(time.Second / 4))
	for i := range 10 {
		try(fmt.Sprint("more", i))
	}
	if _, got = try("last"); got != failure("temporary-auth-failure") {
		t.Fatalf("got %s", got)
	}
	if n := sh.Counters.LoginsSlowed.Load(); n < 10 {
		t.Errorf("%d slowed logins were counted", n)
	}
}

func TestPacer(t *testing.T) {
	p := pacer{interval: 100 * time.Millisecond}
	now := epoch0
	for i := range 6 {
		at, ok := p.turn(now)
		if !ok || at.After(now) {
			t.Fatalf("turn %d of a burst is at %v, %v", i, at.Sub(now), ok)
		}
	}
	for i := range 100 {
		at, ok := p.turn(now)
		if want := time.Duration(i+1) * p.interval; !ok || at.Sub(now) != want {
			t.Fatalf("turn %d is at %v, %v, want %v", i, at.Sub(now), ok, want)
		}
	}
	if _, ok := p.turn(now); ok {
		t.Fatal("endless patience")
	}
	now = now.Add(p.interval)
	if at, ok := p.turn(now); !ok || at.Sub(now) != plainPatience {
		t.Fatalf("a turn later: at %v, %v", at.Sub(now), ok)
	}
	now = now.Add(time.Hour)
	if at, ok := p.turn(now); !ok || at.After(now) {
		t.Fatal("the queue never ends")
	}
}
