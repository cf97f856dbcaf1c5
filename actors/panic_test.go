package actors

import (
	"errors"
	"strings"
	"testing"
)

func oops(v any) (err error) {
	defer func() { err = panicError(recover()) }()
	panic(v)
}

// TestPanicTellsWhere: the stack of a panic is there when it is read, from where it came on.
func TestPanicTellsWhere(t *testing.T) {
	cause := errors.New("on purpose")
	for _, v := range []any{cause, "on purpose"} {
		err := oops(v)
		lines := strings.Split(err.Error(), "\n")
		if lines[0] != "panic: on purpose" || len(lines) < 3 || !strings.Contains(lines[1], "actors.oops (") || !strings.Contains(lines[1], "panic_test.go:") {
			t.Errorf("%v tells %q", v, lines)
		}
		if errors.Is(err, cause) != (v == cause) {
			t.Errorf("%v is not wrapped", v)
		}
	}
	var nilMap map[string]int
	func() {
		defer func() {
			if got := panicError(recover()).Error(); !strings.Contains(got, "TestPanicTellsWhere") || strings.Contains(got, "\truntime.") {
				t.Errorf("a panic of the language tells %q", got)
			}
		}()
		nilMap["x"] = 1
	}()
}
