package telemetry

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry answers scrapes. It may be used by any number of goroutines and needs no end.
type Registry struct{ prometheus *prometheus.Registry }

// NewRegistry returns a registry of all metrics that sources has something for, and those of the Go runtime and the process.
func NewRegistry(s Sources) *Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(s, time.Now), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Registry{r}
}

// Handler serves the metrics in Prometheus' formats.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.prometheus, promhttp.HandlerOpts{})
}

// Text is what Handler serves, in Prometheus' format of text.
func (r *Registry) Text() (string, error) {
	p := page{header: http.Header{}}
	r.Handler().ServeHTTP(&p, &http.Request{Method: http.MethodGet, Header: http.Header{}})
	if p.code != 0 && p.code != http.StatusOK {
		return "", fmt.Errorf("telemetry: metrics: %s", p.String())
	}
	return p.String(), nil
}

// page is an http.ResponseWriter that keeps what is written.
type page struct {
	header http.Header
	code   int
	strings.Builder
}

// Header implements http.ResponseWriter.
func (p *page) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *page) WriteHeader(code int) { p.code = code }

// Describe is the list of metrics as a table in Markdown.
func Describe() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | what it is |\n|---|---|---|---|\n")
	for _, m := range catalogue() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, strings.Join(m.labels, ", "), m.help)
	}
	return b.String()
}
