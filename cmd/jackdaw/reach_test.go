package main

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/node"
)

// TestReachable: a node of a cluster says what keeps clients from it.
func TestReachable(t *testing.T) {
	const nobody, untold = "takes clients from this machine only", "cluster.client is empty"
	for _, c := range []struct {
		name, client string
		at           node.Addrs
		want         []string
	}{
		{"all is well", "n1.example.org:5222", node.Addrs{C2S: "[::]:5222", C2STLS: "[::]:5223"}, nil},
		{"one is enough", "n1.example.org:5222", node.Addrs{C2S: "127.0.0.1:5222", C2STLS: "10.0.0.1:5223"}, nil},
		{"loopback", "n1.example.org:5222", node.Addrs{C2S: "127.0.0.1:5222", C2STLS: "[::1]:5223"}, []string{nobody}},
		{"loopback, and one isn't open", "n1.example.org:5222", node.Addrs{C2S: "127.0.0.1:5222"}, []string{nobody}},
		{"untold", "", node.Addrs{C2S: "[::]:5222"}, []string{untold}},
		{"both", "", node.Addrs{C2STLS: "127.0.0.1:5223"}, []string{nobody, untold}},
	} {
		core, logs := observer.New(zap.WarnLevel)
		cfg := config.Default()
		cfg.Cluster.Client = c.client
		reachable(cfg, c.at, zap.New(core))
		var said []string
		for _, e := range logs.All() {
			said = append(said, e.Message)
		}
		if len(said) != len(c.want) {
			t.Errorf("%s: %q", c.name, said)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(said[i], want) {
				t.Errorf("%s: %q, not %q", c.name, said[i], want)
			}
		}
	}
}
