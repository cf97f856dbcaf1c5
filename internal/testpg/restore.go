package testpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Folder makes a folder for what the server writes, such as its archived log. It is deleted with the server's own.
func (s *Server) Folder(name string) (string, error) {
	dir := filepath.Join(s.root, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("testpg: %w", err)
	}
	return dir, s.own(dir)
}

// Program runs one of PostgreSQL's programs to its end, as the server's user: the files that it makes are the server's.
func (s *Server) Program(ctx context.Context, name string, args ...string) error {
	return s.run(ctx, name, args...)
}

// Configure appends lines to the server's configuration. They count from its next start.
func (s *Server) Configure(lines string) error { return s.extend("postgresql.conf", "\n"+lines+"\n") }

// Recover puts a base backup, which is moved, in the place of the server's data, and waits until it is recovered as some lines of its
// configuration say, which are taken out again: a standby that is made of it would obey them too.
func (s *Server) Recover(ctx context.Context, backup, lines string) error {
	if err := s.Destroy(); err != nil {
		return err
	}
	if err := os.Rename(backup, s.data); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	conf := filepath.Join(s.data, "postgresql.conf")
	before, err := os.ReadFile(conf)
	if err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	if err := s.Configure(lines); err != nil {
		return err
	}
	signal := filepath.Join(s.data, "recovery.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	if err := s.own(signal); err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	if err := s.takesWrites(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(conf, before, 0o600); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}

// own gives a file or a folder to the server's user.
func (s *Server) own(path string) error {
	if s.cred == nil {
		return nil
	}
	if err := os.Chown(path, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}
