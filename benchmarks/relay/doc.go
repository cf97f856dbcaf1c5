// Relay measures what a message costs a process that does nothing with it: a floor under every figure of benchmarks/c2s at a
// given rate. It runs itself as a server that passes what a TLS connection brings on to another one and answers, as a chat
// server does at least: for each message it reads twice (message, acknowledgement) and writes twice. Then it sends messages
// at a fixed rate, and prints the server's processor time for each, without and with a flush to the disk before the answer.
//
//	go run ./benchmarks/relay
package main
