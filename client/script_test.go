package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testUser     = "romeo"
	testPassword = "secret"
	header       = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' " +
		"id='s1' from='localhost' version='1.0'>"
	bindFeatures = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>" +
		"<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
)

func mechanisms(names ...string) string {
	return "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>" +
		strings.Join(names, "</mechanism><mechanism>") + "</mechanism></mechanisms></stream:features>"
}

// script is the server's side of a connection, told line by line. Its methods panic with a scriptError when the client does something else.
type script struct {
	conn net.Conn
	got  string // read, not yet expected
}

type scriptError struct{ error }

// send writes raw bytes.
func (s *script) send(raw string) {
	if _, err := s.conn.Write([]byte(raw)); err != nil {
		panic(scriptError{fmt.Errorf("send %.60q: %w", raw, err)})
	}
}

// until reads until the client has written end, and returns everything up to there.
func (s *script) until(end string) string {
	buf := make([]byte, 4096)
	for {
		if i := strings.Index(s.got, end); i >= 0 {
			seen := s.got[:i+len(end)]
			s.got = s.got[i+len(end):]
			return seen
		}
		n, err := s.conn.Read(buf)
		s.got += string(buf[:n])
		if err != nil && n == 0 {
			panic(scriptError{fmt.Errorf("waiting for %q, having %q: %w", end, s.got, err)})
		}
	}
}

// expect reads exactly raw.
func (s *script) expect(raw string) {
	if seen := s.until(raw); seen != raw {
		panic(scriptError{fmt.Errorf("got %q, want %q", seen, raw)})
	}
}

// eof reads until the client closes.
func (s *script) eof() {
	buf := make([]byte, 1024)
	n, err := s.conn.Read(buf)
	if n > 0 || s.got != "" || err == nil {
		panic(scriptError{fmt.Errorf("got %q%q, %v; want the end", s.got, buf[:n], err)})
	}
}

// secure does the TLS handshake.
func (s *script) secure() {
	secured := tls.Server(s.conn, serverTLS())
	if err := secured.Handshake(); err != nil {
		panic(scriptError{fmt.Errorf("TLS: %w", err)})
	}
	s.conn = secured
}

// open answers a stream header.
func (s *script) open(features string) {
	s.until("<stream:stream ")
	s.until(">")
	s.send(header + features)
}

// scram authenticates the client; proof changes the server's last message.
func (s *script) scram(name string, hash scram.HashGeneratorFcn, proof func(string) string) {
	known, err := hash.NewClient(testUser, testPassword, "")
	if err != nil {
		panic(scriptError{err})
	}
	credentials, err := known.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
	if err != nil {
		panic(scriptError{err})
	}
	server, err := hash.NewServer(func(user string) (scram.StoredCredentials, error) {
		if user != testUser {
			return scram.StoredCredentials{}, fmt.Errorf("no user %q", user)
		}
		return credentials, nil
	})
	if err != nil {
		panic(scriptError{err})
	}
	exchange := server.NewConversation()
	step := func(begin, end string) string {
		s.expect(begin)
		data, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(s.until(end), end))
		if err != nil {
			panic(scriptError{err})
		}
		answer, err := exchange.Step(string(data))
		if err != nil {
			panic(scriptError{fmt.Errorf("SCRAM: %w", err)})
		}
		return base64.StdEncoding.EncodeToString([]byte(answer))
	}
	const ns = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
	s.send("<challenge " + ns + ">" + step("<auth "+ns+" mechanism='"+name+"'>", "</auth>") + "</challenge>")
	s.send("<success " + ns + ">" + proof(step("<response "+ns+">", "</response>")) + "</success>")
}

func honest(proof string) string { return proof }

// login lets the client log in, up to binding.
func (s *script) login() {
	s.secure()
	s.open(mechanisms("PLAIN", "SCRAM-SHA-1"))
	s.scram("SCRAM-SHA-1", scram.SHA1, honest)
	s.open(bindFeatures)
}

// bind answers the bind request.
func (s *script) bind() {
	s.until("<resource>garden</resource></bind></iq>")
	s.send("<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>romeo@localhost/garden</jid></bind></iq>")
}

// enable answers the request for stream management.
func (s *script) enable() {
	s.expect("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	s.send("<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true' location='b.localhost:5222'/>")
}

// play runs the script on one end of a pipe and gives the other to a Config. The test fails if the script does.
func play(t *testing.T, cfg Config, act func(s *script)) *Config {
	t.Helper()
	mine, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() {
		s := &script{conn: mine}
		defer func() {
			_ = mine.Close()
			switch failure := recover().(type) {
			case nil:
				done <- nil
			case scriptError:
				done <- failure
			default:
				panic(failure)
			}
		}()
		act(s)
	}()
	t.Cleanup(func() {
		_ = theirs.Close()
		if err := <-done; err != nil {
			t.Errorf("the server's script: %v", err)
		}
	})
	cfg.JID, cfg.Password = testUser+"@localhost/garden", testPassword
	cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return theirs, nil }
	if cfg.TLS == nil {
		cfg.TLS = TLSConfig("localhost", testRoots())
	}
	return &cfg
}

// dial logs in, or ends the test.
func dial(t *testing.T, cfg *Config) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// testCertificate is a certificate for localhost that signs itself.
var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func testRoots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(testCertificate().Leaf)
	return pool
}

// serverTLS gives no session tickets: on a pipe, nobody would read them yet.
func serverTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{testCertificate()}, NextProtos: []string{"xmpp-client"}, SessionTicketsDisabled: true}
}
