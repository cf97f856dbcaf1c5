package session

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// effects is what the pure state asks for: bytes, casts, calls. One is borrowed for a turn, so that a session holds no
// buffers between turns.
type effects struct {
	// now is the time of the turn.
	now time.Time

	// out is the data for the client; stanzas and bytes are the credit freed, and the flags those of Out.
	out            []byte
	stanzas, bytes int
	authed         bool
	restart        bool
	close          bool

	casts []cast
	calls []call
	watch []actors.Ref
	// stop ends the actor.
	stop bool
}

// cast is a message to another actor.
type cast struct {
	to  actors.Ref
	msg any
	// room says that the message's room was reserved: answers, and the few messages of a session's own life.
	room bool
	// from is set where an asynchronous call is answered instead of casting.
	from *actors.From
	// refused, if set, hears of a cast that was refused.
	refused func(fx *effects)
}

// call is a request to another actor. done gets the answer on a later turn.
type call struct {
	to      actors.Ref
	req     any
	timeout time.Duration
	done    func(fx *effects, value any, err error)
}

func (fx *effects) cast(to actors.Ref, msg any) {
	fx.casts = append(fx.casts, cast{to: to, msg: msg})
}

// answer casts a message that can't be refused for want of room.
func (fx *effects) answer(to actors.Ref, msg any) {
	fx.casts = append(fx.casts, cast{to: to, msg: msg, room: true})
}

// reply answers a call.
func (fx *effects) reply(to actors.From, v any) {
	fx.casts = append(fx.casts, cast{from: &to, msg: v})
}

func (fx *effects) call(to actors.Ref, req any, timeout time.Duration, done func(fx *effects, value any, err error)) {
	fx.calls = append(fx.calls, call{to: to, req: req, timeout: timeout, done: done})
}

// text appends to the data for the client.
func (fx *effects) text(parts ...string) {
	for _, p := range parts {
		fx.out = append(fx.out, p...)
	}
}

// reset forgets everything but the room. Big buffers are not kept.
func (fx *effects) reset() {
	out := fx.out[:0]
	if cap(out) > maxKeptBuffer {
		out = nil
	}
	clear(fx.casts)
	clear(fx.calls)
	*fx = effects{out: out, casts: fx.casts[:0], calls: fx.calls[:0], watch: fx.watch[:0]}
}

// maxKeptBuffer is the largest buffer that goes back to the pool.
const maxKeptBuffer = 64 << 10
