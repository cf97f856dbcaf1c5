package ident

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// UserID is a user's normalised bare JID, "local@domain" (RFC 7622). It is made by xmpp.JID.Bare and nowhere else, so
// that two spellings of one address are one UserID. The domain is part of it.
type UserID string

// Domain returns the part after the '@', or the whole id if it has none.
func (u UserID) Domain() string {
	if i := strings.IndexByte(string(u), '@'); i >= 0 {
		return string(u[i+1:])
	}
	return string(u)
}

// Local returns the part before the '@', or "" if it has none.
func (u UserID) Local() string {
	if i := strings.IndexByte(string(u), '@'); i >= 0 {
		return string(u[:i])
	}
	return ""
}

// DeviceID names one device of a user. The empty DeviceID is the account's one device, used until devices are told apart.
type DeviceID string

// GroupID is a group's normalised bare address.
type GroupID string

// NodeID is one incarnation of a node, "name@incarnation". A node that restarts has another NodeID.
type NodeID string

// Name returns the part before the last '@', which a node keeps when it restarts, or the whole id if it has none.
func (n NodeID) Name() string {
	if i := strings.LastIndexByte(string(n), '@'); i >= 0 {
		return string(n[:i])
	}
	return string(n)
}

// Incarnation returns the number behind the last '@', which is greater after each start, or 0 if there is none.
func (n NodeID) Incarnation() uint64 {
	number, err := strconv.ParseUint(string(n[strings.LastIndexByte(string(n), '@')+1:]), 10, 64)
	if err != nil {
		return 0
	}
	return number
}

// MessageID identifies one message of one mailbox or group log for ever; appending it twice stores it once.
type MessageID [16]byte

// String returns the id in hexadecimal.
func (m MessageID) String() string { return hex.EncodeToString(m[:]) }

// IsZero reports whether the id was never set.
func (m MessageID) IsZero() bool { return m == MessageID{} }

// MessageIDFrom reads an id from its 16 bytes as they travel in protobuf messages.
func MessageIDFrom(b []byte) (MessageID, error) {
	if len(b) != len(MessageID{}) {
		return MessageID{}, fmt.Errorf("ident: a message id has 16 bytes, not %d", len(b))
	}
	return MessageID(b), nil
}

// HashMessageID returns the id made of parts: the first 128 bits of SHA-256 over each part behind its length (a 32-bit
// big-endian count of bytes). A cryptographic hash, because part of its input is chosen by clients: nobody can make a
// message that is taken for a resend of somebody else's.
func HashMessageID(parts ...[]byte) MessageID {
	n := 0
	for _, p := range parts {
		n += 4 + len(p)
	}
	var room [512]byte
	buf := room[:0]
	if n > len(room) {
		buf = make([]byte, 0, n)
	}
	for _, p := range parts {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(p)))
		buf = append(buf, p...)
	}
	sum := sha256.Sum256(buf)
	return MessageID(sum[:16])
}

// Partitions is the fixed number of partitions of a cluster.
const Partitions = 4096

// Partition is one of the Partitions slices of all actors; a cluster places partitions, never single actors.
type Partition uint16

// PartitionOf returns the partition of an actor: xxh64 (seed 0) over kind, one zero byte and id, modulo Partitions. It is
// part of the on-disk format.
func PartitionOf(kind, id string) Partition {
	var room [256]byte
	buf := append(room[:0], kind...)
	buf = append(buf, 0)
	buf = append(buf, id...)
	return Partition(xxhash.Sum64(buf) % Partitions)
}
