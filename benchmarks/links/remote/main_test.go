package main

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
)

// Both halves in one process would race on a variable of gRPC, which remote sets; the benchmark's own test runs them in two.

func TestTheEnvelopeIsAsLongAsTheOthers(t *testing.T) {
	if n := proto.Size(envelope()); n != pair.EnvelopeBytes {
		t.Errorf("%d bytes", n)
	}
}

func TestAReceiverHasItsTargets(t *testing.T) {
	r, err := receive(3)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Meet("127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	own := r.(*receiver)
	for i := range 3 {
		if _, ok := own.system.ProcessRegistry.GetLocal(target(i)); !ok {
			t.Errorf("no %s", target(i))
		}
	}
	if r.Count() != 0 || r.Hello() != own.system.Address() {
		t.Errorf("%d, %s", r.Count(), r.Hello())
	}
}
