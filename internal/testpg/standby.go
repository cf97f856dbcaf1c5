package testpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// AddStandby makes a standby from a copy of a server, with a replication slot, starts it and waits until it streams. It is
// asynchronous until Synchronous names it.
func (s *Server) AddStandby(ctx context.Context) (_ *Server, err error) {
	n := len(s.Standbys) + 1
	b := &Server{Name: fmt.Sprintf("s%d", n), root: s.root, bin: s.bin, cred: s.cred, host: s.host, primary: s}
	if s.primary != nil { // a standby that was promoted
		b.Name = s.Name + b.Name
	}
	b.data = filepath.Join(s.root, b.Name)
	if b.addr, err = freeAddr(s.host); err != nil {
		return nil, err
	}
	if err := b.copy(ctx); err != nil {
		return nil, err
	}
	s.Standbys = append(s.Standbys, b)
	if err := b.Start(ctx); err != nil {
		return nil, err
	}
	return b, s.WaitStreaming(ctx, b)
}

// Remake makes a standby anew from its primary, which has no slot of its name, as one that was recovered to a moment before has none.
func (s *Server) Remake(ctx context.Context) error {
	if err := errors.Join(s.Destroy(), s.copy(ctx)); err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	return s.primary.WaitStreaming(ctx, s)
}

// copy fills the folder of a standby from its primary.
func (s *Server) copy(ctx context.Context) error {
	host, port, _ := strings.Cut(s.primary.addr, ":")
	if err := s.run(ctx, "pg_basebackup", "-h", host, "-p", port, "-U", superuser, "-D", s.data, "-R", "-C", "-S", s.Name,
		"--checkpoint=fast", "--no-sync"); err != nil {
		return err
	}
	if err := s.write(map[string]string{"log_line_prefix": linePrefix(s.Name)}); err != nil {
		return err
	}
	// Its primary is told its name; without this it would be the one of the copied configuration.
	conf := filepath.Join(s.data, "postgresql.auto.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "synchronous_standby_names") {
			kept = append(kept, line)
		}
	}
	if err := os.WriteFile(conf, []byte(strings.Join(kept, "")), 0o600); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}

// WaitStreaming waits until a standby streams from the server.
func (s *Server) WaitStreaming(ctx context.Context, b *Server) error {
	return s.wait(ctx, "to stream to "+b.Name, func(ctx context.Context) error {
		state, err := s.Text(ctx, fmt.Sprintf("SELECT coalesce((SELECT state FROM pg_stat_replication WHERE application_name = '%s'), 'absent')", b.Name))
		if err == nil && state != "streaming" {
			err = errors.New(state)
		}
		return err
	})
}

// Synchronous makes the commits of the server wait for any one of some of its standbys, of none if none is named. It returns once
// the server reports them as such.
func (s *Server) Synchronous(ctx context.Context, standbys ...*Server) error {
	names := make([]string, len(standbys))
	for i, b := range standbys {
		names[i] = b.Name
	}
	value := ""
	if len(names) > 0 {
		value = "ANY 1 (" + strings.Join(names, ",") + ")"
	}
	if err := s.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '"+value+"'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return s.wait(ctx, "to take its standbys as synchronous", func(ctx context.Context) error {
		n, err := s.Text(ctx, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum' AND state = 'streaming'")
		if err == nil && n != fmt.Sprint(len(names)) {
			err = fmt.Errorf("%s of %d", n, len(names))
		}
		return err
	})
}

// Promote makes a standby a primary, on a new timeline, and waits until it takes writes.
func (s *Server) Promote(ctx context.Context) error {
	// Not by pg_promote: the snapshot of its query may keep the standby from replaying what it has, for half a minute.
	if err := s.run(ctx, "pg_ctl", "promote", "-D", s.data, "-t", "30"); err != nil {
		return err
	}
	return s.takesWrites(ctx)
}

// takesWrites waits until the server isn't recovering.
func (s *Server) takesWrites(ctx context.Context) error {
	return s.wait(ctx, "to take writes", func(ctx context.Context) error {
		recovering, err := s.Text(ctx, "SELECT pg_is_in_recovery()")
		if err == nil && recovering != "false" {
			err = errors.New("it is recovering")
		}
		return err
	})
}

// Follow makes a standby follow another server than it did, from the same slot's name there. The other must have, or get, its slot.
func (s *Server) Follow(ctx context.Context, primary *Server) error {
	host, port, _ := strings.Cut(primary.addr, ":")
	slot := fmt.Sprintf("SELECT pg_create_physical_replication_slot('%s') WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '%s')", s.Name, s.Name)
	if err := primary.Exec(ctx, slot); err != nil {
		return err
	}
	conninfo := fmt.Sprintf("user=%s host=%s port=%s", superuser, host, port)
	if err := s.Exec(ctx, "ALTER SYSTEM SET primary_conninfo = '"+conninfo+"'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return primary.WaitStreaming(ctx, s)
}

// WaitReplayed waits until a standby shows all that the server has written.
func (s *Server) WaitReplayed(ctx context.Context, b *Server) error {
	lsn, err := s.Text(ctx, "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		return err
	}
	return b.Until(ctx, "SELECT pg_last_wal_replay_lsn() >= '"+lsn+"'", "true")
}
