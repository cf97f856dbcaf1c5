package statem

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
)

// program is an event that says what its handler asks for, each time that it is handled.
type program struct {
	id     int
	visits [][]order
	count  int // of the machine under test
}

// order is one thing to ask for.
type order struct {
	word string
	s    string
	t    Type
	d    time.Duration
	p    *program
}

func (o order) String() string {
	switch o.word {
	case "next":
		return "next " + o.s
	case "set":
		return fmt.Sprintf("set %v %v %v", o.t, o.d, o.p)
	case "update", "insert":
		return fmt.Sprintf("%s %v %v", o.word, o.t, o.p)
	case "cancel":
		return fmt.Sprintf("cancel %v", o.t)
	}
	return o.word
}

func (p *program) String() string { return fmt.Sprintf("#%d%v", p.id, p.visits) }

// visit is what is asked for at the nth time.
func (p *program) visit(n int) []order {
	if n < len(p.visits) {
		return p.visits[n]
	}
	return nil
}

// world are the programs of one history: those of events, and those of the enter calls of the states.
type world struct {
	programs int
	enter    map[string]*program
}

var timeoutTypes = []Type{StateTimeout, EventTimeout, idle, other}

// orders draws what a handler asks for; deep is how many generations of events may follow.
func (w *world) orders(rt *rapid.T, deep int, entering bool) (list []order) {
	words := []string{"set", "set", "cancel", "update", "reply", "repeat"}
	if !entering {
		words = append(words, "next", "next", "postpone", "postpone", "insert", "stop", "crash")
	}
	for range rapid.IntRange(0, 3).Draw(rt, "orders") {
		o := order{word: rapid.SampledFrom(words).Draw(rt, "word")}
		switch o.word {
		case "stop", "crash": // not often
			if rapid.IntRange(0, 9).Draw(rt, "really") > 0 {
				continue
			}
		case "next":
			o.s = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "state")
		case "set", "cancel", "update":
			o.t = rapid.SampledFrom(timeoutTypes).Draw(rt, "timeout")
			o.d = rapid.SampledFrom([]time.Duration{-s, 0, 0, s, 2 * s, 3 * s, Infinity}).Draw(rt, "after")
		case "insert":
			o.t = rapid.SampledFrom([]Type{Internal, Internal, Info, Cast}).Draw(rt, "type")
		}
		if o.word == "set" || o.word == "update" || o.word == "insert" {
			o.p = w.program(rt, deep-1, false)
		}
		list = append(list, o)
	}
	return list
}

func (w *world) program(rt *rapid.T, deep int, entering bool) *program {
	w.programs++
	p := &program{id: w.programs}
	if deep > 0 {
		for range rapid.IntRange(1, 2).Draw(rt, "visits") {
			p.visits = append(p.visits, w.orders(rt, deep, entering))
		}
	}
	return p
}

// model is gen_statem in the words of its manual, with no thought of anything else.
type model struct {
	w         *world
	now       time.Duration
	over      bool
	restarts  bool
	state     string
	queue     []mevent
	postponed []mevent
	timers    []mtimer // in the order in which they were set
	visits    map[int]int
	open      []int // calls without an answer
	lines     []string
	answers   []string
}

type mevent struct {
	t Type
	p *program
}

type mtimer struct {
	mevent
	zero bool
	due  time.Duration
}

func (m *model) begin() {
	m.state = "a"
	m.transition(mevent{}, nil, true)
	m.follow()
}

// receive handles an event and all that follows before the next one is received.
func (m *model) receive(e mevent) {
	m.handle(e)
	m.follow()
}

// follow handles what waits already.
func (m *model) follow() {
	for {
		var e mevent
		zero := slices.IndexFunc(m.timers, func(t mtimer) bool { return t.zero })
		switch {
		case len(m.queue) > 0:
			e, m.queue = m.queue[0], m.queue[1:]
		case zero >= 0:
			e = m.timers[zero].mevent
			m.timers = slices.Delete(m.timers, zero, zero+1)
		default:
			return
		}
		m.handle(e)
	}
}

func (m *model) orders(p *program) []order {
	n := m.visits[p.id]
	m.visits[p.id]++
	return p.visit(n)
}

func (m *model) handle(e mevent) {
	m.lines = append(m.lines, fmt.Sprintf("%s %v %d", m.state, e.t, e.p.id))
	m.cancel(EventTimeout)
	if e.t == Call && m.visits[e.p.id] == 0 {
		m.open = append(m.open, e.p.id)
	}
	m.transition(e, m.orders(e.p), false)
}

