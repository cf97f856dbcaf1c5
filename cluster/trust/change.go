package trust

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// ticketKeys is how many keys of session tickets decrypt. There is a new one each day.
	ticketKeys = 4
	// Settle is how long a node must have had a version before the next step of a rotation: for what is under way with the old keys.
	Settle = 2 * time.Second
	// RevocationPatience is how long a step of a revocation waits for members that don't come to its version.
	RevocationPatience = 3 * time.Second
	// AwayPatience is how long a step of any other rotation waits for members that are lost or cut off. Who misses the step before the last has none of
	// the keys that are left then, and of two parts of a cluster that would be each for itself for good.
	AwayPatience = 10 * time.Minute
)

// ErrRotating refuses to begin a rotation in the midst of one.
var ErrRotating = errors.New("trust: a rotation is under way; wait until all nodes have its last version")

// next is the bundle of the next version, to be changed by the caller.
func (b *Bundle) next(by, what string, now time.Time) *Bundle {
	n := b.clone()
	last := b.Last
	last.Digest = b.shortDigest()
	n.History = slices.Insert(n.History, 0, last)
	n.History = n.History[:min(len(n.History), keptChanges)]
	n.Version++
	n.Last = Change{Version: n.Version, At: stamp(now), By: by, What: what}
	return n
}

// InstallGossip adds a new key of gossip, which decrypts only, until Advance makes it encrypt.
func (b *Bundle) InstallGossip(by string, now time.Time) (*Bundle, error) {
	if len(b.Gossip) > 1 {
		return nil, ErrRotating
	}
	n := b.next(by, "a new key of gossip is installed", now)
	n.installGossip(now)
	return n, nil
}

func (b *Bundle) installGossip(now time.Time) {
	b.Gossip = append(b.Gossip, newKey(newest(b.Gossip, keyNumber)+1, now))
}

// AddAuthority makes a new authority valid beside the old one, until Advance makes it sign.
func (b *Bundle) AddAuthority(by string, now time.Time) (*Bundle, error) {
	if len(b.Authorities) > 1 {
		return nil, ErrRotating
	}
	n := b.next(by, "a new authority is valid", now)
	return n, n.addAuthority(now)
}

func (b *Bundle) addAuthority(now time.Time) error {
	ca, err := NewAuthority(b.Cluster, newest(b.Authorities, authorityNumber)+1, now)
	b.Authorities = append(b.Authorities, ca)
	return err
}

// RotateAll begins the rotation of everything: the keys of gossip and the authority in steps, the keys of tokens and tickets at once.
// Earlier join tokens are void, and clients' next handshakes are full ones.
func (b *Bundle) RotateAll(by string, now time.Time) (*Bundle, error) {
	if b.Rotating() {
		return nil, ErrRotating
	}
	n := b.next(by, "all keys are rotated", now)
	return n, n.renewAll(now)
}

func (b *Bundle) renewAll(now time.Time) error {
	b.installGossip(now)
	b.Token = newKey(b.Token.Number+1, now)
	b.renewTickets(now)
	return b.addAuthority(now)
}

// RotateToken replaces the token key: all earlier join tokens are void.
func (b *Bundle) RotateToken(by string, now time.Time) *Bundle {
	n := b.next(by, "a new token key; earlier join tokens are void", now)
	n.Token = newKey(b.Token.Number+1, now)
	return n
}

// RenewTickets replaces the keys of clients' session tickets out of turn: their next handshakes are full ones.
func (b *Bundle) RenewTickets(by string, now time.Time) *Bundle {
	n := b.next(by, "new session-ticket keys", now)
	n.renewTickets(now)
	return n
}

func (b *Bundle) renewTickets(now time.Time) {
	b.Tickets = Tickets{Seed: NewSecret(), Keys: []Key{newKey(b.Tickets.Keys[0].Number+1, day(now))}}
}

// WithStores replaces the addresses of the stores and of the directory: another password, or other shards.
func (b *Bundle) WithStores(stores []DSN, directory DSN, by string, now time.Time) (*Bundle, error) {
	n := b.next(by, "other addresses of the stores", now)
	n.Stores, n.Directory = slices.Clone(stores), directory
	return n, n.check()
}

// WithDomain sets the served domain.
func (b *Bundle) WithDomain(domain, by string, now time.Time) (*Bundle, error) {
	n := b.next(by, "the served domain", now)
	n.Domain = domain
	return n, n.check()
}

