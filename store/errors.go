package store

import (
	"errors"
	"slices"
)

// The errors that callers branch on, by errors.Is. An engine wraps them with what a person needs to know (which folder,
// how many bytes, what to do); any other error of a write means that its outcome is unknown and that it may be repeated.
var (
	// ErrFull refuses what would make the store grow while the disk is nearly full: first appends (of mail and group
	// logs), new accounts and new groups; when hardly anything is left every change but acks and removals. Nothing of
	// the call was stored. It passes by itself once there is room: repeat later, or answer the sender with a refusal.
	ErrFull = errors.New("store: the disk is nearly full, so new messages are refused until there is room")
	// ErrRevision refuses a change made from an outdated view. Nothing was stored: read again and decide again.
	ErrRevision = errors.New("store: somebody else has changed this since it was read")
	// ErrNotFound says that the account, group, device or contact does not exist.
	ErrNotFound = errors.New("store: no such entry")
	// ErrExists refuses to make what exists already.
	ErrExists = errors.New("store: the entry exists already")
	// ErrInvalid refuses an id or a value that can't be stored. Nothing of the call was stored, and repeating it is useless.
	ErrInvalid = errors.New("store: invalid value")
	// ErrUnfinished refuses to delete a group whose log holds messages that not every member has yet.
	ErrUnfinished = errors.New("store: the group has messages on their way to its members")
	// ErrClosed answers calls after Close.
	ErrClosed = errors.New("store: closed")
)

// The errors of opening a store. Their wrapped text names the folder or server.
var (
	// ErrLocked says that another process uses the same folder.
	ErrLocked = errors.New("store: another process uses this data folder; stop it, or choose another folder")
	// ErrNewer says that a newer version of the program wrote the store.
	ErrNewer = errors.New("store: written by a newer version of jackdaw; use that version, or restore a backup made before the upgrade")
	// ErrCorrupt says that stored data can't be read as it was written. Nothing is repaired silently.
	ErrCorrupt = errors.New("store: stored data is damaged; check the disk, keep a copy of the folder, and restore a backup")
)

// IsOwn reports whether err is, or wraps, an error of this package that an engine's method may answer with, so that nothing more has to be
// said with it.
func IsOwn(err error) bool {
	return slices.ContainsFunc([]error{ErrRevision, ErrNotFound, ErrExists, ErrInvalid, ErrUnfinished, ErrFull, ErrCorrupt, ErrClosed},
		func(own error) bool { return errors.Is(err, own) })
}
