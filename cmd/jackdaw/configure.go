package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/gateway"
	"github.com/jackdaw-im/jackdaw/node"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

func newConfig(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check and print the configuration",
		Long: `Check and print the configuration that "jackdaw serve" would use with the same flags,
environment and file.`,
		Example: `  jackdaw config check --config /etc/jackdaw.yaml
  jackdaw config print > jackdaw.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s := serverFlags(cmd)
	cmd.AddCommand(&cobra.Command{
		Use:     "check",
		Short:   "Check the configuration and the certificate that it names",
		Long:    "Check the configuration, the certificate that it names, and how the stores' URLs are written; nobody is\nconnected to. The exit code is 0 if a server could use them.",
		Example: "  jackdaw config check --config /etc/jackdaw.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := s.load(c)
			if err != nil {
				return err
			}
			if cfg.Certificate != "" {
				if _, err := gateway.LoadCertificate(cfg.Certificate, cfg.Key); err != nil {
					return err
				}
			}
			if cfg.Store.URL != "" {
				if err := pgstore.CheckURLs(cfg.Store.URL, cfg.Store.Directory); err != nil {
					return err
				}
			}
			return say(c, "the configuration is good")
		},
	}, &cobra.Command{
		Use:     "print",
		Short:   "Print the configuration as YAML",
		Long:    "Print the whole configuration as YAML, each key with its explanation and its environment variable. Secrets\nare masked.",
		Example: "  jackdaw config print --domain example.org > jackdaw.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := s.load(c)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.out, cfg.Print())
			return err
		},
	})
	return cmd
}

func newVersion(c *console) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version, the commit it was built from, and the Go toolchain that built it.",
		Example: "  jackdaw version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := node.CurrentVersion()
			text := "jackdaw " + v.Version
			if v.Revision != "" {
				text += ", commit " + v.Revision
			}
			return say(c, "%s, %s", text, v.Go)
		},
	}
}
