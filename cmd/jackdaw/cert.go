package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

// maxCertDays bounds how long a node's certificate may be asked to be valid, in days: longer than an authority is nothing.
const maxCertDays = 3650

func newCert(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Make certificates between nodes by hand",
		Long: `Make the certificates by which nodes of a cluster know each other, by hand. Nobody has to: a
cluster makes its own and renews them, and "jackdaw cluster rotate" replaces them all. By hand
is for those who want the authority's key on no server: it is needed to sign, and nowhere else.

All nodes of a cluster have certificates by hand, or none. Each is given three files:
cluster.authority (ca.pem), cluster.certificate (NAME.pem) and cluster.key (NAME.key); it
reads them again when they change. These are not the certificates that clients see.`,
		Example: `  jackdaw cert ca authority
  jackdaw cert node n1 --ca authority --out n1
  jackdaw cert show authority/ca.pem n1/n1.pem`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertCA(c), newCertNode(c), newCertShow(c), newCertRotate(c))
	return cmd
}

// authorityFolder is the argument of commands about a folder with authorities.
func authorityFolder(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("one folder is needed, which has the authorities or will have them")
	}
	return nil
}

func newCertCA(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "ca DIR",
		Short: "Make an authority",
		Long: `Make an authority, which signs nodes' certificates, in the folder DIR: its certificate
ca.pem, for all nodes, and its key ca.key, which no node needs. It is valid for ten years.`,
		Example: "  jackdaw cert ca authority",
		Args:    authorityFolder,
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := trust.MakeHandFolder(args[0], time.Now()); err != nil {
				return err
			}
			return showFiles(c, filepath.Join(args[0], trust.AuthorityFile))
		},
	}
}

func newCertNode(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node NAME",
		Short: "Make a node's certificate and key",
		Long: `Make a node's certificate and key, NAME.pem and NAME.key, signed by the authority in a folder
that "jackdaw cert ca" has made. NAME is the node's cluster.name, by default its host's name in
lower case. A certificate of that name that is there already is replaced: so it is renewed.`,
		Example: `  jackdaw cert node n1 --ca authority
  jackdaw cert node n1 --ca authority --out /etc/jackdaw --days 365`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("one node's name is needed")
			}
			if trust.CheckName(args[0]) != nil {
				return usage("%q can't be a node's name: write lower-case letters, digits, dashes and dots, as in a host's name", args[0])
			}
			return nil
		},
	}
	f := cmd.Flags()
	ca := f.String("ca", ".", "`DIR` with the authority")
	out := f.String("out", "", "`DIR` to write to, if not the authority's")
	days := f.Int("days", int(trust.NodeLife/(24*time.Hour)), "how many `DAYS` it is valid")
	cluster := f.String("cluster", "", "`ID` of the only cluster where it is valid, as \"jackdaw cert show\" prints it of a node's bundle")
	f.SortFlags = false
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *days < 1 || *days > maxCertDays {
			return usage("--days is %d, and must be 1 to %d", *days, maxCertDays)
		}
		h, err := trust.OpenHandFolder(*ca)
		if err != nil {
			return err
		}
		folder := *out
		if folder == "" {
			folder = *ca
		}
		if _, err := h.IssueTo(folder, args[0], *cluster, time.Duration(*days)*24*time.Hour, time.Now()); err != nil {
			return err
		}
		return showFiles(c, filepath.Join(folder, args[0]+".pem"))
	}
	return cmd
}

func newCertShow(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE...",
		Short: "Show certificates, or what a node shares with its cluster",
		Long: `Show certificates in PEM files: whose they are, how long they are valid, who signed them, and
their pin, the SHA-256 of the whole certificate. Of cluster/bundle.json in a node's data folder
show what the nodes of its cluster share: authorities, the numbers of keys, stores, revoked
nodes and the last changes, without any secret.`,
		Example: `  jackdaw cert show authority/ca.pem n1/n1.pem
  jackdaw cert show jackdaw-data/cluster/bundle.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("a file is needed")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return showFiles(c, args...) },
	}
}

// showFiles prints what is in some files, each below its name.
func showFiles(c *console, files ...string) error {
	for _, file := range files {
		text, err := trust.Show(file, time.Now())
		if err != nil {
			return err
		}
		if err := say(c, "%s:", file); err != nil {
			return err
		}
		if _, err := io.WriteString(c.out, text); err != nil {
			return err
		}
	}
	return nil
}

func newCertRotate(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate DIR",
		Short: "Take the next step from an authority to a new one",
		Long: `Take the next of the three steps from the authority in DIR to a new one, and say what to do
before the step after it. Nodes that are one step apart understand each other, so no node has
to be stopped.

1. A new authority is valid beside the old one, which still signs: give ca.pem to all nodes.
2. The new one signs: make all nodes new certificates.
3. The old one is dropped: give ca.pem to all nodes.`,
		Example: "  jackdaw cert rotate authority",
		Args:    authorityFolder,
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := trust.OpenHandFolder(args[0])
			if err != nil {
				return err
			}
			step, err := h.Rotate(time.Now())
			if err != nil {
				return err
			}
			if err := showFiles(c, filepath.Join(args[0], trust.AuthorityFile)); err != nil {
				return err
			}
			return say(c, "\n%s", afterStep(step, args[0]))
		},
	}
}

// afterStep says what has been done and what comes next.
func afterStep(step trust.HandStep, folder string) string {
	file := filepath.Join(folder, trust.AuthorityFile)
	switch step {
	case trust.HandAdded:
		return fmt.Sprintf("Step 1 of 3: a new authority is valid; the old one signs. Give %s to all nodes, and then\nrun this command again.", file)
	case trust.HandSwitched:
		return fmt.Sprintf("Step 2 of 3: the new authority signs. Make every node a new certificate with\n\"jackdaw cert node NAME --ca %s\", and when all have theirs run this command again.", folder)
	}
	return fmt.Sprintf("Step 3 of 3: the old authority is dropped. Give %s to all nodes.", file)
}
