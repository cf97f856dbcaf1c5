package admin

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Config says what a Server offers, and who does it.
type Config struct {
	// Addr is HOST:PORT of the HTTP listener; empty opens none.
	Addr string
	// Socket is the path of the socket; the caller holds the lock of its folder. Empty opens none.
	Socket string
	// Users are those of this server.
	Users Users
	// Inspector and Overview look into this server; nil refuses what needs it.
	Inspector Inspector
	Overview  Overview
	// Backups makes checkpoints of this server's store; nil refuses them.
	Backups Backups
	// Cluster is the cluster that this server belongs to; nil: none.
	Cluster Cluster
	// Status and Ready must not block. Ready says why the server isn't ready, nil that it is.
	Status func() Status
	// Reserved reports whether an address belongs to a service; nil: none does.
	Reserved func(ident.UserID) bool
	Ready    func() error
	// Metrics answers scrapes.
	Metrics http.Handler
	// Logger may be nil.
	Logger *zap.Logger
}

// Server is the whole administration of one server: the HTTP listener and the socket. It is a supervision.Runner.
type Server struct {
	http   *HTTP
	socket *Socket
}

// New returns a server that listens to nothing yet.
func New(cfg Config) *Server {
	s := &Server{}
	if cfg.Addr != "" {
		s.http = NewHTTP(HTTPConfig{Addr: cfg.Addr, Ready: cfg.Ready, Metrics: cfg.Metrics, Logger: cfg.Logger})
	}
	if cfg.Socket != "" {
		s.socket = NewSocket(SocketConfig{
			Path: cfg.Socket, Users: cfg.Users, Inspector: cfg.Inspector, Overview: cfg.Overview, Backups: cfg.Backups, Cluster: cfg.Cluster,
			Status: cfg.Status, Reserved: cfg.Reserved, Logger: cfg.Logger,
		})
	}
	return s
}

// Start opens both, or after an error neither.
func (s *Server) Start() error {
	if s.http != nil {
		if err := s.http.Start(); err != nil {
			return err
		}
	}
	if s.socket == nil {
		return nil
	}
	if err := s.socket.Start(); err != nil {
		return errors.Join(err, s.Stop(context.Background()))
	}
	return nil
}

// Addr is where the HTTP listener listens, after Start; empty if it isn't open.
func (s *Server) Addr() string {
	if s.http == nil {
		return ""
	}
	return s.http.Addr()
}

// Stop lets running requests end until ctx is over.
func (s *Server) Stop(ctx context.Context) error {
	var err error
	if s.socket != nil {
		err = s.socket.Stop(ctx)
	}
	if s.http != nil {
		err = errors.Join(err, s.http.Stop(ctx))
	}
	return err
}
