package sasl

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/xdg-go/scram"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// What a server tells its caller. Everything else about a refused exchange is nobody's business.
var (
	// ErrMechanism: there is no such mechanism.
	ErrMechanism = errors.New("sasl: no such mechanism")
	// ErrMalformed: the client's message breaks the mechanism's rules. It says nothing about the password.
	ErrMalformed = errors.New("sasl: malformed message")
	// ErrRefused: the password is wrong, or there is no such user.
	ErrRefused = errors.New("sasl: refused")
)

// errPeeked ends the reading of a first message before there are credentials.
var errPeeked = errors.New("sasl: peeked")

// Server is the server's side of one exchange.
type Server struct {
	// User is who wants in: the simple user name as the client wrote it, not normalised.
	User string
	// Authzid is who the client wants to be; empty: the same.
	Authzid string

	mechanism string
	password  string // PLAIN
	first     string // SCRAM: the client's first message
	exchange  *scram.ServerConversation
	nonce     scram.NonceGeneratorFcn // nil but in tests
}

// Supported reports whether a mechanism is one of this package's.
func Supported(mechanism string) bool { return mechanism == Plain || hashes[mechanism] != nil }

// Begin reads the first message of a client. The error is ErrMechanism or ErrMalformed.
func Begin(mechanism string, first []byte) (*Server, error) {
	switch {
	case !Supported(mechanism):
		return nil, ErrMechanism
	case !utf8.Valid(first):
		return nil, ErrMalformed
	case mechanism == Plain:
		return beginPlain(first)
	}
	return beginSCRAM(mechanism, string(first))
}

// beginPlain reads [authzid] NUL authcid NUL passwd (RFC 4616 section 2).
func beginPlain(first []byte) (*Server, error) {
	parts := bytes.Split(first, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 || len(parts[2]) == 0 {
		return nil, ErrMalformed
	}
	return &Server{mechanism: Plain, Authzid: string(parts[0]), User: string(parts[1]), password: string(parts[2])}, nil
}

// beginSCRAM reads RFC 5802 section 7's client-first-message. The exchange proper can begin only once there are
// credentials, so the message is read twice.
func beginSCRAM(mechanism, first string) (*Server, error) {
	if strings.ContainsRune(first, 0) {
		return nil, ErrMalformed
	}
	peek, err := hashes[mechanism].NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{}, errPeeked
	})
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	reader := peek.NewConversation()
	if _, err := reader.Step(first); !errors.Is(err, errPeeked) {
		return nil, ErrMalformed
	}
	nonce := strings.TrimPrefix(strings.Split(first, ",")[3], "r=")
	if reader.Username() == "" || !printable(nonce) {
		return nil, ErrMalformed
	}
	return &Server{mechanism: mechanism, User: reader.Username(), Authzid: reader.AuthzID(), first: first}, nil
}

// printable reports whether a nonce is one or more of RFC 5802 section 7's printable characters.
func printable(nonce string) bool {
	for _, c := range []byte(nonce) {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return nonce != ""
}

// OneStep reports whether the first message was all: Check decides. Otherwise Challenge and Finish follow.
func (s *Server) OneStep() bool { return s.mechanism == Plain }

// Check decides a PLAIN exchange: nil, or ErrRefused. It costs about a millisecond of CPU, whatever comes out.
func (s *Server) Check(kept *nodepb.Scram) error {
	password := s.password
	s.password = ""
	if password == "" || !usable(kept, s.mechanism) || !matches(kept, s.mechanism, password) {
		return ErrRefused
	}
	return nil
}

// Challenge answers the first message of a SCRAM exchange.
func (s *Server) Challenge(kept *nodepb.Scram) ([]byte, error) {
	if s.exchange != nil || s.OneStep() {
		return nil, ErrMalformed
	}
	server, err := hashes[s.mechanism].NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(kept.GetSalt()), Iters: int(kept.GetIterations())},
			StoredKey:  kept.GetStoredKey(), ServerKey: kept.GetServerKey(),
		}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	if s.nonce != nil {
		server.WithNonceGenerator(s.nonce)
	}
	s.exchange = server.NewConversation()
	challenge, err := s.exchange.Step(s.first)
	if err != nil {
		return nil, ErrMalformed
	}
	return []byte(challenge), nil
}

// Finish takes the client's last message of a SCRAM exchange. Without an error the client knows the password, and what is
// returned proves to it that the server has the credentials. The error is ErrRefused or ErrMalformed; what breaks a rule
// is found before the proof is looked at, so that it doesn't depend on the user.
func (s *Server) Finish(response []byte) ([]byte, error) {
	if s.exchange == nil {
		return nil, ErrMalformed
	}
	proof, err := s.exchange.Step(string(response))
	switch {
	case err == nil && s.exchange.Valid():
		return []byte(proof), nil
	case proof == scram.ErrInvalidProof:
		return nil, ErrRefused
	}
	return nil, ErrMalformed
}
