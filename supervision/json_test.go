package supervision_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/supervision"
)

// TestTreeAsJSON: what is written is what is read, in OTP's words.
func TestTreeAsJSON(t *testing.T) {
	run(t, func(r *rig) {
		c, many := r.deep(transient)
		c.Significant = true
		r.top(supervision.SupervisorSpec{Strategy: supervision.RestForOne, Period: time.Minute, AutoShutdown: supervision.AllSignificant,
			Backoff: supervision.Backoff{Min: time.Hour}, Children: []supervision.ChildSpec{r.worker("y"), r.with("z", func(c *supervision.ChildSpec) { c.Shutdown = supervision.Brutal }), c}})
		for _, id := range []string{"1", "2"} {
			if _, err := many.StartChild(id, nil); err != nil {
				t.Fatal(err)
			}
		}
		r.cast("b", "crash")
		tree, err := r.root.Tree(bg)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		var read supervision.Node
		if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(read, tree) {
			t.Errorf("%v: read\n%+v\nwant\n%+v", err, read, tree)
		}
		for _, want := range []string{
			`"supervisor":{"strategy":"rest_for_one","intensity":100,"period_ns":60000000000,"auto_shutdown":"all_significant","recent_restarts":0}`,
			`"id":"z",`, `"shutdown":"brutal_kill"`, `"significant":true`, `"type":"supervisor"`, `"state":"running"`, `"restart":"transient"`, `"shutdown":"infinity"`, `"shutdown":"5s"`,
			`"type":"dynamic"`, `"live":`,
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("there is no %s in\n%s", want, text)
			}
		}
		if parts, live, restarted := tree.Children[2].Children[2].Dynamic(); parts != 2 || live != 2 || restarted != 0 {
			t.Errorf("%d partitions, %d live, %d restarted", parts, live, restarted)
		}
		if s := tree.Children[2].Children[1].Children[0].State; s != supervision.Running {
			t.Errorf("b is %v", s) // its own supervisor has no back-off
		}
		r.cast("z", "crash")
		if tree, err = r.root.Tree(bg); err != nil {
			t.Fatal(err)
		}
		want := "sup (supervisor)\n  y (permanent)\n  z (permanent) restarting\n  below (supervisor) restarting\n"
		if tree.String() != want {
			t.Errorf("got\n%swant\n%s", tree, want)
		}
	})
}

// TestWordsThatThereArent can't be read.
func TestWordsThatThereArent(t *testing.T) {
	for _, to := range []any{new(supervision.Restart), new(supervision.Strategy), new(supervision.AutoShutdown), new(supervision.Type), new(supervision.State), new(supervision.ShutdownTime)} {
		if err := json.Unmarshal([]byte(`"nonsense"`), to); err == nil {
			t.Errorf("%T reads nonsense", to)
		}
	}
	for got, want := range map[string]string{
		supervision.Restart(9).String(): "invalid(9)", supervision.State(200).String(): "invalid(200)", supervision.Starting.String(): "starting",
		supervision.ShutdownTime(90 * time.Second).String(): "1m30s", supervision.AnySignificant.String(): "any_significant", supervision.SupervisorType.String(): "supervisor",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	var d supervision.ShutdownTime
	for _, word := range []string{"infinity", "brutal_kill", "2s"} {
		if err := json.Unmarshal([]byte(`"`+word+`"`), &d); err != nil || d.String() != word {
			t.Errorf("%s is read as %v, %v", word, d, err)
		}
	}
}