func (m *model) transition(e mevent, asked []order, initial bool) {
	has := func(word string) bool {
		return slices.ContainsFunc(asked, func(o order) bool { return o.word == word })
	}
	if has("crash") {
		m.end("crashed: on purpose", "the actor crashed")
		if m.restarts {
			m.over = false
			m.begin()
		}
		return
	}
	m.reply(e, asked)
	if has("stop") {
		m.end("normal", "no such actor")
		return
	}
	old, entering := m.state, initial || has("repeat")
	for _, o := range asked {
		if o.word == "next" {
			m.state = o.s
		}
	}
	changed := m.state != old
	for entering = entering || changed; entering; {
		m.lines = append(m.lines, fmt.Sprintf("enter %s from %s", m.state, old))
		more := m.orders(m.w.enter[m.state])
		m.reply(e, more)
		entering = slices.ContainsFunc(more, func(o order) bool { return o.word == "repeat" })
		asked = append(slices.Clone(asked), more...)
	}
	if e.p != nil && has("postpone") {
		m.postponed = append(m.postponed, e)
	}
	if changed {
		m.cancel(StateTimeout)
		m.queue = append(m.postponed, m.queue...)
		m.postponed = nil
	}
	var inserted []mevent
	for _, o := range asked {
		if o.word == "insert" {
			inserted = append(inserted, mevent{o.t, o.p})
		}
	}
	m.queue = append(inserted, m.queue...)
	m.timeouts(asked)
}

// reply answers the event, if it is a call and an order says so.
func (m *model) reply(e mevent, asked []order) {
	if e.p == nil || !slices.ContainsFunc(asked, func(o order) bool { return o.word == "reply" }) {
		return
	}
	if i := slices.Index(m.open, e.p.id); i >= 0 {
		m.open = slices.Delete(m.open, i, i+1)
		m.answers = append(m.answers, fmt.Sprint(e.p.id, " ok"))
	}
}

func (m *model) timeouts(asked []order) {
	last := map[Type]int{}
	for i, o := range asked {
		if o.word == "set" || o.word == "cancel" || o.word == "update" {
			last[o.t] = i
		}
	}
	for i, o := range asked {
		if k, ok := last[o.t]; !ok || k != i {
			continue
		}
		runs := slices.IndexFunc(m.timers, func(t mtimer) bool { return t.t == o.t })
		switch {
		case o.word == "cancel" || o.word == "set" && o.d == Infinity:
			m.cancel(o.t)
		case o.word == "update" && runs >= 0:
			m.timers[runs].p = o.p
		case o.word == "update" || o.d <= 0:
			m.cancel(o.t)
			m.timers = append(m.timers, mtimer{mevent: mevent{o.t, o.p}, zero: true})
		default:
			m.cancel(o.t)
			m.timers = append(m.timers, mtimer{mevent: mevent{o.t, o.p}, due: m.now + o.d})
		}
	}
}

func (m *model) cancel(t Type) {
	m.timers = slices.DeleteFunc(m.timers, func(x mtimer) bool { return x.t == t })
}

func (m *model) end(reason, answer string) {
	m.lines = append(m.lines, fmt.Sprintf("terminate %s %s", m.state, reason))
	for _, id := range m.open {
		m.answers = append(m.answers, fmt.Sprint(id, " ", answer))
	}
	m.open, m.over, m.queue, m.timers, m.postponed = nil, true, nil, nil, nil
}

