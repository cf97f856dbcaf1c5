package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackdaw-im/jackdaw/cmd/jackdaw/top"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// clusterText is a cluster in words and tables. links asks for each link, the quiet ones too.
func clusterText(st *adminpb.ClusterStatus, links bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s, asked at %s\n", st.GetCluster(), st.GetNode())
	agreed := "all agree"
	if !st.GetAgreed() {
		agreed = "NOT ALL AGREE"
	}
	fmt.Fprintf(&b, "view %s, %s; %s\n", st.GetView(), agreed, bundleText(st.GetBundle()))
	if n := st.GetUnowned(); n > 0 {
		fmt.Fprintf(&b, "NOBODY OWNS %d of the %d partitions: their users aren't served\n", n, ident.Partitions)
	}
	b.WriteByte('\n')
	membersTable(&b, st)
	for _, m := range st.GetMembers() {
		for _, line := range troubles(m) {
			fmt.Fprintf(&b, "  %s: %s\n", m.GetName(), line)
		}
	}
	linksTable(&b, st, links)
	hottestTable(&b, st)
	if pins := st.GetPins(); len(pins) > 0 {
		b.WriteString("\nPINNED\n")
		for _, p := range pins {
			fmt.Fprintf(&b, "  %s/%s on %s\n", p.GetKind(), p.GetId(), p.GetNode())
		}
	}
	return printable(b.String())
}

func bundleText(k *adminpb.Bundle) string {
	text := fmt.Sprintf("keys of version %d (%s, by %s)", k.GetVersion(), k.GetWhat(), k.GetBy())
	if k.GetRotating() {
		text += ", a rotation is under way"
	}
	if l := k.GetLagging(); len(l) > 0 {
		text += ", not yet at " + strings.Join(l, ", ")
	}
	if r := k.GetRevoked(); len(r) > 0 {
		text += "; revoked: " + strings.Join(r, ", ")
	}
	return text
}

// table writes aligned columns.
func table(b *strings.Builder, head string) (row func(cells ...any), end func()) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(strings.Fields(head), "\t"))
	return func(cells ...any) {
			text := make([]string, len(cells))
			for i, c := range cells {
				text[i] = strings.ReplaceAll(fmt.Sprint(c), "\t", " ")
			}
			fmt.Fprintln(w, strings.Join(text, "\t"))
		}, func() {
			_ = w.Flush() // into a strings.Builder
		}
}

// stateText is a member's state in one word or two.
func stateText(m *adminpb.ClusterMember) string {
	switch {
	case m.GetRejected() != "":
		return "REJECTED"
	case m.GetSuspect():
		return "LOST?"
	}
	return m.GetState()
}

func membersTable(b *strings.Builder, st *adminpb.ClusterStatus) {
	row, end := table(b, "NODE STATE VERSION WEIGHT OWNS SHARE HAS WAITING LEAVING HELD SESSIONS READY AGREES ADDRESS CLIENTS")
	for _, m := range st.GetMembers() {
		own, name := m.GetOwn(), m.GetName()
		if m.GetNode() == st.GetNode() {
			name += "*"
		}
		has, waiting, leaving, held, sessions, ready := "?", "?", "?", "?", "?", "?"
		if own != nil {
			has, waiting, leaving, held = fmt.Sprint(own.GetMine()), fmt.Sprint(own.GetWaiting()), fmt.Sprint(own.GetLeaving()), fmt.Sprint(own.GetHeld())
			sessions, ready = fmt.Sprint(own.GetSessions()), "yes"
			if own.GetNotReady() != "" {
				ready = "NO"
			}
		}
		agrees := "yes"
		switch m.GetView() {
		case st.GetView():
		case "":
			agrees = "?"
		default:
			agrees = "NO"
		}
		share := fmt.Sprintf("%.1f%%", 100*float64(m.GetOwned())/ident.Partitions)
		row(name, stateText(m), cmp.Or(m.GetRelease(), "?"), m.GetWeight(), m.GetOwned(), share, has, waiting, leaving, held, sessions, ready, agrees, m.GetGossip(), cmp.Or(m.GetClient(), "-"))
	}
	end()
}

// clockWorth is how far a clock may be off before it is told.
const clockWorth = time.Second

// certificateWorth is how long before its end a node's certificate is told.
const certificateWorth = 14 * 24 * time.Hour

