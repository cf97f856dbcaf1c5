// Links measures what an envelope between two nodes costs: our links over the carrier, beside what they are made of and what others have. It
// builds the contestants, runs two processes of each on the loopback in turn, and prints the processor time of both sides together,
// allocations and the rate, as ratios to ours too.
//
//	go run ./benchmarks/links
//	go run ./benchmarks/links --only links,stream --rounds 3
//	go run ./benchmarks/links --json figures.json
//
// It ends with exit code 1 if a bar is missed that was measured, after the report. An aim isn't a bar.
//
// Erlang comes from Debian's erlang-base. If it isn't there it is left out, and said.
//
// Package pair says how the two processes are led. In each round the contestants run one after the other, each round beginning with another
// one; a figure is the median of the rounds, a ratio the median of the ratios within rounds.
//
//	main.go         flags to output
//	settings.go     the command line
//	contestants.go  who takes part
//	build.go        building them
//	duel.go         one run of one contestant: two processes
//	report.go       medians, ratios, verdicts; pure
//	table.go        the report for people
//	ours, remote, beam  the contestants
package main
