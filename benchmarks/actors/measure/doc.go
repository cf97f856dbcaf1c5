// Package measure is what the contestants of benchmarks/actors that are written in Go share: the command line, the line of JSON that
// answers it, and how processor time and memory are taken, so that none is measured differently from another.
//
// A contestant is a program. It is started for one measurement with three arguments, the workload, its size and how many seconds to
// measure, prints one line of JSON, a [Result], and ends. What is counted is inside the process, around the work: user and
// system time of all its threads, so that starting up costs nobody anything.
package measure
