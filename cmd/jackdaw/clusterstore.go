package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/node"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

func newClusterStore(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store URL[,URL..]",
		Short: "Tell all nodes another address or password of the databases",
		Long: `Tell all nodes how the databases of the store are reached from now on: with another user or
password, or at other hosts. They are the same databases as before, in the same order. The
node that is asked tries them first; then all nodes use them for their next connections, and
no message is held up. If no server runs on the data folder, they are tried and written down
for its next start, as after a restoration on other hosts. "-" reads the list from standard input, where nobody else sees it, and
the directory from its second line.

To change a password, set it in PostgreSQL first: connections that are open stay open.`,
		Example: `  jackdaw cluster store postgres://jackdaw:NEW@db1/mail --directory postgres://jackdaw:NEW@db1/directory
  pass show jackdaw/stores | jackdaw cluster store -`,
		Args: oneOf("the list of databases, or -,"),
	}
	directory := cmd.Flags().String("directory", "", "`URL` of the database of accounts and groups; empty is the first of the list")
	wait := waitFlag(cmd, time.Minute)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list := args[0]
		if list == "-" {
			first, second, err := twoLines(c.in)
			if err != nil {
				return err
			}
			if list = first; second != "" {
				*directory = second
			}
		}
		for _, one := range append(pgstore.Split(list), *directory) {
			if one != "" && !pgstore.Is(one) {
				return usage("a database is named by postgres://USER:PASSWORD@HOST/NAME")
			}
		}
		req := &adminpb.SetStores{Stores: pgstore.Split(list), Directory: *directory}
		err := s.change(cmd, c, &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Stores{Stores: req}}, *wait)
		if !errors.Is(err, admin.ErrNoServer) {
			return err
		}
		cfg, loadErr := s.load(c)
		if loadErr != nil {
			return loadErr
		}
		if _, noBundle := os.Stat(cfg.BundleFile()); noBundle != nil {
			return err
		}
		if err := node.SetStores(cfg, req.GetStores(), req.GetDirectory()); err != nil {
			return err
		}
		return say(c, "written down for this node, which doesn't run: it uses them when it starts, and tells the other nodes")
	}
	return cmd
}

// twoLines reads at most two lines; the second may be missing.
func twoLines(r io.Reader) (first, second string, err error) {
	lines := bufio.NewScanner(r)
	for _, to := range []*string{&first, &second} {
		if lines.Scan() {
			*to = strings.TrimSpace(lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return "", "", fmt.Errorf("the addresses can't be read: %w", err)
	}
	if first == "" {
		return "", "", usage("no address came on standard input")
	}
	return first, second, nil
}
