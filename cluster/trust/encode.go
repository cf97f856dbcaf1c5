package trust

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// wireBundle is a bundle as it is encoded. Its secrets are plain here, so it is never kept or printed. A later release may add parts to
// it, with omitempty, and to nothing within it: who doesn't know a part keeps it, so that both releases see one digest.
type wireBundle struct {
	Version     uint64          `json:"version"`
	Cluster     string          `json:"cluster"`
	Authorities []wireAuthority `json:"authorities"`
	Gossip      []wireKey       `json:"gossip"`
	TicketSeed  []byte          `json:"ticket_seed"`
	Tickets     []wireKey       `json:"tickets"`
	Token       wireKey         `json:"token"`
	Stores      []string        `json:"stores"`
	Directory   string          `json:"directory"`
	Revoked     []string        `json:"revoked"`
	Last        wireChange      `json:"last"`
	History     []wireChange    `json:"history"`
	Domain      string          `json:"domain,omitempty"`
	Salts       []byte          `json:"salts,omitempty"`
	Overrides   []Override      `json:"overrides,omitempty"`
}

type wireAuthority struct {
	Number      uint32 `json:"number"`
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
	Leaving     bool   `json:"leaving"`
}

type wireKey struct {
	Number uint32 `json:"number"`
	Made   int64  `json:"made"` // seconds since 1970, as all times here
	Secret []byte `json:"secret"`
}

type wireChange struct {
	Version uint64 `json:"version"`
	Digest  string `json:"digest"`
	At      int64  `json:"at"`
	By      string `json:"by"`
	What    string `json:"what"`
}

// Encode returns the bundle's bytes, secrets and all. Equal bundles have equal bytes.
func (b *Bundle) Encode() []byte {
	w := wireBundle{
		Version: b.Version, Cluster: b.Cluster, Gossip: wireKeys(b.Gossip), TicketSeed: b.Tickets.Seed,
		Tickets: wireKeys(b.Tickets.Keys), Token: wireKeyOf(b.Token), Directory: b.Directory.Reveal(), Revoked: b.Revoked,
		Last: wireChangeOf(b.Last), Domain: b.Domain, Salts: b.Salts, Overrides: b.Overrides,
	}
	for _, a := range b.Authorities {
		w.Authorities = append(w.Authorities, wireAuthority{a.Number, a.Certificate, a.Key, a.Leaving})
	}
	for _, d := range b.Stores {
		w.Stores = append(w.Stores, d.Reveal())
	}
	for _, c := range b.History {
		w.History = append(w.History, wireChangeOf(c))
	}
	plain, err := json.Marshal(w)
	if err != nil {
		panic("trust: a bundle of plain values can't be encoded: " + err.Error())
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(plain, &all); err != nil {
		panic("trust: an encoded bundle can't be read: " + err.Error())
	}
	for name, value := range b.extra {
		if _, ours := all[name]; !ours {
			all[name] = value
		}
	}
	plain, err = json.Marshal(all)
	if err != nil {
		panic("trust: a bundle with unknown parts can't be encoded: " + err.Error())
	}
	return plain
}

func wireKeyOf(k Key) wireKey { return wireKey{k.Number, k.Made.Unix(), k.Secret} }

func wireChangeOf(c Change) wireChange {
	return wireChange{c.Version, c.Digest, c.At.Unix(), c.By, c.What}
}

func wireKeys(keys []Key) []wireKey {
	var w []wireKey
	for _, k := range keys {
		w = append(w, wireKeyOf(k))
	}
	return w
}

// known are the parts of a bundle that this release knows.
var known = []string{"version", "cluster", "authorities", "gossip", "ticket_seed", "tickets", "token", "stores", "directory",
	"revoked", "last", "history", "domain", "salts", "overrides"}

// Decode reads a bundle and checks it. Parts that it doesn't know it keeps. The error never holds what was read.
func Decode(text []byte) (*Bundle, error) {
	if len(text) > MaxBundle {
		return nil, fmt.Errorf("trust: a bundle of %d bytes is too long, at most %d are possible", len(text), MaxBundle)
	}
	var w wireBundle
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &w) != nil || json.Unmarshal(text, &all) != nil {
		return nil, errors.New("trust: the bundle can't be read: it isn't what Jackdaw wrote")
	}
	b := &Bundle{
		Version: w.Version, Cluster: w.Cluster, Gossip: plainKeys(w.Gossip), Tickets: Tickets{Seed: w.TicketSeed, Keys: plainKeys(w.Tickets)},
		Token: plainKey(w.Token), Directory: DSN(w.Directory), Revoked: w.Revoked, Last: w.Last.plain(),
		Domain: w.Domain, Salts: w.Salts, Overrides: w.Overrides,
	}
	for _, a := range w.Authorities {
		b.Authorities = append(b.Authorities, Authority{Number: a.Number, Certificate: a.Certificate, Key: a.Key, Leaving: a.Leaving})
	}
	for _, d := range w.Stores {
		b.Stores = append(b.Stores, DSN(d))
	}
	for _, c := range w.History {
		b.History = append(b.History, c.plain())
	}
	for name := range all {
		if slices.ContainsFunc(known, func(ours string) bool { return strings.EqualFold(name, ours) }) {
			delete(all, name)
		}
	}
	if len(all) > 0 {
		b.extra = all
	}
	return b, b.check()
}

func plainKey(w wireKey) Key { return Key{w.Number, time.Unix(w.Made, 0).UTC(), w.Secret} }

func plainKeys(keys []wireKey) []Key {
	var plain []Key
	for _, k := range keys {
		plain = append(plain, plainKey(k))
	}
	return plain
}

func (w wireChange) plain() Change {
	return Change{w.Version, w.Digest, time.Unix(w.At, 0).UTC(), w.By, w.What}
}

// digest is the SHA-256 of the bundle's bytes. With 32-byte keys below it tells nothing about them.
func (b *Bundle) digest() [sha256.Size]byte { return sha256.Sum256(b.Encode()) }

// asked is the bit of a Stamp's digest that a change has which somebody asked for, so that it wins over one that came by itself.
const asked = 1 << 31

// Stamp names the version and its content.
func (b *Bundle) Stamp() Stamp {
	sum := b.digest()
	d := binary.BigEndian.Uint32(sum[:]) &^ asked
	if b.Last.By != itself {
		d |= asked
	}
	return Stamp{Version: b.Version, Digest: d}
}

// shortDigest is the digest as a Change keeps it: that of a Stamp.
func (b *Bundle) shortDigest() string { return fmt.Sprintf("%08x", b.Stamp().Digest) }
