package mailbox

import (
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// effects is what the pure state asks for. One is borrowed for a turn.
type effects struct {
	// now is the time of the handler.
	now time.Time
	// givenUp is Config.GivenUp then.
	givenUp uint64

	// take is a message for which the lane must have room: state.taken or state.notTaken follows at once.
	take *taking
	// load asks the lane for the index; loadFailed follows if it has no room.
	load bool
	// ask asks the account who the user is, and lookUp the directory; asked follows.
	ask, lookUp bool
	// loadAgain does so while the mailbox runs; reloadFailed follows.
	loadAgain bool
	// flush asks the lane for word once it has nothing of the mailbox left; flushFailed follows.
	flush bool
	// purge asks the lane to remove all rows; purgeFailed follows if it has no room.
	purge  bool
	reads  []readAsked
	sends  []send
	watch  []actors.Ref // sessions to monitor
	forget []actors.Ref // sessions to monitor no longer
}

// taking is a message on its way into the lane.
type taking struct {
	append lane.Append
	row    *row
	from   waiter
	d      *nodepb.Deliver
}

// readAsked asks for bodies; readFailed follows if the lane has no room.
type readAsked struct {
	tag uint64
	ids []ident.MessageID
}

// send is a message to another actor.
type send struct {
	to  actors.Ref
	msg any
	// answer says that its room is reserved.
	answer bool
	// refused, if set, hears that there was no room.
	refused func(fx *effects)
}

var effectsPool = sync.Pool{New: func() any { return new(effects) }}

func (fx *effects) answer(to actors.Ref, msg any) {
	fx.sends = append(fx.sends, send{to: to, msg: msg, answer: true})
}

func (fx *effects) cast(to actors.Ref, msg any, refused func(fx *effects)) {
	fx.sends = append(fx.sends, send{to: to, msg: msg, refused: refused})
}

// reset forgets everything but the room.
func (fx *effects) reset() {
	clear(fx.reads)
	clear(fx.sends)
	clear(fx.watch)
	clear(fx.forget)
	*fx = effects{reads: fx.reads[:0], sends: fx.sends[:0], watch: fx.watch[:0], forget: fx.forget[:0]}
}
