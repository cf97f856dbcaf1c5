// Package pair is what the contestants of benchmarks/links that are written in Go share: two processes that talk over their standard
// input and output with the benchmark, and over the network with each other. benchmarks/links/beam speaks the same lines.
//
// The receiver prints its hello, which the sender gets as an argument; the sender prints its own, which the receiver gets with "meet". Then:
//
//	to the sender    warm    it sends for a quarter of the time and waits until all has arrived: ready
//	to the receiver  begin   it begins to measure: ok
//	to the sender    go      it sends for the whole time, waits in the same way, and prints a measure.Result
//	to the receiver  end     it prints a measure.Result: what has arrived since begin
//
// Each counts its own processor time and allocations; the benchmark adds them up.
package pair
