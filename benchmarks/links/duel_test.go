package main

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// scripted is a half that says what is written, and notes what it is told.
type scripted struct {
	lines []string
	told  []string
}

func (s *scripted) say(line string) error { s.told = append(s.told, line); return nil }
func (s *scripted) hear() (string, error) {
	if len(s.lines) == 0 {
		return "", io.EOF
	}
	line := s.lines[0]
	s.lines = s.lines[1:]
	return line, nil
}

func TestLead(t *testing.T) {
	s := &scripted{lines: []string{"addr", "ready", `{"ops":5,"cpu_ns":7,"wall_ns":9}`}}
	r := &scripted{lines: []string{"ok", "ok", `{"ops":5,"cpu_ns":8,"wall_ns":10}`}}
	both, err := lead(s, r)
	if err != nil || both.Sender.CPU != 7 || both.Receiver.CPU != 8 || both.Sender.Ops != 5 {
		t.Fatalf("%+v, %v", both, err)
	}
	if !reflect.DeepEqual(s.told, []string{"warm", "go"}) || !reflect.DeepEqual(r.told, []string{"meet addr", "begin", "end"}) {
		t.Errorf("%q, %q", s.told, r.told)
	}
}

func TestLeadSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string][2][]string{
		"no hello":   {{}, {}},
		"no meeting": {{"a"}, {}},
		"no ok":      {{"a"}, {"no"}},
		"not ready":  {{"a", "no"}, {"ok"}},
		"no begin":   {{"a", "ready"}, {"ok", "no"}},
		"no result":  {{"a", "ready"}, {"ok", "ok"}},
		"no json":    {{"a", "ready", "x"}, {"ok", "ok"}},
		"no end":     {{"a", "ready", `{"ops":5}`}, {"ok", "ok"}},
		"lost":       {{"a", "ready", `{"ops":5}`}, {"ok", "ok", `{"ops":4}`}},
		"nothing":    {{"a", "ready", `{"ops":0}`}, {"ok", "ok", `{"ops":0}`}},
	} {
		if _, err := lead(&scripted{lines: c[0]}, &scripted{lines: c[1]}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestProcesses(t *testing.T) {
	p, err := launch(t.Context(), command{"sh", []string{"-c", "read x; echo got $x $GOMAXPROCS; echo broken >&2; exit 3"}}, 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.say("this"); err != nil {
		t.Fatal(err)
	}
	if line, err := p.hear(); line != "got this 7" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := p.hear(); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Error(err)
	}
	p.end(func() {})
	if _, err := launch(t.Context(), command{"/no/such/program", nil}, 1); err == nil {
		t.Error("nothing is launched")
	}
}

func TestCompeteTakesTurns(t *testing.T) {
	all := []*outcome{of("links"), of("stream"), of("beam")}
	var order []string
	compete(t.Context(), all, 3, func(c contestant) (sides, error) {
		order = append(order, c.name)
		if c.name == "stream" && len(order) > 3 {
			return sides{}, errors.New("broken")
		}
		return cost(1, 1), nil
	}, io.Discard)
	if want := "links stream beam stream beam links beam links"; strings.Join(order, " ") != want {
		t.Errorf("%q", order)
	}
	if all[1].err == nil || len(all[1].rounds) != 2 || all[0].err != nil || len(all[0].rounds) != 3 {
		t.Errorf("%+v", all[1])
	}
}
