package pgstore_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// register is an account as the checker of histories sees it: what it holds is the number of the write that made it so.
type register struct {
	exists  bool
	rev     uint64
	content int
}

type action string

const (
	create action = "create"
	put    action = "put"
	update action = "update"
	remove action = "remove"
	read   action = "read"
)

// request is one call: of an update, rev is the revision that it is made from.
type request struct {
	action  action
	user    ident.UserID
	rev     uint64
	content int
}

// answer is what a call returned. One that is unknown may have been carried out at any time since the call, or may yet be, or never.
type answer struct {
	unknown bool
	err     error // one of store's, as it is
	created bool  // of a put
	rev     uint64
	content int
}

// do says what a request makes of an account, and its answer: what package store promises of Accounts.
func (r register) do(q request) (register, answer) {
	next := register{true, r.rev + 1, q.content} // of one that isn't there, the revision is 0
	switch q.action {
	case create:
		if r.exists {
			return r, answer{err: store.ErrExists}
		}
		return next, answer{}
	case put:
		return next, answer{created: !r.exists}
	case read:
		if r.exists {
			return r, answer{rev: r.rev, content: r.content}
		}
	case update:
		if r.exists && r.rev != q.rev {
			return r, answer{err: store.ErrRevision}
		}
		if r.exists {
			return next, answer{rev: next.rev}
		}
	case remove:
		if r.exists {
			return register{}, answer{}
		}
	}
	return r, answer{err: store.ErrNotFound}
}

func (q request) String() string {
	switch q.action {
	case update:
		return fmt.Sprintf("update %d to #%d", q.rev, q.content)
	case create, put:
		return fmt.Sprintf("%s #%d", q.action, q.content)
	}
	return string(q.action)
}

func (a answer) of(q request) string {
	switch {
	case a.unknown:
		return "?"
	case a.err != nil:
		return a.err.Error()
	case q.action == read:
		return fmt.Sprintf("%d #%d", a.rev, a.content)
	case q.action == update:
		return fmt.Sprint(a.rev)
	case a.created:
		return "created"
	}
	return "done"
}

// directoryModel is what the directory is checked against, account by account. A request whose outcome is unknown has its effect, if it can
// have one, wherever it is put in the order; as it never returns that may be at the end, where nobody sees it.
var directoryModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		of := map[ident.UserID][]porcupine.Operation{}
		for _, op := range history {
			user := op.Input.(request).user
			of[user] = append(of[user], op)
		}
		var parts [][]porcupine.Operation
		for _, user := range slices.Sorted(maps.Keys(of)) {
			parts = append(parts, of[user])
		}
		return parts
	},
	Init: func() any { return register{} },
	Step: func(state, input, output any) (bool, any) {
		next, want := state.(register).do(input.(request))
		got := output.(answer)
		return got.unknown || got == want, next
	},
	DescribeOperation: func(input, output any) string {
		q := input.(request)
		return fmt.Sprintf("%s: %v -> %s", q.user, q, output.(answer).of(q))
	},
	DescribeState: func(state any) string {
		if r := state.(register); r.exists {
			return fmt.Sprintf("%d #%d", r.rev, r.content)
		}
		return "none"
	},
}

// checkLimit is how long the search for an order may take; it takes milliseconds.
const checkLimit = 20 * time.Second

