package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"time"
)

// settings say what a run does.
type settings struct {
	rounds, acked            int
	senders, online, offline int
	window                   int
	rate                     float64
	seed                     uint64
	grace                    time.Duration // what hasn't arrived when nothing did for so long is lost

	power                    bool
	server, command          string
	domain, prefix, password string
}

// defaults are those of the full run: twenty rounds that together have more than a hundred thousand acknowledged messages.
func defaults() settings {
	return settings{rounds: 20, acked: 6000, senders: 16, online: 24, offline: 24, window: 64, rate: 2000, seed: rand.Uint64(), grace: 10 * time.Second,
		domain: "localhost", prefix: "u", password: "benchmark"}
}

// parse reads the command line.
func (s *settings) parse(args []string) error {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.IntVar(&s.rounds, "rounds", s.rounds, "crashes")
	flags.IntVar(&s.acked, "acked", s.acked, "acknowledged messages a round, give or take a fifth")
	flags.IntVar(&s.senders, "senders", s.senders, "sending clients")
	flags.IntVar(&s.online, "online", s.online, "recipients online during the load")
	flags.IntVar(&s.offline, "offline", s.offline, "recipients who log in only after the crash")
	flags.IntVar(&s.window, "window", s.window, "unacknowledged messages a sender")
	flags.Float64Var(&s.rate, "rate", s.rate, "acknowledged messages a second below which a round is no test")
	flags.Uint64Var(&s.seed, "seed", s.seed, "seed of all random choices")
	flags.BoolVar(&s.power, "power", false, "cut the power under the store instead of killing the process: the server runs in this one, on a disk in memory")
	flags.StringVar(&s.server, "server", "", "HOST:PORT (direct TLS) of another server, which --command starts; its users must exist")
	flags.StringVar(&s.command, "command", "", "command that runs the other server in the foreground, with exec")
	flags.StringVar(&s.domain, "domain", s.domain, "the other server's domain")
	flags.StringVar(&s.prefix, "prefix", s.prefix, "the other server's users are PREFIX0, PREFIX1, ..")
	flags.StringVar(&s.password, "password", s.password, "password of all users")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("crash: unexpected %q", flags.Arg(0))
	}
	return s.check()
}

// check refuses what can't be run.
func (s *settings) check() error {
	if s.rounds < 1 || s.acked < 1 || s.senders < 1 || s.window < 1 || s.online < 0 || s.offline < 0 || s.online+s.offline < 1 {
		return errors.New("crash: every number must be positive, and there must be a recipient")
	}
	if (s.server == "") != (s.command == "") {
		return errors.New("crash: --server and --command go together")
	}
	if s.power && s.server != "" {
		return errors.New("crash: --power can't be cut under a server that --command starts")
	}
	return nil
}

// users is how many accounts are needed.
func (s *settings) users() int { return s.senders + s.online + s.offline }
