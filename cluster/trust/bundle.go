package trust

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a bundle. One that exceeds them is refused wherever it comes from.
const (
	// MaxBundle bounds an encoded bundle, in bytes.
	MaxBundle    = 1 << 20
	maxKeys      = 8 // of one kind: rotation needs two, a revocation in the midst of one three
	maxRevoked   = 1024
	maxOverrides = 1024
	maxStores    = 256
	maxDSN       = 2048
	keptChanges  = 32
)

// Bundle is one version of what the nodes of a cluster share. It is immutable: whoever has one must not change what it points to.
type Bundle struct {
	// Version counts the changes, from 1.
	Version uint64
	// Cluster is the cluster's id, 32 hexadecimal digits, which never changes.
	Cluster string
	// Authorities are those whose certificates are valid; the first signs.
	Authorities []Authority
	// Gossip are the keys of gossip (AES-256); the first encrypts, all decrypt.
	Gossip []Key
	// Tickets make the keys of clients' TLS session tickets; see TicketKeys.
	Tickets Tickets
	// Token makes and checks join tokens.
	Token Key
	// Stores are the stores' addresses in the order of their shards, and Directory is the directory's.
	Stores    []DSN
	Directory DSN
	// Revoked are the names of nodes that get nothing any more, sorted.
	Revoked []string
	// Domain is the served domain; empty in a cluster of a release that didn't tell.
	Domain string
	// Salts keys the salts that users who don't exist seem to have, which must be the same at every node. It never changes: a salt that
	// does would tell that there is no such user.
	Salts Secret
	// Overrides put single actors on a node of the operator's choice, sorted by kind and id.
	Overrides []Override
	// Last is the change that made this version, History those before it, the newest first, as far as they are kept.
	Last    Change
	History []Change

	extra map[string]json.RawMessage // what a newer release wrote and this one doesn't know: kept for those who do
}

// Override puts one actor on the node of a name.
type Override struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Node string `json:"node"`
}

// Key is a symmetric key. Numbers of one kind of key grow.
type Key struct {
	Number uint32
	Made   time.Time
	Secret Secret
}

// Tickets are what session-ticket keys are made of. Seed makes the next key and the next seed, so that all nodes make the same ones
// without asking each other, and nobody can make the earlier ones from it.
type Tickets struct {
	Seed Secret
	Keys []Key // the newest first
}

// Change says who made a version and why. Digest is that version's, and empty in the change that made the bundle at hand.
type Change struct {
	Version uint64
	Digest  string
	At      time.Time
	By      string
	What    string
}

// Stamp names a version and its content, so that two different bundles of one version are told apart. The zero Stamp is of no bundle.
type Stamp struct {
	Version uint64
	Digest  uint32
}

// String returns the stamp as ParseStamp reads it, at most 29 bytes.
func (s Stamp) String() string { return fmt.Sprintf("%d-%08x", s.Version, s.Digest) }

// Compare orders stamps as Merge does bundles: it is positive if s wins over other.
func (s Stamp) Compare(other Stamp) int {
	return cmp.Or(cmp.Compare(s.Version, other.Version), cmp.Compare(s.Digest, other.Digest))
}

// ParseStamp reads what Stamp.String wrote.
func ParseStamp(text string) (Stamp, error) {
	version, digest, ok := strings.Cut(text, "-")
	v, err := strconv.ParseUint(version, 10, 64)
	d, err2 := strconv.ParseUint(digest, 16, 32)
	if !ok || err != nil || err2 != nil {
		return Stamp{}, errors.New("trust: a bundle's stamp can't be read")
	}
	return Stamp{v, uint32(d)}, nil
}

// New makes the first bundle of a new cluster: an id, an authority and keys. by is who makes it, for the record.
func New(by string, stores []DSN, directory DSN, now time.Time) (*Bundle, error) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	b := &Bundle{
		Cluster: hex.EncodeToString(id), Gossip: []Key{newKey(1, now)}, Token: newKey(1, now),
		Tickets: Tickets{Seed: NewSecret(), Keys: []Key{newKey(1, day(now))}},
		Stores:  slices.Clone(stores), Directory: directory, Salts: NewSecret(),
		Version: 1, Last: Change{Version: 1, At: stamp(now), By: by, What: "the cluster was made"},
	}
	ca, err := NewAuthority(b.Cluster, 1, now)
	if err != nil {
		return nil, err
	}
	b.Authorities = []Authority{ca}
	return b, b.check()
}

func newKey(number uint32, now time.Time) Key {
	return Key{Number: number, Made: stamp(now), Secret: NewSecret()}
}

// stamp is a time as bundles keep it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// IsRevoked reports whether a node's name is revoked.
func (b *Bundle) IsRevoked(name string) bool {
	_, found := slices.BinarySearch(b.Revoked, name)
	return found
}

// GossipKeys returns memberlist's keyring: the key that encrypts first.
func (b *Bundle) GossipKeys() [][]byte {
	keys := make([][]byte, len(b.Gossip))
	for i, k := range b.Gossip {
		keys[i] = slices.Clone([]byte(k.Secret))
	}
	return keys
}

// Pins returns the SHA-256 of each authority's certificate, the first signs.
func (b *Bundle) Pins() []Pin {
	pins := make([]Pin, len(b.Authorities))
	for i, a := range b.Authorities {
		pins[i] = a.Pin()
	}
	return pins
}

