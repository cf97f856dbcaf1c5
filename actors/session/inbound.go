package session

// inbound is the list of a client's stanzas that were received and not yet handled. It yields the longest handled prefix,
// which is what XEP-0198's h means, and the reading credit that the prefix frees. An empty one holds no memory to speak of.
type inbound struct {
	// received numbers stanzas from 1; handled is the last one of the longest handled prefix.
	received, handled uint64
	slots             []slot // of the stanzas handled+1 .. received; head first
	head              int
}

// slot is one stanza that isn't part of the prefix yet.
type slot struct {
	size  int32
	done  bool
	print uint64 // by which it is known should it come again; 0: it isn't
}

// keepSlots is the room that an empty list may keep.
const keepSlots = 8

// add takes the next stanza and returns its number.
func (in *inbound) add(size int) uint64 {
	if in.head > 0 && len(in.slots) == cap(in.slots) {
		n := copy(in.slots, in.slots[in.head:])
		in.slots, in.head = in.slots[:n], 0
	}
	in.slots = append(in.slots, slot{size: int32(size)})
	in.received++
	return in.received
}

// done marks a stanza as handled and returns how many stanzas and bytes the prefix has grown by. Numbers that are part of
// the prefix already, or were never given, change nothing.
func (in *inbound) done(n uint64) (stanzas, bytes int) {
	if n <= in.handled || n > in.received {
		return 0, 0
	}
	in.slots[in.head+int(n-in.handled-1)].done = true
	for in.head < len(in.slots) && in.slots[in.head].done {
		bytes += int(in.slots[in.head].size)
		stanzas++
		in.head++
		in.handled++
	}
	if in.head == len(in.slots) {
		in.head = 0
		if in.slots = in.slots[:0]; cap(in.slots) > keepSlots {
			in.slots = nil
		}
	}
	return stanzas, bytes
}

// mark gives a stanza that isn't part of the prefix yet its fingerprint.
func (in *inbound) mark(n, print uint64) { in.slots[in.head+int(n-in.handled-1)].print = print }

// unmark takes all fingerprints back.
func (in *inbound) unmark() {
	for i := range in.slots {
		in.slots[i].print = 0
	}
}

// prints are the fingerprints of what was received after a stanza that isn't before the prefix's last, 0 for those that have none.
func (in *inbound) prints(after uint64) (list []uint64) {
	for _, s := range in.slots[in.head+int(after-in.handled):] {
		list = append(list, s.print)
	}
	return list
}

// undone is how many stanzas aren't handled.
func (in *inbound) undone() (n int) {
	for _, s := range in.slots[in.head:] {
		if !s.done {
			n++
		}
	}
	return n
}

// pending is how many stanzas were received and aren't part of the prefix.
func (in *inbound) pending() int { return int(in.received - in.handled) }
