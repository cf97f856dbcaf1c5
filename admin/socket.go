package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Status is what a server tells of itself.
type Status struct {
	Domain   string
	Version  string
	Started  time.Time
	NotReady string // why it isn't ready; empty if it is
}

// SocketConfig says what a Socket serves.
type SocketConfig struct {
	// Path is the socket's file. The caller must hold the data folder's lock: what stands there already is taken for left behind.
	Path string
	// Users are those of this server.
	Users Users
	// Status must not block.
	Status func() Status
	// Inspector and Overview look into this server; nil refuses what needs it.
	Inspector Inspector
	Overview  Overview
	// Backups makes checkpoints of this server's store; nil refuses them.
	Backups Backups
	// Cluster is the cluster that this server belongs to; nil: none.
	Cluster Cluster
	// Reserved reports whether an address belongs to a service, so that no user may have it; nil: none does.
	Reserved func(ident.UserID) bool
	// Logger hears who was created and removed, and of dumps; nil is silence.
	Logger *zap.Logger
}

// Socket serves administration on a socket that only the server's own user can open. NewSocket makes it, Start opens it, Stop lets
// running requests end.
type Socket struct {
	cfg    SocketConfig
	log    *zap.Logger
	wg     sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc

	mu struct {
		sync.Mutex
		listener net.Listener
		conns    map[net.Conn]struct{}
		stopping bool
	}
}

// NewSocket returns a socket that isn't there yet.
func NewSocket(cfg SocketConfig) *Socket {
	s := &Socket{cfg: cfg, log: cfg.Logger}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.conns = map[net.Conn]struct{}{}
	return s
}

// Start opens the socket.
func (s *Socket) Start() error {
	path, err := shorten(s.cfg.Path)
	if err != nil {
		return err
	}
	if err := removeStale(path); err != nil {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("admin: can't open the administration's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("admin: %w", err), listener.Close())
	}
	s.mu.Lock()
	s.mu.listener = listener
	s.mu.Unlock()
	s.wg.Add(1)
	go s.accept(listener)
	return nil
}

// removeStale removes the socket of a server that was killed.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("admin: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("admin: %s is in the way of the administration's socket: move it elsewhere", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("admin: the socket of an earlier server can't be removed: %w", err)
	}
	return nil
}

func (s *Socket) accept(listener net.Listener) {
	defer s.wg.Done()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Warn("can't accept an administrator's connection", zap.Error(err))
			select {
			case <-time.After(100 * time.Millisecond): // descriptors may have run out
				continue
			case <-s.ctx.Done():
				return
			}
		}
		if !s.admit(conn) {
			_ = conn.Close()
			return
		}
		s.wg.Add(1)
		go s.serve(conn)
	}
}

// admit notes a connection unless the socket is being closed.
func (s *Socket) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopping {
		return false
	}
	s.mu.conns[conn] = struct{}{}
	return true
}

// serve answers the requests of one connection.
func (s *Socket) serve(conn net.Conn) {
	defer s.wg.Done()
	defer func() {
		s.mu.Lock()
		delete(s.mu.conns, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	r := bufio.NewReader(conn)
	for {
		var req adminpb.Request
		if err := readMessage(r, &req); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
				s.log.Debug("an administrator's connection ended", zap.Error(err))
			}
			return
		}
		if err := s.respond(conn, r, &req); err != nil {
			return
		}
	}
}

// respond answers one request. An error is that of the connection.
func (s *Socket) respond(conn net.Conn, r *bufio.Reader, req *adminpb.Request) error {
	send := func(resp *adminpb.Response) error { return writeMessage(conn, resp) }
	switch k := req.GetKind().(type) {
	case *adminpb.Request_TraceActor:
		return s.streamed(conn, r, func(ctx context.Context) error { return s.trace(ctx, k.TraceActor, send) })
	case *adminpb.Request_WriteDump:
		if k.WriteDump.GetSend() {
			return s.streamed(conn, r, func(ctx context.Context) error { return s.sendDump(ctx, send) })
		}
	}
	return send(s.answer(req))
}

