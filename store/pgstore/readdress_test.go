package pgstore_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

// asUser is a URL with another user.
func asUser(t testing.TB, list, user string) string {
	t.Helper()
	var all []string
	for _, one := range pgstore.Split(list) {
		u, err := url.Parse(one)
		must(t, err)
		u.User = url.UserPassword(user, "secret")
		all = append(all, u.String())
	}
	return strings.Join(all, ",")
}

// withRole makes a user who may do everything, and drops it when the test ends.
func withRole(t testing.TB, database, name string) {
	t.Helper()
	ctx := context.Background()
	do := func(statement string) {
		c, err := pgx.Connect(ctx, database)
		must(t, err)
		_, err = c.Exec(ctx, statement)
		must(t, errors.Join(err, c.Close(ctx)))
	}
	do(`CREATE ROLE ` + name + ` SUPERUSER LOGIN PASSWORD 'secret'`)
	t.Cleanup(func() { do(`DROP ROLE ` + name) })
}

// users are those of the engine's connections.
func users(t testing.TB, database string) string {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, database)
	must(t, err)
	var names string
	must(t, c.QueryRow(ctx, `SELECT coalesce(string_agg(DISTINCT usename, ' ' ORDER BY usename), '') FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE 'jackdaw one@%'`).Scan(&names))
	must(t, c.Close(ctx))
	return names
}

// TestReaddress: another user takes over while messages are stored, and no call fails.
func TestReaddress(t *testing.T) {
	r := newRig(t, nil)
	withRole(t, r.o.Directory, "replaced")
	commit := func(n int) {
		t.Helper()
		b := batchOf(n)
		if _, err := r.Mail().Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 50 {
		if commit(n); n == 25 {
			must(t, r.Readdress(t.Context(), asUser(t, r.list, "replaced"), asUser(t, r.o.Directory, "replaced"), true))
		}
	}
	for _, database := range append(pgstore.Split(r.list), r.o.Directory) {
		eventually(t, "only the new user is connected", func() bool { return users(t, database) == "replaced" })
	}
	commit(51) // a pool whose last connection was replaced has one again when it is asked for one
	eventually(t, "connections to all", func() bool {
		if _, err := r.Directory().Accounts().Account(t.Context(), "nobody@test.example"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		for _, d := range r.Databases() {
			if d.Connections == 0 {
				return false
			}
		}
		return true
	})
	for _, d := range r.Databases() {
		if d.Down != "" || d.Unreplicated == "" || !strings.HasPrefix(d.Place, "postgres://") || strings.Contains(d.Place, "secret") {
			t.Errorf("%+v", d)
		}
	}
	if all := r.Databases(); len(all) != 3 || all[2].Name != "directory" {
		t.Errorf("%+v", all)
	}
	must(t, r.Close()) // before the role is dropped
}

func TestReaddressRefuses(t *testing.T) {
	r := newRig(t, nil)
	shards := pgstore.Split(r.list)
	other := borrow(t)
	for name, c := range map[string]struct {
		list, directory string
		invalid         bool
		want            string
	}{
		"fewer":          {shards[0], r.o.Directory, true, "1 stores"},
		"swapped":        {shards[1] + "," + shards[0], r.o.Directory, false, "another database than before"},
		"no directory":   {r.list, "", false, "another database than before"},
		"another store":  {other[0] + "," + other[1], other[2], false, "another database than before"},
		"an unknown one": {asUser(t, r.list, "nobody_of_that_name"), r.o.Directory, false, "shard"},
		"no URL":         {"nonsense," + shards[1], r.o.Directory, true, "begins with"},
	} {
		err := r.Readdress(t.Context(), c.list, c.directory, true)
		if err == nil || errors.Is(err, store.ErrInvalid) != c.invalid || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := batchOf(1)
	_, err := r.Mail().Commit(b)
	must(t, err)
	must(t, r.Close())
	if err := r.Readdress(t.Context(), r.list, r.o.Directory, false); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}
