package actors

// Exit is an exit signal that was trapped (Context.TrapExit): of a link that broke, or sent by Context.Exit.
type Exit struct {
	From   Ref
	Reason Reason
}

// Control messages of links. Links are kept by both ends, each on its own turn.
type (
	linkMsg struct {
		from Ref
		id   uint64
	}
	unlinkMsg struct {
		from Ref
		link link
	}
	exitSignal struct {
		from   Ref
		reason Reason
		link   bool // a link has broken: counts only if there is that one
		broken link
	}
)

// link is what one end of a link knows of it: the numbers under which either has asked for it. A Ref outlives what is linked, so what
// comes from it may be of an earlier link.
type link struct{ mine, theirs uint64 }

// is reports whether that is the link that the other end knows as other.
func (l link) is(other link) bool {
	return l.mine != 0 && l.mine == other.theirs || l.theirs != 0 && l.theirs == other.mine
}

// refused is the signal that answers a link to one that isn't there.
func (m linkMsg) refused(by Ref) exitSignal {
	return exitSignal{from: by, reason: NoProc, link: true, broken: link{theirs: m.id}}
}

// Link ties this life of the actor to another's: when either ends or crashes, the other gets an exit signal with the reason. If to
// isn't there, the signal comes at once, with NoProc; an actor that starts on demand isn't woken. Linking twice is linking once,
// linking to oneself is nothing. Where an actor crashes and is restarted, its links are gone with the life before: OTP's rule,
// though the Ref stays. Links are within a node: to one on another the signal comes at once, with NoConnection; monitor it instead.
func (c *Context) Link(to Ref) {
	p := c.process()
	s := p.sys()
	if to = s.named(to); to == p.ref() || p.extra().links.has(to) {
		return
	}
	m := linkMsg{p.ref(), s.lives.Add(1)}
	p.ext.links.put(to, link{mine: m.id})
	if s.away(to) {
		sig := m.refused(to)
		sig.reason = NoConnection
		p.control(sig, p.worker())
	} else if q := s.registry.find(to); q == nil || !q.control(m, p.worker()) {
		p.control(m.refused(to), p.worker())
	}
}

// Unlink unties it. No exit signal of that link is seen afterwards.
func (c *Context) Unlink(to Ref) {
	p := c.process()
	s := p.sys()
	to = s.named(to)
	if p.ext == nil {
		return
	}
	l, ok := p.ext.links.get(to)
	if !ok {
		return
	}
	p.ext.links.remove(to)
	if q := s.registry.find(to); q != nil {
		q.control(unlinkMsg{p.ref(), l}, p.worker())
	}
}

// TrapExit says whether exit signals become messages of type Exit instead of ending the actor. Only a signal with Killed sent by
// Exit ends it even so. A restart begins without trapping.
func (c *Context) TrapExit(on bool) {
	if p := c.process(); on || p.ext != nil {
		p.extra().traps = on
	}
}

// Exit sends an exit signal. Normal does nothing to an actor that doesn't trap, other than to oneself; Killed can't be trapped. Any
// other reason ends the actor with it: a Crashed one leaves the rest to its supervisor.
func (c *Context) Exit(to Ref, reason Reason) {
	p := c.process()
	s := p.sys()
	if to = s.named(to); s.away(to) {
		_ = s.router.Send(to, Signal{How: HowExit, From: p.ref(), Reason: reason}) // as to one that isn't there
		return
	}
	if q := s.registry.find(to); q != nil {
		q.control(exitSignal{from: p.ref(), reason: reason}, p.worker())
	}
}

// Exit sends an exit signal from outside of any actor, as Context.Exit does. ErrNoProc: nobody is there.
func (s *System) Exit(to Ref, reason Reason) error {
	if to = s.named(to); s.away(to) {
		return s.router.Send(to, Signal{How: HowExit, Reason: reason})
	}
	return s.exitLocal(to, Ref{}, reason)
}

func (s *System) exitLocal(to, from Ref, reason Reason) error {
	if q := s.registry.find(to); q == nil || !q.control(exitSignal{from: from, reason: reason}, nil) {
		return ErrNoProc
	}
	return nil
}

// signal sends an exit signal to who may be gone.
func (s *System) signal(to Ref, sig exitSignal) {
	if q := s.registry.find(to); q != nil {
		q.control(sig, nil)
	}
}

// kills reports whether the signal can't be trapped. A link to one that was killed tells of it, and doesn't kill.
func (sig exitSignal) kills() bool { return sig.reason.Code == CodeKilled && !sig.link }

// signalled acts on an exit signal, as OTP's table of signals says.
func (p *process) signalled(sig exitSignal) error {
	if sig.link {
		if p.ext == nil {
			return nil
		}
		if l, ok := p.ext.links.get(sig.from); !ok || !l.is(sig.broken) {
			return nil // unlinked meanwhile
		}
		p.ext.links.remove(sig.from)
	}
	switch {
	case sig.kills():
		p.exit(Killed)
	case p.ext.trapping():
		return p.beh.Handle(p.context(), Exit{sig.from, sig.reason})
	case sig.reason.Code == CodeNormal && sig.from != p.ref():
	case sig.reason.Code == CodeCrashed:
		p.crash(sig.reason.Err)
	default:
		p.exit(sig.reason)
	}
	return nil
}

// linked notes that another has linked itself.
func (p *process) linked(m linkMsg) {
	x := p.extra()
	l, _ := x.links.get(m.from)
	l.theirs = m.id
	x.links.set(m.from, l)
}

// unlinked notes that another has undone a link, as far as it knew: what this one has asked for meanwhile stands.
func (p *process) unlinked(m unlinkMsg) {
	if p.ext == nil {
		return
	}
	l, ok := p.ext.links.get(m.from)
	if !ok {
		return
	}
	if l.mine == m.link.theirs {
		l.mine = 0
	}
	if l.theirs == m.link.mine {
		l.theirs = 0
	}
	if p.ext.links.remove(m.from); l != (link{}) {
		p.ext.links.put(m.from, l)
	}
}

func (x *extras) trapping() bool { return x != nil && x.traps }

// breakLinks tells those who are linked that this life is over.
func (p *process) breakLinks(reason Reason) {
	if p.ext == nil || p.ext.links.len() == 0 {
		return
	}
	for _, to := range p.ext.links.keys() {
		l, _ := p.ext.links.get(to)
		p.sys().signal(to, exitSignal{from: p.ref(), reason: reason, link: true, broken: l})
	}
	p.ext.links = smallMap[Ref, link]{}
}
