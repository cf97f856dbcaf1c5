package testpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	// parameterBytes is how much of each parameter the server writes down.
	parameterBytes = 200
	// settleTime is after how long all connections go by new settings.
	settleTime = time.Second
)

// linePrefix is how each line of a server's log begins, and lineTime how the time in it is written.
func linePrefix(name string) string { return "%m " + name + " [%p] %a " }

const lineTime = "2006-01-02 15:04:05.000 MST"

// Statements has the server write down the statements that it is asked from now on. It is slower meanwhile.
func (s *Server) Statements(ctx context.Context) (*Statements, error) {
	info, err := os.Stat(s.log())
	if err != nil {
		return nil, fmt.Errorf("testpg: %s: %w", s.Name, err)
	}
	err = s.Exec(ctx, "ALTER SYSTEM SET log_statement = 'all'", fmt.Sprintf("ALTER SYSTEM SET log_parameter_max_length = %d", parameterBytes),
		"SELECT pg_reload_conf()", fmt.Sprintf("SELECT pg_sleep(%f)", settleTime.Seconds()))
	return &Statements{s: s, from: info.Size()}, err
}

// Statements are those that a server is asked.
type Statements struct {
	s    *Server
	from int64 // where in the log they begin
}

// Statement is one that the server was asked.
type Statement struct {
	At         time.Time // in milliseconds
	By         string    // what the connection calls its application
	SQL        string    // its first line
	Parameters []string  // as PostgreSQL writes them
}

// Stop ends the writing down, and passes each statement that was prepared before it was asked. What has no parameters is left out.
func (w *Statements) Stop(ctx context.Context, use func(Statement)) error {
	err := w.s.Exec(ctx, "ALTER SYSTEM RESET log_statement", "ALTER SYSTEM RESET log_parameter_max_length", "SELECT pg_reload_conf()")
	if err != nil {
		return err
	}
	f, err := os.Open(w.s.log())
	if err != nil {
		return fmt.Errorf("testpg: %s: %w", w.s.Name, err)
	}
	_, err = f.Seek(w.from, io.SeekStart)
	if err == nil {
		err = statements(f, use)
	}
	return errors.Join(err, f.Close())
}

// statements reads a log. The lines of one backend may be among those of others.
func statements(log io.Reader, use func(Statement)) error {
	asked := map[string]Statement{} // by backend
	in := bufio.NewReaderSize(log, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil // the last line may be half of one
		}
		if err != nil {
			return fmt.Errorf("testpg: %w", err)
		}
		line = strings.TrimSuffix(line, "\n")
		before, rest, _ := strings.Cut(line, "[")
		backend, rest, found := strings.Cut(rest, "] ")
		if !found || strings.HasPrefix(line, "\t") {
			continue
		}
		if by, text, ok := strings.Cut(rest, " LOG:  execute "); ok {
			when, err := time.Parse(lineTime, before[:min(len(lineTime), len(before))])
			if err != nil {
				return fmt.Errorf("testpg: the time of a statement: %w", err)
			}
			_, sql, _ := strings.Cut(text, ": ")
			asked[backend] = Statement{At: when, By: by, SQL: sql}
			continue
		}
		_, text, ok := strings.Cut(rest, "DETAIL:  parameters: ")
		if !ok {
			_, text, ok = strings.Cut(rest, "DETAIL:  Parameters: ") // since version 16
		}
		if one := asked[backend]; ok && one.SQL != "" {
			one.Parameters = parameters(text)
			use(one)
			delete(asked, backend)
		}
	}
}

// parameters reads "$1 = 'a', $2 = NULL".
func parameters(text string) (list []string) {
	for n := 1; ; n++ {
		value, found := strings.CutPrefix(text, fmt.Sprintf("$%d = ", n))
		if !found {
			return list
		}
		next := fmt.Sprintf(", $%d = ", n+1)
		if at := strings.Index(value, next); at >= 0 {
			value, text = value[:at], value[at+len(", "):]
		} else {
			text = ""
		}
		list = append(list, strings.Trim(value, "'"))
	}
}
