package store

import (
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Engine is one opened store. Its parts may be used until Close, and by any number of goroutines.
type Engine interface {
	// Mail returns the users' durable queues.
	Mail() Mail
	// Claims returns the ownership of partitions.
	Claims() Claims
	// GroupLog returns the messages of groups.
	GroupLog() GroupLog
	// Directory returns accounts, rosters, devices and groups.
	Directory() Directory
	// Info says what the engine is and can do. It is constant while the engine is open.
	Info() Info
	// Health says how the engine is right now. It is cheap, and never waits for a disk or a network.
	Health() Health
	// Close waits for running calls, makes everything durable and gives the store free. Calls after it return ErrClosed.
	Close() error
}

// Directory groups what is known about users and groups, as opposed to their messages.
type Directory interface {
	// Accounts returns the users' accounts.
	Accounts() Accounts
	// Rosters returns the users' contacts and blocks.
	Rosters() Rosters
	// Devices returns the users' registered devices.
	Devices() Devices
	// Groups returns the groups and their members.
	Groups() Groups
}

// Info describes an engine.
type Info struct {
	Name          string // for people: "pebble /var/lib/jackdaw/store"
	SchemaVersion int    // of the stored data, after any migration at opening
	Capabilities
}

// Capabilities say what an engine is fit for. A cluster of more than one node needs Shared, and should have Replicated.
type Capabilities struct {
	Shared     bool // several nodes may open the same store at once
	Replicated bool // what is acknowledged survives the loss of one machine with its disk
	Durable    bool // what is acknowledged survives the end of the process
}

// State is the one word of Health.
type State int

// The states of an engine.
const (
	Serving State = iota // everything works
	Full                 // appends and new accounts are refused with ErrFull; reads, acks and removals go on
	Failed               // the store can't go on; the process ends or must be ended
	Held                 // a part of the store is away or not replicated: what needs it is refused until it is back; heals itself
)

// String returns the state as /readyz prints it.
func (s State) String() string {
	switch s {
	case Serving:
		return "serving"
	case Full:
		return "full"
	case Failed:
		return "failed"
	case Held:
		return "held"
	}
	return "unknown"
}

// Health is how an engine is at one moment.
type Health struct {
	State  State
	Reason string // why it isn't Serving, for an operator; while it is, usually empty, or what is not as it should be
	Free   uint64 // bytes that the disk has left, as last looked at; 0 if the engine can't tell
}

// MailKind is the kind that a mailbox's partition is made of, as in ident.PartitionOf(MailKind, user). It is part of the
// on-disk format.
const MailKind = "mailbox"

// MailPartition returns the partition of a user's mailbox. A node with n mail lanes gives a mailbox lane
// MailPartition(mailbox) % n: engines lock by partition, so lanes chosen so never wait for each other.
func MailPartition(mailbox ident.UserID) ident.Partition {
	return ident.PartitionOf(MailKind, string(mailbox))
}

// Micros returns a time as stores keep it: microseconds since 1970, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros returns the time, in UTC, that Micros made us of.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// ExpiryOf returns when a row with the given TTL expires if it is stored now: 0, never, if ttl is 0 or less.
func ExpiryOf(now time.Time, ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return max(now.Add(ttl).UnixMicro(), 1)
}
