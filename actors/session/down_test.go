package session

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestMailboxCrashesWhileToldAnew: a mailbox that crashes again, just after it has been told of a session anew, is told once more.
// Otherwise the session would never get another row.
func TestMailboxCrashesWhileToldAnew(t *testing.T) {
	onNode(t, func(t *testing.T, n *node) {
		mail := actors.Ref{Kind: mailboxKind, ID: string(alice)}
		again := 1
		actorstest.Tap(n.sys, func(_ actors.Ref, sig actors.Signal) {
			if a, ok := sig.Msg.(*nodepb.Attach); ok && a.Epoch == 2 && again > 0 {
				again--
				_ = n.sys.Answer(mail, crash{})
				if _, err := n.sys.Call(t.Context(), mail, "are you there?"); err == nil || errors.Is(err, actors.ErrTimeout) {
					t.Error(err) // it lives again, and has no answer
				}
			}
		})
		c := n.connect()
		c.bind()
		c.send("<presence/>")
		took[*nodepb.Attach](n)
		_ = n.sys.Answer(mail, crash{})
		synctest.Wait()
		time.Sleep(2 * retryTime)
		told := took[*nodepb.Attach](n)
		if again != 0 || len(told) != 2 || told[1].Epoch != 3 {
			t.Fatalf("%d crashes to come, attached by %v", again, told)
		}
		c.cast(Closed{Reason: ClientClosed})
		c.got()
	})
}
