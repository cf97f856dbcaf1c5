package main

import (
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
)

// The contestants with a carrier are run by the benchmark's own test, each half in a process of its own.

func TestStream(t *testing.T) {
	r, err := receiveStream()
	if err != nil {
		t.Fatal(err)
	}
	s, err := sendStream(r.Hello())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Meet(s.Hello()); err != nil {
		t.Fatal(err)
	}
	const batches = 3 * pair.Window / pair.Batch
	for range batches {
		if err := s.Send(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Settle(); err != nil || r.Count() != batches*pair.Batch {
		t.Errorf("%d, %v", r.Count(), err)
	}
}

func TestHello(t *testing.T) {
	sender, receiver, err := pairOfKeys()
	if err != nil {
		t.Fatal(err)
	}
	text := hello{"addr:1", sender}.String()
	h, err := parseHello(text)
	if err != nil || h.Addr != "addr:1" || string(h.Keys.Cert) != string(sender.Cert) || strings.ContainsAny(text, " \n") {
		t.Errorf("%+v, %v", h, err)
	}
	for _, bad := range []string{"", "?", "e30=", "W10="} {
		if _, err := parseHello(bad); err == nil {
			t.Errorf("%q is a hello", bad)
		}
	}
	server, client, err := receiver.configs(senderID)
	if err != nil || client.ServerName != "sender" || server.ClientCAs == nil {
		t.Errorf("%v, %v, %v", server, client, err)
	}
	for _, k := range []*keys{{}, {Key: receiver.Key}} {
		if _, _, err := k.configs(senderID); err == nil {
			t.Errorf("%+v are keys", k)
		}
	}
}

func TestFramesAreWhatTheySay(t *testing.T) {
	f := frameOf(senderID, receiverID, batchOf(), 7)
	if len(f.Envelopes) != pair.Batch || len(f.Envelopes[0]) != pair.EnvelopeBytes || f.From != "sender@1" || f.To != "receiver@1" || f.Ack != 7 {
		t.Errorf("%v", f)
	}
	for name := range contestants() {
		if c := contestants()[name]; c.Receive == nil || c.Send == nil {
			t.Errorf("%s is half", name)
		}
	}
}
