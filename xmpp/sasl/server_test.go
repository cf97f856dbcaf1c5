package sasl

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// vector is one of the RFCs' example exchanges of user "user" with password "pencil".
type vector struct {
	mechanism, salt, nonce              string // nonce is the server's part
	first, challenge, response, success string
}

var vectors = []vector{
	{ // RFC 5802 section 5
		SCRAMSHA1, "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j",
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	},
	{ // RFC 7677 section 3
		SCRAMSHA256, "W22ZaJ0SNY7soEsUEjb6gQ==", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	},
}

// kept are the credentials of the vector's user.
func (v vector) kept(t testing.TB) *nodepb.Scram {
	t.Helper()
	salt, err := base64.StdEncoding.DecodeString(v.salt)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := derive(hashes[v.mechanism], "pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// begin takes the vector's first message, or another one.
func (v vector) begin(t testing.TB, first string) *Server {
	t.Helper()
	s, err := Begin(v.mechanism, []byte(first))
	if err != nil {
		t.Fatal(err)
	}
	s.nonce = func() string { return v.nonce }
	return s
}

func TestServerVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.mechanism, func(t *testing.T) {
			s := v.begin(t, v.first)
			if s.User != "user" || s.Authzid != "" || s.OneStep() {
				t.Fatalf("read %+v", s)
			}
			challenge, err := s.Challenge(v.kept(t))
			if err != nil || string(challenge) != v.challenge {
				t.Fatalf("challenge %q, %v, want %q", challenge, err, v.challenge)
			}
			success, err := s.Finish([]byte(v.response))
			if err != nil || string(success) != v.success {
				t.Fatalf("success %q, %v, want %q", success, err, v.success)
			}
			if _, err := s.Finish([]byte(v.response)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("an exchange is used twice: %v", err)
			}
		})
	}
}

func TestFirstMessages(t *testing.T) {
	tests := []struct {
		mechanism, first string
		user, authzid    string
		err              error
	}{
		{SCRAMSHA256, "n,,n=user,r=abc", "user", "", nil},
		{SCRAMSHA256, "y,,n=user,r=abc", "user", "", nil},
		{SCRAMSHA1, "n,a=user@example.org,n=user,r=abc", "user", "user@example.org", nil},
		{SCRAMSHA1, "n,a=a=3Db=2Cc,n=x=2Cy=3Dz,r=abc", "x,y=z", "a=b,c", nil},
		{SCRAMSHA256, "n,,n=ü,r=abc,ext=1", "ü", "", nil},
		{SCRAMSHA256, "p=tls-exporter,,n=user,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "p=tls-unique,,n=user,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "p=,,n=user,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "x,,n=user,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,m=ext,n=user,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,user,n=user,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=us=er,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,a=us=er,n=user,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=user,r=", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=user,r=a b", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=user,r=ä", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=user\x00,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=\xff,r=abc", "", "", ErrMalformed},
		{SCRAMSHA256, "n,,n=user", "", "", ErrMalformed},
		{SCRAMSHA256, "", "", "", ErrMalformed},
		{Plain, "\x00user\x00pencil", "user", "", nil},
		{Plain, "user@example.org\x00user\x00pencil", "user", "user@example.org", nil},
		{Plain, "", "", "", ErrMalformed},
		{Plain, "user\x00pencil", "", "", ErrMalformed},
		{Plain, "\x00\x00pencil", "", "", ErrMalformed},
		{Plain, "\x00user\x00", "", "", ErrMalformed},
		{Plain, "\x00user\x00pen\x00cil", "", "", ErrMalformed},
		{Plain, "\x00user\x00\xff", "", "", ErrMalformed},
		{"SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=user,r=abc", "", "", ErrMechanism},
		{"plain", "\x00user\x00pencil", "", "", ErrMechanism},
		{"", "", "", "", ErrMechanism},
	}
	for _, tt := range tests {
		s, err := Begin(tt.mechanism, []byte(tt.first))
		if !errors.Is(err, tt.err) {
			t.Errorf("%s %q: %v, want %v", tt.mechanism, tt.first, err, tt.err)
			continue
		}
		if err == nil && (s.User != tt.user || s.Authzid != tt.authzid) {
			t.Errorf("%s %q: read user %q and authzid %q", tt.mechanism, tt.first, s.User, s.Authzid)
		}
	}
}

func TestLastMessages(t *testing.T) {
	for _, v := range vectors {
		head, proof, _ := strings.Cut(v.response, ",p=")
		_, nonce, _ := strings.Cut(head, ",r=")
		wrong := base64.StdEncoding.EncodeToString(make([]byte, hashes[v.mechanism]().Size()))
		tests := []struct {
			name, response string
			err            error
		}{
			{"right", v.response, nil},
			{"wrong proof", head + ",p=" + wrong, ErrRefused},
			{"an extension that isn't signed", head + ",x=y,p=" + proof, ErrRefused},
			{"binding of another header", "c=eSws,r=" + nonce + ",p=" + proof, ErrMalformed},
			{"no binding", "c=,r=" + nonce + ",p=" + proof, ErrMalformed},
			{"another nonce", "c=biws,r=" + nonce + "x,p=" + proof, ErrMalformed},
			{"only the client's nonce", "c=biws,r=" + strings.TrimSuffix(nonce, v.nonce) + ",p=" + proof, ErrMalformed},
			{"short proof", head + ",p=" + base64.StdEncoding.EncodeToString([]byte("short")), ErrMalformed},
			{"no proof", head, ErrMalformed},
			{"no base64", head + ",p=!", ErrMalformed},
			{"empty", "", ErrMalformed},
			{"the first message again", v.first, ErrMalformed},
		}
		for _, tt := range tests {
			t.Run(v.mechanism+" "+tt.name, func(t *testing.T) {
				s := v.begin(t, v.first)
				if _, err := s.Challenge(v.kept(t)); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Finish([]byte(tt.response)); !errors.Is(err, tt.err) {
					t.Fatalf("%v, want %v", err, tt.err)
				}
			})
		}
	}
}

