package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/node"
)

// greeting is what a server says once it is there: where it listens, how to add a user, and how to connect.
func greeting(name string, cfg *config.Config, at node.Addrs, fingerprint string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Jackdaw serves %s; its data is in %s\n\n", cfg.Domain, cfg.Data)
	for _, l := range []struct{ what, addr string }{
		{"clients, direct TLS", at.C2STLS}, {"clients, STARTTLS", at.C2S}, {"health, metrics", at.Admin},
	} {
		switch {
		case l.addr == "":
			fmt.Fprintf(&b, "  %-21snot open\n", l.what)
		case l.addr == at.Admin:
			fmt.Fprintf(&b, "  %-21shttp://%s (/healthz /readyz /metrics /debug/pprof)\n", l.what, l.addr)
		default:
			fmt.Fprintf(&b, "  %-21s%s\n", l.what, l.addr)
		}
	}
	cert := cfg.Certificate
	if cert == "" {
		cert = filepath.Join(cfg.Data, "certificate.pem") + " (self-signed)"
	}
	fmt.Fprintf(&b, "  %-21s%s\n  %-21sSHA-256 %s\n\n", "certificate", cert, "", fingerprint)
	fmt.Fprintf(&b, "Add a user:   %s user add juliet@%s%s\n", name, cfg.Domain, dataFlag(cfg.Data))
	fmt.Fprintf(&b, "Connect:      log in with any XMPP client as juliet@%s, %s\n", cfg.Domain, where(at))
	if cfg.Certificate == "" {
		b.WriteString("              (the client will ask about the certificate: compare its SHA-256, or give it the file)\n")
	}
	fmt.Fprintf(&b, "Say hello:    write to echo@%s, and it answers\n", cfg.Domain)
	b.WriteString("Stop:         Ctrl-C, or SIGTERM\n")
	return b.String()
}

// dataFlag is what a command needs to find the same server.
func dataFlag(data string) string {
	switch {
	case data == config.DefaultData:
		return ""
	case strings.ContainsAny(data, " \t'\"\\$`*?&|;<>()"):
		return " --data '" + strings.ReplaceAll(data, "'", `'\''`) + "'"
	}
	return " --data " + data
}

// where is what a client's settings ask for.
func where(at node.Addrs) string {
	addr, security := at.C2STLS, "direct TLS"
	if at.C2S != "" {
		addr, security = at.C2S, "STARTTLS" // what clients try first
	}
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip != nil && ip.IsUnspecified() {
		host = "(this machine)"
	}
	return fmt.Sprintf("server %s, port %s (%s)", host, port, security)
}
