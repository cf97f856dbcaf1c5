package top

// Key is one key of the screen.
type Key uint8

// The keys.
const (
	NoKey Key = iota
	SortQueue
	SortAge
	SortMessages
	SortRestarts
	Pause
	Up
	Down
	PageUp
	PageDown
	Home
	End
	Quit
)

// SortBy is the key that sorts by queue, age, messages or restarts.
func SortBy(word string) (Key, bool) {
	k, ok := map[string]Key{"queue": SortQueue, "age": SortAge, "messages": SortMessages, "restarts": SortRestarts}[word]
	return k, ok
}

// typed are the keys that are one byte. A lone escape is none: over a slow line it may be the beginning of an arrow.
var typed = map[byte]Key{
	'q': SortQueue, 'a': SortAge, 'm': SortMessages, 'r': SortRestarts, 'p': Pause, ' ': Pause,
	'k': Up, 'j': Down, 'g': Home, 'G': End, 'x': Quit, 'Q': Quit, 3: Quit, 4: Quit,
}

// sequences are those that begin with an escape and a '[' or 'O'.
var sequences = map[string]Key{
	"A": Up, "B": Down, "H": Home, "F": End, "1~": Home, "4~": End, "5~": PageUp, "6~": PageDown, "21~": Quit,
}

// keyboard makes keys of what a terminal sends. A sequence may come in pieces.
type keyboard struct {
	escaped  bool // an escape has come
	sequence bool // and a '[' or 'O'
	so       []byte
}

// maxSequence is longer than any sequence that means something.
const maxSequence = 16

// next takes one byte.
func (k *keyboard) next(b byte) Key {
	switch {
	case b == 27:
		*k = keyboard{escaped: true}
		return NoKey
	case k.sequence:
		k.so = append(k.so, b)
		if b >= 0x40 && b <= 0x7e || len(k.so) > maxSequence {
			key := sequences[string(k.so)]
			*k = keyboard{}
			return key
		}
		return NoKey
	case k.escaped:
		*k = keyboard{sequence: b == '[' || b == 'O'}
		if k.sequence {
			return NoKey
		}
	}
	return typed[b]
}
