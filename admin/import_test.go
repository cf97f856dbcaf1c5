package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// run imports text and returns what was told of bad lines.
func run(t *testing.T, im *Import, text string) (Imported, []string, error) {
	t.Helper()
	var bad []string
	im.Bad = func(line int, err error) { bad = append(bad, fmt.Sprintf("%d: %v", line, err)) }
	done, err := im.Run(t.Context(), strings.NewReader(text))
	return done, bad, err
}

func TestImport(t *testing.T) {
	users := &batches{}
	text := byteOrder + "Juliet@localhost,R0m30\r\n\n  \nromeo@localhost,\"com,ma and \"\"quote\"\"\"\nbenvolio@localhost,  blanks \n"
	done, bad, err := run(t, &Import{Users: users, Domain: "localhost", Workers: 1}, text)
	if err != nil || done != (Imported{Created: 3}) || len(bad) != 0 {
		t.Errorf("%+v, %v, %v", done, bad, err)
	}
	done, _, err = run(t, &Import{Users: users}, "juliet@localhost,other\nother@example.org,x")
	if err != nil || done != (Imported{Created: 1, Changed: 1}) || done.Done() != 2 {
		t.Errorf("again: %+v, %v", done, err)
	}
	for _, id := range []ident.UserID{"juliet@localhost", "romeo@localhost", "benvolio@localhost", "other@example.org"} {
		if !users.users[id] {
			t.Errorf("no %s", id)
		}
	}
}

func TestImportKeepsPasswordsAsTheyAre(t *testing.T) {
	for text, want := range map[string]string{
		"a@b,x":             "x",
		"a@b, x ":           " x ",
		`a@b,"x,""y"""`:     `x,"y"`,
		"a@b,\u00fcber":     "\u00fcber",
		" a@b ,x":           "x",
		`a@b,"with spaces"`: "with spaces",
	} {
		id, password, err := (&Import{}).parse(text)
		if id != "a@b" || password != want || err != nil {
			t.Errorf("%q: %q, %q, %v", text, id, password, err)
		}
	}
}

func TestImportNamesBadLines(t *testing.T) {
	text := "good@localhost,x\nnocomma\n@localhost,x\na@localhost,\na@example.org,x\na@localhost,x,y\na@localhost,x\"y\nGOOD@localhost,y\nctrl@localhost,a\x01b\nnodomain,x\n"
	done, bad, err := run(t, &Import{Users: &batches{}, Domain: "localhost", Workers: 1}, text)
	if err != nil || done.Created != 1 || done.Bad != len(bad) {
		t.Errorf("%+v, %v", done, err)
	}
	for i, want := range []string{"2: 1 fields", "3: admin: \"@localhost\"", "4: no password", "5: a@example.org could not log in", "6: 3 fields", "7: no line of CSV",
		"8: good@localhost stands in line 1 already", "9: ", "10: admin: \"nodomain\""} {
		if i >= len(bad) || !strings.HasPrefix(bad[i], want) {
			t.Errorf("%d bad lines, %q: want %q", len(bad), bad, want)
		}
	}
	for _, b := range bad {
		if strings.Contains(b, "x\"y") || strings.Contains(b, "a\x01b") {
			t.Errorf("a password is told: %q", b)
		}
	}
}

func TestImportStops(t *testing.T) {
	long := "a@localhost,x\nb@localhost," + strings.Repeat("y", maxLine)
	if done, _, err := run(t, &Import{Users: &batches{}}, long); err == nil || !strings.Contains(err.Error(), "line 2 is longer") || done.Created != 1 {
		t.Errorf("a long line: %+v, %v", done, err)
	}
	if _, _, err := run(t, &Import{Users: &batches{fail: ErrFull}}, list250()); !errors.Is(err, ErrFull) {
		t.Errorf("a full store: %v", err)
	}
	broken := io.MultiReader(strings.NewReader("a@localhost,x\n"), iotest.ErrReader(errors.New("unplugged")))
	if _, err := (&Import{Users: &batches{}}).Run(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "unplugged") {
		t.Errorf("a broken list: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Import{Users: &batches{}}).Run(ctx, strings.NewReader(list250())); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func list250() string {
	var b strings.Builder
	for i := range 250 {
		fmt.Fprintf(&b, "u%d@localhost,x\n", i)
	}
	return b.String()
}

func TestImportInBatchesWithProgress(t *testing.T) {
	users := &batches{}
	tick := make(chan time.Time)
	r, w := io.Pipe()
	told := make(chan Imported, 1)
	im := &Import{Users: users, Tick: tick, Progress: func(i Imported) { told <- i }}
	var done Imported
	ended := make(chan error, 1)
	go func() {
		var err error
		done, err = im.Run(context.Background(), r)
		ended <- err
	}()
	tick <- time.Time{}
	if first := <-told; first.Done() != 0 {
		t.Errorf("at first %+v", first)
	}
	if _, err := io.WriteString(w, list250()); err != nil {
		t.Fatal(err)
	}
	for stored := 0; stored < 2*importBatch; {
		tick <- time.Time{}
		stored = (<-told).Done()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || done.Created != 250 {
		t.Errorf("%+v, %v", done, err)
	}
	if fmt.Sprint(users.sizes) != fmt.Sprint([]int{importBatch, importBatch, 250 - 2*importBatch}) {
		t.Errorf("batches of %v", users.sizes)
	}
}
