package mailbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestRFC6121Delivery is RFC 6121 section 8.5.4, table 1, with the rows' names as there and a column more: errors (sections
// 8.5.2 and 8.5.3 deal with them in the text). D is delivery to the one session, M to the most available ones, A to all that
// are not negative; O is offline storage, E an error to the sender, S silence.
//
// Where the RFC leaves a choice: M is all sessions of the highest non-negative priority. Without an account everything is
// answered NO_SUCH_USER; the sender's session answers no error with an error. A normal message to a full address that is
// gone goes on as one to the bare address, as the table has it for chat messages, instead of S or E: it is not lost, and
// whom it was for reads it. A groupchat message to a gone full address is E, where the table says S (section 8.5.3.2.1 allows
// either).
func TestRFC6121Delivery(t *testing.T) {
	types := []chatpb.MessageType{chatpb.MessageType_NORMAL, chatpb.MessageType_CHAT, chatpb.MessageType_GROUPCHAT, chatpb.MessageType_HEADLINE, chatpb.MessageType_ERROR}
	const gone = "orchard"
	for _, c := range []struct {
		condition string
		noAccount bool
		sessions  string // name=priority; without a number: connected, but not available
		resource  string
		want      [5]string // normal, chat, groupchat, headline, error
	}{
		{"account does not exist, bare", true, "", "", [5]string{"N", "N", "N", "N", "N"}},
		{"account does not exist, full", true, "", gone, [5]string{"N", "N", "N", "N", "N"}},

		{"account exists, but no active resources, bare", false, "", "", [5]string{"O", "O", "E", "S", "S"}},
		{"account exists, but no active resources, full (no match)", false, "", gone, [5]string{"O", "O", "E", "S", "S"}},
		{"a connected resource that is not available, bare", false, "a", "", [5]string{"O", "O", "E", "S", "S"}},
		{"a connected resource that is not available, full match", false, "a", "a", [5]string{"a", "a", "a", "a", "a"}},

		{"1+ negative resources but zero non-negative resources, bare", false, "a=-1 b=-2", "", [5]string{"O", "O", "E", "S", "S"}},
		{"1+ negative resources but zero non-negative resources, full match", false, "a=-1 b=-2", "b", [5]string{"b", "b", "b", "b", "b"}},
		{"1+ negative resources but zero non-negative resources, full no match", false, "a=-1 b=-2", gone, [5]string{"O", "O", "E", "S", "S"}},

		{"1 non-negative resource, bare", false, "a=0 n=-1", "", [5]string{"a", "a", "E", "a", "S"}},
		{"1 non-negative resource, full match", false, "a=0 n=-1", "a", [5]string{"a", "a", "a", "a", "a"}},
		{"1 non-negative resource, full match with the negative one", false, "a=0 n=-1", "n", [5]string{"n", "n", "n", "n", "n"}},
		{"1 non-negative resource, full no match", false, "a=0 n=-1", gone, [5]string{"a", "a", "E", "S", "S"}},

		{"1+ non-negative resources, bare", false, "a=0 b=5 c=5 n=-1 u", "", [5]string{"b c", "b c", "E", "a b c", "S"}},
		{"1+ non-negative resources, full match", false, "a=0 b=5 c=5 n=-1 u", "a", [5]string{"a", "a", "a", "a", "a"}},
		{"1+ non-negative resources, full no match", false, "a=0 b=5 c=5 n=-1 u", gone, [5]string{"b c", "b c", "E", "S", "S"}},
	} {
		for i, kind := range types {
			t.Run(fmt.Sprintf("%s, %v", c.condition, kind), func(t *testing.T) {
				if got := delivered(t, c.noAccount, c.sessions, c.resource, kind); got != c.want[i] {
					t.Errorf("%s, want %s", got, c.want[i])
				}
			})
		}
	}
}

// delivered sends one message and says in the letters of the table what became of it, or which sessions got it.
func delivered(t *testing.T, noAccount bool, sessions, resource string, kind chatpb.MessageType) string {
	r := newRig(t)
	if noAccount {
		r.begin(r.st.cfg)
		r.load(store.MailboxInfo{})
	}
	for _, s := range strings.Fields(sessions) {
		name, number, available := strings.Cut(s, "=")
		m := &nodepb.Attach{Session: sessionRef(name).Proto(), Resource: name, Epoch: 1, Connected: true, Available: available, Credit: 1000}
		_, _ = fmt.Sscan(number, &m.Priority)
		r.attachAs(m)
	}
	d := r.chat("x")
	d.Message.Type, d.Resource = kind, resource
	row := kind == chatpb.MessageType_NORMAL || kind == chatpb.MessageType_CHAT
	d.Store = row // as the sender's session decides (XEP-0160)
	d.Message.Payload = []byte("<body>x</body>")
	r.deliver(d)
	if row && !noAccount {
		if len(r.appends) != 1 {
			t.Fatal("the row isn't on its way to the store")
		}
		r.commit(0)
	} else if len(r.appends) != 0 {
		t.Fatal("what is no row goes to the store")
	}
	r.check()
	var to []string
	outcome := ""
	for _, entry := range r.log {
		if name, _, pushed := strings.Cut(entry, "<"); pushed {
			to = append(to, name)
		} else {
			outcome += strings.TrimPrefix(entry, "juliet1:1=")
		}
	}
	got := strings.Join(to, " ")
	switch {
	case outcome == "NO_SUCH_USER" && got == "":
		return "N"
	case outcome == "NO_RESOURCE" && got == "":
		return "E"
	case outcome == "DROPPED" && got == "":
		return "S"
	case outcome == "OK" && got == "" && row:
		return "O"
	case outcome == "OK":
		return got
	}
	return fmt.Sprintf("%s, to %q", outcome, got)
}

// TestNotStored: messages of chat type that become no row (XEP-0160 chat states, XEP-0334 no-store), if nobody can take them:
// what says something is refused, what doesn't is dropped.
func TestNotStored(t *testing.T) {
	for _, c := range []struct{ payload, resource, want string }{
		{"<body>x</body>", "", "juliet1:1=NO_RESOURCE"},
		{"<body>x</body>", "orchard", "juliet1:1=NO_RESOURCE"},
		{"<composing/>", "", "juliet1:1=DROPPED"},
		{"<composing/>", "orchard", "juliet1:1=DROPPED"},
	} {
		r := newRig(t)
		d := r.chat("x")
		d.Store, d.Resource, d.Message.Payload = false, c.resource, []byte(c.payload)
		r.deliver(d)
		r.want(c.want)
	}
}

func TestNewestSessionOfAResource(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, 1000)
	r.attachAs(&nodepb.Attach{Session: sessionRef("pc2").Proto(), Resource: "pc", Epoch: 1, Connected: true, Credit: 1000})
	d := r.chat("x")
	d.Resource = "pc"
	r.deliver(d)
	r.want("pc2<x")
}

func TestBlocked(t *testing.T) {
	for _, c := range []struct{ block, want string }{
		{juliet, "BLOCKED"}, {juliet + "/balcony", "BLOCKED"}, {"example.org", "BLOCKED"}, {"nurse@example.org", ""}, {juliet + "/phone", ""},
	} {
		r := newRig(t)
		r.begin(r.st.cfg)
		r.load(store.MailboxInfo{Exists: true, Blocks: []string{c.block}})
		r.send("x")
		if got := strings.TrimPrefix(r.took(), "juliet1:1="); got != c.want {
			t.Errorf("%s blocked: %s", c.block, got)
		}
	}
}
