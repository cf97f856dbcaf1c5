package link

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pairOf makes two nodes whose carrier is a call of the other's Receive.
func pairOf(frames *atomic.Int64, deliver func()) (a, b *Links) {
	made := func(self ident.NodeID, other **Links, deliver func()) *Links {
		return New(Options{
			Self: self,
			Carrier: CarrierFunc(func(_ Peer, f *nodepb.Frame) error {
				frames.Add(1)
				(*other).Receive(f)
				return nil
			}),
			Deliver: func(ident.NodeID, nodepb.LinkClass, []byte) { deliver() },
			Return:  func(ident.NodeID, nodepb.LinkClass, [][]byte) {},
		})
	}
	a, b = made("a@1", &b, func() {}), made("b@1", &a, deliver)
	return a, b
}

// BenchmarkLink is the work of both sides for an envelope of 200 B, without the carrier: in bursts, as many as a session
// of work makes at once, each burst after the one before has been delivered (1), or as many as the link takes.
func BenchmarkLink(b *testing.B) {
	for _, c := range []struct {
		name  string
		burst int64
	}{{"alone", 1}, {"burst=16", 16}, {"burst=256", 256}, {"full", 8192}} {
		b.Run(c.name, func(b *testing.B) {
			var delivered, frames atomic.Int64
			room := make(chan struct{}, 1)
			near, far := pairOf(&frames, func() {
				if delivered.Add(1)%c.burst == 0 {
					room <- struct{}{}
				}
			})
			near.PeerUp(Peer{ID: "b@1"})
			far.PeerUp(Peer{ID: "a@1"})
			envelope := make([]byte, 200)
			n := int64(0)
			room <- struct{}{}
			used := cpu()
			b.ReportAllocs()
			for b.Loop() {
				if n%c.burst == 0 {
					<-room
				}
				n++
				if err := near.Send("b@1", nodepb.LinkClass_MESSAGES, envelope, false); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-used)/float64(n), "cpu-ns/op")
			b.ReportMetric(float64(n)/float64(frames.Load()), "envelopes/frame")
			near.Close()
			far.Close()
		})
	}
}

// BenchmarkLinkCallers is the same with as many callers as there are cores, who wait when the link is full.
func BenchmarkLinkCallers(b *testing.B) {
	var frames atomic.Int64
	room := make(chan struct{}, 4096)
	near, far := pairOf(&frames, func() { <-room })
	near.PeerUp(Peer{ID: "b@1"})
	far.PeerUp(Peer{ID: "a@1"})
	envelope := make([]byte, 200)
	used := cpu()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			room <- struct{}{}
			if err := near.Send("b@1", nodepb.LinkClass_MESSAGES, envelope, false); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(cpu()-used)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/float64(frames.Load()), "envelopes/frame")
	near.Close()
	far.Close()
}
