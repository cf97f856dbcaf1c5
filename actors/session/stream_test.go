package session

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestHeaders(t *testing.T) {
	tests := []struct {
		name, to, version string
		want              string
	}{
		{"good", "example.org", "1.0", "<mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>"},
		{"another spelling", "Example.ORG", "1.0", "<mechanisms"},
		{"a later version", "example.org", "1.1", "<mechanisms"},
		{"another host", "elsewhere.example", "1.0", "<host-unknown"},
		{"no host", "", "1.0", "<host-unknown"},
		{"a user as host", "alice@example.org", "1.0", "<host-unknown"},
		{"no version", "example.org", "", "<unsupported-version"},
		{"an old version", "example.org", "0.9", "<unsupported-version"},
		{"no number", "example.org", "1.x", "<unsupported-version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			got := r.do(func(fx *effects) { r.st.opened(fx, xmpp.StreamHeader{To: tt.to, Version: tt.version}) })
			r.want(got, "<stream:stream", tt.want)
			if bad := !strings.Contains(tt.want, "mechanism"); bad != r.closed || bad != strings.HasSuffix(got, streamEnd) || bad != r.stop {
				t.Fatalf("closed %v, stopped %v: %s", r.closed, r.stop, got)
			}
		})
	}
}

// TestHeaderFrom: after the login the header may say who the client is, or nothing that matters.
func TestHeaderFrom(t *testing.T) {
	for from, want := range map[string]string{
		"": "<bind", "alice@example.org": "<bind", "Alice@Example.org": "<bind", "example.org": "<bind",
		"bob@example.org": "<invalid-from", "elsewhere.example": "<invalid-from", "@": "<invalid-from",
	} {
		r := newRig(t)
		r.open()
		r.st.user, r.st.auth, r.st.phase = alice, nil, reopening
		r.want(r.do(func(fx *effects) { r.st.opened(fx, xmpp.StreamHeader{To: "example.org", From: from, Version: "1.0"}) }), want)
	}
}

func TestVersionOne(t *testing.T) {
	for v, want := range map[string]bool{"1.0": true, "1.10": true, "2.0": true, "01.0": true, "10.0": true, "0.9": false, "00.1": false, "1": false, "": false, "-1.0": false, "1.": false, ".1": false} {
		if versionOne(v) != want {
			t.Errorf("versionOne(%q) is not %v", v, want)
		}
	}
}