// pass lets time pass: what is due comes, the earlier first and at one time what was set first.
func (m *model) pass(d time.Duration) {
	end := m.now + d
	for {
		first := -1
		for i, t := range m.timers {
			if t.due <= end && (first < 0 || t.due < m.timers[first].due) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		t := m.timers[first]
		m.timers = slices.Delete(m.timers, first, first+1)
		m.now = t.due
		m.receive(t.mevent)
	}
	m.now = end
}

// obey asks for what orders say, on the machine under test.
func obey(e *tentry, c *tcontext, list []order) error {
	for _, o := range list {
		switch o.word {
		case "next":
			c.Next(o.s)
		case "postpone":
			c.Postpone()
		case "insert":
			c.NextEvent(o.t, o.p)
		case "set":
			e.SetTimeout(o.t, o.d, o.p)
		case "cancel":
			e.CancelTimeout(o.t)
		case "update":
			e.UpdateTimeout(o.t, o.p)
		case "repeat":
			e.Repeat()
		case "reply":
			if e.t.ev.Type == Call {
				e.Reply(e.t.ev.From, "ok", nil)
			}
		case "stop":
			e.Stop(actors.Normal)
		case "crash":
			return errOnPurpose
		}
	}
	return nil
}

func (p *program) next() []order {
	p.count++
	return p.visit(p.count - 1)
}

// machine returns the machine that does what the programs say.
func (w *world) machine() *tmachine {
	m := newMachine()
	m.Handle = func(c *tcontext, e Event) error {
		p := e.Content.(*program)
		c.Data.note("%s %v %d", c.State(), e.Type, p.id)
		return obey(&c.Entry, c, p.next())
	}
	m.Enter = entered(func(e *tentry, _ string) error { return obey(e, nil, w.enter[e.State()].next()) })
	return m
}

// happening is one step of a history: an event that comes, or time that passes.
type happening struct {
	t Type // none: time
	d time.Duration
	p *program
}

// apart is the time before each step. Events come at times of their own within a second, at ticks of the wheel: no timer is due
// just then.
const apart = 20 * time.Millisecond

// TestHistories: whatever comes in whatever state, an actor does what the model does: the same handlers with the same events at
// the same time, and the same answers.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{enter: map[string]*program{}}
		for _, state := range []string{"a", "b", "c"} {
			w.enter[state] = w.program(rt, 2, true)
		}
		restarts := rapid.Bool().Draw(rt, "restarts")
		var steps []happening
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			h := happening{d: time.Duration(rapid.IntRange(0, 4).Draw(rt, "seconds"))*s + apart}
			if h.d == apart {
				h.t = rapid.SampledFrom([]Type{Cast, Cast, Call}).Draw(rt, "type")
				h.p = w.program(rt, 3, false)
			}
			steps = append(steps, h)
		}
		var wrong string
		synctest.Test(t, func(t *testing.T) { wrong = history(t, w, steps, restarts) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// history plays one and says what went wrong.
func history(t *testing.T, w *world, steps []happening, restarts bool) (wrong string) {
	r := &record{}
	st := &stage{t: t, sys: actors.NewSystem(actors.Config{Workers: 2}), lives: restarts}
	m := &model{w: w, visits: map[int]int{}, restarts: restarts}
	if err := st.sys.Start(); err != nil {
		return err.Error()
	}
	defer func() {
		st.child.End(actors.Killed)
		st.calls.Wait()
		if err := st.sys.Stop(context.Background()); err != nil {
			wrong = err.Error()
		}
	}()
	st.start(w.machine(), begin{r, nil})
	m.begin()
	wrong = m.differs(r)
	for _, h := range steps {
		if wrong != "" || m.over {
			break
		}
		advance(h.d)
		if m.pass(h.d); m.over {
			break
		}
		switch h.t {
		case Cast:
			_ = st.sys.Cast(st.ref(), h.p)
			m.receive(h.event())
		case Call:
			st.calls.Go(func() {
				ctx, done := context.WithTimeout(t.Context(), patience)
				defer done()
				v, err := st.sys.Call(ctx, st.ref(), h.p)
				if err != nil {
					v = strings.TrimPrefix(err.Error(), "actors: ")
				}
				r.answer(fmt.Sprint(h.p.id, " ", v), nil)
			})
			m.receive(h.event())
		}
		if wrong = m.differs(r); wrong != "" {
			wrong += fmt.Sprintf("\nafter %v\nof %v\nenter calls %v", h, steps, w.enter)
		}
	}
	if wrong == "" && !m.over {
		st.child.Stop(actors.Shutdown)
		m.end("shutdown", "no such actor")
	}
	if wrong == "" {
		wrong = m.differs(r)
	}
	return wrong
}

func (h happening) event() mevent { return mevent{h.t, h.p} }

// differs compares what was done since the last time.
func (m *model) differs(r *record) string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.answers)
	slices.Sort(m.answers)
	lines, answers := strings.Join(r.lines, "; "), strings.Join(r.answers, "; ")
	wantLines, wantAnswers := strings.Join(m.lines, "; "), strings.Join(m.answers, "; ")
	r.lines, m.lines, r.answers, m.answers = nil, nil, nil, nil
	if lines != wantLines || answers != wantAnswers {
		return fmt.Sprintf("it did\n\t%s\nand answered %q, want\n\t%s\nand %q", lines, answers, wantLines, wantAnswers)
	}
	return ""
}
