package statem_test

import (
	"context"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/statem"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// The states of a door with a code lock, the example of OTP's design principles.
type doorState uint8

const (
	locked doorState = iota
	open
)

func (s doorState) String() string { return [...]string{"locked", "open"}[s] }

// codeLock is what a door keeps beside its state.
type codeLock struct {
	code, typed string
	says        chan<- string
}

// What the door is sent.
type (
	button     string   // a cast
	codeLength struct{} // a request
)

type (
	doorContext = statem.Context[doorState, codeLock]
	doorEntry   = statem.Entry[doorState, codeLock]
)

// The door forgets what was typed half a minute ago, and closes soon.
const (
	forgetAfter = 30 * time.Second
	closeAfter  = 20 * time.Millisecond
)

var doorMachine = &statem.Machine[doorState, codeLock]{
	Init: func(c *doorContext, args any) (doorState, error) {
		*c.Data = args.(codeLock)
		return locked, nil
	},
	States: map[doorState]statem.State[doorState, codeLock]{
		locked: {
			Enter: func(e *doorEntry, _ doorState) error {
				e.Data.typed = ""
				e.Data.says <- "the door is locked"
				return nil
			},
			Handle: whileLocked,
		},
		open: {
			Enter: func(e *doorEntry, _ doorState) error {
				e.Data.says <- "the door is open"
				e.SetTimeout(statem.StateTimeout, closeAfter, nil)
				return nil
			},
			Handle: whileOpen,
		},
	},
}

func whileLocked(c *doorContext, ev statem.Event) error {
	b, pressed := ev.Content.(button)
	switch {
	case ev.Type == statem.StateTimeout:
		c.Data.typed = ""
	case pressed:
		c.Data.typed += string(b)
		c.SetTimeout(statem.StateTimeout, forgetAfter, nil)
		if c.Data.typed == c.Data.code {
			c.Next(open)
			c.CancelTimeout(statem.StateTimeout) // the enter call sets the open door's own
		}
	default:
		return inAnyState(c, ev)
	}
	return nil
}

func whileOpen(c *doorContext, ev statem.Event) error {
	_, pressed := ev.Content.(button)
	switch {
	case ev.Type == statem.StateTimeout:
		c.Next(locked)
	case pressed:
		c.Postpone() // it is for the locked door
	default:
		return inAnyState(c, ev)
	}
	return nil
}

func inAnyState(c *doorContext, ev statem.Event) error {
	if _, ok := ev.Content.(codeLength); ok {
		c.Reply(ev.From, len(c.Data.code), nil)
		return nil
	}
	return fmt.Errorf("door: what is a %v of type %T?", ev.Type, ev.Content)
}

// A door opens for whoever knows its code, and closes by itself. What is typed while it is open counts afterwards.
func Example() {
	ctx := context.Background()
	sys := actors.NewSystem(actors.Config{})
	if err := sys.Start(); err != nil {
		panic(err)
	}
	says := make(chan string, 10)
	root, err := supervision.StartRoot(sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{
		supervision.Actor("door", statem.Spec("door", doorMachine), codeLock{code: "17", says: says}),
	}})
	if err != nil {
		panic(err)
	}
	door := actors.Ref{Kind: "door", ID: "door"}

	n, err := sys.Call(ctx, door, codeLength{})
	fmt.Println("digits:", n, err)
	for _, b := range []button{"1", "7", "1", "7"} {
		if err := sys.Cast(door, b); err != nil {
			panic(err)
		}
	}
	for range 5 {
		fmt.Println(<-says)
	}

	if err := root.Stop(ctx); err != nil {
		panic(err)
	}
	if err := sys.Stop(ctx); err != nil {
		panic(err)
	}
	// Output:
	// digits: 2 <nil>
	// the door is locked
	// the door is open
	// the door is locked
	// the door is open
	// the door is locked
}