// unordered says why there is no order for a history in which each answer is right, account by account: nil if there is one for each.
func unordered(history []porcupine.Operation) (accounts []string) {
	for _, part := range directoryModel.Partition(history) {
		result := porcupine.CheckOperationsTimeout(directoryModel, part, checkLimit)
		if result == porcupine.Ok {
			continue
		}
		_, info := porcupine.CheckOperationsVerbose(directoryModel, part, checkLimit)
		var longest []porcupine.Operation
		for _, order := range info.PartialLinearizationsOperations()[0] {
			if len(order) > len(longest) {
				longest = order
			}
		}
		text := fmt.Sprintf("%s: of %d operations an order was found for %d (%s), which ends:\n", part[0].Input.(request).user, len(part), len(longest), result)
		state := directoryModel.Init()
		for i, op := range longest {
			_, state = directoryModel.Step(state, op.Input, op.Output)
			if i >= len(longest)-12 {
				text += line(op) + ", now " + directoryModel.DescribeState(state) + "\n"
			}
		}
		text += "and this can't follow:\n"
		placed := map[[2]int64]bool{}
		for _, op := range longest {
			placed[[2]int64{op.Call, op.Return}] = true
		}
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
		for _, op := range part {
			if !placed[[2]int64{op.Call, op.Return}] {
				text += line(op) + "\n"
				break
			}
		}
		accounts = append(accounts, text)
	}
	return accounts
}

// line shows an operation to people.
func line(op porcupine.Operation) string {
	end := fmt.Sprint(op.Return)
	if op.Return == never {
		end = "never"
	}
	return fmt.Sprintf("  client %d, %d to %s: %s", op.ClientId, op.Call, end, directoryModel.DescribeOperation(op.Input, op.Output))
}

// never is when an operation returns whose outcome is unknown.
const never = math.MaxInt64