// WithOverride puts an actor on the node of a name; no name takes its override away.
func (b *Bundle) WithOverride(o Override, by string, now time.Time) (*Bundle, error) {
	if o.Node != "" {
		if err := CheckName(o.Node); err != nil {
			return nil, err
		}
	}
	n := b.next(by, "an override of placement", now)
	n.Overrides = slices.DeleteFunc(n.Overrides, func(x Override) bool { return x.Kind == o.Kind && x.ID == o.ID })
	if o.Node != "" {
		n.Overrides = append(n.Overrides, o)
	}
	slices.SortFunc(n.Overrides, func(x, y Override) int { return cmp.Or(strings.Compare(x.Kind, y.Kind), strings.Compare(x.ID, y.ID)) })
	return n, n.check()
}

// Revoke puts a node's name on the list of those that get nothing, and begins the rotation of all keys, also in the midst of another
// rotation. The authorities that the node knows are leaving.
func (b *Bundle) Revoke(name, by string, now time.Time) (*Bundle, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	at, found := slices.BinarySearch(b.Revoked, name)
	if found {
		return nil, fmt.Errorf("trust: %s is already revoked", name)
	}
	n := b.next(by, name+" is revoked, all keys are rotated", now)
	n.Revoked = slices.Insert(n.Revoked, at, name)
	for i := range n.Authorities {
		n.Authorities[i].Leaving = true
	}
	if err := n.renewAll(now); err != nil {
		return nil, err
	}
	return n, n.check()
}

// Readmit takes a name off that list, so that a node of this name may join again with a token.
func (b *Bundle) Readmit(name, by string, now time.Time) (*Bundle, error) {
	at, found := slices.BinarySearch(b.Revoked, name)
	if !found {
		return nil, fmt.Errorf("trust: %q is not revoked", name)
	}
	n := b.next(by, name+" may join again", now)
	n.Revoked = slices.Delete(n.Revoked, at, at+1)
	return n, nil
}

// Rotating reports whether a rotation in steps is under way.
func (b *Bundle) Rotating() bool { return len(b.Gossip) > 1 || len(b.Authorities) > 1 }

// leaving reports whether it is for a revocation.
func (b *Bundle) leaving() bool {
	return slices.ContainsFunc(b.Authorities, func(a Authority) bool { return a.Leaving })
}

// orphaned reports whether revoked nodes have the keys of all authorities: two changes beside each other came to that.
func (b *Bundle) orphaned() bool {
	return !slices.ContainsFunc(b.Authorities, func(a Authority) bool { return !a.Leaving })
}

// renewed begins the rotation of everything, also in the midst of one.
func (b *Bundle) renewed(now time.Time) (*Bundle, error) {
	n := b.next(itself, "all keys are rotated for a revocation", now)
	if err := n.renewAll(now); err != nil {
		return nil, err
	}
	return n, n.check()
}

// Lagging returns which members have an older version, sorted. members are the versions by name.
func (b *Bundle) Lagging(members map[string]uint64) []string {
	var lagging []string
	for _, name := range sortedKeys(members) {
		if members[name] < b.Version && !b.IsRevoked(name) {
			lagging = append(lagging, name)
		}
	}
	return lagging
}

// Due reports whether the next step of a rotation is due, at a node that has had this version for held: when no member lags, or, for a
// revocation, when RevocationPatience is over.
func (b *Bundle) Due(members map[string]uint64, held time.Duration) bool {
	if !b.Rotating() || held < Settle {
		return false
	}
	return len(b.Lagging(members)) == 0 || b.leaving() && held >= RevocationPatience
}

// Advance takes the next step of what is being rotated: what is installed is used, what was used before is removed. Before it every member
// must have come to this version: see Due. The step is the same at every node, so that two who take it don't disagree.
func (b *Bundle) Advance(now time.Time) (*Bundle, error) {
	if !b.Rotating() {
		return nil, errors.New("trust: nothing is being rotated")
	}
	var what []string
	gossip, authority := phaseOf(b.Gossip, keyNumber), phaseOf(b.Authorities, authorityNumber)
	switch gossip {
	case installed:
		what = append(what, "the new key of gossip is used")
	case used:
		what = append(what, "the old key of gossip is removed")
	}
	switch authority {
	case installed:
		what = append(what, "the new authority signs")
	case used:
		what = append(what, "the old authority is dropped")
	}
	n := b.next(itself, strings.Join(what, ", "), now.Truncate(time.Hour))
	switch gossip {
	case installed:
		newestFirst(n.Gossip, keyNumber)
	case used:
		n.Gossip = n.Gossip[:1]
	}
	switch authority {
	case installed:
		newestFirst(n.Authorities, authorityNumber)
	case used:
		n.Authorities = n.Authorities[:1]
	}
	return n, nil
}

