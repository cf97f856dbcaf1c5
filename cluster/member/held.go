package member

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// ErrNameTaken says that another living node has this node's name, so that this one can't take part.
var ErrNameTaken = errors.New("member: another node has this node's name")

// heldText says in few words why another node stays out: it has the details.
func heldText(h nodepb.MemberHeld) string {
	switch h {
	case nodepb.MemberHeld_HELD_ALONE:
		return "it has met no other node yet"
	case nodepb.MemberHeld_HELD_NAME:
		return "another node has its name"
	case nodepb.MemberHeld_HELD_VERSION:
		return "it and the others don't understand each other's version"
	case nodepb.MemberHeld_HELD_CONFIG:
		return "its configuration differs from the others'"
	case nodepb.MemberHeld_HELD_CLOCK:
		return "its clock is off the others'"
	}
	return "it says so"
}

// hold says whether this node has to stay out, why in words, and for a name who has it.
func (s *state) hold() (h nodepb.MemberHeld, why string, rival *peer) {
	if rival := s.rival(); rival != nil {
		return nodepb.MemberHeld_HELD_NAME, fmt.Sprintf("%s at %s has the name of this node, %s at %s", rival.id, rival.addr, s.self.ID, s.self.Gossip), rival
	}
	if s.alone() {
		return nodepb.MemberHeld_HELD_ALONE, "it has met no other node yet", nil
	}
	for _, p := range s.elders() {
		if !s.active && !s.understands(p) {
			return nodepb.MemberHeld_HELD_VERSION, s.versions(p), nil
		}
	}
	if why := s.config(); why != "" {
		return nodepb.MemberHeld_HELD_CONFIG, why, nil
	}
	if off, ok := s.clock.off(s); ok {
		return nodepb.MemberHeld_HELD_CLOCK, fmt.Sprintf("the clock of this node is %s the others'", offText(off)), nil
	}
	return nodepb.MemberHeld_NOT_HELD, "", nil
}

// elders are the nodes that this one has to agree with: those that are active, and those that were there before it and want to be.
func (s *state) elders() []*peer {
	var list []*peer
	for _, p := range s.sorted() {
		waits := p.meta.GetHeld() == nodepb.MemberHeld_NOT_HELD && p.id.Incarnation() < s.self.ID.Incarnation()
		if p.alive && p.meta != nil && !p.meta.GetLeaving() && (p.active() || waits) {
			list = append(list, p)
		}
	}
	return list
}

// alone reports whether the node has to wait for others before it takes part.
func (s *state) alone() bool {
	switch {
	case s.met >= 0:
		// What it has met has to have told everything, or had the time to.
		return !s.heard && s.now-s.met < 5*time.Second && !s.active
	case s.remembered:
		return s.now < s.timing.Alone
	}
	return s.seeds
}

// understands reports whether a node and this one understand each other.
func (s *state) understands(p *peer) bool {
	return p.meta == nil || uint32(s.self.Proto) >= p.meta.GetOldest() && p.meta.GetProto() >= uint32(s.self.Oldest)
}

func (s *state) versions(p *peer) string {
	return fmt.Sprintf("%s speaks version %d and understands %d and later, %s speaks %d and understands %d and later",
		p.id, p.meta.GetProto(), p.meta.GetOldest(), s.self.ID, s.self.Proto, s.self.Oldest)
}

// config says how the configuration differs from that of the others, if this node has to give way: at once as long as it isn't active,
// after some patience with an active node that was there before it.
func (s *state) config() string {
	for _, p := range s.elders() {
		if s.want.digest == 0 || p.meta.GetDigest() == 0 || p.meta.GetDigest() == s.want.digest {
			continue
		}
		if s.active {
			if p.id.Incarnation() > s.self.ID.Incarnation() {
				continue
			}
			if s.differs < 0 {
				s.differs = s.now
				s.tell("another node's configuration differs", true, p.id, s.values(p))
			}
			if s.now-s.differs < s.timing.Patience {
				return ""
			}
		}
		return "configurations differ: " + s.values(p)
	}
	s.differs = -1
	return ""
}

// values names both configurations.
func (s *state) values(p *peer) string {
	theirs := "one not yet told"
	for _, other := range s.sorted() { // whoever has the same has told it for all
		if st := s.statuses[other.id]; st != nil && st.digest != "" && other.meta.GetDigest() == p.meta.GetDigest() {
			theirs = st.digest
			break
		}
	}
	return fmt.Sprintf("%s has %s, %s has %s", s.self.ID, s.want.text, p.id, theirs)
}

// rival returns the living node because of which this node can't have its name: one that was there before it, if this one isn't active
// yet, or one that came later and is active, because this one was taken for dead.
func (s *state) rival() *peer {
	for _, p := range s.sorted() {
		if !p.alive || p.id.Name() != s.self.Name {
			continue
		}
		if later := p.id.Incarnation() > s.self.ID.Incarnation(); later && p.active() || !later && !s.active {
			return p
		}
	}
	return nil
}

// bearers returns who has each name, as all nodes decide it: of the living the latest that is active, else the earliest.
func (s *state) bearers() map[string]ident.NodeID {
	best := map[string]*peer{}
	for _, p := range s.peers {
		if name := p.id.Name(); p.alive && (best[name] == nil || ahead(p, best[name])) {
			best[name] = p
		}
	}
	ids := make(map[string]ident.NodeID, len(best)+1)
	for name, p := range best {
		ids[name] = p.id
	}
	if s.rival() == nil {
		ids[s.self.Name] = s.self.ID
	}
	return ids
}

// ahead reports whether the name of two nodes is rather a's than b's.
func ahead(a, b *peer) bool {
	if a.active() != b.active() {
		return a.active()
	}
	return a.active() == (a.id.Incarnation() > b.id.Incarnation())
}

// answered notes that a node with this node's name has answered a ping: it lives.
func (s *state) answered(id ident.NodeID) { s.rivals[id] = true }

// conflict returns what this node's owner has to hear, once it is certain: it has to end.
func (s *state) conflict() error {
	p := s.rival()
	switch {
	case p == nil || !s.rivals[p.id] && p.id.Incarnation() < s.self.ID.Incarnation():
		return nil
	case p.id.Incarnation() > s.self.ID.Incarnation():
		return fmt.Errorf("%w: this one, %s at %s, was taken for dead, and %s at %s has taken its place", ErrNameTaken, s.self.ID, s.self.Gossip, p.id, p.addr)
	}
	return fmt.Errorf("%w: %s at %s is alive, so this one, %s at %s, can't join", ErrNameTaken, p.id, p.addr, s.self.ID, s.self.Gossip)
}
