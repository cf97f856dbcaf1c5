package store

import (
	"fmt"
	"strings"

	"github.com/jackdaw-im/jackdaw/ident"
)

// The bounds of what can be stored.
const (
	MaxID   = 3071      // bytes of a user, group, device or contact id: the longest JID (RFC 7622: 1023+1+1023+1+1023)
	MaxBody = 256 << 20 // bytes of a body; the server's own limits are far lower
)

// CheckID returns an ErrInvalid that names what if id is empty, too long, or holds a zero byte.
func CheckID(what, id string) error {
	if id == "" {
		return fmt.Errorf("%w: empty %s", ErrInvalid, what)
	}
	return checkOptionalID(what, id)
}

func checkOptionalID(what, id string) error {
	if len(id) > MaxID {
		return fmt.Errorf("%w: a %s of %d bytes is over the limit of %d", ErrInvalid, what, len(id), MaxID)
	}
	if strings.IndexByte(id, 0) >= 0 {
		return fmt.Errorf("%w: a zero byte in a %s", ErrInvalid, what)
	}
	return nil
}

// CheckDevice returns an ErrInvalid if a device id can't be stored. The empty one can.
func CheckDevice(id ident.DeviceID) error { return checkOptionalID("device id", string(id)) }

// CheckMembers returns an ErrInvalid that names the first member who can't be stored, if there is one.
func CheckMembers(members []Member) error {
	for i := range members {
		if err := CheckID("member", string(members[i].User)); err != nil {
			return err
		}
	}
	return nil
}

// Validate returns an ErrInvalid if the append can't be stored.
func (a *Append) Validate() error {
	if err := CheckID("mailbox", string(a.Mailbox)); err != nil {
		return err
	}
	if err := checkOptionalID("sender", string(a.Sender)); err != nil {
		return err
	}
	return checkBody(a.Body)
}

func checkBody(b []byte) error {
	if len(b) > MaxBody {
		return fmt.Errorf("%w: a body of %d bytes is over the limit of %d", ErrInvalid, len(b), MaxBody)
	}
	return nil
}

// Validate returns an ErrInvalid if the ack can't be stored.
func (a *Ack) Validate() error {
	if err := CheckID("mailbox", string(a.Mailbox)); err != nil {
		return err
	}
	return CheckDevice(a.Device)
}

// Validate returns the first ErrInvalid of the batch's items.
func (b *Batch) Validate() error {
	for i := range b.Appends {
		if err := b.Appends[i].Validate(); err != nil {
			return err
		}
	}
	for i := range b.Acks {
		if err := b.Acks[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate returns an ErrInvalid if the append can't be stored.
func (a *GroupAppend) Validate() error {
	if err := CheckID("group", string(a.Group)); err != nil {
		return err
	}
	if err := checkOptionalID("sender", string(a.Sender)); err != nil {
		return err
	}
	return checkBody(a.Body)
}

// Validate returns the first ErrInvalid of the batch's items.
func (b *GroupBatch) Validate() error {
	for i := range b.Appends {
		if err := b.Appends[i].Validate(); err != nil {
			return err
		}
	}
	for i := range b.Done {
		if err := CheckID("group", string(b.Done[i].Group)); err != nil {
			return err
		}
	}
	return nil
}
