package mailbox

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// expire tells the mailbox that all its rows are past their time.
func (r *rig) expire() {
	m := &nodepb.Expired{}
	for _, x := range r.st.rows.order {
		m.Ids = append(m.Ids, x.ID[:])
	}
	r.do(func(fx *effects) { r.st.message(fx, m) })
}

// catch collects the errors that go to the senders' mailboxes.
func (r *rig) catch() *[]*nodepb.Deliver {
	var caught []*nodepb.Deliver
	r.seen = func(to actors.Ref, msg any) {
		if d, ok := msg.(*nodepb.Deliver); ok {
			if to != Ref(juliet) {
				r.Fatalf("an error went to %v", to)
			}
			caught = append(caught, d)
		}
	}
	return &caught
}

func (r *rig) told(d *nodepb.Deliver, code nodepb.Code) {
	r.do(func(fx *effects) {
		r.st.told(fx, &nodepb.Outcome{From: Ref(juliet).Proto(), Seq: d.Seq, Code: code})
	})
}

func TestExpiredMessage(t *testing.T) {
	r := newRig(t)
	errors := r.catch()
	r.send("a", "b")
	r.commitAll()
	r.took()
	row := r.st.rows.order[0]
	r.expire()
	r.expire() // the next walk, while the first is under way
	r.answerReads()
	if len(*errors) != 2 || r.st.mayPassivate(r.now.Add(time.Hour)) {
		t.Fatalf("%d errors", len(*errors))
	}
	d := (*errors)[0]
	id := ident.HashMessageID(row.ID[:], []byte("expired"))
	if string(d.Id) != string(id[:]) || d.Sender != romeo || d.Resource != "balcony" || !d.Store || d.SenderRef.GetId() != romeo || d.Seq == 0 {
		t.Errorf("delivery %v", d)
	}
	m := d.Message
	if m.Type != chatpb.MessageType_ERROR || m.Id != "stanza-a" || m.From != romeo || m.To != juliet+"/balcony" ||
		!strings.Contains(string(m.Payload), "<recipient-unavailable") || !strings.Contains(string(m.Payload), "30 days") {
		t.Errorf("message %v", m)
	}
	r.took()
	r.told(d, ok)
	r.want("delete a")
	r.told((*errors)[1], nodepb.Code_NO_SUCH_USER) // nobody is left to be told
	r.want("delete b")
	if r.st.cfg.Counters.Expired.Load() != 2 || !r.st.expiry.idle() {
		t.Error("not counted, or not over")
	}
	r.check()
}

// TestNotToldNotDeleted: only the word that the error is stored deletes the row.
func TestNotToldNotDeleted(t *testing.T) {
	for _, code := range []nodepb.Code{nodepb.Code_STORE_FULL, quota} {
		r := newRig(t)
		errors := r.catch()
		r.send("a")
		r.commitAll()
		r.expire()
		r.answerReads()
		r.took()
		r.told((*errors)[0], code)
		r.want("")
		r.expire()
		r.answerReads()
		if len(*errors) != 2 || string((*errors)[0].Id) != string((*errors)[1].Id) || (*errors)[1].Seq <= (*errors)[0].Seq {
			t.Errorf("%v: told again with another id, or an old number", code)
		}
	}
	r := newRig(t)
	errors := r.catch()
	r.send("a")
	r.commitAll()
	r.expire()
	r.answerReads()
	r.took()
	r.pass(GiveUpTime + time.Second) // no answer at all
	if len(*errors) < 3 || len(r.rows) != 1 || !r.st.expiry.idle() {
		t.Errorf("told %d times, %d rows", len(*errors), len(r.rows))
	}
}

func TestWhatExpiresWithoutAWord(t *testing.T) {
	r := newRig(t)
	errors := r.catch()
	d := r.chat("e")
	d.Message.Type = chatpb.MessageType_ERROR // an error that waited: nobody is told of its end
	r.deliver(d)
	r.commitAll()
	r.attach("pc", 1, -1, plenty)
	mine := r.chat("m")
	mine.Resource = "pc"
	r.deliver(mine) // a connected session has it
	r.commitAll()
	r.send("p") // on its way to the store
	r.took()
	r.expire()
	r.want("delete e")
	if len(r.reads) != 0 || len(*errors) != 0 {
		t.Error("somebody is told")
	}
	r.st.rows.order[1].Acked = []ident.DeviceID{"tablet"}
	r.detach("pc")
	r.expire()
	r.want("delete m")
}

func TestExpiryIsOvertaken(t *testing.T) {
	r := newRig(t)
	errors := r.catch()
	r.send("a", "b", "c")
	r.commitAll()
	r.expire()
	r.forget(r.order[2]) // gone from the store
	r.attach("pc", 1, 0, plenty)
	for len(r.reads) > 0 {
		r.answerRead()
	}
	if len(*errors) != 0 || r.st.expiry.idle() == false {
		t.Errorf("%d errors about what a session has just fetched", len(*errors))
	}
	r.took()
	r.ack("pc", 1, 0, "a")
	r.detach("pc")
	r.took()
	r.expire()
	r.answerReads()
	if len(*errors) != 1 {
		t.Fatalf("%d errors", len(*errors))
	}
	r.took()
	r.attach("pc", 2, 0, plenty)
	r.told((*errors)[0], ok) // told, and yet it came
	r.answerReads()
	r.want("pc<b delayed")
	r.check()
}

