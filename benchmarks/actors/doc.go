// Actors measures what an actor costs: ours beside Erlang's processes, protoactor-go, and bare goroutines with channels, which
// are what a library in Go is built upon. It builds them all, runs them in turn, and prints processor time, time and memory for each
// operation, as ratios to ours too.
//
//	go run ./benchmarks/actors
//	go run ./benchmarks/actors --only pingpong-1000,fanin --rounds 3
//	go run ./benchmarks/actors --json figures.json
//
// Erlang comes from Debian's erlang-base, which "make bench-actors" installs. What is missing is left out, and said.
//
// Each contestant is a program of its own, below this folder; package measure says what it prints. For each workload the contestants
// run one after the other, several times; a ratio is the median of the ratios within rounds, so that what else the machine does
// meanwhile hits both. Of each of Erlang's settings that cost or save processor time the one counts that is better for Erlang.
//
//	main.go         flags to output
//	settings.go     the command line
//	contestants.go  who takes part
//	plan.go         the workloads, and what ours must reach
//	build.go        building them
//	entrant.go      one run of one contestant
//	rounds.go       all runs in order
//	report.go       medians, ratios, verdicts; pure
//	table.go        the report for people
//	chart.go        the plot
//	jackdaw, channels, beam, peers  the contestants
package main
