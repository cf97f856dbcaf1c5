package trust

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// mask is printed for a secret.
const mask = "(secret)"

// KeySize is the length of all symmetric keys, in bytes.
const KeySize = 32

// Secret is a key. It prints as a mask in every way: by fmt, in JSON, in logs. A conversion to []byte gives its bytes.
type Secret []byte

// NewSecret returns a random key of KeySize bytes.
func NewSecret() Secret {
	s := make(Secret, KeySize)
	_, _ = rand.Read(s) // never fails
	return s
}

// Format implements fmt.Formatter.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// MarshalText implements encoding.TextMarshaler, for logs and JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// DSN is the address of a store, with what it takes to log in there. It prints without passwords; Reveal gives all.
type DSN string

// Reveal returns the whole address.
func (d DSN) Reveal() string { return string(d) }

// Format implements fmt.Formatter.
func (d DSN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(RedactDSN(string(d)))) }

// MarshalText implements encoding.TextMarshaler, for logs and JSON.
func (d DSN) MarshalText() ([]byte, error) { return []byte(RedactDSN(string(d))), nil }

var (
	// word is one key=value of a connection string; the value may be quoted and hold escaped quotes.
	word = regexp.MustCompile(`([A-Za-z_]+)(\s*=\s*)('(?:[^'\\]|\\.)*'?|(?:[^\s\\]|\\.)*)`)
	// confidential are names of parameters whose value isn't shown.
	confidential = regexp.MustCompile(`(?i)pass|secret|token|key$|credential`)
)

// RedactDSN returns a store's address with passwords masked: of a URL, or of PostgreSQL's key=value form. Of one that can't be read
// it shows the scheme at most.
func RedactDSN(dsn string) string {
	scheme, _, isURL := strings.Cut(dsn, "://")
	if isURL && !strings.ContainsAny(scheme, " ='") {
		return redactURL(dsn, scheme)
	}
	switch {
	case isURL || strings.Contains(dsn, "="):
		return word.ReplaceAllStringFunc(dsn, func(pair string) string {
			m := word.FindStringSubmatch(pair)
			if confidential.MatchString(m[1]) {
				return m[1] + m[2] + mask
			}
			return pair
		})
	case strings.Contains(dsn, "@"):
		return mask + dsn[strings.LastIndexByte(dsn, '@'):]
	}
	return dsn
}

func redactURL(dsn, scheme string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return scheme + "://" + mask
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return scheme + "://" + mask
	}
	var text strings.Builder
	text.WriteString(scheme + "://")
	if u.User != nil {
		text.WriteString(url.User(u.User.Username()).String())
		if _, has := u.User.Password(); has {
			text.WriteString(":" + mask)
		}
		text.WriteByte('@')
	}
	text.WriteString(u.Host + u.EscapedPath())
	mark := byte('?')
	for _, name := range sortedKeys(query) {
		for _, value := range query[name] {
			text.WriteByte(mark)
			mark = '&'
			text.WriteString(url.QueryEscape(name) + "=")
			if confidential.MatchString(name) {
				text.WriteString(mask)
			} else {
				text.WriteString(url.QueryEscape(value))
			}
		}
	}
	return text.String()
}