// answer does what a request with one answer asks for.
func (s *Socket) answer(req *adminpb.Request) *adminpb.Response {
	users, ctx := s.cfg.Users, s.ctx
	var err error
	switch k := req.GetKind().(type) {
	case *adminpb.Request_GetStatus:
		return s.status()
	case *adminpb.Request_CreateUser:
		err = s.with(k.CreateUser.GetUser(), "user created", users.Create)
	case *adminpb.Request_SetPassword:
		err = s.with(k.SetPassword.GetUser(), "password set", users.SetPassword)
	case *adminpb.Request_RemoveUser:
		if err = users.Remove(ctx, ident.UserID(k.RemoveUser.GetUser())); err == nil {
			s.log.Info("user removed", zap.String(telemetry.KeyUser, k.RemoveUser.GetUser()))
		}
	case *adminpb.Request_ListUsers:
		return s.list(k.ListUsers)
	case *adminpb.Request_ImportUsers:
		return s.importUsers(k.ImportUsers)
	case *adminpb.Request_MakeCheckpoint:
		return s.checkpoint()
	default:
		if resp := s.cluster(req); resp != nil {
			return resp
		}
		if resp := s.look(req); resp != nil {
			return resp
		}
		err = fmt.Errorf("%w: the server doesn't know this request, perhaps because it is an older version than the command", ErrInvalid)
	}
	if err != nil {
		return failure(err)
	}
	return done
}

func (s *Socket) with(u *adminpb.User, what string, f func(context.Context, User) error) error {
	err := s.check(u)
	if err == nil {
		err = f(s.ctx, fromWire(u))
	}
	if err == nil {
		s.log.Info(what, zap.String(telemetry.KeyUser, u.GetUser()))
	}
	return err
}

// check refuses users that could never log in here.
func (s *Socket) check(u *adminpb.User) error {
	id, err := ParseUser(u.GetUser(), "")
	switch domain := s.cfg.Status().Domain; {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	case string(id) != u.GetUser():
		return fmt.Errorf("%w: %s is not normalised", ErrInvalid, u.GetUser())
	case id.Domain() != domain:
		return otherDomain(id, domain)
	case s.cfg.Reserved != nil && s.cfg.Reserved(id):
		return fmt.Errorf("%w: messages for %s go to a service of this server and would never reach a user", ErrInvalid, id)
	case len(u.GetSha1().GetStoredKey()) == 0 || len(u.GetSha256().GetStoredKey()) == 0:
		return fmt.Errorf("%w: %s has no password", ErrInvalid, id)
	}
	return nil
}

func (s *Socket) status() *adminpb.Response {
	st := s.cfg.Status()
	return &adminpb.Response{Kind: &adminpb.Response_Status{Status: &adminpb.Status{
		Domain: st.Domain, Version: st.Version, Started: st.Started.UnixMicro(), NotReady: st.NotReady,
	}}}
}

func (s *Socket) list(req *adminpb.ListUsers) *adminpb.Response {
	entries, err := s.cfg.Users.List(s.ctx, ident.UserID(req.GetAfter()), min(max(int(req.GetLimit()), 1), maxPage))
	if err != nil {
		return failure(err)
	}
	page := &adminpb.Users{}
	for _, e := range entries {
		page.Users = append(page.Users, &adminpb.UserEntry{User: string(e.ID), Created: e.Created.UnixMicro(), Disabled: e.Disabled})
	}
	return &adminpb.Response{Kind: &adminpb.Response_Users{Users: page}}
}

func (s *Socket) importUsers(req *adminpb.ImportUsers) *adminpb.Response {
	users := make([]User, len(req.GetUsers()))
	for i, u := range req.GetUsers() {
		if err := s.check(u); err != nil {
			return failure(err)
		}
		users[i] = fromWire(u)
	}
	created, err := s.cfg.Users.Import(s.ctx, users)
	if err != nil {
		return failure(err)
	}
	s.log.Debug("users imported", zap.Int(telemetry.KeyUsers, len(users)))
	return &adminpb.Response{Kind: &adminpb.Response_Imported{Imported: &adminpb.Imported{Created: uint32(created)}}}
}

// Stop takes no more requests, and waits for those that run until ctx is over. The socket's file goes with it.
func (s *Socket) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.mu.stopping = true
	listener := s.mu.listener
	for conn := range s.mu.conns {
		_ = conn.SetReadDeadline(time.Now()) // ends those that wait for a request
	}
	s.mu.Unlock()
	defer s.cancel()
	if listener != nil {
		_ = listener.Close()
	}
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for conn := range s.mu.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	<-ended
	return fmt.Errorf("admin: requests were cut off: %w", ctx.Err())
}
