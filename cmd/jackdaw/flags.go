package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/config"
)

// settings are the flags that become configuration. A flag's name is its key with dashes.
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
		for _, name := range []string{"data", "domain", "c2s", "c2s-tls", "admin", "log-level"} {
			if flag := f.Lookup(name); flag != nil && flag.Changed {
				given[strings.ReplaceAll(name, "-", "_")] = flag.Value.String()
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
	f.String("c2s", config.DefaultC2S, "`ADDR` (HOST:PORT) for clients with STARTTLS; empty opens none")
	f.String("c2s-tls", config.DefaultC2STLS, "`ADDR` (HOST:PORT) for clients with direct TLS; empty opens none")
	f.String("admin", config.DefaultAdmin, "`ADDR` (HOST:PORT) for /healthz, /readyz, /metrics and /debug/pprof; empty opens none")
	f.String("log-level", config.DefaultLogLevel, "`LEVEL` of the log: debug, info, warn or error")
	f.SortFlags = false
	return s
}

// load makes the configuration.
func (s *settings) load(c *console) (*config.Config, error) {
	return config.Load(config.Sources{File: s.file, Environ: c.environ, Flags: s.given()})
}
