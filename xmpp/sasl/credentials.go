package sasl

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/xdg-go/scram"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// The mechanisms, by the names that RFC 6120 puts into <mechanism/>.
const (
	SCRAMSHA256 = "SCRAM-SHA-256"
	SCRAMSHA1   = "SCRAM-SHA-1"
	Plain       = "PLAIN"
)

// Iterations is how often PBKDF2 hashes a new password: the least that RFC 7677 section 4 allows, and what makes a login
// cheap for phones. It takes a client (and a server, with PLAIN) about a millisecond.
const Iterations = 4096

const (
	saltBytes     = 16
	maxIterations = 10_000_000 // what neither side takes for a sane count: minutes of work
)

// hashes are the hash functions of the SCRAM mechanisms.
var hashes = map[string]scram.HashGeneratorFcn{SCRAMSHA256: scram.SHA256, SCRAMSHA1: scram.SHA1}

// NewCredentials makes what a server keeps of a password, for SCRAM-SHA-1 and for SCRAM-SHA-256 with PLAIN, each with a
// random salt of its own. The error is ErrPassword.
func NewCredentials(password string) (sha1, sha256 *nodepb.Scram, err error) {
	prepared, err := prepare(password)
	if err != nil {
		return nil, nil, err
	}
	made := [2]*nodepb.Scram{}
	for i, hash := range []scram.HashGeneratorFcn{scram.SHA1, scram.SHA256} {
		salt := make([]byte, saltBytes)
		_, _ = rand.Read(salt) // it never fails: crypto/rand ends the process instead
		if made[i], err = derive(hash, prepared, salt, Iterations); err != nil {
			return nil, nil, err
		}
	}
	return made[0], made[1], nil
}

// derive does RFC 5802 section 3's computation on a prepared password.
func derive(hash scram.HashGeneratorFcn, prepared string, salt []byte, iterations int) (*nodepb.Scram, error) {
	client, err := hash.NewClientUnprepped("", prepared, "")
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	keys, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	return &nodepb.Scram{
		Salt: salt, Iterations: uint32(iterations), StoredKey: keys.StoredKey, ServerKey: keys.ServerKey,
	}, nil
}

// Kept picks the credentials that a mechanism checks against: PLAIN uses those of SCRAM-SHA-256. It returns nil where
// there are none for the mechanism, or where they can't be right; Fake ones are in order then.
func Kept(c *nodepb.Credentials, mechanism string) *nodepb.Scram {
	kept := c.GetSha256()
	if mechanism == SCRAMSHA1 {
		kept = c.GetSha1()
	}
	if !c.GetKnown() || !usable(kept, mechanism) {
		return nil
	}
	return kept
}

// usable reports whether credentials have the form that a mechanism's have.
func usable(kept *nodepb.Scram, mechanism string) bool {
	size := hashOf(mechanism)().Size()
	n := kept.GetIterations()
	return len(kept.GetSalt()) > 0 && n > 0 && n <= maxIterations && len(kept.GetStoredKey()) == size && len(kept.GetServerKey()) == size
}

// hashOf is a mechanism's hash function; PLAIN is checked with SHA-256.
func hashOf(mechanism string) scram.HashGeneratorFcn {
	if hash := hashes[mechanism]; hash != nil {
		return hash
	}
	return scram.SHA256
}

// Fake makes credentials for a user who doesn't exist. They look like anybody's and are the same at each try, as long as
// secret and user are; no password fits them. user is the normalised name.
func Fake(secret []byte, mechanism, user string) *nodepb.Scram {
	if mechanism == Plain {
		mechanism = SCRAMSHA256
	}
	word := func(what string, size int) []byte {
		mac := hmac.New(sha256.New, secret)
		for _, part := range []string{what, mechanism, user} {
			fmt.Fprintf(mac, "%d:%s", len(part), part)
		}
		return mac.Sum(nil)[:size]
	}
	size := hashOf(mechanism)().Size()
	return &nodepb.Scram{
		Salt: word("salt", saltBytes), Iterations: Iterations, StoredKey: word("stored", size), ServerKey: word("server", size),
	}
}

// matches reports whether a password is the one that credentials were made of. It takes as long for any password.
func matches(kept *nodepb.Scram, mechanism, password string) bool {
	prepared, err := prepare(password)
	if err != nil {
		prepared = "" // no credentials are made of it; the work is done all the same
	}
	tried, err := derive(hashOf(mechanism), prepared, kept.GetSalt(), int(kept.GetIterations()))
	return err == nil && prepared != "" && subtle.ConstantTimeCompare(tried.GetStoredKey(), kept.GetStoredKey()) == 1
}
