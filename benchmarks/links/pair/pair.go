package pair

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// What is the same for all contestants.
const (
	// EnvelopeBytes is the size of what is sent.
	EnvelopeBytes = 200
	// Window is how many envelopes may be on their way, where a contestant has no window of its own.
	Window = 4096
	// Batch is how many envelopes go in one frame, where a contestant makes frames; and how many are sent between two looks at the clock.
	Batch = 64
	// AckEach is after how many envelopes those are acknowledged that come one by one.
	AckEach = 256
)

// Receiver is the half that counts.
type Receiver interface {
	// Hello is what the sender needs to know; one line.
	Hello() string
	// Meet tells the sender's hello.
	Meet(hello string) error
	// Count is how many envelopes have arrived.
	Count() int64
}

// Sender is the half that sends.
type Sender interface {
	// Hello is what the receiver needs to know; one line.
	Hello() string
	// Send sends a batch. It waits while there is no room.
	Send() error
	// Settle waits until everything has arrived.
	Settle() error
}

// Contestant makes both halves.
type Contestant struct {
	Receive func() (Receiver, error)
	Send    func(hello string) (Sender, error)
}

// Patience is after how long a contestant gives up.
const Patience = time.Minute

// Main is the main function of a contestant, with its outside as arguments; it returns the exit code. Its arguments are a contestant's
// name and "receive", or "send", seconds and the receiver's hello.
func Main(args []string, in io.Reader, out, errs io.Writer, contestants map[string]Contestant) int {
	if err := run(args, &lines{bufio.NewScanner(in), out}, contestants); err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

func run(args []string, l *lines, contestants map[string]Contestant) error {
	if len(args) < 2 {
		return fmt.Errorf("pair: %d arguments", len(args))
	}
	c, ok := contestants[args[0]]
	switch {
	case !ok:
		return fmt.Errorf("pair: no contestant %q here", args[0])
	case args[1] == "receive" && len(args) == 2:
		return receive(c, l)
	case args[1] == "send" && len(args) == 4:
		seconds, err := strconv.ParseFloat(args[2], 64)
		if err != nil || seconds <= 0 {
			return fmt.Errorf("pair: no number of seconds: %q", args[2])
		}
		return send(c, time.Duration(seconds*float64(time.Second)), args[3], l)
	}
	return fmt.Errorf("pair: neither receive nor send: %q", args[1:])
}

// lines are what a half hears and says.
type lines struct {
	in  *bufio.Scanner
	out io.Writer
}

func (l *lines) say(text string) error {
	_, err := fmt.Fprintln(l.out, text)
	return err
}

func (l *lines) result(r measure.Result) error { return json.NewEncoder(l.out).Encode(r) }

// hear waits for a word, and returns what follows it.
func (l *lines) hear(word string) (string, error) {
	if !l.in.Scan() {
		return "", fmt.Errorf("pair: the benchmark is gone before %q", word)
	}
	got, rest, _ := strings.Cut(l.in.Text(), " ")
	if got != word {
		return "", fmt.Errorf("pair: %q instead of %q", got, word)
	}
	return rest, nil
}

func receive(c Contestant, l *lines) error {
	r, err := c.Receive()
	if err != nil {
		return err
	}
	if err := l.say(r.Hello()); err != nil {
		return err
	}
	hello, err := l.hear("meet")
	if err != nil {
		return err
	}
	if err := r.Meet(hello); err != nil {
		return err
	}
	if err := l.say("ok"); err != nil {
		return err
	}
	if _, err := l.hear("begin"); err != nil {
		return err
	}
	before := r.Count()
	m, err := measure.Begin()
	if err != nil {
		return err
	}
	if err := l.say("ok"); err != nil {
		return err
	}
	if _, err := l.hear("end"); err != nil {
		return err
	}
	result, err := m.End(int(r.Count() - before))
	if err != nil {
		return err
	}
	return l.result(result)
}

func send(c Contestant, span time.Duration, hello string, l *lines) error {
	s, err := c.Send(hello)
	if err != nil {
		return err
	}
	if err := l.say(s.Hello()); err != nil {
		return err
	}
	if _, err := l.hear("warm"); err != nil {
		return err
	}
	if _, err := repeat(s, span/4); err != nil {
		return err
	}
	if err := l.say("ready"); err != nil {
		return err
	}
	if _, err := l.hear("go"); err != nil {
		return err
	}
	m, err := measure.Begin()
	if err != nil {
		return err
	}
	ops, err := repeat(s, span)
	if err != nil {
		return err
	}
	result, err := m.End(ops)
	if err != nil {
		return err
	}
	return l.result(result)
}

// repeat sends for a span, and on until an acknowledgement is due, and waits until all has arrived.
func repeat(s Sender, span time.Duration) (ops int, err error) {
	for start := time.Now(); ops == 0 || ops%AckEach != 0 || time.Since(start) < span; ops += Batch {
		if err := s.Send(); err != nil {
			return 0, err
		}
	}
	return ops, s.Settle()
}
