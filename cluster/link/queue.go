package link

import "time"

// minChunk is the room of a quiet link's chunk.
const minChunk = 16

// queue holds a link's envelopes by number, from the oldest that is not acknowledged. They lie in chunks whose places are
// written once, so that a frame is a part of a chunk and nothing is copied. A chunk is a frame's length and bytes at most;
// those that have been dropped from the queue stay in memory until their chunk is done with, which is the price.
type queue struct {
	chunks     []*chunk
	first, end uint64 // number of the oldest; one above the newest
	bytes      int
	hint       int // the chunk of the last run
}

type chunk struct {
	first     uint64
	envelopes [][]byte        // never grows beyond the room it was made with
	at        []time.Duration // when each was queued
	bytes     int
}

func (c *chunk) end() uint64 { return c.first + uint64(len(c.envelopes)) }

func (c *chunk) full(frameBytes int) bool {
	return len(c.envelopes) == cap(c.envelopes) || c.bytes >= frameBytes
}

func (q *queue) len() int { return int(q.end - q.first) }

// push adds an envelope.
func (q *queue) push(now time.Duration, envelope []byte, frameLen, frameBytes int) {
	var last *chunk
	if n := len(q.chunks); n > 0 {
		last = q.chunks[n-1]
	}
	if last == nil || last.full(frameBytes) || len(last.envelopes) > 0 && last.bytes+len(envelope) > frameBytes {
		room := min(max(q.len(), minChunk), frameLen)
		last = &chunk{first: q.end, envelopes: make([][]byte, 0, room), at: make([]time.Duration, 0, room)}
		q.chunks = append(q.chunks, last)
	}
	last.envelopes = append(last.envelopes, envelope)
	last.at = append(last.at, now)
	last.bytes += len(envelope)
	q.bytes += len(envelope)
	q.end++
}

// run returns envelopes from number seq on, up to n of them: as many as lie in one chunk. Their slice shares the chunk's.
func (q *queue) run(seq uint64, n int) [][]byte {
	if q.hint >= len(q.chunks) || q.chunks[q.hint].first > seq {
		q.hint = 0
	}
	for ; q.hint < len(q.chunks); q.hint++ {
		if c := q.chunks[q.hint]; seq < c.end() {
			i := int(seq - c.first)
			j := min(i+n, len(c.envelopes))
			return c.envelopes[i:j:j]
		}
	}
	return nil
}

// drop removes all below number seq and returns their bytes.
func (q *queue) drop(seq uint64, frameBytes int) int {
	bytes, gone := 0, 0
	for _, c := range q.chunks {
		if q.first >= seq {
			break
		}
		stop := min(seq, c.end())
		for ; q.first < stop; q.first++ {
			bytes += len(c.envelopes[q.first-c.first])
		}
		if q.first == c.end() && (gone+1 < len(q.chunks) || c.full(frameBytes)) {
			gone++
		}
	}
	if gone > 0 {
		n := copy(q.chunks, q.chunks[gone:])
		clear(q.chunks[n:])
		q.chunks = q.chunks[:n]
		q.hint = max(q.hint-gone, 0)
	}
	q.bytes -= bytes
	return bytes
}

// oldest returns when the oldest was queued.
func (q *queue) oldest() (at time.Duration, ok bool) {
	for _, c := range q.chunks {
		if q.first < c.end() && q.first < q.end {
			return c.at[q.first-c.first], true
		}
	}
	return 0, false
}

// all empties the queue and returns what was in it.
func (q *queue) all() [][]byte {
	if q.len() == 0 {
		q.chunks = nil
		return nil
	}
	all := make([][]byte, 0, q.len())
	for _, c := range q.chunks {
		if c.end() > q.first {
			all = append(all, c.envelopes[max(q.first, c.first)-c.first:]...)
		}
	}
	*q = queue{first: q.end, end: q.end}
	return all
}
