package pebblestore

import (
	"bytes"
	"encoding/binary"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// The ranges of keys. They are part of the on-disk format.
const (
	tagMail    = "m|"
	tagBody    = "b|"
	tagAck     = "k|"
	tagLog     = "l|"
	tagAccount = "a|"
	tagDevice  = "d|"
	tagRoster  = "r|"
	tagBlock   = "x|"
	tagGroup   = "g|"
	tagMember  = "gm|"
	tagJoined  = "ug|"
	keySchema  = "s|schema"
)

const idLen = len(ident.MessageID{})

// appendMailbox appends the prefix of all keys of one mailbox in the range tag, tagMail or tagBody.
func appendMailbox(dst []byte, tag string, p ident.Partition, mailbox ident.UserID) []byte {
	dst = append(dst, tag...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(p))
	dst = append(dst, mailbox...)
	return append(dst, 0)
}

// pair returns the key of (owner, name) in the range tag; with an empty name it is the prefix of all of an owner's keys.
func pair(tag, owner, name string) []byte {
	k := make([]byte, 0, len(tag)+len(owner)+1+len(name))
	k = append(k, tag...)
	k = append(k, owner...)
	k = append(k, 0)
	return append(k, name...)
}

// single returns the key of an id in the range tag.
func single(tag, id string) []byte { return append([]byte(tag), id...) }

// after returns the end of the range of keys that begin with prefix. The prefix's last byte is never 0xff.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	end[len(end)-1]++
	return end
}

// partitionRange returns the range of all mail keys of a partition.
func partitionRange(p ident.Partition) (lower, upper []byte) {
	lower = binary.BigEndian.AppendUint16([]byte(tagMail), uint16(p))
	if uint32(p)+1 > 0xffff {
		return lower, after([]byte(tagMail))
	}
	return lower, binary.BigEndian.AppendUint16([]byte(tagMail), uint16(p)+1)
}

// splitMail takes a key of the range tagMail apart.
func splitMail(key []byte) (ident.UserID, ident.MessageID, error) {
	const head = len(tagMail) + 2
	if len(key) < head+1+1+idLen || key[len(key)-idLen-1] != 0 {
		return "", ident.MessageID{}, corrupt("a mail key of %d bytes", len(key))
	}
	return ident.UserID(key[head : len(key)-idLen-1]), ident.MessageID(key[len(key)-idLen:]), nil
}

// splitPair takes a key made by pair apart.
func splitPair(tag string, key []byte) (owner, name []byte, err error) {
	rest := bytes.TrimPrefix(key, []byte(tag))
	owner, name, ok := bytes.Cut(rest, []byte{0})
	if !ok || len(rest) == len(key) {
		return nil, nil, corrupt("a key of %d bytes in the range %q", len(key), tag)
	}
	return owner, name, nil
}

// appendAck appends the prefix of the acknowledgements of one row.
func appendAck(dst []byte, mailbox ident.UserID, id ident.MessageID) []byte {
	dst = append(dst, tagAck...)
	dst = append(dst, mailbox...)
	dst = append(dst, 0)
	return append(dst, id[:]...)
}

// logKey returns the key of an entry of a group's log.
func logKey(gid ident.GroupID, id ident.MessageID) []byte {
	return append(pair(tagLog, string(gid), ""), id[:]...)
}

// partitionSet is a set of partitions, kept so that locks are taken in ascending order without sorting.
type partitionSet [ident.Partitions / 64]uint64

func (s *partitionSet) add(mailbox ident.UserID) ident.Partition {
	p := store.MailPartition(mailbox)
	s[p/64] |= 1 << (p % 64)
	return p
}
