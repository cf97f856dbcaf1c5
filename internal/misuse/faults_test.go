package misuse_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// full is what a sender is told.
const full = "the server can store nothing now"

// fullDisk puts the messages on a small disk, and fills it.
func fullDisk(r *rig) {
	small := disk(r.T, 8)
	tables, err := r.c.Store.Text(r.within(), "SELECT string_agg(format('ALTER TABLE %I SET TABLESPACE small;', relname), ' ') FROM pg_class WHERE relkind = 'r' AND relname ~ '^mail_?[0-9]+$'")
	if err != nil {
		r.Fatal(err)
	}
	back := strings.ReplaceAll(tables, "TABLESPACE small", "TABLESPACE pg_default")
	if err := r.c.Store.Exec(r.within(), "CREATE TABLESPACE small LOCATION '"+small.Path+"'", tables); err != nil {
		r.Fatal(err)
	}
	from := []*talk.Guest{talk.Visit(r, r.c.Nodes[0].C2STLS, "u10@localhost/from")}
	say := func() {
		for i := range 12 {
			from[0].Say(fmt.Sprintf("u%d@localhost", 20+i), 15)
		}
	}
	say()
	from[0].Acked()
	if err := small.Fill(); err != nil {
		r.Fatal(err)
	}
	for range 5 {
		say()
	}
	meet := map[string]string{} // the nodes that store for these users -> one of the users
	for i := range 12 {
		user := fmt.Sprintf("u%d@localhost", 20+i)
		meet[r.owner(user)] = user
	}
	if len(meet) != len(r.c.Nodes) {
		r.Fatalf("only these store anything: %v", meet)
	}
	r.until("all who store there to say that it is full", func() string {
		for _, n := range r.c.Nodes {
			user, open := meet[n.Name]
			if !open {
				continue
			}
			err := n.Ready(r.Context())
			if err == nil || !strings.Contains(err.Error(), "store full: ") {
				from[0].Say(user, 1) // it is said for some seconds after the last refusal
				continue
			}
			r.Logf("%s: %v", n.Name, err)
			delete(meet, n.Name)
		}
		if len(meet) > 0 {
			return fmt.Sprintf("not by %v", meet)
		}
		return ""
	})
	r.until("an outcome", func() string { return r.open(from) })
	refused := from[0].Errors()
	if len(refused) == 0 {
		r.Fatal("the disk isn't full")
	}
	for _, why := range refused {
		if why != "wait resource-constraint: "+full {
			r.Errorf("refused with %q", why)
		}
	}
	r.Logf("%d messages were refused", len(refused))
	if err := small.MakeRoom(); err != nil {
		r.Fatal(err)
	}
	r.whole() // without anybody's doing
	say()
	from[0].Acked()
	var to []*talk.Guest
	for i := range 12 {
		to = append(to, talk.Visit(r, r.c.Nodes[1].C2STLS, fmt.Sprintf("u%d@localhost/to", 20+i)))
	}
	r.delivered(from, to)
	if err := r.c.Store.Exec(r.within(), back, "DROP TABLESPACE small"); err != nil {
		r.Error(err)
	}
}

// paused stops a node while more is sent to users of it than the links to it may hold.
func paused(r *rig) {
	n1, n3 := r.c.Nodes[0], r.c.Nodes[2]
	const senders, each = 50, 80
	var from, to []*talk.Guest
	for i := 0; len(from) < senders; i++ {
		jid := fmt.Sprintf("u%d@localhost", i)
		switch {
		case len(to) < 3 && r.owner(jid) == n3.Name:
			to = append(to, talk.Visit(r, n1.C2STLS, jid+"/to"))
		default:
			from = append(from, talk.Visit(r, r.c.Nodes[i%2].C2STLS, jid+"/from"))
		}
	}
	before := r.memory()
	n3.Pause()
	defer n3.Resume()
	r.stopped(n3.PID())
	for _, g := range from {
		for _, user := range to {
			g.Say(strings.TrimSuffix(user.JID(), "/to"), each)
		}
	}
	longest, most := 0.0, int64(0)
	r.until("the others to go on without it", func() string {
		most = max(most, r.memory())
		for _, n := range r.c.Nodes[:2] {
			m, err := n.Metrics(r.Context())
			if err != nil {
				return err.Error()
			}
			for series, v := range m {
				if strings.HasPrefix(series, "jackdaw_link_queue{") {
					longest = max(longest, v)
				}
			}
		}
		return r.open(from)
	})
	r.Logf("links of up to %v envelopes, %d MiB more memory for two nodes, after %.1f s all is answered", longest, (most-before)>>20, time.Since(r.began).Seconds())
	if longest > 16384 || longest < 1000 || most-before > 256<<20 {
		r.Error("that isn't what was to be tested, or not bounded")
	}
	n3.Resume()
	r.whole()
	r.delivered(from, to)
}

// owner is the name of the node that a user's mailbox is on.
func (r *rig) owner(jid string) string {
	var nodes []placement.Node
	for _, n := range r.c.Nodes {
		nodes = append(nodes, placement.Node{ID: ident.NodeID(n.Name + "@1"), Weight: placement.UsualWeight})
	}
	return placement.Make(nodes).Owner(ident.PartitionOf(mailbox.Kind, jid)).Name()
}

