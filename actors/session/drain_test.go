package session

import (
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const (
	elsewhere = "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222</see-other-host></stream:error>" + streamEnd
	goodbye   = "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>" + streamEnd
)

func (r *rig) drain(host string) string {
	r.t.Helper()
	return r.do(func(fx *effects) { r.st.drain(fx, Drain{Host: host}) })
}

// TestDrainOfAResumableStream: the client is sent away at once, and its stream waits to be fetched.
func TestDrainOfAResumableStream(t *testing.T) {
	p := newPair(t)
	p.old.give("<message to='bob@example.org' type='chat' id='m'><body>x</body></message>")
	d, _ := p.old.delivered()
	if got := p.old.drain("[2001:db8::1]:5222"); got != answerSM(0)+elsewhere || !p.old.closed || p.old.stop {
		t.Fatalf("got %s, closed %v, stopped %v", got, p.old.closed, p.old.stop)
	}
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	if a := castsOf[*nodepb.Attach](p.old); len(a) != 1 || a[0].Connected {
		t.Fatalf("the mailbox was told %v", a)
	}
	p.old.pass(DefaultResumeTime / 2)
	p.ask(p.previd, 0)
	p.old.do(func(fx *effects) { p.old.st.outcome(fx, outcomeOf(bob, d.Seq, nodepb.Code_OK)) })
	p.new.want(p.carry(), "<resumed", "h='1'")
}

// TestDrainOfOthers: whoever can't resume gets the outcomes of what it sent, and its goodbyes are said.
func TestDrainOfOthers(t *testing.T) {
	r := boundRig(t)
	r.give("<message to='bob@example.org' type='chat' id='m'><body>x</body></message>")
	d, _ := r.delivered()
	if got := r.drain(""); got != "" || r.closed {
		t.Fatalf("the outcome isn't waited for: %s", got)
	}
	got := r.do(func(fx *effects) { r.st.outcome(fx, outcomeOf(bob, d.Seq, nodepb.Code_NO_SUCH_USER)) })
	r.want(got, "<message type='error' id='m'", goodbye)
	r.want(r.took(), "Unbind", "Detach")
	if !r.closed || !r.stop {
		t.Fatalf("closed %v, stopped %v", r.closed, r.stop)
	}
	if got := r.drain(""); got != "" {
		t.Fatalf("told twice: %s", got)
	}
}

// TestDrainBeforeTheLogin: every stage has an answer.
func TestDrainBeforeTheLogin(t *testing.T) {
	for name, begin := range map[string]func(r *rig){
		"before the header": func(*rig) {},
		"login":             func(r *rig) { r.open() },
		"half a login":      func(r *rig) { r.open(); r.give(plain(password)) },
		"binding":           func(r *rig) { r.authenticated() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			begin(r)
			if got := r.drain("[2001:db8::1]:5222"); !strings.HasSuffix(got, elsewhere) || !r.closed || !r.stop ||
				strings.Contains(got, "<stream:stream") != (name == "before the header") {
				t.Fatalf("got %s, closed %v, stopped %v", got, r.closed, r.stop)
			}
		})
	}
}

// TestDrainWhileResuming: the state that comes later waits for the client's next try.
func TestDrainWhileResuming(t *testing.T) {
	for name, end := range map[string]func(r *rig) string{
		"drain":    func(r *rig) string { return r.drain("") },
		"shutdown": func(r *rig) string { return r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: Shutdown}) }) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
			p.ask(p.previd, 0)
			if got := end(p.new); got != goodbye || !p.new.closed || p.new.stop {
				t.Fatalf("got %s, closed %v, stopped %v", got, p.new.closed, p.new.stop)
			}
			if got := p.carry(); got != "" || p.new.st.phase != detached {
				t.Fatalf("got %s, phase %d", got, p.new.st.phase)
			}
		})
	}
}

func TestLocation(t *testing.T) {
	r := boundRig(t)
	r.st.shared.Location = "[2001:db8::2]:5222"
	r.want(r.give(enableSM), " location='[2001:db8::2]:5222'/>")
	q := boundRig(t)
	if got := q.give(enableSM); strings.Contains(got, "location") {
		t.Fatalf("got %s", got)
	}
}
