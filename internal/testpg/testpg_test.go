package testpg_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/testpg"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, s *testpg.Server, query string) string {
	t.Helper()
	out, err := s.Text(t.Context(), query)
	must(t, err)
	return out
}

func TestKillAndStartAgain(t *testing.T) {
	s := testpg.Run(t, testpg.Options{Settings: map[string]string{"work_mem": "5MB"}})
	if got := text(t, s, "SELECT current_setting('work_mem') || current_setting('fsync') || inet_server_addr()"); got != "5MBoff127.0.0.1/32" {
		t.Fatal(got)
	}
	must(t, s.Exec(t.Context(), "CREATE TABLE x (n int)", "INSERT INTO x VALUES (7)"))
	if cpu, err := s.CPU(); err != nil || cpu < 0 {
		t.Fatal(cpu, err)
	}
	s.Kill()
	if _, err := s.Text(t.Context(), "SELECT 1"); err == nil {
		t.Fatal("a killed server answers")
	}
	if _, err := s.CPU(); err == nil {
		t.Fatal("a killed server uses processors")
	}
	must(t, s.Start(t.Context()))
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Fatal(err)
	}
	if got := text(t, s, "SELECT n FROM x"); got != "7" {
		t.Fatal(got)
	}
	must(t, s.Stop(t.Context()))
	must(t, s.Stop(t.Context()))
}

func TestPromotion(t *testing.T) {
	s := testpg.Run(t, testpg.Options{Standbys: 2})
	s1, s2 := s.Standbys[0], s.Standbys[1]
	must(t, s.Exec(t.Context(), "CREATE TABLE x (n int)", "INSERT INTO x VALUES (7)"))
	must(t, s.Synchronous(t.Context(), s1))
	must(t, s.Exec(t.Context(), "INSERT INTO x VALUES (8)"))
	must(t, s.Until(t.Context(), "SELECT count(*) FROM x", "2"))
	must(t, s.Destroy())
	must(t, s1.Promote(t.Context()))
	if got := text(t, s1, "SELECT string_agg(n::text, ',' ORDER BY n) || substr(pg_walfile_name(pg_current_wal_lsn()), 8, 1) FROM x"); got != "7,82" {
		t.Fatalf("rows and timeline %s", got)
	}
	must(t, s2.Follow(t.Context(), s1))
	must(t, s1.Synchronous(t.Context(), s2))
	must(t, s1.Exec(t.Context(), "INSERT INTO x VALUES (9)"))
	third, err := s1.AddStandby(t.Context())
	must(t, err)
	if got := text(t, third, "SELECT count(*) FROM x"); got != "3" || third.Name != "s1s1" {
		t.Fatalf("%s rows on %s", got, third.Name)
	}
	third.Kill()
	if got := testpg.URL("d", s1, s2); !strings.Contains(got, s1.Addr()+","+s2.Addr()+"/d?") {
		t.Fatal(got)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Setenv(testpg.BinEnv, t.TempDir())
	if _, err := testpg.Start(t.Context(), testpg.Options{}); err == nil {
		t.Fatal("a server without programs")
	}
	if !strings.Contains(testpg.ErrMissing.Error(), "make postgres") || errors.Is(testpg.ErrMissing, os.ErrNotExist) {
		t.Fatal(testpg.ErrMissing)
	}
}