// troubles are what the columns have no room for: what is wrong with a node, its drain, and what its loss would leave.
func troubles(m *adminpb.ClusterMember) (lines []string) {
	note := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if m.GetRejected() != "" {
		note("takes no part: %s", m.GetRejected())
	}
	if m.GetSuspect() {
		note("gossip has lost it; its share moves when its time of grace is over")
	}
	if m.GetSilent() != "" {
		note("%s", m.GetSilent())
	}
	own := m.GetOwn()
	if own.GetNotReady() != "" {
		note("not ready: %s", own.GetNotReady())
	}
	if own.GetStoreReason() != "" {
		note("store %s: %s", own.GetStore(), own.GetStoreReason())
	}
	if d := own.GetDrain(); d.GetPhase() != "" && d.GetPhase() != phaseNone {
		note("drain: %s", drainText(d))
	}
	if clock := time.Duration(m.GetClockUs()) * time.Microsecond; clock.Abs() >= clockWorth {
		note("its clock is %v off this node's", clock.Round(time.Millisecond))
	}
	if ends := time.UnixMicro(own.GetCertificateEnds()); own.GetCertificateEnds() != 0 && time.Until(ends) < certificateWorth {
		note("its certificate ends %s", ends.Format(time.DateTime))
	}
	if len(m.GetLost()) > 0 {
		var left []string
		for _, s := range m.GetLost() {
			left = append(left, fmt.Sprintf("%s %d", s.GetName(), s.GetPartitions()))
		}
		note("without it: %s", strings.Join(left, ", "))
	}
	return lines
}

// noted is one link with the node that it begins at.
type noted struct {
	from string
	*adminpb.LinkStatus
}

// longWaits is how long something on a link may wait without anybody being told: an acknowledgement takes some milliseconds.
const longWaits = 50 * time.Millisecond

// remarkable reports whether somebody should look at a link.
func (l noted) remarkable() bool {
	waits := l.GetQueue()+l.GetUnacked() > 0 && l.GetOldestUs() >= longWaits.Microseconds()
	return waits || l.GetRefused() > 0 || l.GetTries() > 0 || l.GetPeerRefuses() != "" || l.GetVia() != ""
}

// path is the way that a link's frames take.
func (l noted) path() string {
	if l.GetVia() == "" {
		return "direct"
	}
	return "via " + nameOf(l.GetVia())
}

func linksTable(b *strings.Builder, st *adminpb.ClusterStatus, all bool) {
	var links []noted
	quiet := 0
	for _, m := range st.GetMembers() {
		for _, l := range m.GetOwn().GetLinks() {
			if n := (noted{m.GetName(), l}); all || n.remarkable() {
				links = append(links, n)
			} else {
				quiet++
			}
		}
	}
	if len(links) == 0 {
		fmt.Fprintf(b, "\nLINKS  %d, nothing waits for long\n", quiet)
		return
	}
	slices.SortStableFunc(links, func(x, y noted) int { return cmp.Compare(y.GetOldestUs(), x.GetOldestUs()) })
	fmt.Fprintf(b, "\nLINKS  (%d more on which nothing waits for long)\n", quiet)
	row, end := table(b, "FROM TO CLASS QUEUE UNACKED BYTES OLDEST SENT RESENT REFUSED TRIES PATH")
	for _, l := range links {
		row(l.from, nameOf(l.GetPeer()), l.GetClass(), l.GetQueue(), l.GetUnacked(), top.Bytes(l.GetBytes()), top.Took(l.GetOldestUs()), l.GetSent(), l.GetResent(), l.GetRefused(), l.GetTries(), l.path())
	}
	end()
	for _, l := range links {
		if l.GetPeerRefuses() != "" {
			fmt.Fprintf(b, "  %s takes nothing from %s: %s\n", nameOf(l.GetPeer()), l.from, l.GetPeerRefuses())
		}
	}
}

// nameOf is the part of a node's id before its incarnation.
func nameOf(node string) string {
	name, _, _ := strings.Cut(node, "@")
	return name
}

func hottestTable(b *strings.Builder, st *adminpb.ClusterStatus) {
	if len(st.GetHottest()) == 0 {
		return
	}
	b.WriteString("\nBUSIEST PARTITIONS, by messages a second of their busiest actors\n")
	row, end := table(b, "PARTITION NODE RATE ACTOR ITS-RATE")
	for _, h := range st.GetHottest() {
		row(h.GetPartition(), h.GetNode(), top.Count(h.GetMessagesPerSecond()), h.GetActor(), top.Count(h.GetActorPerSecond()))
	}
	end()
}
