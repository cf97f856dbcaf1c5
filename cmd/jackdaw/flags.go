package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/config"
)

// keys are the keys of the flags that become configuration.
var keys = map[string]string{
	"data": "data", "domain": "domain", "c2s": "c2s", "c2s-tls": "c2s_tls", "admin": "admin", "log-level": "log_level",
	"node": "cluster.name", "cluster": "cluster.listen", "advertise": "cluster.advertise", "join": "cluster.join", "token": "cluster.token",
	"store": "store.url", "directory": "store.directory",
}

// settings are the flags that become configuration.
type settings struct {
	file  string
	given func() map[string]string
}

// folderFlags defines the flags that say which server is meant.
func folderFlags(cmd *cobra.Command) *settings {
	s := &settings{}
	f := cmd.PersistentFlags()
	f.StringVar(&s.file, "config", "", "YAML `FILE` to read the configuration from (also JACKDAW_CONFIG)")
	f.String("data", config.DefaultData, "`DIR` with everything the server keeps")
	s.given = func() map[string]string {
		given := map[string]string{}
		for name, key := range keys {
			if flag := f.Lookup(name); flag != nil && flag.Changed {
				given[key] = flag.Value.String()
			}
		}
		return given
	}
	return s
}

// dataFlags defines those, and the domain.
func dataFlags(cmd *cobra.Command) *settings {
	s := folderFlags(cmd)
	cmd.PersistentFlags().String("domain", config.DefaultDomain, "served domain: the `NAME` behind the @ in users' addresses")
	return s
}

// serverFlags defines all flags that `serve` takes.
func serverFlags(cmd *cobra.Command) *settings {
	s := dataFlags(cmd)
	f := cmd.PersistentFlags()
	f.String("c2s", config.DefaultC2S, "`ADDR` (HOST:PORT) for clients with STARTTLS; empty opens none; in a cluster it is :5222 unless said")
	f.String("c2s-tls", config.DefaultC2STLS, "`ADDR` (HOST:PORT) for clients with direct TLS; empty opens none; in a cluster :5223")
	f.String("admin", config.DefaultAdmin, "`ADDR` (HOST:PORT) for /healthz, /readyz, /metrics and /debug/pprof; empty opens none")
	f.String("log-level", config.DefaultLogLevel, "`LEVEL` of the log: debug, info, warn or error")
	f.String("join", "", "`ADDR` (HOST:PORT) of nodes whose cluster to join, separated by commas; one suffices")
	f.String("token", "", "`TOKEN` to join with for the first time, which \"jackdaw cluster token\" prints")
	f.String("cluster", "", "`ADDR` (HOST:PORT) for other nodes; the TCP port above it is for messages between them")
	f.String("advertise", "", "`ADDR` (HOST:PORT) by which other nodes reach --cluster")
	f.String("node", "", "`NAME` of this node in the cluster; empty is the machine's")
	f.String("store", "", "`URL` of PostgreSQL, or several separated by commas: the store of a new cluster")
	f.String("directory", "", "`URL` of the database of accounts and groups; empty is the first of --store")
	f.SortFlags = false
	return s
}

// load makes the configuration.
func (s *settings) load(c *console) (*config.Config, error) {
	return config.Load(config.Sources{File: s.file, Environ: c.environ, Flags: s.given()})
}

// durationFlag defines a flag that takes what durations of the configuration take: days too.
func durationFlag(cmd *cobra.Command, name string, usual time.Duration, usage string) *time.Duration {
	d := duration(usual)
	cmd.Flags().Var(&d, name, usage)
	return (*time.Duration)(&d)
}

// duration is the value of such a flag.
type duration time.Duration

// Set implements pflag.Value.
func (d *duration) Set(text string) error {
	v, err := config.ParseDuration(text)
	*d = duration(v)
	return err
}

// String implements pflag.Value.
func (d *duration) String() string { return time.Duration(*d).String() }

// Type implements pflag.Value.
func (d *duration) Type() string { return "duration" }
