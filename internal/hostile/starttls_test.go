//go:build !race

package hostile

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/client"
)

// TestInjectedBeforeTLS: what somebody in the middle adds in plain text never reaches a stream that is secured later (CVE-2011-0411
// and its kin).
func TestInjectedBeforeTLS(t *testing.T) {
	s := usual.get(t)
	user := s.account(t)
	const starttls = "<starttls xmlns='" + nsTLS + "'/>"
	injected := "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)) + "</auth>"
	before := s.metric(t, `jackdaw_logins_total{result="ok"}`)
	for name, pieces := range map[string][]string{
		"in one segment":                {header + starttls + injected},
		"behind white space":            {header, starttls + " \n" + injected},
		"a new stream":                  {header + starttls + header + injected},
		"the first byte of a handshake": {header + starttls + "\x16"},
		"a whole plain login":           {header + starttls + header + injected + header + "<iq type='set' id='1'><bind xmlns='" + nsBind + "'/></iq>"},
	} {
		a := s.plain(t, s.C2S)
		for _, piece := range pieces {
			a.send(piece)
		}
		if all := a.fails("policy-violation"); strings.Contains(all, "<proceed") || strings.Contains(all, "<success") {
			t.Errorf("%s: answered %s", name, all)
		}
	}
	for name, in := range map[string]string{"after the answer": injected, "with a header": header + injected, "a line": "\r\n" + injected} {
		a := s.plain(t, s.C2S)
		a.send(header + starttls)
		a.until("<proceed xmlns='" + nsTLS + "'/>")
		a.send(in)
		if all := a.rest(); strings.Contains(all, "<success") || strings.Contains(all, "<stream") {
			t.Errorf("%s: answered %q", name, all)
		}
	}
	if n := s.metric(t, `jackdaw_logins_total{result="ok"}`) - before; n != 0 {
		t.Errorf("%d logins", n)
	}
}

// TestNoPasswordInPlainText: before TLS there is no login, whatever the client tries.
func TestNoPasswordInPlainText(t *testing.T) {
	s := usual.get(t)
	a := s.plain(t, s.C2S)
	a.send(header)
	if features := a.until("</stream:features>"); strings.Contains(features, "mechanism") || !strings.Contains(features, "<required/>") {
		t.Errorf("offered before TLS: %s", features)
	}
	for range 3 {
		a.send("<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>AGEAYg==</auth>")
		if answer := a.until("</failure>"); !strings.Contains(answer, "<encryption-required/>") {
			t.Errorf("answered %s", answer)
		}
	}
	b := s.plain(t, s.C2STLS) // nor on the port for TLS
	b.send(header)
	if all := b.rest(); strings.Contains(all, "<stream") {
		t.Errorf("plain text on the port for TLS is answered with %q", all)
	}
	conn, err := client.Dial(t.Context(), &client.Config{
		Addr: s.C2S, JID: s.account(t) + "@" + domain, Password: password, Security: client.StartTLS, TLS: s.tls, Keys: s.keys,
	})
	if err != nil {
		t.Fatalf("STARTTLS as it should be: %v", err)
	}
	conn.Cut()
	if err := conn.Run(); err == nil || err == io.EOF {
		t.Errorf("the cut connection ended with %v", err)
	}
}
