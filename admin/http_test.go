package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // read to its end
	return resp.StatusCode, string(body)
}

func TestHTTP(t *testing.T) {
	var unready error
	h := NewHTTP(HTTPConfig{Addr: "127.0.0.1:0", Ready: func() error { return unready }, Metrics: telemetry.NewRegistry(telemetry.Sources{}).Handler()})
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	for _, c := range []struct {
		path, want string
		code       int
		unready    error
	}{
		{"/healthz", "ok\n", 200, errors.New("starting")},
		{"/readyz", "ready\n", 200, nil},
		{"/readyz", "not ready: store full: 3 MB\n", 503, errors.New("store full: 3 MB")},
		{"/readyz", "not ready: two; lines\n", 503, errors.New("two\nlines")},
		{"/metrics", "jackdaw_build_info", 200, nil},
		{"/debug/pprof/", "goroutine", 200, nil},
		{"/debug/pprof/goroutine?debug=1", "goroutine profile", 200, nil},
		{"/debug/pprof/cmdline", "", 200, nil},
		{"/nothing", "", 404, nil},
	} {
		unready = c.unready
		if code, body := get(t, client, "http://"+h.Addr()+c.path); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %q", c.path, code, body)
		}
	}
	if resp, err := client.Post("http://"+h.Addr()+"/healthz", "text/plain", nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a post: %v, %v", resp, err)
	} else {
		_ = resp.Body.Close() // nothing in it
	}
	if err := NewHTTP(HTTPConfig{Addr: h.Addr()}).Start(); err == nil || !strings.Contains(err.Error(), "is in use by another program") || !strings.Contains(err.Error(), "--admin") {
		t.Errorf("the port is taken: %v", err)
	}
	if err := NewHTTP(HTTPConfig{Addr: "203.0.113.1:1"}).Start(); err == nil || !strings.Contains(err.Error(), "--admin") {
		t.Errorf("an address of somebody else: %v", err)
	}
	client.CloseIdleConnections()
	if err := h.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := NewHTTP(HTTPConfig{}).Stop(t.Context()); err != nil {
		t.Errorf("stopped before it was started: %v", err)
	}
}

// TestStopCutsProfilesOff: a profile of an hour doesn't hold the server up.
func TestStopCutsProfilesOff(t *testing.T) {
	h := NewHTTP(HTTPConfig{Addr: "127.0.0.1:0"})
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + h.Addr() + "/debug/pprof/trace?seconds=3600")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Stop(ctx); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // ends because the connection did
	_ = resp.Body.Close()
	client.CloseIdleConnections()
}

func TestServerOpensBothOrNeither(t *testing.T) {
	users, _ := inMemory()
	cfg := Config{Addr: "127.0.0.1:0", Users: users, Ready: func() error { return nil }, Socket: filepath.Join(t.TempDir(), "none", "s.sock")}
	s := New(cfg)
	if err := s.Start(); err == nil {
		t.Fatal("started without a folder for its socket")
	}
	if _, err := http.Get("http://" + s.Addr() + "/healthz"); err == nil {
		t.Error("the HTTP listener stays open")
	}
	http.DefaultClient.CloseIdleConnections()
	cfg.Addr, cfg.Socket = "", ""
	s = New(cfg)
	if err := errors.Join(s.Start(), s.Stop(t.Context())); err != nil || s.Addr() != "" {
		t.Errorf("nothing to open: %v, %q", err, s.Addr())
	}
}