// itself is who makes changes that nobody asked for.
const itself = "the cluster"

// RotateTickets makes the day's session-ticket key. It returns the same bundle if there is one. All nodes make the same key and the same
// bundle without asking each other, so it doesn't matter which is first.
func (b *Bundle) RotateTickets(now time.Time) *Bundle {
	today := day(now)
	if !today.After(b.Tickets.Keys[0].Made) {
		return b
	}
	key, seed := b.nextTicket()
	n := b.next(itself, "a new session-ticket key", today)
	n.Tickets.Seed = seed
	n.Tickets.Keys = slices.Insert(n.Tickets.Keys, 0, Key{Number: b.Tickets.Keys[0].Number + 1, Made: today, Secret: key})
	n.Tickets.Keys = n.Tickets.Keys[:min(len(n.Tickets.Keys), ticketKeys)]
	return n
}

func (b *Bundle) nextTicket() (key, seed Secret) {
	return derive(b.Tickets.Seed, "jackdaw session ticket key"), derive(b.Tickets.Seed, "jackdaw session ticket seed")
}

func derive(secret Secret, label string) Secret {
	key, err := hkdf.Expand(sha256.New, secret, label, KeySize)
	if err != nil {
		panic("trust: 32 bytes can't be derived: " + err.Error())
	}
	return key
}

// TicketKeys returns the session-ticket keys as crypto/tls's SetSessionTicketKeys takes them: the first encrypts. The last is the next
// day's, so that a ticket of a node that has changed first is understood everywhere.
func (b *Bundle) TicketKeys() [][KeySize]byte {
	var keys [][KeySize]byte
	for _, k := range b.Tickets.Keys {
		keys = append(keys, [KeySize]byte(k.Secret))
	}
	tomorrow, _ := b.nextTicket()
	return append(keys, [KeySize]byte(tomorrow))
}

// GossipDiff is what a keyring has to do to come from one bundle to another, in this order: install all, use one, remove all.
type GossipDiff struct {
	Install [][]byte
	Use     []byte
	Remove  [][]byte
}

// DiffGossip compares the keys of gossip of two bundles.
func DiffGossip(from, to *Bundle) GossipDiff {
	d := GossipDiff{Use: slices.Clone([]byte(to.Gossip[0].Secret))}
	missing := func(in, of *Bundle) (keys [][]byte) {
		for _, k := range of.Gossip {
			if !slices.ContainsFunc(in.Gossip, func(o Key) bool { return string(o.Secret) == string(k.Secret) }) {
				keys = append(keys, slices.Clone([]byte(k.Secret)))
			}
		}
		return keys
	}
	d.Install, d.Remove = missing(from, to), missing(to, from)
	return d
}

// phase is how far a rotation of one kind of key is.
type phase uint8

const (
	steady phase = iota
	installed
	used
)

// phaseOf reads it from the order of the keys: the first is used, and numbers say which is the newest.
func phaseOf[K any](keys []K, number func(K) uint32) phase {
	switch {
	case len(keys) == 1:
		return steady
	case number(keys[0]) == newest(keys, number):
		return used
	}
	return installed
}

func newest[K any](keys []K, number func(K) uint32) uint32 {
	var n uint32
	for _, k := range keys {
		n = max(n, number(k))
	}
	return n
}

// newestFirst moves the newest to the front and keeps the order of the others.
func newestFirst[K any](keys []K, number func(K) uint32) {
	n := newest(keys, number)
	at := slices.IndexFunc(keys, func(k K) bool { return number(k) == n })
	key := keys[at]
	copy(keys[1:at+1], keys[:at])
	keys[0] = key
}

func keyNumber(k Key) uint32             { return k.Number }
func authorityNumber(a Authority) uint32 { return a.Number }
