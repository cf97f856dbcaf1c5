// Package actors is what an actor is: a behaviour with a queue of its own, addressed by a Ref, run by one worker at a time.
// It has the words and the meaning of Erlang's gen_server where they apply: cast, call, info, monitor, Down, link, exit signals and
// reasons, names.
//
// Guarantees:
//   - Messages of one sender to one Ref are handled in the order in which they were cast, while the actor lives; a restart
//     keeps the Ref and the queue.
//   - A cast never blocks. Every queue is bounded: over the bound the sender gets ErrOverloaded. Answers, monitors' Downs and
//     timers have a lane of their own that user messages can't fill.
//   - No handler waits for an answer: inside an actor a call's answer comes back as the message Reply.
//   - What an actor leaves in its queue becomes dead letters, which are counted and can be watched; calls among them are
//     answered NoProc.
//   - A handler that runs for long doesn't stop the others: its worker is replaced until it returns.
//
// Every actor is a process of protoactor-go, with a queue and a worker pool of its own (docs/design/0001). A behaviour is two methods:
//
//	type counter struct{ n int }
//
//	func (c *counter) Init(ctx *actors.Context, args any) error { c.n = args.(int); return nil }
//
//	func (c *counter) Handle(ctx *actors.Context, msg any) error { c.n++; return nil }
//
// Actors are started by package supervision, never by hand.
package actors
