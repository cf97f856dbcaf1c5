package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// scripted is a System whose accounts answer with one code.
type scripted struct {
	code     nodepb.Code
	err      error
	overload int // casts to refuse first
	castErr  error
	calls    []string
	told     []ident.UserID
}

func (s *scripted) Call(_ context.Context, to actors.Ref, req any) (any, error) {
	s.calls = append(s.calls, fmt.Sprintf("%v %T", to, req))
	return &nodepb.AccountChanged{Code: s.code}, s.err
}

func (s *scripted) Cast(to actors.Ref, _ any) error {
	if s.overload > 0 {
		s.overload--
		return actors.ErrOverloaded
	}
	s.told = append(s.told, ident.UserID(to.ID))
	return s.castErr
}

func TestLiveAsksTheAccount(t *testing.T) {
	memory, _ := inMemory()
	for _, c := range []struct {
		code nodepb.Code
		err  error
		want error
	}{
		{nodepb.Code_OK, nil, nil},
		{nodepb.Code_ALREADY_EXISTS, nil, ErrExists},
		{nodepb.Code_NO_SUCH_USER, nil, ErrNoUser},
		{nodepb.Code_STORE_FULL, nil, ErrFull},
		{nodepb.Code_LATER, nil, ErrBusy},
		{nodepb.Code_OK, actors.ErrOverloaded, ErrBusy},
		{nodepb.Code_OK, context.DeadlineExceeded, ErrUnknown},
	} {
		sys := &scripted{code: c.code, err: c.err}
		live := Live{sys, memory.accounts()}
		for name, err := range map[string]error{
			"create": live.Create(t.Context(), cheap("a@localhost")),
			"passwd": live.SetPassword(t.Context(), cheap("a@localhost")),
			"remove": live.Remove(t.Context(), "a@localhost"),
		} {
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s, %v %v: %v, want %v", name, c.code, c.err, err, c.want)
			}
		}
		if got := strings.Join(sys.calls, " "); strings.Count(got, "account/a@localhost") != 3 || !strings.Contains(got, "CreateAccount") ||
			!strings.Contains(got, "SetPassword") || !strings.Contains(got, "RemoveAccount") {
			t.Errorf("calls %s", got)
		}
	}
}

func TestLiveImportTellsAccounts(t *testing.T) {
	memory, engine := inMemory()
	sys := &scripted{overload: 2}
	live := Live{sys, memory.accounts()}
	if n, err := live.Import(t.Context(), []User{cheap("a@localhost"), cheap("b@localhost")}); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if fmt.Sprint(sys.told) != "[a@localhost b@localhost]" {
		t.Errorf("told %v", sys.told)
	}
	if page, err := live.List(t.Context(), "a@localhost", 10); len(page) != 1 || err != nil {
		t.Errorf("%v, %v", page, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sys.overload = 1 << 30
	if _, err := live.Import(ctx, []User{cheap("c@localhost")}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an account too busy for ever: %v", err)
	}
	sys.overload, sys.castErr = 0, actors.ErrNoProc
	if _, err := live.Import(t.Context(), []User{cheap("c@localhost")}); !errors.Is(err, ErrUnknown) {
		t.Errorf("no accounts: %v", err)
	}
	engine.SetFull("test")
	sys.told = nil
	if _, err := live.Import(t.Context(), []User{cheap("d@localhost")}); !errors.Is(err, ErrFull) || len(sys.told) != 0 {
		t.Errorf("a full store: %v, told %v", err, sys.told)
	}
}
