//go:build unix

package carrier

import (
	"syscall"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestAPausedNodeHoldsUpNobody(t *testing.T) {
	ca := newAuthority(t)
	a, b, c := start(t, ca, "a@1"), start(t, ca, "b@1"), start(t, ca, "c@1")
	a.until(func() bool { return len(b.got) > 0 }, b.peer())
	if err := b.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	busy := 0
	if !poll(func() bool {
		r := a.do(order{Do: "send", To: b.peer(), Frame: frame(a.id, b.id, nodepb.LinkClass_MESSAGES, 1), Pad: 16 << 10, Count: 500})
		busy += r.Busy
		return busy > 500
	}) {
		t.Error("nothing is refused")
	}
	if err := a.send(c.peer(), nodepb.LinkClass_MESSAGES, 99); err != nil {
		t.Fatal(err)
	}
	if f := c.next().Got; f.First != 99 {
		t.Errorf("%v", f)
	}
	if err := b.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !poll(func() bool { return a.look().Waiting[0] == 0 }) {
		t.Errorf("%+v", a.look())
	}
}
