// Jackdaw is the contestant of benchmarks/actors made of this module's own actors. It uses what packages actors and supervision offer to
// anybody, with their defaults unless a comment says otherwise.
//
//	system.go    the system, a behaviour of one function, starting many
//	messages.go  ping-pong, fan-in, broadcast
//	calls.go     calls with a deadline, from an actor and from outside
//	lives.go     spawning, monitors, passivation
//	restarts.go  crashes and restarts under both supervisors
//	crowd.go     millions, with supervision and without
//	crash.go     a crash among millions
//	poison.go    neighbours of an actor that crashes all the time
//	collect.go   the garbage collector under load, with millions
//	pauses.go    what the Go runtime tells of the collector
package main

import (
	"os"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

func main() { os.Exit(measure.Main(os.Args[1:], os.Stdout, os.Stderr, workloads())) }

func workloads() map[string]measure.Workload {
	return map[string]measure.Workload{
		"spawn": spawn, "idle": idle, "supervised": supervised, "pingpong": pingPong, "fanin": fanIn, "broadcast": broadcast,
		"call-inside": callInside, "call-outside": callOutside, "call-shared": callShared, "monitor": monitor, "restart-dynamic": restartDynamic,
		"restart-static": restartStatic, "wake": wake, "crash": crash, "gc": collect, "poison": poison,
	}
}
