package store

import (
	"context"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Accounts are the users. An account owns its roster, blocks, devices, mail and memberships of groups.
type Accounts interface {
	// Create makes an account; a.Rev is ignored, and the revision of a new account is 1. ErrExists, ErrFull.
	Create(a *Account) error
	// Put makes or replaces many accounts, for imports; a.Rev is ignored. What the replaced ones own stays. Whole batches
	// of some hundred to thousand are written at once. It returns how many of them were new.
	Put(accounts []Account) (created int, err error)
	// Update replaces an account if its revision still is a.Rev, and returns the new one. ErrNotFound, ErrRevision.
	Update(a *Account) (rev uint64, err error)
	// Account returns one account with what belongs to it, in one request, or ErrNotFound.
	Account(ctx context.Context, user ident.UserID) (*Profile, error)
	// List returns up to limit accounts in ascending order of User, those after the given one ("" = from the start).
	List(ctx context.Context, after ident.UserID, limit int) ([]Account, error)
	// Remove removes an account with all that it owns, its mail included; each group it was a member of gets a new
	// revision. ErrNotFound if there is neither the account nor anything left of it: a removal that was interrupted is
	// completed by repeating it.
	Remove(user ident.UserID) error
	// Export returns all that the directory holds about a user, or ErrNotFound. The mail is read through Mail.
	Export(ctx context.Context, user ident.UserID) (*Export, error)
}

// Account is one user. Here as elsewhere, times are kept to the microsecond, in UTC.
type Account struct {
	User     ident.UserID
	SHA1     Scram // for SCRAM-SHA-1
	SHA256   Scram // for SCRAM-SHA-256 and PLAIN
	Created  time.Time
	Disabled bool   // may not log in; messages are still queued
	Rev      uint64 // grows with every change of the account
}

// Scram is what a server keeps of a password for one SCRAM mechanism (RFC 5802 section 3). The zero value is a mechanism
// the account can't use. It is a secret: it is never logged.
type Scram struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// Profile is what the directory holds about one user, but for the groups.
type Profile struct {
	Account Account
	Roster  Roster
	Blocks  []string // ascending
	Devices []Device // ascending by ID
}

// MailboxInfo is the part that the user's mailbox needs. It shares memory with the profile.
func (p *Profile) MailboxInfo() *MailboxInfo {
	m := &MailboxInfo{Exists: true, Disabled: p.Account.Disabled, Blocks: p.Blocks, Devices: p.Devices}
	for i := range p.Roster.Items {
		if item := &p.Roster.Items[i]; item.Visible() {
			m.Contacts = append(m.Contacts, item.Contact)
		}
	}
	return m
}

// Export is all that the directory holds about one user.
type Export struct {
	Profile
	Groups []ident.GroupID
}

// Devices are the registered devices of users, a set keyed by (user, id).
type Devices interface {
	// Put registers a device. One that is registered keeps its Since and gets the other values; the device as it now
	// stands is returned. ErrNotFound if there is no such account.
	Put(user ident.UserID, d Device) (Device, error)
	// Seen sets when a device was last seen. It need not be durable on return. ErrNotFound.
	Seen(user ident.UserID, id ident.DeviceID, at time.Time) error
	// Remove forgets a device. Forgetting one that isn't registered does nothing.
	Remove(user ident.UserID, id ident.DeviceID) error
	// Devices returns a user's devices in ascending order of ID.
	Devices(ctx context.Context, user ident.UserID) ([]Device, error)
}

// Device is one registered device.
type Device struct {
	ID       ident.DeviceID
	Name     string // what the client calls itself; may be empty
	Since    int64  // the mailbox's clock, in microseconds, when it was registered: rows with a higher Ord are for it
	LastSeen time.Time
	Logins   int // how often it was Put: a device seen once is forgotten sooner
}