func TestFreshStreamIDs(t *testing.T) {
	r := newRig(t)
	first := r.open()
	r.st.user, r.st.auth, r.st.phase = alice, nil, reopening
	second := r.open()
	r.want(first, "random0000000001")
	r.want(second, "random0000000002", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>", "<optional/>", "<sm xmlns='urn:xmpp:sm:3'/>")
}

// TestStreamErrors is one line for each way a client ends its own stream.
func TestStreamErrors(t *testing.T) {
	before := func(r *rig) { r.open() }
	unbound := func(r *rig) { r.authenticated() }
	full := func(r *rig) { r.bind("phone") }
	tests := []struct {
		name   string
		to     func(*rig)
		stanza string
		want   string
	}{
		{"message before login", before, "<message to='bob@example.org'/>", "<not-authorized"},
		{"presence before login", before, "<presence/>", "<not-authorized"},
		{"iq before login", before, "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<not-authorized"},
		{"unknown before login", before, "<what/>", "<unsupported-stanza-type"},
		{"message before bind", unbound, "<message to='bob@example.org'/>", "<not-authorized"},
		{"presence before bind", unbound, "<presence/>", "<not-authorized"},
		{"login twice", unbound, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>", "<unsupported-stanza-type"},
		{"unknown element", full, "<what/>", "<unsupported-stanza-type"},
		{"unknown namespace", full, "<message xmlns='jabber:server'/>", "<unsupported-stanza-type"},
		{"unknown sm element", full, "<x xmlns='urn:xmpp:sm:3'/>", "<unsupported-stanza-type"},
		{"spoofed message", full, "<message from='bob@example.org' to='bob@example.org'/>", "<invalid-from"},
		{"spoofed resource", full, "<message from='alice@example.org/other' to='bob@example.org'/>", "<invalid-from"},
		{"spoofed presence", full, "<presence from='example.org'/>", "<invalid-from"},
		{"malformed from", full, "<iq from='@' type='get' id='1'><a xmlns='b'/></iq>", "<invalid-from"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			tt.to(r)
			wasBound := r.st.phase == bound
			got := r.give(tt.stanza)
			r.want(got, "<stream:error>", tt.want, "</stream:error></stream:stream>")
			if !r.closed || !r.stop {
				t.Fatalf("closed %v, stopped %v", r.closed, r.stop)
			}
			if casts := r.took(); wasBound != strings.Contains(casts, "Unbind") || wasBound != strings.Contains(casts, "Detach") {
				t.Fatalf("told the others: %s", casts)
			}
			if more := r.give("<presence/>"); more != "" {
				t.Fatalf("answered after the end: %s", more)
			}
		})
	}
}

func TestFromOfOneself(t *testing.T) {
	for _, from := range []string{"alice@example.org", "alice@example.org/phone", "Alice@Example.org/phone", "ALICE@example.org"} {
		r := boundRig(t)
		r.want(r.give("<iq from='"+from+"' type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>"), "type='result'")
	}
}

func TestFaultBeforeAnyHeader(t *testing.T) {
	r := newRig(t)
	got := r.do(func(fx *effects) {
		r.st.closed(fx, Closed{Reason: StreamFault, Err: &xmpp.StreamError{Condition: xmpp.BadFormat}})
	})
	r.want(got, "<stream:stream", "<stream:error>", "<bad-format", streamEnd)
}

func TestLoginTakesTooLong(t *testing.T) {
	r := newRig(t)
	r.open()
	r.want(r.pass(2*loginTime), "<connection-timeout", streamEnd)
	if !r.stop {
		t.Fatal("the session goes on")
	}
}

func TestCleanClose(t *testing.T) {
	r := boundRig(t)
	got := r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: ClientClosed}) })
	if got != streamEnd || !r.closed || !r.stop {
		t.Fatalf("answered %q, closed %v, stopped %v", got, r.closed, r.stop)
	}
	r.want(r.took(), "Unbind", "Detach")
}

// TestCloseWaitsForOutcomes: a client that sends and closes at once gets its outcome first, and an end tag last.
func TestCloseWaitsForOutcomes(t *testing.T) {
	r := boundRig(t)
	r.give("<enable xmlns='urn:xmpp:sm:3'/>", "<message to='bob@example.org' type='chat' id='1'><body>hi</body></message>")
	d := castsOf[*nodepb.Deliver](r)[0]
	if got := r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: ClientClosed}) }); got != "" {
		t.Fatalf("closed with %q before the outcome", got)
	}
	r.want(r.took(), "Unbind", "Detach")
	got := r.do(func(fx *effects) { r.st.outcome(fx, outcomeOf(bob, d.Seq, nodepb.Code_QUOTA)) })
	r.want(got, "<message type='error' id='1'", "<resource-constraint", "<a xmlns='urn:xmpp:sm:3' h='1'/>", streamEnd)
	if !r.stop {
		t.Fatal("the session goes on")
	}
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	r := boundRig(t)
	r.give("<message to='bob@example.org' type='chat' id='1'><body>hi</body></message>")
	r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: ClientClosed}) })
	if got := r.pass(closingTime - time.Millisecond); got != "" {
		t.Fatalf("closed too early: %q", got)
	}
	r.want(r.pass(time.Second), streamEnd)
	if r.stop {
		t.Fatal("the message without outcome is abandoned")
	}
	r.pass(lingerTime)
	if !r.stop {
		t.Fatal("the session never stops")
	}
}

func TestShutdown(t *testing.T) {
	r := boundRig(t)
	got := r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: Shutdown}) })
	r.want(got, "<system-shutdown", streamEnd)
	if !r.stop {
		t.Fatal("the session goes on")
	}
}

func TestEndSession(t *testing.T) {
	r := boundRig(t)
	r.give("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	got := r.do(func(fx *effects) { r.st.endSession(fx, &nodepb.EndSession{Condition: "conflict", Text: "gone"}) })
	r.want(got, "<conflict", "gone", streamEnd)
	if !r.closed || !r.stop || r.st.sm.resumable {
		t.Fatal("an ended session can be resumed")
	}
}
