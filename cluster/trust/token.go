package trust

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// TokenLife is how long a join token is usually good.
	TokenLife = time.Hour
	// MinTokenLife is the shortest that one can be good, and MaxTokenLife the longest.
	MinTokenLife = time.Minute
	// MaxTokenLife is the longest.
	MaxTokenLife = 7 * 24 * time.Hour
	// TokenSkew is how far the clocks of the node that made a token and of one that checks it may differ.
	TokenSkew = 2 * time.Minute

	tokenPrefix = "jackdaw1."
	maxToken    = 1024
)

// Why a token isn't taken.
var (
	ErrTokenMalformed = errors.New("trust: that is no join token, or a part of it is missing: copy it whole, from jackdaw1. to its end")
	ErrTokenExpired   = errors.New("trust: the join token has expired: make a new one with `jackdaw cluster token`")
	ErrOtherCluster   = errors.New("trust: another cluster")
	ErrTokenVoid      = errors.New("trust: the join token was not made with this cluster's token key, or the key has been rotated since: make a new one with `jackdaw cluster token`")
)

// Token lets a node join. It is good until Expires for any number of nodes. Whoever has it can become a member.
type Token struct {
	Cluster string
	Expires time.Time
	// Pins are the cluster's authorities, by which the joining node knows that it speaks to the cluster.
	Pins []Pin

	nonce [12]byte
	mac   [sha256.Size]byte
}

// fixed is the length of a token without pins and checksum; checksum finds copying mistakes before anything is asked.
const (
	fixed    = 1 + 16 + 8 + 12 + 1
	checksum = 4
)

// NewToken makes a token that is good for life.
func (b *Bundle) NewToken(life time.Duration, now time.Time) (Token, error) {
	return b.newToken(b.Pins(), life, now)
}

func (b *Bundle) newToken(pins []Pin, life time.Duration, now time.Time) (Token, error) {
	if life < MinTokenLife || life > MaxTokenLife {
		return Token{}, fmt.Errorf("trust: a join token is good for %v to %v, not %v", MinTokenLife, MaxTokenLife, life)
	}
	t := Token{Cluster: b.Cluster, Expires: stamp(now.Add(life)), Pins: pins}
	_, _ = rand.Read(t.nonce[:]) // never fails
	t.mac = t.sum(b.Token.Secret)
	return t, nil
}

// body is what the MAC covers.
func (t Token) body() []byte {
	id, _ := hex.DecodeString(t.Cluster) // made by New or ParseToken
	b := append([]byte{1}, id...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Expires.Unix()))
	b = append(b, t.nonce[:]...)
	b = append(b, byte(len(t.Pins)))
	for _, p := range t.Pins {
		b = append(b, p[:]...)
	}
	return b
}

func (t Token) sum(key Secret) [sha256.Size]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("jackdaw join token\x00"))
	mac.Write(t.body())
	return [sha256.Size]byte(mac.Sum(nil))
}

// Text returns the token as it is copied and pasted. It is a secret for as long as the token is good.
func (t Token) Text() string {
	b := append(t.body(), t.mac[:]...)
	sum := sha256.Sum256(b)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:checksum]...))
}

// Format implements fmt.Formatter: a token that isn't asked for its Text tells what is no secret.
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "join token of cluster %s until %s", short(t.Cluster), t.Expires.UTC().Format(time.RFC3339))
}

// MarshalText implements encoding.TextMarshaler, for logs and JSON, with the same text.
func (t Token) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(t)), nil }

// ParseToken reads a token, with white space around it. The error is ErrTokenMalformed.
func ParseToken(text string) (Token, error) {
	coded, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	if !ok || len(coded) > maxToken {
		return Token{}, ErrTokenMalformed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(coded)
	if err != nil || len(b) < fixed {
		return Token{}, ErrTokenMalformed
	}
	pins := int(b[fixed-1])
	if b[0] != 1 || pins == 0 || pins > maxKeys || len(b) != fixed+pins*sha256.Size+sha256.Size+checksum {
		return Token{}, ErrTokenMalformed
	}
	signed := b[:len(b)-checksum]
	if sum := sha256.Sum256(signed); string(sum[:checksum]) != string(b[len(signed):]) {
		return Token{}, ErrTokenMalformed
	}
	t := Token{Cluster: hex.EncodeToString(b[1:17]), Expires: time.Unix(int64(binary.BigEndian.Uint64(b[17:25])), 0).UTC()}
	copy(t.nonce[:], b[25:37])
	for i := range pins {
		t.Pins = append(t.Pins, Pin(b[fixed+i*sha256.Size:][:sha256.Size]))
	}
	t.mac = [sha256.Size]byte(signed[len(signed)-sha256.Size:])
	return t, nil
}

// CheckToken says whether a token lets a node join this cluster now. Errors: ErrOtherCluster, ErrTokenVoid, ErrTokenExpired.
func (b *Bundle) CheckToken(t Token, now time.Time) error {
	switch sum := t.sum(b.Token.Secret); {
	case t.Cluster != b.Cluster:
		return fmt.Errorf("%w: the join token is of cluster %s, and this is %s", ErrOtherCluster, short(t.Cluster), short(b.Cluster))
	case !hmac.Equal(sum[:], t.mac[:]):
		return ErrTokenVoid
	case now.After(t.Expires.Add(TokenSkew)):
		return ErrTokenExpired
	}
	return nil
}
