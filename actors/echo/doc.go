// Package echo is the worked example of a behaviour: it sends every text back to whoever sent it to echo@DOMAIN. Read it
// first; every other actor here is the same with more to say.
//
// For readers of gen_server:
//
//   - Spec is the child spec (spec.go). node/tree.go has it in its list; its supervisor starts it, and starts it anew after a
//     crash, under the same Ref and with the same queue. Ref, {Kind, id}, is the registered name.
//   - Init is init/1. It gets a fresh value each time: what a crash must not lose isn't kept here.
//   - Handle is handle_cast/2 and handle_info/2 in one: it gets one message at a time, and may never wait. A returned error, or
//     a panic, is a crash. There is no handle_call/3, because nobody calls an echo: see actors.CallHandler.
//   - ctx.Cast is gen_server:cast, ctx.SendAfter is erlang:send_after. Casts can be refused, since every queue is bounded.
//
// What happens, step by step:
//
//  1. A session casts *nodepb.Deliver, as it would to a user's mailbox, since its Config maps echo@DOMAIN to Ref. It keeps the
//     message and casts it again until it hears an Outcome.
//  2. So the same message may come twice, or too early when one before it was lost on the way. mailbox.Endpoint looks at the
//     numbers in it (Take): a resend is answered again but not echoed again, what comes too early is answered GAP, and with
//     too much under way the session hears LATER: nothing queues up without bound.
//  3. The answer is made by a pure function (answer, state.go): no clock, no actor, easy to test. Chat states and receipts have
//     no text and get no echo. Errors never get one: two programs that answer each other's errors never stop.
//  4. Now the echo is itself a sender. The endpoint numbers the answer (Send) and keeps it until the user's mailbox has it for
//     good. It hears mailboxes' outcomes and its own timer through Handle.
//
// A crash loses the answers under way, and nothing that a user has sent: the sessions still keep what was not answered OK.
package echo
