package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate reports every value that can't work, one a line, each with what to write instead.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("config: "+format, args...)) }
	if c.Data == "" {
		bad("data is empty: name the folder that keeps the server's data")
	}
	if err := checkDomain(c.Domain); err != nil {
		bad("domain %q %w", c.Domain, err)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		bad("log_level %q is none of debug, info, warn, error", c.LogLevel)
	}
	if !slices.Contains([]string{"auto", "console", "json"}, c.LogFormat) {
		bad("log_format %q is none of auto, console, json", c.LogFormat)
	}
	if (c.Certificate == "") != (c.Key == "") {
		bad("certificate and key go together: give both files, or neither to have them made")
	}
	errs = append(errs, c.checkAddresses()...)
	errs = append(errs, c.checkLimits()...)
	errs = append(errs, c.checkCluster()...)
	return errors.Join(errs...)
}

// checkDomain refuses what can't be a domain at all. What the domain is in its normalised form is for others to say.
func checkDomain(d string) error {
	switch {
	case d == "":
		return errors.New("is empty: name what stands behind the @ in your users' addresses")
	case len(d) > 1023:
		return errors.New("is longer than 1023 bytes")
	case strings.ContainsAny(d, "@/ \t\r\n\"'<>&:"):
		return errors.New("is not a domain: write it as in example.org, without user, port or path")
	}
	return nil
}

func (c *Config) checkAddresses() (errs []error) {
	if c.C2S == "" && c.C2STLS == "" {
		errs = append(errs, errors.New("config: c2s and c2s_tls are both empty, so nobody could connect: give at least one address"))
	}
	taken := map[string]string{}
	for _, a := range []struct{ key, addr string }{{"c2s", c.C2S}, {"c2s_tls", c.C2STLS}, {"admin", c.Admin},
		{"cluster.listen", c.Cluster.Listen}, {"cluster.carriage", c.Cluster.Carriage}, {"cluster.advertise", c.Cluster.Advertise}} {
		if a.addr == "" {
			continue
		}
		_, port, err := net.SplitHostPort(a.addr)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("config: %s %q is not an address: write HOST:PORT, as in 127.0.0.1:5222, or :5222 for every interface", a.key, a.addr))
			continue
		}
		if a.key == "cluster.advertise" { // what is bound, mostly
			continue
		}
		if other := taken[a.addr]; other != "" && port != "0" {
			errs = append(errs, fmt.Errorf("config: %s and %s are both %s: give each an address of its own", other, a.key, a.addr))
		}
		taken[a.addr] = a.key
	}
	return errs
}

// bound is one key with its range; most is 0 for none.
type bound[T int | Size | time.Duration] struct {
	key                string
	value, least, most T
}

func (b bound[T]) check(errs []error) []error {
	switch {
	case b.value < b.least:
		return append(errs, fmt.Errorf("config: %s is %v, and must be at least %v", b.key, b.value, b.least))
	case b.most > 0 && b.value > b.most:
		return append(errs, fmt.Errorf("config: %s is %v, and must be at most %v", b.key, b.value, b.most))
	}
	return errs
}

func (c *Config) checkLimits() (errs []error) {
	for _, b := range []bound[int]{
		{"limits.stanzas", c.Limits.Stanzas, 0, 0},
		{"mailbox.messages", c.Mailbox.Messages, 1, 0},
		{"mailbox.stranger", c.Mailbox.Stranger, 1, 0},
		{"mailbox.share", c.Mailbox.Share, 1, 100},
		{"store.lanes", c.Store.Lanes, 1, 64},
		{"cluster.weight", c.Cluster.Weight, 1, 10_000},
		{"dump.keep", c.Dump.Keep, 1, 1000},
		{"dump.memory", c.Dump.Memory, 0, 100},
	} {
		errs = b.check(errs)
	}
	for _, b := range []bound[Size]{
		{"limits.stanza_bytes_before_auth", c.Limits.StanzaBytesBeforeAuth, 4 << 10, c.Limits.StanzaBytes},
		{"limits.stanza_bytes", c.Limits.StanzaBytes, 10_000, 16 << 20},
		{"limits.bytes", c.Limits.Bytes, 0, 0},
		{"mailbox.bytes", c.Mailbox.Bytes, c.Limits.StanzaBytes, 0},
		{"store.stop_below", c.Store.StopBelow, 1 << 20, 0},
		{"store.resume_above", c.Store.ResumeAbove, c.Store.StopBelow, 0},
		{"store.cache", c.Store.Cache, 32 << 20, 0},
	} {
		errs = b.check(errs)
	}
	for _, b := range []bound[time.Duration]{
		{"mailbox.ttl", c.Mailbox.TTL, time.Minute, 0},
		{"cluster.grace", c.Cluster.Grace, 100 * time.Millisecond, 10 * time.Minute},
		{"cluster.forget", c.Cluster.Forget, time.Second, time.Hour},
		{"cluster.rejoin", c.Cluster.Rejoin, time.Second, time.Hour},
		{"session.resume_time", c.Session.ResumeTime, 0, 24 * time.Hour},
		{"session.idle_ping", c.Session.IdlePing, 10 * time.Second, 0},
		{"session.ping_timeout", c.Session.PingTimeout, time.Second, time.Hour},
		{"store.linger", c.Store.Linger, 0, 100 * time.Millisecond},
	} {
		errs = b.check(errs)
	}
	return errs
}

// checkCluster refuses what says two things about the cluster.
func (c *Config) checkCluster() (errs []error) {
	k := c.Cluster
	if k.Token != "" && k.Join == "" {
		errs = append(errs, errors.New("config: cluster.token is given without cluster.join: name a node of the cluster to join"))
	}
	if c.Store.Directory != "" && c.Store.URL == "" {
		errs = append(errs, errors.New("config: store.directory is given without store.url: name the databases of the messages too"))
	}
	if (k.Authority == "") != (k.NodeCert == "") || (k.NodeCert == "") != (k.NodeKey == "") {
		errs = append(errs, errors.New("config: cluster.authority, cluster.certificate and cluster.key go together: give all three files, or none"))
	}
	return errs
}
