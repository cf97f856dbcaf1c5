// Ours is the contestant that is ours, links over the carrier, with what it is made of: frames over the carrier alone, and frames over a plain gRPC
// stream instead. All three speak mutual TLS.
package main

import (
	"os"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
)

func main() { os.Exit(pair.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, contestants())) }

func contestants() map[string]pair.Contestant {
	return map[string]pair.Contestant{
		"links":   {Receive: receiveLinks, Send: sendLinks},
		"carrier": {Receive: receiveFrames, Send: sendFrames},
		"stream":  {Receive: receiveStream, Send: sendStream},
	}
}
