package link

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

const (
	// doubtAfter is how long a peer may acknowledge nothing of what waits for that before it is asked, directly.
	doubtAfter = 1500 * time.Millisecond
	// settle is how long the answer may take before others are asked to help.
	settle = 500 * time.Millisecond
	// askEvery is the pause between questions while a detour is taken, and the first one while none is found; it doubles up to askMost.
	askEvery = time.Second
	askMost  = 4 * time.Second
	// fresh is how long after its question an answer counts, and how long what it says is believed.
	fresh = 2 * time.Second
	// lostAfter is how long a detour may give no answer before another one is looked for.
	lostAfter = 2500 * time.Millisecond
	// directly is how many questions in a row have to be answered directly before a detour is left.
	directly = 2
	// helpers is how many others are asked at once.
	helpers = 3
	// openQuestions is how many questions may be open; of more the oldest are given up.
	openQuestions = 16
)

// direct is the way to a peer itself. Every other way is the node that passes frames on.
const direct ident.NodeID = ""

// path is the way that frames to one peer take, a value: time, questions' answers and what the links notice in, a way and questions out.
// A way is good if a question that was sent by it comes back answered by it, so a cut of one direction makes both useless, as it does for a TCP
// connection.
//
//	calm     frames go directly, and are acknowledged. Nothing is asked.
//	asking   frames go directly, and nothing comes of it: the peer is asked, from the second question on by others as well.
//	detour   frames go by another node. It is asked on, and so is the direct way, which wins.
type path struct {
	via    ident.NodeID
	since  time.Duration // it is via
	asking bool
	rounds int           // of asking, or of a detour that gives no answer
	next   time.Duration // when to ask, if asking or on a detour
	sure   time.Duration // when the way was good at last; before it was ever asked, long ago
	inRow  int           // questions answered directly, one after the other, on a detour
	number uint64        // of the last question
	open   []question
	// changes counts other ways than before.
	changes uint64
}

// question is one that has no answer yet.
type question struct {
	by     ident.NodeID
	number uint64
	at     time.Duration
}

// newPath is the direct way. Questions are numbered from one above number, so that answers to those of an earlier epoch are none to these.
func newPath(now time.Duration, number uint64) path {
	return path{since: now, sure: now - time.Hour, number: number}
}

// excuse takes that the peer can't be asked now.
func (p *path) excuse(now time.Duration) { p.sure, p.next = now, now+askMost }

// calm reports whether frames go directly, without doubt.
func (p *path) calm() bool { return p.via == direct && !p.asking }

// deadline returns when tick has something to do. stuck is since when nothing that was sent has been acknowledged; never: nothing waits for that.
func (p *path) deadline(stuck time.Duration) time.Duration {
	switch {
	case !p.calm():
		return p.next
	case stuck == never:
		return never
	}
	return max(stuck, p.sure) + doubtAfter
}

// tick returns the questions that are due. others are the nodes that could help, the best first.
func (p *path) tick(now, stuck time.Duration, others []ident.NodeID) []question {
	if now < p.deadline(stuck) {
		return nil
	}
	from := len(p.open)
	switch {
	case p.calm():
		p.asking, p.rounds, p.next = true, 0, now+settle
		p.ask(now, direct)
	case p.via == direct && (stuck == never || now-stuck < doubtAfter): // acknowledged meanwhile
		p.asking = false
		return nil
	case p.via == direct:
		p.ask(now, direct)
		p.askSome(now, others)
	default:
		if p.waits(direct) {
			p.inRow = 0
		}
		p.next = now + askEvery
		p.ask(now, direct)
		p.ask(now, p.via)
		if now-p.sure >= lostAfter {
			p.askSome(now, slices.DeleteFunc(slices.Clone(others), func(id ident.NodeID) bool { return id == p.via }))
		} else {
			p.rounds = 0
		}
	}
	return p.latest(from)
}

// ask opens a question.
func (p *path) ask(now time.Duration, by ident.NodeID) {
	p.number++
	p.open = append(p.open, question{by, p.number, now})
}

// latest returns the questions opened since there were so many, and forgets the oldest of too many.
func (p *path) latest(from int) []question {
	list := slices.Clone(p.open[from:])
	p.open = slices.Delete(p.open, 0, max(0, len(p.open)-openQuestions))
	return list
}

// askSome asks a few nodes after those asked in the round before.
func (p *path) askSome(now time.Duration, others []ident.NodeID) {
	for i := range min(helpers, len(others)) {
		p.ask(now, others[(p.rounds*helpers+i)%len(others)])
	}
	p.next = now + min(askEvery<<min(p.rounds, 8), askMost)
	p.rounds++
}

// waits reports whether a question by that way is open.
func (p *path) waits(by ident.NodeID) bool {
	return slices.ContainsFunc(p.open, func(q question) bool { return q.by == by })
}

// answered takes an answer, and reports whether the way in use is known to be good, which it wasn't in any case, and whether it is another one now.
func (p *path) answered(now time.Duration, number uint64) (good, changed bool) {
	i := slices.IndexFunc(p.open, func(q question) bool { return q.number == number })
	if i < 0 {
		return false, false
	}
	q := p.open[i]
	// What was asked before by the same way needs no answer any more.
	p.open = slices.DeleteFunc(p.open, func(x question) bool { return x.by == q.by && x.number <= number })
	if now-q.at > fresh {
		if q.by == direct {
			p.inRow = 0
		}
		return false, false
	}
	switch {
	case q.by == p.via:
		p.sure, p.asking = now, false
		return true, false
	case q.by == direct:
		if p.inRow++; p.inRow < directly {
			return false, false
		}
	case p.via == direct && !p.asking, p.via != direct && now-p.sure < lostAfter:
		return false, false
	}
	p.take(now, q.by)
	return true, true
}

// hinted takes that the peer's frames come by another node: by its measure, the direct way is no good. It reports whether the way is another one now.
func (p *path) hinted(now time.Duration, by ident.NodeID) bool {
	if by == p.via {
		return false
	}
	if p.via == direct && now-p.sure < fresh || p.via != direct && now-p.sure < lostAfter {
		return false
	}
	p.take(now, by)
	return true
}

// gone takes that a node can't pass anything on any more. It reports whether the way is another one now.
func (p *path) gone(now time.Duration, by ident.NodeID) bool {
	if p.via != by || by == direct {
		return false
	}
	p.take(now, direct)
	p.sure, p.asking, p.next = now-time.Hour, true, now
	return true
}

// take changes the way.
func (p *path) take(now time.Duration, by ident.NodeID) {
	p.via, p.since, p.sure = by, now, now
	p.asking, p.rounds, p.inRow, p.next = false, 0, 0, now+askEvery
	p.changes++
}