func TestExpiryWithoutRoom(t *testing.T) {
	r := newRig(t)
	errors := r.catch()
	r.send("a")
	r.commitAll()
	r.noRoom = true
	r.expire()
	r.noRoom = false
	if !r.st.expiry.idle() || r.st.rows.order[0].expiring {
		t.Error("a read that was refused is waited for")
	}
	r.refuse[juliet] = true
	r.expire()
	r.answerReads()
	if len(*errors) != 0 {
		t.Error("delivered to a full queue")
	}
	r.refuse[juliet] = false
	r.pass(time.Second)
	if len(*errors) != 1 {
		t.Errorf("%d errors", len(*errors))
	}
}

// TestErrorIsStored: the error about an expired message becomes a row of its sender, and no stranger's quota stops it.
func TestErrorIsStored(t *testing.T) {
	r := newRig(t)
	r.st.cfg.Limits.Stranger = 1
	for i, letter := range []string{"a", "b", "c"} {
		d := deliver(letter, uint64(i+1))
		d.Sender, d.Message.Type = "tybalt@example.org", chatpb.MessageType_ERROR
		r.deliver(d)
	}
	r.commitAll()
	r.want("juliet1:1=OK, juliet1:2=OK, juliet1:3=OK")
	if r.st.rows.order[0].Flags&store.FlagError == 0 {
		t.Error("it is not marked")
	}
	r.check()
}

func TestQuotas(t *testing.T) {
	r := newRig(t)
	r.st.cfg.Limits = Limits{Messages: 10, Bytes: 10_000, Stranger: 2, SharePercent: 40, TTL: time.Hour}
	seq := map[string]uint64{}
	send := func(from, letter string, size int, want string) {
		t.Helper()
		seq[from]++
		d := deliver(letter, seq[from])
		d.Sender, d.SenderRef = from, sessionRef(from).Proto()
		d.Message.Payload = make([]byte, size)
		r.deliver(d)
		r.commitAll()
		if got := r.took(); !strings.HasSuffix(got, "="+want) {
			t.Errorf("%s from %s: %s, want %s", letter, from, got, want)
		}
	}
	for _, l := range []string{"a", "b", "c", "d"} {
		send(juliet, l, 1, "OK")
	}
	send(juliet, "e", 1, "QUOTA") // 40 % of 10
	send("tybalt@example.org", "f", 1, "OK")
	send("tybalt@example.org", "g", 1, "OK")
	send("tybalt@example.org", "h", 1, "QUOTA") // a stranger
	send(romeo, "i", 3500, "OK")                // nobody is a stranger to himself
	send(romeo, "j", 3500, "QUOTA")             // 40 % of the bytes
	r.st.contacts = []ident.UserID{"benvolio@x", juliet, "mercutio@x", "nurse@x"}
	send("benvolio@x", "k", 3000, "OK")
	send("mercutio@x", "l", 3500, "QUOTA") // bytes in all
	send("mercutio@x", "m", 1, "OK")
	send("nurse@x", "n", 1, "OK")
	send("nurse@x", "o", 1, "QUOTA") // messages in all
	r.attach("pc", 1, 0, plenty)
	r.answerReads()
	r.ack("pc", 1, 0, "a")
	r.took()
	send("nurse@x", "p", 1, "OK")
	r.check()
}

// TestStrangerOnline: what the user's session has been given doesn't wait, up to the share that anybody has; when the session
// goes, it waits again.
func TestStrangerOnline(t *testing.T) {
	r := newRig(t)
	r.st.cfg.Limits = Limits{Messages: 10, Bytes: 10_000, Stranger: 2, SharePercent: 50, TTL: time.Hour}
	seq := uint64(0)
	send := func(letter, want string) {
		t.Helper()
		seq++
		d := deliver(letter, seq)
		d.Sender, d.SenderRef = "tybalt@example.org", sessionRef("tybalt@example.org").Proto()
		r.deliver(d)
		r.commitAll()
		if got := r.took(); !strings.HasSuffix(got, "="+want) {
			t.Errorf("%s: %s, want %s", letter, got, want)
		}
		r.check()
	}
	r.attach("pc", 1, 0, plenty)
	r.took()
	for _, l := range []string{"a", "b", "c", "d", "e"} {
		send(l, "OK")
	}
	send("f", "QUOTA") // half of all, online or not
	r.ack("pc", 1, 0, "a", "b", "c")
	r.took()
	send("g", "OK")
	r.detach("pc")
	r.took()
	send("h", "QUOTA") // three wait
	r.attach("phone", 1, 0, plenty)
	r.answerReads()
	r.took()
	send("i", "OK")
}
