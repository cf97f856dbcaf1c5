package load

import (
	"crypto/tls"
	"fmt"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// Resource is the resource every connection binds.
const Resource = "load"

// Accounts are the users of a server under load: Prefix0@Domain, Prefix1@Domain and so on, all with one password.
type Accounts struct {
	// Addr is the server's port for direct TLS.
	Addr string
	// Domain, Prefix and Password make the accounts.
	Domain, Prefix, Password string
	// Mechanism is the only SASL mechanism used; empty means the client's choice.
	Mechanism string

	tls  *tls.Config
	keys *sasl.KeyCache
}

// Open prepares logins. The server's certificate isn't verified, and no TLS session is ever resumed: a login pays for its whole
// handshake. What SCRAM derives from the password is cached, so that the driver spends little on a user's second login.
func (a *Accounts) Open() {
	a.tls = client.TLSConfig(a.Domain, nil)
	a.tls.MinVersion = tls.VersionTLS13
	a.tls.InsecureSkipVerify = true // the server made its certificate itself; the load is the point here
	a.keys = sasl.NewKeyCache()
}

// JID is the bare address of user i.
func (a *Accounts) JID(i int) string { return fmt.Sprintf("%s%d@%s", a.Prefix, i, a.Domain) }

// Config is a new client configuration for user i, for the caller to complete.
func (a *Accounts) Config(i int) *client.Config {
	cfg := &client.Config{Addr: a.Addr, JID: a.JID(i) + "/" + Resource, Password: a.Password, TLS: a.tls, Keys: a.keys}
	if a.Mechanism != "" {
		cfg.Mechanisms = []string{a.Mechanism}
	}
	return cfg
}
