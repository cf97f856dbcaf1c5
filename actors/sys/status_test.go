package sys_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/sys"
)

func TestStatus(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(formatted, 1, crash{errors.New(canary)}, 2, later{time.Hour})
		report, err := sys.Status(r.ctx, r.sys, formatted, operator)
		if err != nil {
			t.Fatal(err)
		}
		if report.Ref != formatted || report.Phase != "running" || !report.OnTurn || report.Restarts != 1 || report.Timers != 1 || report.Monitors != 1 ||
			report.Queue != 0 || report.Last != "sys_test.later" || report.Running != "" || report.Behaviour != "*sys_test.polite" ||
			string(report.State) != `{"n":2,"words":1}` || report.Memory < 100 || report.Memory > 1000 {
			t.Errorf("it is %+v", report)
		}
		report.Memory = 500
		const want = `{"ref":"polite/polite","on_turn":true,"phase":"running","behaviour":"*sys_test.polite","queue":0,"control":0,"oldest_ms":0,` +
			`"last":"sys_test.later","restarts":1,"timers":1,"monitors":1,"links":0,"calls":0,"memory_bytes":500,"state":{"n":2,"words":1}}`
		if doc, err := json.Marshal(report); err != nil || string(doc) != want {
			t.Errorf("as JSON it is %s, %v", doc, err)
		}
		if _, err := sys.Status(r.ctx, r.sys, nobody, operator); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("nobody's status: %v", err)
		}
	})
}

func TestStatusOfAStuckOne(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(plain, stick{})
		time.Sleep(time.Minute)
		r.cast(plain, 1, canary, "x")
		time.Sleep(time.Minute)
		report, err := sys.Status(r.ctx, r.sys, plain, operator)
		if err != nil {
			t.Fatal(err)
		}
		if report.OnTurn || report.Phase != "running" || report.Running != "sys_test.stick" || report.For < 2*time.Minute ||
			report.Queue != 3 || report.Waiting["string"] != 2 || report.Waiting["int"] != 1 || report.Oldest < time.Minute || report.State != nil {
			t.Errorf("it is %+v", report)
		}
		doc, err := json.Marshal(report)
		if err != nil || strings.Contains(string(doc), "memory") || strings.Contains(string(doc), "restarts") || strings.Contains(string(doc), canary) || !strings.Contains(string(doc), `"on_turn":false`) {
			t.Errorf("as JSON it is %s, %v", doc, err)
		}
		r.stop <- struct{}{}
		if n := r.count(plain); n != 1 {
			t.Errorf("it goes on with %d", n)
		}
	})
}
