package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

func newTree(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tree [PATH]",
		Short: "Print the live supervision tree",
		Long: `Print the live supervision tree of the running server: each child with its type, how often it
was restarted, and its REF for "jackdaw sys". PATH, names with slashes between them, prints
what is below one child; the last names of it suffice if they are the only ones. A child that
--depth or --fold closes sums up what is below it. The partitions of a dynamic supervisor are
summed up on its line.`,
		Example: `  jackdaw tree
  jackdaw tree messaging/services
  jackdaw tree --depth 2 --fold lanes
  jackdaw tree mailboxes --partitions`,
		Args: cobra.MaximumNArgs(1),
	}
	s := folderFlags(cmd)
	v := treeView{}
	cmd.Flags().IntVar(&v.depth, "depth", 0, "close what is deeper than `N` levels; 0 closes nothing")
	cmd.Flags().StringArrayVar(&v.fold, "fold", nil, "close the child at `PATH`; may be repeated")
	cmd.Flags().BoolVar(&v.partitions, "partitions", false, "print each partition of a dynamic supervisor")
	asJSON := jsonFlag(cmd, "the tree, nothing of it closed,")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if v.depth < 0 {
			return usage("--depth is 0 or more")
		}
		return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
			tree, err := client.Tree(ctx)
			if err != nil {
				return reading(err)
			}
			root := tree
			if len(args) == 1 {
				if root, err = find(tree, args[0]); err != nil {
					return err
				}
			}
			if *asJSON {
				return sayJSON(c, root)
			}
			text, err := v.draw(root)
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.out, text)
			return err
		})
	}
	return cmd
}

// maxTreeRoom is how wide a column of the tree is at most.
const maxTreeRoom = 60

// treeView says what of a tree is shown.
type treeView struct {
	depth      int
	fold       []string
	partitions bool
}

// find is the one child whose path ends with the names of path.
func find(root *adminpb.TreeNode, path string) (*adminpb.TreeNode, error) {
	names := strings.Split(strings.Trim(path, "/"), "/")
	type place struct {
		path []string
		node *adminpb.TreeNode
	}
	var found, all []place
	var walk func(n *adminpb.TreeNode, above []string)
	walk = func(n *adminpb.TreeNode, above []string) {
		at := place{append(slices.Clone(above), n.GetId()), n}
		all = append(all, at)
		if len(at.path) >= len(names) && slices.Equal(at.path[len(at.path)-len(names):], names) {
			found = append(found, at)
		}
		for _, c := range n.GetChildren() {
			walk(c, at.path)
		}
	}
	walk(root, nil)
	fromTop := func(p place) bool { return len(p.path) == len(names) || len(p.path) == len(names)+1 }
	if i := slices.IndexFunc(found, fromTop); i >= 0 { // then that one is meant
		found = found[i : i+1]
	}
	text := func(places []place) string {
		var b []string
		for _, p := range places[:min(len(places), 8)] {
			b = append(b, strings.Join(p.path, "/"))
		}
		return printable(strings.Join(b, ", "))
	}
	switch len(found) {
	case 1:
		return found[0].node, nil
	case 0:
		near := slices.DeleteFunc(all, func(p place) bool { return p.node.GetType() == "partition" || len(p.path) > 3 })
		return nil, fmt.Errorf("the tree has no %s; it has, for instance, %s", path, text(near))
	}
	return nil, fmt.Errorf("%s is several: %s", path, text(found))
}

// draw is the tree as text, one child a line.
func (v *treeView) draw(root *adminpb.TreeNode) (string, error) {
	closed := map[*adminpb.TreeNode]bool{}
	for _, path := range v.fold {
		n, err := find(root, path)
		if err != nil {
			return "", err
		}
		closed[n] = true
	}
	var lines [][3]string
	var room [2]int
	var walk func(n *adminpb.TreeNode, level int)
	walk = func(n *adminpb.TreeNode, level int) {
		shut := closed[n] || v.depth > 0 && level+1 >= v.depth
		child, marks := line(n, shut)
		l := [3]string{printable(strings.Repeat("  ", level) + child), printable(n.GetRef()), marks}
		lines = append(lines, l)
		for i := range room {
			if len(l[i]) <= maxTreeRoom {
				room[i] = max(room[i], len(l[i]))
			}
		}
		if shut || dynamic(n) && !v.partitions {
			return
		}
		for _, c := range n.GetChildren() {
			walk(c, level+1)
		}
	}
	walk(root, 0)
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s  %-*s  %s", room[0], l[0], room[1], l[1], l[2]), " ") + "\n")
	}
	return b.String(), nil
}

// dynamic reports whether a supervisor's children are partitions.
func dynamic(n *adminpb.TreeNode) bool {
	return len(n.GetChildren()) > 0 && n.GetChildren()[0].GetType() == "partition"
}

// below sums up what is below a child.
type below struct{ children, live, restarts, down, silent int64 }

func (b *below) add(n *adminpb.TreeNode) {
	for _, c := range n.GetChildren() {
		b.children++
		b.live += c.GetLive()
		b.restarts += c.GetRestarts() + c.GetRestarted()
		if c.GetState() != "running" {
			b.down++
		}
		if c.GetSilent() {
			b.silent++
		}
		b.add(c)
	}
}

// line is one child, and what is remarkable about it; of one that is shut, with the sum of what is below it.
func line(n *adminpb.TreeNode, shut bool) (child, marks string) {
	var sum below
	if sum.add(n); !shut && !dynamic(n) {
		sum = below{}
	}
	words := []string{n.GetRestart()}
	switch {
	case dynamic(n):
		words = []string{"dynamic", fmt.Sprintf("%d partitions, %d actors", len(n.GetChildren()), sum.live)}
	case n.GetType() == "partition":
		words = []string{"partition", fmt.Sprintf("%d actors", n.GetLive())}
	case n.GetType() == "supervisor":
		words = []string{"supervisor"}
		if s := n.GetStrategy(); s != "" && s != "one_for_one" {
			words = append(words, s)
		}
		if sum.children > 0 {
			words = append(words, fmt.Sprintf("%d below", sum.children))
		}
		if sum.live > 0 {
			words = append(words, fmt.Sprintf("%d actors", sum.live))
		}
	}
	if n.GetSignificant() {
		words = append(words, "significant")
	}
	return fmt.Sprintf("%s (%s)", n.GetId(), strings.Join(words, ", ")), remarks(n, sum)
}

// remarks are what is remarkable about a child, and below it.
func remarks(n *adminpb.TreeNode, sum below) string {
	var words []string
	if n.GetState() != "running" {
		words = append(words, strings.ToUpper(n.GetState()))
	}
	if n.GetSilent() {
		words = append(words, "doesn't answer")
	}
	if r := n.GetRestarts(); r > 0 {
		words = append(words, fmt.Sprintf("restarts=%d", r))
	}
	if r := n.GetRecentRestarts(); r > 0 {
		words = append(words, fmt.Sprintf("bears=%d/%v had=%d", n.GetIntensity(), time.Duration(n.GetPeriodMs())*time.Millisecond, r))
	}
	if r := n.GetRestarted(); r > 0 {
		words = append(words, fmt.Sprintf("restarted=%d", r))
	}
	if sum.restarts > 0 {
		words = append(words, fmt.Sprintf("restarts_below=%d", sum.restarts))
	}
	if sum.down > 0 {
		words = append(words, fmt.Sprintf("down_below=%d", sum.down))
	}
	if sum.silent > 0 {
		words = append(words, fmt.Sprintf("silent_below=%d", sum.silent))
	}
	return strings.Join(words, " ")
}
