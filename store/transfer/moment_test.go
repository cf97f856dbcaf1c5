package transfer_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/storetest"
	"github.com/jackdaw-im/jackdaw/store/transfer"
)

// archived is a server whose log is archived, with some databases, and its folder of backups.
func archived(t *testing.T, databases ...string) (s *testpg.Server, folder string) {
	t.Helper()
	s = testpg.Run(t, testpg.Options{Settings: map[string]string{"autovacuum": "off"}}) // it writes when it likes
	folder, err := s.Folder("backup")
	must(t, err)
	must(t, s.Configure(fmt.Sprintf("archive_mode = on\narchive_command = 'cp %%p %s/%%f'", folder)))
	must(t, s.Stop(bg))
	must(t, s.Start(bg))
	for _, name := range databases {
		must(t, s.Exec(bg, "CREATE DATABASE "+name))
	}
	return s, folder
}

// TestRestoreToAMoment brings two servers to one moment, after which one of them had nothing to write.
func TestRestoreToAMoment(t *testing.T) {
	accounts, accountsBackup := archived(t, "accounts")
	mail, mailBackup := archived(t, "mail0", "mail1")
	urls := []string{mail.URL("mail0"), mail.URL("mail1"), accounts.URL("accounts")}
	e := openShared(t, urls)
	storetest.Fill(t, e, 30)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "late@x"}))
	for s, folder := range map[*testpg.Server]string{accounts: accountsBackup, mail: mailBackup} {
		must(t, s.Program(bg, "pg_basebackup", "--dbname="+s.URL("postgres"), "--pgdata="+filepath.Join(folder, "base"), "--checkpoint=fast"))
	}
	tell := func(n int, users ...ident.UserID) {
		var b store.Batch
		for _, user := range users {
			b.Appends = append(b.Appends, store.Append{Mailbox: user, ID: storetest.ID(n), Body: []byte("after the backup")})
		}
		_, err := e.Mail().Commit(&b)
		must(t, err)
	}
	must(t, e.Directory().Accounts().Create(&store.Account{User: "younger@x"}))
	tell(9998, "younger@x", "user5@test.example")
	moment, err := mail.Text(bg, "SELECT clock_timestamp()")
	must(t, err)
	tell(9999, "younger@x", "user5@test.example", "user6@test.example")
	must(t, e.Close())

	back := func(s *testpg.Server, folder string) error {
		must(t, s.Stop(bg))
		return s.Recover(bg, filepath.Join(folder, "base"),
			fmt.Sprintf("restore_command = 'cp %s/%%f %%p'\nrecovery_target_time = '%s'\nrecovery_target_action = promote", folder, moment))
	}
	must(t, back(mail, mailBackup))
	if err := back(accounts, accountsBackup); err == nil || !strings.Contains(err.Error(), "recovery ended before configured recovery target was reached") {
		t.Fatalf("a server with nothing later than the moment: %v", err)
	}
	must(t, accounts.Configure("recovery_target_time = ''"))
	must(t, accounts.Start(bg))
	must(t, accounts.Until(bg, "SELECT pg_is_in_recovery()", "false"))

	e = openShared(t, urls)
	mended, err := transfer.Reconcile(bg, e, true, nil)
	must(t, err)
	all := storetest.Walk(t, e, store.PartMail, 0, 0)
	if *mended != (transfer.Mended{Restored: len(all)}) {
		t.Errorf("of %d messages: %+v", len(all), mended)
	}
	has := map[string]bool{}
	for _, en := range all {
		if en.Mail.Flags&store.FlagRestored == 0 {
			t.Errorf("%s: %+v isn't marked", en.Owner, en.Mail.Row)
		}
		if en.Mail.ID == storetest.ID(9999) {
			t.Errorf("%s has a message of after the moment", en.Owner)
		}
		if en.Mail.ID == storetest.ID(9998) {
			has[en.Owner] = true
		}
	}
	if len(has) != 2 || !has["younger@x"] || !has["user5@test.example"] {
		t.Errorf("who has a message of before the moment: %v", has)
	}
	r, err := transfer.Check(bg, e, nil)
	must(t, err)
	if !r.OK() {
		t.Errorf("%+v", r.Problems)
	}
}
