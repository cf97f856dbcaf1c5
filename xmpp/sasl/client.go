package sasl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/xdg-go/scram"
)

// Client is the client's side of one exchange. Not safe for concurrent use.
type Client struct {
	plain    []byte // PLAIN's one message; nil otherwise
	exchange *scram.ClientConversation
	sent     bool // the first message was made
}

// NewClient begins an exchange. user is the localpart of the account. keys may be nil. The error is ErrMechanism or
// ErrPassword, or says that the name is unusable.
func NewClient(mechanism, user, password string, keys *KeyCache) (*Client, error) {
	prepared, err := prepare(password)
	switch {
	case !Supported(mechanism):
		return nil, ErrMechanism
	case err != nil:
		return nil, err
	case user == "" || strings.ContainsRune(user, 0):
		return nil, errors.New("sasl: not a usable name")
	case mechanism == Plain:
		return &Client{plain: []byte("\x00" + prepareUser(user) + "\x00" + prepared)}, nil
	}
	client, err := keys.client(mechanism, prepareUser(user), prepared)
	if err != nil {
		return nil, err
	}
	return &Client{exchange: client.NewConversation()}, nil
}

// Step takes what the server sent (nil at first) and returns what to send. What comes with the server's success is given
// to it as well; for SCRAM that must prove that the server knows the password, too. Done tells whether it did.
func (c *Client) Step(challenge []byte) ([]byte, error) {
	if c.exchange == nil {
		return c.stepPlain(challenge)
	}
	if c.exchange.Valid() && len(challenge) == 0 {
		return nil, nil // the proof came with a challenge, and success has nothing to add
	}
	if err := c.sane(challenge); err != nil {
		return nil, err
	}
	c.sent = true
	response, err := c.exchange.Step(string(challenge))
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	return []byte(response), nil
}

// sane refuses a server that asks for minutes of work.
func (c *Client) sane(challenge []byte) error {
	for _, field := range strings.Split(string(challenge), ",") {
		if count, ok := strings.CutPrefix(field, "i="); ok {
			if n, err := strconv.Atoi(count); err != nil || n > maxIterations {
				return errors.New("sasl: the server asks for too many iterations")
			}
		}
	}
	return nil
}

func (c *Client) stepPlain(challenge []byte) ([]byte, error) {
	switch {
	case len(challenge) > 0:
		return nil, errors.New("sasl: PLAIN knows no challenge")
	case c.sent:
		return nil, nil
	}
	c.sent = true
	return c.plain, nil
}

// Done reports whether nothing is missing on the client's side: its last message was sent and, with SCRAM, the server has
// proved itself. A success that comes before is no success.
func (c *Client) Done() bool { return c.sent && (c.exchange == nil || c.exchange.Valid()) }

// KeyCache remembers what SCRAM derives from passwords, which costs a client more than the rest of a login. It holds as
// many entries as there are different users, mechanisms and passwords, and forgets none. Safe for concurrent use.
type KeyCache struct {
	mu struct {
		sync.Mutex
		clients map[keyOwner]*scram.Client
	}
}

type keyOwner struct{ mechanism, user, password string }

// NewKeyCache returns an empty cache.
func NewKeyCache() *KeyCache {
	k := &KeyCache{}
	k.mu.clients = map[keyOwner]*scram.Client{}
	return k
}

// client returns the library's client of a user, which keeps the keys it has derived. user and password are prepared. It
// may be called on nil.
func (k *KeyCache) client(mechanism, user, password string) (*scram.Client, error) {
	if k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		if c := k.mu.clients[keyOwner{mechanism, user, password}]; c != nil {
			return c, nil
		}
	}
	c, err := hashes[mechanism].NewClientUnprepped(user, password, "")
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	if k != nil {
		k.mu.clients[keyOwner{mechanism, user, password}] = c
	}
	return c, nil
}
