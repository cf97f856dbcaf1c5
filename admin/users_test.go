package admin

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// TestUsers holds every implementation but Live, whose accounts have tests of their own, to the interface.
func TestUsers(t *testing.T) {
	memory, _ := inMemory()
	folder, err := OpenFolder(configFor(t), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := folder.Close(); err != nil {
			t.Error(err)
		}
	})
	remote, _ := inMemory()
	_, path := openSocket(t, remote)
	for _, c := range []struct {
		name  string
		users Users
		store store.Accounts
	}{{"memory", memory, memory.accounts()}, {"folder", folder, folder.accounts()}, {"client", dial(t, path), remote.accounts()}} {
		t.Run(c.name, func(t *testing.T) { users(t, c.users, c.store) })
	}
}

func users(t *testing.T, u Users, accounts store.Accounts) {
	ctx := t.Context()
	juliet := cheap("juliet@localhost")
	if err := u.Create(ctx, juliet); err != nil {
		t.Fatal(err)
	}
	if err := u.Create(ctx, juliet); !errors.Is(err, ErrExists) {
		t.Errorf("a second juliet: %v", err)
	}
	p, err := accounts.Account(ctx, juliet.ID)
	if err != nil {
		t.Fatal(err)
	}
	made := p.Account
	if made.Created.IsZero() || string(made.SHA1.StoredKey) != string(juliet.SHA1.StoredKey) || string(made.SHA256.ServerKey) != string(juliet.SHA256.ServerKey) {
		t.Errorf("created %+v", made)
	}
	changed := cheap("juliet@localhost")
	changed.SHA256.Salt = []byte("new")
	if err := u.SetPassword(ctx, changed); err != nil {
		t.Error(err)
	}
	if got, err := accounts.Account(ctx, juliet.ID); err != nil || string(got.Account.SHA256.Salt) != "new" || !got.Account.Created.Equal(made.Created) {
		t.Errorf("after a new password %+v, %v", got, err)
	}
	if err := u.SetPassword(ctx, cheap("nobody@localhost")); !errors.Is(err, ErrNoUser) {
		t.Errorf("a password for nobody: %v", err)
	}

	var all []User
	for _, id := range numbered(20) {
		all = append(all, cheap(id))
	}
	changed.SHA256.Salt = []byte("newer")
	if n, err := u.Import(ctx, append(all, changed)); n != 20 || err != nil {
		t.Errorf("imported %d, %v", n, err)
	}
	if got, err := accounts.Account(ctx, juliet.ID); err != nil || string(got.Account.SHA256.Salt) != "newer" || !got.Account.Created.Equal(made.Created) {
		t.Errorf("after an import over it %+v, %v", got, err)
	}
	var listed []string
	for after := ident.UserID(""); ; {
		page, err := u.List(ctx, after, 8)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			listed = append(listed, string(e.ID))
			if e.Created.IsZero() || e.Disabled {
				t.Errorf("%+v", e)
			}
		}
		after = page[len(page)-1].ID
	}
	if want := append([]string{"juliet@localhost"}, numbered(20)...); fmt.Sprint(listed) != fmt.Sprint(want) {
		t.Errorf("listed %v", listed)
	}

	if err := u.Remove(ctx, juliet.ID); err != nil {
		t.Error(err)
	}
	if err := u.Remove(ctx, juliet.ID); !errors.Is(err, ErrNoUser) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestFullStore(t *testing.T) {
	memory, engine := inMemory()
	engine.SetFull("no room in the test")
	_, path := openSocket(t, memory)
	for name, u := range map[string]Users{"memory": memory, "client": dial(t, path)} {
		if err := u.Create(t.Context(), cheap("a@localhost")); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "make room") {
			t.Errorf("%s: create on a full disk: %v", name, err)
		}
		if _, err := u.Import(t.Context(), []User{cheap("a@localhost")}); !errors.Is(err, ErrFull) {
			t.Errorf("%s: import on a full disk: %v", name, err)
		}
	}
}

func TestParseUser(t *testing.T) {
	for _, c := range []struct{ text, domain, want string }{
		{"juliet@localhost", "", "juliet@localhost"},
		{"Juliet@LOCALHOST", "x", "juliet@localhost"},
		{"juliet", "localhost", "juliet@localhost"},
		{"juliet", "", ""},
		{"localhost", "", ""},
		{"juliet@localhost/phone", "", ""},
		{"", "localhost", ""},
		{"@localhost", "", ""},
		{"ju liet@localhost", "", ""},
		{"juliet@", "", ""},
	} {
		got, err := ParseUser(c.text, c.domain)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q at %q: %q, %v", c.text, c.domain, got, err)
		}
	}
}

func TestOutcomes(t *testing.T) {
	for _, o := range outcomes {
		if codeOf(fmt.Errorf("more: %w", o.err)) != o.code || !errors.Is(outcome(o.code), o.err) {
			t.Errorf("%v and %v don't fit", o.code, o.err)
		}
		back := fromFailure(failure(fmt.Errorf("more: %w", o.err)).GetFailure())
		if !errors.Is(back, o.err) || back.Error() != "more: "+o.err.Error() {
			t.Errorf("travelled: %v", back)
		}
	}
	if err := outcome(nodepb.Code_OK); err != nil {
		t.Error(err)
	}
	if err := outcome(nodepb.Code_GAP); !errors.Is(err, ErrUnknown) {
		t.Errorf("a code that nobody should give: %v", err)
	}
	if err := fromFailure(failure(errors.New("odd")).GetFailure()); err.Error() != "odd" || errors.Unwrap(err) != nil {
		t.Errorf("an error without a code: %v", err)
	}
	if err := fromStore(store.CheckID("user", "")); !errors.Is(err, ErrInvalid) {
		t.Errorf("an invalid id: %v", err)
	}
	if err := fromStore(store.ErrClosed); err == nil || codeOf(err) != nodepb.Code_CODE_UNSPECIFIED {
		t.Errorf("a closed store: %v", err)
	}
}

func TestNewUserFitsItsPassword(t *testing.T) {
	u, err := NewUser("juliet@localhost", "R0m30")
	if err != nil {
		t.Fatal(err)
	}
	if u.SHA1.GetIterations() != sasl.Iterations || u.SHA256.GetIterations() != sasl.Iterations || len(u.SHA256.GetStoredKey()) != 32 || len(u.SHA1.GetStoredKey()) != 20 {
		t.Errorf("%v", u)
	}
	if _, err := NewUser("juliet@localhost", ""); err == nil {
		t.Error("an empty password")
	}
}
