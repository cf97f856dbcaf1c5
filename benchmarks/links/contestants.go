package main

import (
	"net"
	"strconv"
	"time"
)

// contestant is a pair of processes.
type contestant struct {
	name    string
	title   string
	program string // that it is built into; beam is Erlang's
	flags   []string
}

// ours is the contestant that the others are compared with.
const ours = "links"

// beam stands for Erlang's system instead of a program.
const beam = "beam"

// contestants are all, in the order of the table.
func contestants() []contestant {
	return []contestant{
		{name: ours, title: "links over the carrier, TLS", program: "ours"},
		{name: "carrier", title: "frames over the carrier, TLS", program: "ours"},
		{name: "stream", title: "frames over a plain gRPC stream, TLS", program: "ours"},
		{name: "remote-1", title: "protoactor's remote, one target", program: "remote"},
		{name: "remote-10000", title: "protoactor's remote, 10,000 targets", program: "remote"},
		{name: "beam", title: "distributed Erlang", program: beam},
		{name: "beam-quiet", title: "distributed Erlang, no busy wait", program: beam,
			flags: []string{"+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"}},
	}
}

func names() []string {
	var names []string
	for _, c := range contestants() {
		names = append(names, c.name)
	}
	return names
}

// command is a program with its arguments.
type command struct {
	program string
	args    []string
}

// halves are the commands of the receiver and, once its hello is known, of the sender. port is for Erlang's receiver.
func (b *built) halves(c contestant, cfg *settings, port int) (receiver command, sender func(hello string) command) {
	seconds := strconv.FormatFloat(cfg.span.Seconds(), 'f', -1, 64)
	if c.program != beam {
		program := b.program(c.program)
		return command{program, []string{c.name, "receive"}}, func(hello string) command {
			return command{program, []string{c.name, "send", seconds, hello}}
		}
	}
	erl := func(name string, more ...string) command {
		n := strconv.Itoa(cfg.cores)
		args := append([]string{"-noshell", "+S", n + ":" + n, "-pa", b.dir, "-name", name + "@127.0.0.1", "-setcookie", "jackdaw",
			"-start_epmd", "false", "-erl_epmd_port", strconv.Itoa(port), "-kernel", "inet_dist_use_interface", "{127,0,0,1}"}, c.flags...)
		return command{"erl", append(args, more...)}
	}
	return erl("receiver", "-run", "links", "main", "receive"), func(hello string) command {
		return erl("sender", "-dist_listen", "false", "-run", "links", "main", "send", seconds, hello)
	}
}

// freePort is a port that nobody listens on, just now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }() // it was only asked
	return l.Addr().(*net.TCPAddr).Port, nil
}

// limit ends a run that is stuck.
const limit = 5 * time.Minute
