// Package statem is OTP's gen_statem: a behaviour that is a state machine. Use it for an actor that does different things in
// different states, above all if it waits in some of them: for an answer, for a time, for something that must come first.
//
// A Machine says once, for all actors of a kind, what happens: for each state a function that handles its events and, if
// wanted, one that is called as it is entered. S, its states, is any comparable type; D is the data that an actor keeps beside
// its state.
//
//	type state uint8
//
//	const (
//		locked state = iota
//		open
//	)
//
//	type door struct{ code, typed string }
//
//	var machine = &statem.Machine[state, door]{
//		Init: func(c *statem.Context[state, door], args any) (state, error) {
//			c.Data.code = args.(string)
//			return locked, nil
//		},
//		States: map[state]statem.State[state, door]{
//			locked: {Handle: typing},
//			open:   {Enter: unlock, Handle: passing},
//		},
//	}
//
//	func unlock(e *statem.Entry[state, door], old state) error {
//		e.SetTimeout(statem.StateTimeout, 10*time.Second, nil)
//		return nil
//	}
//
// What gen_statem's callbacks return, a handler says to its Context, where the last word of its kind counts:
//
//	{next_state, S, Data}       c.Next(s)                 keep_state, keep_state_and_data   nothing
//	repeat_state                c.Repeat()                postpone                          c.Postpone()
//	{next_event, T, Content}    c.NextEvent(t, content)   {reply, From, V}                  c.Reply(from, v, nil)
//	{state_timeout, T, C}       c.SetTimeout(statem.StateTimeout, t, c)
//	{timeout, T, C}             c.SetTimeout(statem.EventTimeout, t, c)
//	{{timeout, Name}, T, C}     c.SetTimeout(statem.Timeout(name), t, c)
//	{Type, cancel}              c.CancelTimeout(type)     {Type, update, C}                 c.UpdateTimeout(type, c)
//	{stop, Reason}              c.Stop(reason)            stop_and_reply                    c.Reply and c.Stop
//	change_callback_module      c.ChangeMachine(m)        a crash                           a returned error, or a panic
//
// A state without a Handle of its own uses Machine.Handle, as one without an Enter uses Machine.Enter. So States is OTP's
// state_functions, Machine.Handle alone is its handle_event_function, and a mixture is possible. With structs as states there
// is Machine.Handle, since a table would have to list all their values.
//
// What follows an event, in this order (a transition):
//
//  1. Replies are sent.
//  2. If the state changes, is the first one or is repeated, the enter call is made; what it asks for counts as said after
//     what the handler asked for. It can't postpone, insert events or change the state: its Entry has no such methods.
//  3. A postponed event is kept.
//  4. If the state changes, all postponed events are to be handled again, oldest first, before whatever else waits. Only a
//     different state (!=) is a change. A change of the data is none: what decides which events can be handled belongs into S.
//  5. Events of NextEvent are put before all that waits, in their order.
//  6. Timeouts are set and cancelled. A change of the state cancels the StateTimeout that ran; one that was set in this
//     transition belongs to the new state. Any event cancels an EventTimeout, an inserted or retried one as well.
//  7. Waiting events are handled, then timeouts of zero, in the order in which they were set, and only then what the actor is
//     sent.
//
// A timeout runs until it fires, is set again or cancelled; times are those of actors.Context.SendAfter. A crash takes state,
// data, timeouts and all events that the machine has taken from the queue with it; the next life begins with Init. Calls among
// them, and those that a handler has taken and not answered, are answered actors.ErrCrashed, or actors.ErrNoProc if the machine
// ends for good.
//
// Nothing grows without bound: see Machine.PostponeLen and ErrInserted. A machine at rest takes 32 bytes besides its state and
// data, and 64 for each running timeout.
package statem
