package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// HTTPConfig says what an HTTP serves.
type HTTPConfig struct {
	// Addr is HOST:PORT.
	Addr string
	// Ready returns why the server isn't ready, in words for an operator, or nil. It must not block.
	Ready func() error
	// Metrics answers scrapes.
	Metrics http.Handler
	// Logger is for what can't be answered; nil is silence.
	Logger *zap.Logger
}

// HTTP serves /healthz, /readyz, /metrics and /debug/pprof/. Who can reach it needs no password, so it listens on the loopback
// address unless an operator says otherwise. NewHTTP makes it, Start opens it, Stop ends it.
type HTTP struct {
	cfg      HTTPConfig
	server   *http.Server
	listener net.Listener
	ended    chan struct{}
}

// Bounds of one request. A CPU profile takes as long as was asked for, so there is none for the answer.
const (
	headerTime = 10 * time.Second
	idleTime   = time.Minute
	drainTime  = time.Second
)

// NewHTTP returns a listener that isn't open yet.
func NewHTTP(cfg HTTPConfig) *HTTP {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	h := &HTTP{cfg: cfg, ended: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { line(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", h.readyz)
	if cfg.Metrics != nil {
		mux.Handle("GET /metrics", cfg.Metrics)
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, ErrorLog: zap.NewStdLog(zap.NewNop())}
	return h
}

// readyz is 200 while clients may log in and send, and else 503 with the reason in one line.
func (h *HTTP) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := h.cfg.Ready(); err != nil {
		line(w, http.StatusServiceUnavailable, "not ready: "+strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	line(w, http.StatusOK, "ready")
}

func line(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // who asked may be gone
}

// Start opens the listener. An error names the address and what to do.
func (h *HTTP) Start() error {
	listener, err := net.Listen("tcp", h.cfg.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("admin: %s is in use by another program: stop it, or give another address with --admin", h.cfg.Addr)
	case err != nil:
		return fmt.Errorf("admin: can't listen on %s (--admin): %w", h.cfg.Addr, err)
	}
	h.listener = listener
	go func() {
		defer close(h.ended)
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			h.cfg.Logger.Error("the administration's listener ended", zap.Error(err))
		}
	}()
	return nil
}

// Addr is where it listens, after Start.
func (h *HTTP) Addr() string { return h.listener.Addr().String() }

// Stop closes the listener, gives running requests a second, and then cuts them off: a profile may run for long.
func (h *HTTP) Stop(ctx context.Context) error {
	if h.listener == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	if h.server.Shutdown(ctx) != nil {
		_ = h.server.Close() // nothing is lost by it
	}
	<-h.ended
	return nil
}
