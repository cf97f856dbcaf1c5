package admin

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jackdaw-im/jackdaw/ident"
)

const (
	importBatch = 100      // users in one commit: its flush is next to nothing beside the making of their keys
	maxLine     = 64 << 10 // bytes
	byteOrder   = "\uFEFF" // what some programs put before the first line
)

// Import is the import of a list of users. Each line is name@domain,password, as CSV: a password that holds a comma or a quote
// stands in quotes. Empty lines are skipped. A user that exists gets the password; so an import may be repeated.
type Import struct {
	// Users take them.
	Users Users
	// Domain, if set, is the only one whose users are taken.
	Domain string
	// Workers make keys of passwords; 0 is one per core.
	Workers int
	// Bad hears of each line that is not taken. It is called by Run's caller's goroutine; nil is fine.
	Bad func(line int, err error)
	// Progress is called by the same goroutine for each value of Tick; nil is fine.
	Progress func(Imported)
	Tick     <-chan time.Time
}

// Imported is how far an import has come.
type Imported struct {
	Created, Changed int // users whose keys are stored durably
	Bad              int // lines not taken
}

// Done is how many users are stored.
func (i Imported) Done() int { return i.Created + i.Changed }

// candidate is one line on its way. With an error it is a bad one.
type candidate struct {
	line     int
	id       ident.UserID
	password string
	user     User
	err      error
}

// Run imports all lines of from. Lines that make no sense are counted and left out. An error means that the import stopped; what
// Imported counts is stored all the same.
func (im *Import) Run(ctx context.Context, from io.Reader) (Imported, error) {
	if im.Workers <= 0 {
		im.Workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan candidate, importBatch)
	ready := make(chan candidate, importBatch)
	var group errgroup.Group
	group.Go(func() error { // its error ends the list, and what came before is stored all the same
		defer close(lines)
		return im.read(ctx, from, lines)
	})
	for range im.Workers {
		group.Go(func() error { return hash(ctx, lines, ready) })
	}
	read := make(chan error, 1)
	go func() {
		read <- group.Wait()
		close(ready)
	}()
	done, err := im.store(ctx, ready)
	cancel()
	for range ready { // until the workers have ended
	}
	if readErr := <-read; err == nil {
		err = readErr
	}
	return done, err
}

// read cuts the list into candidates.
func (im *Import) read(ctx context.Context, from io.Reader, to chan<- candidate) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	seen := map[ident.UserID]int{}
	n := 0
	for lines.Scan() {
		n++
		text := lines.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, byteOrder)
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		c := candidate{line: n}
		if c.id, c.password, c.err = im.parse(text); c.err == nil {
			if first, twice := seen[c.id]; twice {
				c.err = fmt.Errorf("%s stands in line %d already", c.id, first)
			} else {
				seen[c.id] = n
			}
		}
		select {
		case to <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("admin: line %d is longer than %d bytes: is this a list of name@domain,password?", n+1, maxLine)
	case err != nil:
		return fmt.Errorf("admin: reading the list: %w", err)
	}
	return nil
}

// parse reads one line.
func (im *Import) parse(text string) (ident.UserID, string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	fields, err := r.Read()
	switch {
	case err != nil:
		return "", "", errors.New("no line of CSV: a password with a quote or a comma stands in quotes, in which a quote is written twice")
	case len(fields) != 2:
		return "", "", fmt.Errorf("%d fields instead of name@domain,password", len(fields))
	case fields[1] == "":
		return "", "", errors.New("no password")
	}
	id, err := ParseUser(strings.TrimSpace(fields[0]), "")
	switch {
	case err != nil:
		return "", "", err
	case im.Domain != "" && id.Domain() != im.Domain:
		return "", "", fmt.Errorf("%s could not log in, because the server serves %s", id, im.Domain)
	}
	return id, fields[1], nil
}

// hash makes keys until there are no more candidates.
func hash(ctx context.Context, from <-chan candidate, to chan<- candidate) error {
	for c := range from {
		if c.err == nil {
			c.user, c.err = NewUser(c.id, c.password)
			c.password = ""
		}
		select {
		case to <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// store commits what is ready, in batches.
func (im *Import) store(ctx context.Context, ready <-chan candidate) (done Imported, err error) {
	var batch []User
	commit := func() error {
		if len(batch) == 0 {
			return nil
		}
		created, err := im.Users.Import(ctx, batch)
		if err != nil {
			return err
		}
		done.Created += created
		done.Changed += len(batch) - created
		batch = batch[:0]
		return nil
	}
	for {
		select {
		case c, more := <-ready:
			switch {
			case !more:
				return done, commit()
			case c.err != nil:
				done.Bad++
				if im.Bad != nil {
					im.Bad(c.line, c.err)
				}
				continue
			}
			if batch = append(batch, c.user); len(batch) < importBatch {
				continue
			}
			if err := commit(); err != nil {
				return done, err
			}
		case <-im.Tick:
			if im.Progress != nil {
				im.Progress(done)
			}
		}
	}
}
