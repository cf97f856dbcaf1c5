package pair

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// fake counts in one process.
type fake struct {
	n   atomic.Int64
	met string
	err error
}

func (f *fake) Hello() string           { return "hello there" }
func (f *fake) Meet(hello string) error { f.met = hello; return f.err }
func (f *fake) Count() int64            { return f.n.Load() }
func (f *fake) Send() error             { f.n.Add(Batch); return f.err }
func (f *fake) Settle() error           { return f.err }

func contestants(f *fake) map[string]Contestant {
	return map[string]Contestant{"fake": {
		Receive: func() (Receiver, error) { return f, nil },
		Send:    func(string) (Sender, error) { return f, nil },
	}}
}

func TestReceive(t *testing.T) {
	f := &fake{}
	var out, errs strings.Builder
	in := &script{text: []string{"meet me\n", "begin\n", "end\n"}, do: func(i int) { f.n.Add(int64(i)) }}
	if code := Main([]string{"fake", "receive"}, in, &out, &errs, contestants(f)); code != 0 || f.met != "me" {
		t.Fatalf("%d, %q, %s", code, f.met, errs.String())
	}
	said := strings.SplitN(out.String(), "\n", 4)
	var r measure.Result
	if err := json.Unmarshal([]byte(said[3]), &r); err != nil || said[0] != "hello there" || said[1] != "ok" || said[2] != "ok" || r.Ops != 2 {
		t.Errorf("%q, %+v, %v", out.String(), r, err)
	}
}

// script reads one text at a time; before each but the first something is done.
type script struct {
	text []string
	do   func(i int)
	next int
}

func (s *script) Read(b []byte) (int, error) {
	if s.next == len(s.text) {
		return 0, io.EOF
	}
	s.do(s.next)
	s.next++
	return copy(b, s.text[s.next-1]), nil
}

func TestSend(t *testing.T) {
	f := &fake{}
	var out, errs strings.Builder
	if code := Main([]string{"fake", "send", "0.001", "x"}, strings.NewReader("warm\ngo\n"), &out, &errs, contestants(f)); code != 0 {
		t.Fatal(errs.String())
	}
	said := strings.SplitN(out.String(), "\n", 3)
	var r measure.Result
	if err := json.Unmarshal([]byte(said[2]), &r); err != nil || said[1] != "ready" || r.Ops < AckEach || r.Ops%AckEach != 0 || r.Ops >= f.Count() || r.Wall <= 0 {
		t.Errorf("%q, %+v, %v", out.String(), r, err)
	}
}

func TestWhatGoesWrong(t *testing.T) {
	for args, in := range map[string]string{
		"fake":               "",
		"other receive":      "",
		"fake neither":       "",
		"fake receive":       "meet\nother\n",
		"fake send x y":      "",
		"fake send -1 y":     "",
		"fake send 0.001 y":  "warm\n",
		"fake send 0.0001 y": "go\n",
	} {
		var errs strings.Builder
		if code := Main(strings.Fields(args), strings.NewReader(in), io.Discard, &errs, contestants(&fake{})); code != 1 || errs.Len() == 0 {
			t.Errorf("%q: %d, %q", args, code, errs.String())
		}
	}
	broken := &fake{err: errors.New("broken")}
	for args, in := range map[string]string{"fake receive": "meet\n", "fake send 1 y": "warm\n"} {
		var errs strings.Builder
		if code := Main(strings.Fields(args), strings.NewReader(in), io.Discard, &errs, contestants(broken)); code != 1 || errs.String() != "broken\n" {
			t.Errorf("%q: %d, %q", args, code, errs.String())
		}
	}
}

func TestAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAcks()
		for range Window / Batch {
			if err := a.Room(Batch); err != nil {
				t.Fatal(err)
			}
			a.Sent(Batch)
		}
		room := make(chan error, 1)
		go func() { room <- a.Room(Batch) }()
		synctest.Wait()
		if len(room) != 0 {
			t.Fatal("there is room in a full window")
		}
		a.Acked(Batch - 1)
		synctest.Wait()
		if len(room) != 0 {
			t.Fatal("there is room for less")
		}
		a.Acked(Batch)
		a.Acked(Batch - 1) // late
		if err := <-room; err != nil {
			t.Fatal(err)
		}
		a.Sent(Batch)
		a.Acked(Window)
		if err := a.Settle(); err == nil { // after its patience
			t.Error("what is lost has arrived")
		}
	})
}