// StoresText is what must be equal on all nodes, to be compared and shown: the stores' addresses without passwords.
func (b *Bundle) StoresText() string {
	var text []string
	for _, d := range b.Stores {
		text = append(text, RedactDSN(d.Reveal()))
	}
	return "stores " + strings.Join(text, ", ") + "; directory " + RedactDSN(b.Directory.Reveal())
}

// check refuses a bundle that couldn't be used.
func (b *Bundle) check() error {
	bad := func(format string, args ...any) error { return fmt.Errorf("trust: the bundle "+format, args...) }
	switch {
	case b.Version == 0:
		return bad("has no version")
	case !isClusterID(b.Cluster):
		return bad("has no cluster id")
	case len(b.Authorities) == 0 || len(b.Authorities) > maxKeys:
		return bad("has %d authorities, and must have 1 to %d", len(b.Authorities), maxKeys)
	case len(b.Gossip) == 0 || len(b.Gossip) > maxKeys:
		return bad("has %d keys of gossip, and must have 1 to %d", len(b.Gossip), maxKeys)
	case len(b.Tickets.Keys) == 0 || len(b.Tickets.Keys) > maxKeys:
		return bad("has %d ticket keys, and must have 1 to %d", len(b.Tickets.Keys), maxKeys)
	case len(b.Stores) > maxStores:
		return bad("has %d stores, at most %d are possible", len(b.Stores), maxStores)
	case len(b.Revoked) > maxRevoked:
		return bad("has %d revoked nodes, at most %d are possible", len(b.Revoked), maxRevoked)
	case len(b.History) > keptChanges:
		return bad("has a history of %d changes, at most %d are kept", len(b.History), keptChanges)
	case len(b.Domain) > maxDSN:
		return bad("has a domain of %d bytes", len(b.Domain))
	case len(b.Overrides) > maxOverrides:
		return bad("has %d overrides, at most %d are possible", len(b.Overrides), maxOverrides)
	case len(b.Salts) != 0 && len(b.Salts) != KeySize:
		return bad("has a key of %d bytes, and each must have %d", len(b.Salts), KeySize)
	case !slices.IsSorted(b.Revoked):
		return bad("has its revoked nodes out of order")
	}
	for _, k := range slices.Concat(b.Gossip, b.Tickets.Keys, []Key{b.Token, {Secret: b.Tickets.Seed}}) {
		if len(k.Secret) != KeySize {
			return bad("has a key of %d bytes, and each must have %d", len(k.Secret), KeySize)
		}
	}
	for _, d := range append(slices.Clone(b.Stores), b.Directory) {
		if len(d) > maxDSN {
			return bad("has a store's address of %d bytes, at most %d are possible", len(d), maxDSN)
		}
	}
	for _, name := range b.Revoked {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	for i := range b.Authorities {
		if err := b.Authorities[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func isClusterID(id string) bool {
	raw, err := hex.DecodeString(id)
	return err == nil && len(raw) == 16 && strings.ToLower(id) == id
}

// clone returns a copy that shares nothing that a change touches.
func (b *Bundle) clone() *Bundle {
	c := *b
	c.Authorities, c.Gossip = slices.Clone(b.Authorities), slices.Clone(b.Gossip)
	c.Tickets.Keys, c.Stores = slices.Clone(b.Tickets.Keys), slices.Clone(b.Stores)
	c.Overrides = slices.Clone(b.Overrides)
	c.Revoked, c.History = slices.Clone(b.Revoked), slices.Clone(b.History)
	c.extra = maps.Clone(b.extra)
	return &c
}

// Format implements fmt.Formatter: a bundle prints as String says.
func (b Bundle) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, b.String()) }

// MarshalJSON gives the same text, for logs. Bundle.Encode gives what can be read again.
func (b Bundle) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }

// String describes the bundle in lines of text, without its secrets.
func (b Bundle) String() string {
	var t strings.Builder
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(&t, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("cluster", "%s", b.Cluster)
	line("version", "%s, by %s at %s: %s", b.Stamp(), b.Last.By, b.Last.At.Format(time.RFC3339), b.Last.What)
	for i, a := range b.Authorities {
		line("authority", "%s", a.describe(i == 0))
	}
	for i, k := range b.Gossip {
		use := "decrypts only"
		if i == 0 {
			use = "encrypts"
		}
		line("gossip key", "number %d of %s, %s", k.Number, k.Made.Format(time.DateOnly), use)
	}
	for _, k := range b.Tickets.Keys {
		line("ticket key", "number %d of %s", k.Number, k.Made.Format(time.DateOnly))
	}
	line("token key", "number %d of %s", b.Token.Number, b.Token.Made.Format(time.DateOnly))
	for i, d := range b.Stores {
		line("store", "%d %s", i, RedactDSN(d.Reveal()))
	}
	if b.Directory != "" {
		line("directory", "%s", RedactDSN(b.Directory.Reveal()))
	}
	if b.Domain != "" {
		line("domain", "%s", b.Domain)
	}
	for _, o := range b.Overrides {
		line("override", "%s/%s at %s", o.Kind, o.ID, o.Node)
	}
	for _, name := range b.Revoked {
		line("revoked", "%s", name)
	}
	for _, c := range b.History {
		line("before", "%d-%s, by %s at %s: %s", c.Version, c.Digest, c.By, c.At.Format(time.RFC3339), c.What)
	}
	return t.String()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
