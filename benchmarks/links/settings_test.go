package main

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	usual := defaults()
	for args, change := range map[string]func(*settings){
		"":                               func(*settings) {},
		"--only links,stream":            func(s *settings) { s.only = []string{"links", "stream"} },
		"--rounds 2 --span 5ms":          func(s *settings) { s.rounds, s.span = 2, 5*time.Millisecond },
		"--cores 7 --require":            func(s *settings) { s.cores, s.require = 7, true },
		"--json":                         func(s *settings) { s.json = true },
		"--json --rounds 1":              func(s *settings) { s.json, s.rounds = true, 1 },
		"--json=f.json":                  func(s *settings) { s.json, s.jsonFile = true, "f.json" },
		"--json f.json --only remote-1 ": func(s *settings) { s.json, s.jsonFile, s.only = true, "f.json", []string{"remote-1"} },
	} {
		want, got := usual, defaults()
		change(&want)
		if err := got.parse(strings.Fields(args), io.Discard); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", args, got, err)
		}
	}
	for _, args := range []string{"x", "--only nobody", "--rounds 0", "--span 0s", "--cores 0", "--json f g", "--what"} {
		got := defaults()
		if err := got.parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestWanted(t *testing.T) {
	s := defaults()
	if got := s.wanted(); len(got) != len(contestants()) || got[0].name != ours {
		t.Errorf("%+v", got)
	}
	s.only = []string{"stream", "links"}
	if got := s.wanted(); len(got) != 2 || got[0].name != ours || got[1].name != "stream" {
		t.Errorf("%+v", got)
	}
}

func TestHalves(t *testing.T) {
	cfg := defaults()
	cfg.span, cfg.cores = 1500*time.Millisecond, 3
	b := &built{dir: "/dir"}
	for _, c := range contestants() {
		r, s := b.halves(c, &cfg, 1234)
		receiver, sender := strings.Join(append([]string{r.program}, r.args...), " "), strings.Join(append([]string{s("hi").program}, s("hi").args...), " ")
		if c.program != beam {
			if receiver != "/dir/"+c.program+" "+c.name+" receive" || sender != "/dir/"+c.program+" "+c.name+" send 1.5 hi" {
				t.Errorf("%s: %s, %s", c.name, receiver, sender)
			}
			continue
		}
		for _, want := range []string{"erl ", "+S 3:3", "-pa /dir", "-erl_epmd_port 1234", "-start_epmd false"} {
			if !strings.Contains(receiver, want) || !strings.Contains(sender, want) {
				t.Errorf("%s: %s, %s", c.name, receiver, sender)
			}
		}
		if !strings.HasSuffix(receiver, " receive") || !strings.HasSuffix(sender, " send 1.5 hi") || strings.Contains(receiver, "+sbwt") != (c.flags != nil) {
			t.Errorf("%s: %s, %s", c.name, receiver, sender)
		}
	}
}

func TestFreePort(t *testing.T) {
	if port, err := freePort(); err != nil || port < 1 {
		t.Error(port, err)
	}
}