// TestChecker: what the checker of histories lets pass, and what it finds.
func TestChecker(t *testing.T) {
	const user = "a@x"
	done, unknown := answer{}, answer{unknown: true}
	op := func(from, to int64, q request, a answer) porcupine.Operation {
		q.user = user
		return porcupine.Operation{Input: q, Call: from, Output: a, Return: to}
	}
	made := op(1, 2, request{action: create, content: 1}, done)
	change := func(from, to int64, rev uint64, content int, a answer) porcupine.Operation {
		return op(from, to, request{action: update, rev: rev, content: content}, a)
	}
	sees := func(from, to int64, rev uint64, content int) porcupine.Operation {
		return op(from, to, request{action: read}, answer{rev: rev, content: content})
	}
	fails := func(err error) answer { return answer{err: err} }
	none := func(from, to int64) porcupine.Operation {
		return op(from, to, request{action: read}, fails(store.ErrNotFound))
	}
	gone := func(from, to int64, a answer) porcupine.Operation { return op(from, to, request{action: remove}, a) }
	for what, c := range map[string]struct {
		right   bool
		history []porcupine.Operation
	}{
		"one life": {true, []porcupine.Operation{none(0, 0), made, sees(3, 4, 1, 1), change(5, 6, 1, 2, answer{rev: 2}), sees(7, 8, 2, 2), gone(9, 10, done), none(11, 12),
			op(13, 14, request{action: put, content: 3}, answer{created: true}), op(15, 16, request{action: put, content: 4}, done), sees(17, 18, 2, 4)}},
		"refusals": {true, []porcupine.Operation{gone(0, 0, fails(store.ErrNotFound)), made, op(3, 4, request{action: create, content: 2}, fails(store.ErrExists)),
			change(5, 6, 7, 3, fails(store.ErrRevision)), sees(7, 8, 1, 1)}},
		"reads during a change":                    {true, []porcupine.Operation{made, change(3, 10, 1, 2, answer{rev: 2}), sees(4, 5, 1, 1), sees(6, 7, 2, 2)}},
		"a stale read":                             {false, []porcupine.Operation{made, change(3, 4, 1, 2, answer{rev: 2}), sees(5, 6, 1, 1)}},
		"two reads during a change, back in time":  {false, []porcupine.Operation{made, change(3, 10, 1, 2, answer{rev: 2}), sees(4, 5, 2, 2), sees(6, 7, 1, 1)}},
		"a lost update":                            {false, []porcupine.Operation{made, change(3, 6, 1, 2, answer{rev: 2}), change(4, 7, 1, 3, answer{rev: 2})}},
		"a lost update by put":                     {false, []porcupine.Operation{made, op(3, 4, request{action: put, content: 2}, done), change(5, 6, 1, 3, answer{rev: 2})}},
		"a revision is given twice":                {false, []porcupine.Operation{made, op(3, 4, request{action: put, content: 2}, done), sees(5, 6, 1, 2)}},
		"an account is lost":                       {false, []porcupine.Operation{made, none(3, 4)}},
		"created twice":                            {false, []porcupine.Operation{made, op(1, 4, request{action: create, content: 2}, done)}},
		"removed twice":                            {false, []porcupine.Operation{made, gone(3, 5, done), gone(4, 6, done)}},
		"a removed one returns":                    {false, []porcupine.Operation{made, gone(3, 4, done), sees(5, 6, 1, 1)}},
		"a refusal without a reason":               {false, []porcupine.Operation{made, change(3, 4, 1, 2, fails(store.ErrRevision))}},
		"a value that nobody wrote":                {false, []porcupine.Operation{made, sees(3, 4, 1, 2)}},
		"an unknown outcome: never":                {true, []porcupine.Operation{made, change(3, never, 1, 2, unknown), sees(5, 6, 1, 1)}},
		"an unknown outcome: at once":              {true, []porcupine.Operation{made, change(3, never, 1, 2, unknown), sees(4, 5, 2, 2)}},
		"an unknown outcome: late":                 {true, []porcupine.Operation{made, change(3, never, 1, 2, unknown), sees(5, 6, 1, 1), sees(7, 8, 2, 2)}},
		"an unknown outcome: too late":             {true, []porcupine.Operation{made, gone(3, never, unknown), change(4, 5, 1, 2, answer{rev: 2}), sees(6, 7, 2, 2), none(8, 9)}},
		"an unknown outcome: taken back":           {false, []porcupine.Operation{made, change(3, never, 1, 2, unknown), sees(5, 6, 2, 2), sees(7, 8, 1, 1)}},
		"an unknown outcome: twice":                {false, []porcupine.Operation{made, gone(3, never, unknown), none(4, 5), op(6, 7, request{action: create, content: 2}, done), none(8, 9)}},
		"an unknown outcome: before it was called": {false, []porcupine.Operation{made, sees(3, 4, 2, 2), change(5, never, 1, 2, unknown)}},
		"an unknown outcome: from another revision": {false, []porcupine.Operation{made, change(3, 4, 1, 2, answer{rev: 2}),
			change(5, never, 1, 3, unknown), sees(6, 7, 2, 3)}},
	} {
		other := op(0, never, request{action: put, content: 9}, unknown)
		other.Input = request{action: put, user: "b@x", content: 9}
		found := unordered(append(c.history, other))
		if (found == nil) != c.right {
			t.Errorf("%s: %q", what, found)
		}
		if len(found) > 1 {
			t.Errorf("%s: the other account too: %q", what, found)
		}
	}
}

// accountOf is the account that a write makes: each part tells which one.
func accountOf(user ident.UserID, content int) store.Account {
	part := func(name string) store.Scram {
		text := fmt.Appendf(nil, "%s %d", name, content)
		return store.Scram{Salt: text, Iterations: content, StoredKey: text, ServerKey: text}
	}
	return store.Account{User: user, SHA1: part("sha1"), SHA256: part("sha256"), Created: store.FromMicros(int64(content)), Disabled: content%2 == 1}
}

// certain are the errors that answer a request; others leave its outcome unknown.
var certain = []error{store.ErrExists, store.ErrNotFound, store.ErrRevision}

// known is a call's error as an answer has it; false if it doesn't say what became of the call.
func known(err error) (error, bool) {
	if err == nil {
		return nil, true
	}
	i := slices.IndexFunc(certain, func(is error) bool { return errors.Is(err, is) })
	if i < 0 {
		return nil, false
	}
	return certain[i], true
}
