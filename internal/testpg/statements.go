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

// Stop ends the writing down, and passes each statement that was prepared before it was asked, as it begins, and its parameters, as PostgreSQL
// writes them. What has no parameters is left out.
func (w *Statements) Stop(ctx context.Context, use func(sql string, parameters []string)) error {
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
func statements(log io.Reader, use func(sql string, parameters []string)) error {
	asked := map[string]string{} // by backend
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
		_, rest, _ := strings.Cut(line, "[")
		backend, rest, found := strings.Cut(rest, "] ")
		if !found || strings.HasPrefix(line, "\t") {
			continue
		}
		if _, text, ok := strings.Cut(rest, "LOG:  execute "); ok {
			_, asked[backend], _ = strings.Cut(text, ": ")
			continue
		}
		_, text, ok := strings.Cut(rest, "DETAIL:  parameters: ")
		if !ok {
			_, text, ok = strings.Cut(rest, "DETAIL:  Parameters: ") // since version 16
		}
		if sql := asked[backend]; ok && sql != "" {
			use(sql, parameters(text))
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
