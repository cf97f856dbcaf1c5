package testpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startLimit is how long a server may take until it answers, a standby until it streams.
const startLimit = 60 * time.Second

// poll is how often a server that starts is asked.
const poll = 20 * time.Millisecond

// superuser owns the servers. They trust whoever reaches their port on 127.0.0.1.
const superuser = "jackdaw"

// Options say how a server is set up. The zero value is one server without standbys that doesn't flush.
type Options struct {
	// Fsync makes the server flush before it commits, as one in use does.
	Fsync bool
	// Standbys is how many standbys stream from it: Server.Standbys.
	Standbys int
	// Async leaves synchronous_standby_names empty although there are standbys.
	Async bool
	// Host is an address of this machine to listen on; who reaches it from the network that it is in is trusted. Empty: 127.0.0.1.
	Host string
	// Disk is what the server's data are on, its log (WAL) too. The caller closes it, after the server. Empty: where temporary files are.
	Disk *Disk
	// Settings are further lines of postgresql.conf.
	Settings map[string]string
}

// Server is one PostgreSQL server with its folder.
type Server struct {
	// Name is what the server is called in synchronous_standby_names: "s1", "s2", .. for standbys.
	Name string
	// Standbys are those that Options asked for, and those added later.
	Standbys []*Server

	root, bin, data string // root is shared by a server and its standbys
	host, addr      string
	cred            *syscall.Credential
	primary         *Server // nil for the first
	cmd             *exec.Cmd
	exited          chan struct{}
	watchdog        *exec.Cmd
	leash           io.Closer
}

// Start makes a server with its standbys and waits until it answers and they stream.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	cred, err := account()
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "testpg-")
	if err != nil {
		return nil, fmt.Errorf("testpg: %w", err)
	}
	s := &Server{Name: "p", root: root, bin: bin, cred: cred, data: filepath.Join(root, "p"), host: cmp.Or(o.Host, "127.0.0.1")}
	if o.Disk != nil {
		s.data = filepath.Join(o.Disk.Path, "p")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if cred != nil {
		if err := os.Chown(root, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, fmt.Errorf("testpg: %w", err)
		}
	}
	if err := s.run(ctx, "initdb", "-D", s.data, "-U", superuser, "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"); err != nil {
		return nil, err
	}
	if s.addr, err = freeAddr(s.host); err != nil {
		return nil, err
	}
	if err := s.configure(o); err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	for range o.Standbys {
		if _, err := s.AddStandby(ctx); err != nil {
			return nil, err
		}
	}
	if o.Standbys > 0 && !o.Async {
		if err := s.Synchronous(ctx, s.Standbys...); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// configure writes the settings of a new server.
func (s *Server) configure(o Options) error {
	settings := map[string]string{
		"listen_addresses":        s.host,
		"unix_socket_directories": s.root,
		"max_connections":         "200",
		"shared_buffers":          "64MB",
		"max_wal_size":            "2GB",
		"wal_sender_timeout":      "5s",
		"wal_receiver_timeout":    "5s",
		"log_min_messages":        "warning",
		"log_line_prefix":         linePrefix(s.Name),
		"log_timezone":            "UTC",
	}
	if !o.Fsync {
		settings["fsync"], settings["full_page_writes"] = "off", "off"
	}
	maps.Copy(settings, o.Settings)
	if o.Host != "" {
		trusted := "host all all samenet trust\nhost replication all samenet trust\n"
		if err := s.extend("pg_hba.conf", trusted); err != nil {
			return err
		}
	}
	return s.write(settings)
}

// write appends settings to the server's configuration; the last of a name counts.
func (s *Server) write(settings map[string]string) error {
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	settings["port"], settings["cluster_name"] = port, s.Name
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, settings[name])
	}
	return s.extend("postgresql.conf", b.String())
}

// extend appends to a file of the server's folder.
func (s *Server) extend(file, text string) error {
	f, err := os.OpenFile(filepath.Join(s.data, file), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}

// run runs one of PostgreSQL's programs to its end.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = s.root, s.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("testpg: %s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (s *Server) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: s.cred}
}

// Addr is where the server listens, as host:port. It stays the same over restarts.
func (s *Server) Addr() string { return s.addr }

// URL returns how one of the server's databases is reached.
func (s *Server) URL(database string) string { return URL(database, s) }

// URL returns how a database is reached that may be on any of some servers: whichever takes writes.
func URL(database string, servers ...*Server) string {
	addrs := make([]string, len(servers))
	for i, s := range servers {
		addrs[i] = s.addr
	}
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable&target_session_attrs=read-write", superuser, strings.Join(addrs, ","), database)
}

// Connect opens a connection to one of the server's databases. It also works on a standby.
func (s *Server) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	c, err := pgx.Connect(ctx, fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", superuser, s.addr, database))
	if err != nil {
		return nil, fmt.Errorf("testpg: %s: %w", s.Name, err)
	}
	return c, nil
}

// Exec runs statements in the database postgres, each on its own.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	c, err := s.Connect(ctx, "postgres")
	if err != nil {
		return err
	}
	for _, q := range statements {
		if _, err = c.Exec(ctx, q); err != nil {
			err = fmt.Errorf("testpg: %s: %s: %w", s.Name, q, err)
			break
		}
	}
	return errors.Join(err, c.Close(ctx))
}

// Text asks the database postgres for one value and returns it as text.
func (s *Server) Text(ctx context.Context, query string) (text string, err error) {
	return s.TextIn(ctx, "postgres", query)
}

// TextIn is Text of another database.
func (s *Server) TextIn(ctx context.Context, database, query string) (text string, err error) {
	c, err := s.Connect(ctx, database)
	if err != nil {
		return "", err
	}
	if err = c.QueryRow(ctx, "SELECT ("+query+")::text").Scan(&text); err != nil {
		err = fmt.Errorf("testpg: %s: %s: %w", s.Name, query, err)
	}
	return text, errors.Join(err, c.Close(ctx))
}

// CPU is the processor time that the server and its backends have used, those that have ended included. It reads Linux's /proc.
func (s *Server) CPU() (time.Duration, error) {
	const ticks = 100 // USER_HZ, the same on every Linux
	total := 0
	for i, pid := range append([]int{s.pid()}, children(s.pid())...) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			if i > 0 {
				continue // ended since; it is in the parent's count next time
			}
			return 0, fmt.Errorf("testpg: %w", err)
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		last := 13 // utime, stime; and of the parent also those of children that have ended
		if i == 0 {
			last = 15
		}
		for _, f := range fields[11:last] {
			n, err := strconv.Atoi(f)
			if err != nil {
				return 0, fmt.Errorf("testpg: %w", err)
			}
			total += n
		}
	}
	return time.Duration(total) * time.Second / ticks, nil
}

// freeAddr returns an address of a host, which is this machine, on which nobody listens.
func freeAddr(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("testpg: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Until asks the database postgres until the answer is the one wanted.
func (s *Server) Until(ctx context.Context, query, want string) error {
	return s.wait(ctx, "to answer "+want+" to "+query, func(ctx context.Context) error {
		got, err := s.Text(ctx, query)
		if err == nil && got != want {
			err = errors.New(got)
		}
		return err
	})
}