// stopped waits until all threads of a process stand still.
func (r *rig) stopped(pid int) {
	r.Helper()
	r.until("it to stand still", func() string {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			return err.Error()
		}
		for _, file := range stats {
			if stat, err := os.ReadFile(file); err == nil && !strings.Contains(string(stat), ") T ") {
				return string(stat)
			}
		}
		return ""
	})
}

// open says how many messages have no outcome yet.
func (r *rig) open(from []*talk.Guest) string {
	open := 0
	for _, g := range from {
		open += g.Unanswered()
	}
	if open > 0 {
		return fmt.Sprintf("%d messages have no outcome", open)
	}
	return ""
}

// memory is what the first two nodes use.
func (r *rig) memory() (sum int64) {
	r.Helper()
	for _, n := range r.c.Nodes[:2] {
		u, err := n.Usage()
		if err != nil {
			r.Fatal(err)
		}
		sum += u.RSS
	}
	return sum
}

// delivered checks that what was not refused has come, in order.
func (r *rig) delivered(from, to []*talk.Guest) {
	r.Helper()
	refused, sent := map[string]bool{}, 0
	for _, g := range from {
		sent += g.Said()
		for _, e := range g.Got() {
			if e.Name == "message" && e.Attr("type") == "error" {
				refused[e.Attr("id")] = true
			}
		}
		for _, why := range g.Errors() {
			if !strings.HasPrefix(why, "wait ") {
				r.Errorf("%s: refused with %q", g.JID(), why)
			}
		}
	}
	seen := map[string]bool{}
	r.until("all messages", func() string {
		clear(seen)
		for _, g := range to {
			for _, e := range g.Got() {
				if e.Name == "message" && e.Attr("type") != "error" {
					seen[e.Attr("id")] = true
				}
			}
		}
		missing := sent - len(seen)
		for id := range refused {
			if !seen[id] { // the outcome of some is unknown
				missing--
			}
		}
		if missing > 0 {
			return fmt.Sprintf("%d of %d are missing, %d were refused; %s", missing, sent, len(refused), arrived(to))
		}
		return ""
	})
	for _, g := range to {
		last, seen := map[string]int{}, map[string]bool{}
		for _, e := range g.Got() {
			id, sender := e.Attr("id"), e.Attr("from")
			if e.Name != "message" || seen[id] || refused[id] {
				continue
			}
			n, _ := strconv.Atoi(id[strings.LastIndexByte(id, ' ')+1:])
			if seen[id] = true; n < last[sender] {
				r.Errorf("%s has got number %d of %s after %d: %s", g.JID(), n, sender, last[sender], e.AppendXML(nil, ""))
			}
			last[sender] = n
		}
	}
	r.Logf("%d messages were sent, %d refused", sent, len(refused))
}

// arrived says how much each has got.
func arrived(to []*talk.Guest) string {
	var b strings.Builder
	for _, g := range to {
		ids := map[string]bool{}
		for _, e := range g.Got() {
			if e.Name == "message" {
				ids[e.Attr("id")] = true
			}
		}
		fmt.Fprintf(&b, "%s has %d, ", g.JID(), len(ids))
	}
	return b.String()
}

// alone cuts a node off from the others and from the store, while users talk. It keeps the connection of one who stays with it.
func alone(r *rig) {
	if !r.c.CanCut() {
		r.Skip(testcluster.ErrNoCuts)
	}
	n3 := r.c.Nodes[2]
	crowd := r.crowd(10, 50*time.Millisecond)
	stays, friend := talk.Visit(r, n3.C2STLS, "u72@localhost/stays"), talk.Visit(r, r.c.Nodes[0].C2STLS, "u73@localhost/friend")
	stays.Say("u73@localhost", 3)
	friend.Hears(stays)
	if err := errors.Join(r.c.Part(r.Context(), r.c.Nodes[:2], r.c.Nodes[2:]), r.c.CutStore(r.Context(), n3)); err != nil {
		r.Fatal(err)
	}
	r.unready(n3, "store")
	r.Logf("it says: %v", n3.Ready(r.Context()))
	stays.Say("u73@localhost", 3)
	if err := errors.Join(r.c.WaitWhole(r.within(), r.c.Nodes[:2]...), crowd.Online(r.within()), crowd.Says(r.within(), 200)); err != nil {
		r.Fatal(err)
	}
	r.Logf("the others have taken over after %.1f s", time.Since(r.began).Seconds())
	if err := r.c.Heal(r.Context()); err != nil {
		r.Fatal(err)
	}
	r.whole()
	r.Logf("one again after %.1f s", time.Since(r.began).Seconds())
	if err := crowd.Says(r.within(), 200); err != nil {
		r.Fatal(err)
	}
	r.until("an outcome", func() string { return r.open([]*talk.Guest{stays}) })
	r.Logf("what was said to nobody has its outcome: %q", stays.Errors())
	// A guest comes back only when it is told to, so this is the connection of before; and it is good for both ways.
	if _, err := stays.Ask("get", "", "<ping xmlns='urn:xmpp:ping'/>"); err != nil {
		r.Errorf("the connection to the node that was alone: %v", err)
	}
	stays.Say("u73@localhost", 3)
	friend.Say("u72@localhost", 3)
	stays.Hears(friend)
	r.delivered([]*talk.Guest{stays}, []*talk.Guest{friend})
	r.finish(crowd, true)
}
