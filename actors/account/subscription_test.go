package account

import (
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// parseState reads the RFC's notation: "None", "None+PO", "None+PI", "None+POI", "To", "To+PI", "From", "From+PO", "Both".
func parseState(name string) subState {
	base, pending, _ := strings.Cut(name, "+")
	return subState{
		to:         base == "To" || base == "Both",
		from:       base == "From" || base == "Both",
		pendingOut: strings.Contains(pending, "O"),
		pendingIn:  strings.Contains(pending, "I"),
	}
}

// The tables below are RFC 6121 appendix A: state, whether the stanza is passed on, next state.
func TestSubscriptionTables(t *testing.T) {
	const (
		sub    = nodepb.PresenceType_SUBSCRIBE
		unsub  = nodepb.PresenceType_UNSUBSCRIBE
		subd   = nodepb.PresenceType_SUBSCRIBED
		unsubd = nodepb.PresenceType_UNSUBSCRIBED
	)
	for _, c := range []struct {
		section string
		inbound bool
		typ     nodepb.PresenceType
		rows    string
	}{
		{"A.2.1", false, sub, `None yes None+PO; None+PO yes None+PO; None+PI yes None+POI; None+POI yes None+POI; To yes To; To+PI yes To+PI; From yes From+PO; From+PO yes From+PO; Both yes Both`},
		{"A.2.2", false, unsub, `None yes None; None+PO yes None; None+PI yes None+PI; None+POI yes None+PI; To yes None; To+PI yes None+PI; From yes From; From+PO yes From; Both yes From`},
		{"A.2.3", false, subd, `None no None; None+PO no None+PO; None+PI yes From; None+POI yes From+PO; To no To; To+PI yes Both; From no From; From+PO no From+PO; Both no Both`},
		{"A.2.4", false, unsubd, `None no None; None+PO no None+PO; None+PI yes None; None+POI yes None+PO; To no To; To+PI yes To; From yes None; From+PO yes None+PO; Both yes To`},
		{"A.3.1", true, sub, `None yes None+PI; None+PO yes None+POI; None+PI no None+PI; None+POI no None+POI; To yes To+PI; To+PI no To+PI; From no From; From+PO no From+PO; Both no Both`},
		{"A.3.2", true, unsub, `None no None; None+PO no None+PO; None+PI yes None; None+POI yes None+PO; To no To; To+PI yes To; From yes None; From+PO yes None+PO; Both yes To`},
		{"A.3.3", true, subd, `None no None; None+PO yes To; None+PI no None+PI; None+POI yes To+PI; To no To; To+PI no To+PI; From no From; From+PO yes Both; Both no Both`},
		{"A.3.4", true, unsubd, `None no None; None+PO yes None; None+PI no None+PI; None+POI yes None+PI; To yes None; To+PI yes None+PI; From no From; From+PO yes From; Both yes From`},
	} {
		for _, row := range strings.Split(c.rows, "; ") {
			f := strings.Fields(row)
			before, pass, next := parseState(f[0]), f[1] == "yes", parseState(f[2])
			v := before.outbound(c.typ)
			if c.inbound {
				v = before.inbound(c.typ)
			}
			if v.pass != pass || v.next != next {
				t.Errorf("%s, state %s: passed %v and became %+v, want %v and %+v", c.section, f[0], v.pass, v.next, pass, next)
			}
			if lost := before.from && !next.from; v.lostFrom != lost {
				t.Errorf("%s, state %s: lostFrom is %v, want %v", c.section, f[0], v.lostFrom, lost)
			}
			if gained := c.inbound && !before.to && next.to; v.gainedTo != gained {
				t.Errorf("%s, state %s: gainedTo is %v, want %v", c.section, f[0], v.gainedTo, gained)
			}
			auto := c.inbound && c.typ == sub && before.from
			if (v.reply == subd) != auto {
				t.Errorf("%s, state %s: reply %v, want automatic answer %v", c.section, f[0], v.reply, auto)
			}
		}
	}
}

func TestSubscriptionNames(t *testing.T) {
	for state, want := range map[string]string{"None+POI": "none", "To+PI": "to", "From+PO": "from", "Both": "both"} {
		if got := parseState(state).name(); got != want {
			t.Errorf("%s is called %q, want %q", state, got, want)
		}
	}
}
