package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// sides are what both processes of a run have spent.
type sides struct {
	Sender   measure.Result `json:"sender"`
	Receiver measure.Result `json:"receiver"`
}

// duel runs a contestant once.
func (b *built) duel(ctx context.Context, c contestant, cfg *settings) (sides, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	port, err := freePort()
	if err != nil {
		return sides{}, fmt.Errorf("links: %w", err)
	}
	receiver, sender := b.halves(c, cfg, port)
	r, err := launch(ctx, receiver, cfg.cores)
	if err != nil {
		return sides{}, err
	}
	defer r.end(cancel)
	hello, err := r.hear()
	if err != nil {
		return sides{}, err
	}
	s, err := launch(ctx, sender(hello), cfg.cores)
	if err != nil {
		return sides{}, err
	}
	defer s.end(cancel)
	result, err := lead(s, r)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	return result, err
}

// half is one of the two processes, as it is led.
type half interface {
	say(line string) error
	hear() (string, error)
}

// lead leads both through a measurement.
func lead(s, r half) (sides, error) {
	hello, err := s.hear()
	if err != nil {
		return sides{}, err
	}
	for _, step := range []struct {
		who       half
		say, hear string
	}{{r, "meet " + hello, "ok"}, {s, "warm", "ready"}, {r, "begin", "ok"}} {
		if err := step.who.say(step.say); err != nil {
			return sides{}, err
		}
		if got, err := step.who.hear(); err != nil {
			return sides{}, err
		} else if got != step.hear {
			return sides{}, fmt.Errorf("links: %q instead of %q", got, step.hear)
		}
	}
	var both sides
	if err := finish(s, "go", &both.Sender); err != nil {
		return sides{}, err
	}
	if err := finish(r, "end", &both.Receiver); err != nil {
		return sides{}, err
	}
	if both.Sender.Ops < 1 || both.Sender.Ops != both.Receiver.Ops {
		return sides{}, fmt.Errorf("links: %d were sent and %d have arrived", both.Sender.Ops, both.Receiver.Ops)
	}
	return both, nil
}

// finish tells a half to come to its end, and takes its result.
func finish(h half, word string, to *measure.Result) error {
	if err := h.say(word); err != nil {
		return err
	}
	line, err := h.hear()
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(line), to); err != nil {
		return fmt.Errorf("links: it said %q: %w", line, err)
	}
	return nil
}

// process is a half that runs.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	errs strings.Builder
}

// launch starts a half.
func launch(ctx context.Context, c command, cores int) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, c.program, c.args...)}
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(cores))
	p.cmd.Stderr = &p.errs
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	return p, nil
}

func (p *process) say(line string) error {
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		return fmt.Errorf("links: %w", err)
	}
	return nil
}

func (p *process) hear() (string, error) {
	if p.out.Scan() {
		return p.out.Text(), nil
	}
	_ = p.cmd.Wait() // its own words are better
	return "", fmt.Errorf("links: it ended: %s", strings.TrimSpace(p.errs.String()))
}

// end ends a half and waits for it. stop ends it if it doesn't listen.
func (p *process) end(stop func()) {
	_ = p.in.Close()
	stop()
	_ = p.cmd.Wait() // it was told to end
}