// TestBindingFlagIsSigned: a client that says y has to sign that it did.
func TestBindingFlagIsSigned(t *testing.T) {
	client, err := scram.SHA256.NewClient("user", "pencil", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, honest := range []bool{true, false} {
		conversation := client.NewConversationAdvertisingChannelBinding()
		first, err := conversation.Step("")
		if err != nil || !strings.HasPrefix(first, "y,,") {
			t.Fatal(first, err)
		}
		v := vectors[1]
		if !honest {
			first = "n" + first[1:] // somebody in between takes the server for one that offers binding
		}
		s := v.begin(t, first)
		challenge, err := s.Challenge(v.kept(t))
		if err != nil {
			t.Fatal(err)
		}
		response, err := conversation.Step(string(challenge))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Finish([]byte(response)); (err == nil) != honest {
			t.Fatalf("honest %v: %v", honest, err)
		}
	}
}

func TestOutOfOrder(t *testing.T) {
	v := vectors[1]
	s := v.begin(t, v.first)
	if _, err := s.Finish([]byte(v.response)); !errors.Is(err, ErrMalformed) {
		t.Errorf("Finish before Challenge: %v", err)
	}
	if err := s.Check(v.kept(t)); !errors.Is(err, ErrRefused) {
		t.Errorf("Check of SCRAM: %v", err)
	}
	if _, err := s.Challenge(v.kept(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Challenge(v.kept(t)); !errors.Is(err, ErrMalformed) {
		t.Errorf("Challenge twice: %v", err)
	}
	p, err := Begin(Plain, []byte("\x00user\x00pencil"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Challenge(v.kept(t)); !errors.Is(err, ErrMalformed) {
		t.Errorf("Challenge of PLAIN: %v", err)
	}
	if _, err := p.Finish(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("Finish of PLAIN: %v", err)
	}
}

func TestPlain(t *testing.T) {
	_, sha256, err := NewCredentials("pass wörd \U0001f600")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]error{
		"pass wörd \U0001f600":       nil,
		"pass\u00a0wörd \U0001f600":  nil, // prepared to the same
		"pass wo\u0308rd \U0001f600": nil,
		"Pass wörd \U0001f600":       ErrRefused,
		"pass wörd":                  ErrRefused,
		"x":                          ErrRefused,
		"\u0007":                     ErrRefused, // can't be a password
		strings.Repeat("x", 8000):    ErrRefused,
	}
	for password, want := range tests {
		s, err := Begin(Plain, []byte("\x00user\x00"+password))
		if err != nil {
			t.Fatal(err)
		}
		if !s.OneStep() {
			t.Fatal("PLAIN has more steps")
		}
		if err := s.Check(sha256); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", password, err, want)
		}
		if err := s.Check(sha256); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: checked twice", password)
		}
	}
}

// FuzzServer: nothing a client sends panics, and nothing but the right proof gets in.
func FuzzServer(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.mechanism, []byte(v.first), []byte(v.response))
	}
	f.Add(Plain, []byte("\x00user\x00pencil"), []byte{})
	f.Add(Plain, []byte("a\x00user\x00guess"), []byte("="))
	f.Add(SCRAMSHA1, []byte("y,a=x=2C,n=,r=,"), []byte("c=,r=,p="))
	f.Add("X", []byte("p=tls-unique,,n=a,r=b,m=c"), []byte("m=,,"))
	kept := map[string]*nodepb.Scram{Plain: vectors[1].kept(f)}
	for _, v := range vectors {
		kept[v.mechanism] = v.kept(f)
	}
	f.Fuzz(func(t *testing.T, mechanism string, first, response []byte) {
		s, err := Begin(mechanism, first)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrMechanism) {
				t.Fatal(err)
			}
			return
		}
		if s.User == "" {
			t.Fatal("a login of nobody")
		}
		if s.OneStep() {
			_, password, _ := strings.Cut(string(first), "\x00"+s.User+"\x00")
			prepared, _ := prepare(password)
			if err := s.Check(kept[Plain]); (err == nil) != (prepared == "pencil") {
				t.Fatalf("password %q: %v", password, err)
			}
			return
		}
		challenge, err := s.Challenge(kept[mechanism])
		if err != nil {
			t.Fatalf("what Begin accepts, Challenge refuses: %v", err)
		}
		if strings.Count(string(challenge), ",") != 2 {
			t.Fatalf("challenge %q", challenge)
		}
		if _, err := s.Finish(response); err == nil {
			t.Fatal("a proof was guessed") // the server's nonce is new at each try
		} else if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
	})
}
