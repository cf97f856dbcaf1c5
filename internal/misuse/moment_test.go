package misuse_test

import (
	"path/filepath"
	"strings"

	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// restoredToAMoment backs up the whole server of the databases as the page says, and later brings it to a moment after that.
func restoredToAMoment(r *rig) {
	n, pg := r.c.Nodes[0], r.c.Store
	if err := n.Import(r.within(), testnode.Users("m", "localhost", 2, talk.Password)); err != nil {
		r.Fatal(err)
	}
	r.until("no message of before to be left", func() string {
		if out := r.command(n, "store", "check"); !strings.Contains(out, " mail  0 ") {
			return out
		}
		return ""
	})
	backup, err := pg.Folder("backup")
	if err != nil {
		r.Fatal(err)
	}
	if _, err := pg.Folder("backup/log"); err != nil {
		r.Fatal(err)
	}
	said := strings.NewReplacer("/backup", backup, "postgres://db1/postgres", pg.URL("postgres"))
	from := talk.Visit(r, n.C2STLS, "m0@localhost/a")
	var archive []string
	for _, words := range commands(r.section("\n**Whole servers**", "\n**Single databases**")) {
		for i := range words {
			words[i] = said.Replace(words[i])
		}
		if words[1] == "=" {
			archive = append(archive, strings.Join(words, " "))
			continue
		}
		r.restart(archive)
		from.Say("m1@localhost", 1)
		from.Acked()
		if err := pg.Program(r.within(), words[0], words[1:]...); err != nil {
			r.Fatal(err)
		}
	}
	from.Say("m1@localhost", 2)
	from.Acked()
	moment, err := pg.Text(r.within(), "SELECT clock_timestamp()")
	if err != nil {
		r.Fatal(err)
	}
	from.Say("m1@localhost", 2) // which will be lost, to those who were told that they are stored
	from.Acked()
	if err := n.Import(r.within(), []testnode.User{{JID: "late@localhost", Password: talk.Password}}); err != nil {
		r.Fatal(err)
	}
	to := talk.Visit(r, n.C2STLS, "m1@localhost/a")
	to.HearsOnce(from)
	// 1. Stop all nodes.
	if err := n.Stop(r.within()); err != nil {
		r.Fatal(err)
	}
	// 2. Bring the server to the moment, take the lines out, and make its standby anew.
	said = strings.NewReplacer("/backup", backup, "2026-03-02 14:00:00+00", moment)
	var lines []string
	for _, words := range commands(r.section("\n   *Whole servers:*", "\n   Standbys are ahead")) {
		lines = append(lines, said.Replace(strings.Join(words, " ")))
	}
	if err := pg.Stop(r.within()); err != nil {
		r.Fatal(err)
	}
	if err := pg.Recover(r.within(), filepath.Join(backup, "base"), strings.Join(lines, "\n")); err != nil {
		r.Fatal(err)
	}
	if err := pg.Standbys[0].Remake(r.within()); err != nil {
		r.Fatal(err)
	}
	r.reconciles(n, to)
	if list := r.command(n, "user", "list"); strings.Contains(list, "late@") || !strings.Contains(list, "m1@") {
		r.Errorf("the users are %s", list)
	}
}

// restart starts the server of the databases again, with some more lines in its configuration.
func (r *rig) restart(lines []string) {
	r.Helper()
	pg := r.c.Store
	if err := pg.Configure(strings.Join(lines, "\n")); err != nil {
		r.Fatal(err)
	}
	if err := pg.Stop(r.within()); err != nil {
		r.Fatal(err)
	}
	if err := pg.Start(r.within()); err != nil {
		r.Fatal(err)
	}
	if err := pg.WaitStreaming(r.within(), pg.Standbys[0]); err != nil {
		r.Fatal(err)
	}
	if err := r.c.WaitReady(r.within()); err != nil {
		r.Fatal(err)
	}
}
