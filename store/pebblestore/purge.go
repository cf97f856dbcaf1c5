package pebblestore

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// purgeChunk is how many rows are deleted in one batch at most.
const purgeChunk = 4096

// Purge implements store.Mail.
func (m mail) Purge(mailbox ident.UserID) (int, error) {
	if err := store.CheckID("mailbox", string(mailbox)); err != nil {
		return 0, err
	}
	mu := &m.mailMu[store.MailPartition(mailbox)]
	total := 0
	for {
		n := 0
		err := m.update(none, mu, func(b *pebble.Batch) error {
			var err error
			n, err = m.purge(b, mailbox, purgeChunk)
			return err
		})
		total += n
		if err != nil || n < purgeChunk {
			return total, err
		}
	}
}

// purge deletes up to limit rows of a mailbox, with their bodies, and with the last of them all of its acknowledgements.
func (e *Engine) purge(b *pebble.Batch, mailbox ident.UserID, limit int) (int, error) {
	n := 0
	err := e.prefix(appendMailbox(nil, tagMail, store.MailPartition(mailbox), mailbox), func(k, _ []byte) (bool, error) {
		if err := b.Delete(k, nil); err != nil {
			return false, err
		}
		body := append([]byte(tagBody), k[len(tagMail):]...)
		n++
		return n < limit, b.Delete(body, nil)
	})
	if err != nil || n == limit {
		return n, err
	}
	return n, e.deletePrefix(b, pair(tagAck, string(mailbox), ""), nil)
}

// deletePrefix deletes every key that begins with prefix, after passing it to each (which may be nil).
func (e *Engine) deletePrefix(b *pebble.Batch, prefix []byte, each func(key []byte) error) error {
	return e.prefix(prefix, func(k, _ []byte) (bool, error) {
		if each != nil {
			if err := each(k); err != nil {
				return false, err
			}
		}
		return true, b.Delete(k, nil)
	})
}
