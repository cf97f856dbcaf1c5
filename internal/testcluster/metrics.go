package testcluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Inside runs f on a thread in the node's network: what f dials, it dials from the node's address. f must not leave its goroutine.
func (n *Node) Inside(f func() error) error { return n.at.enter(f) }

// scraper asks anew each time: nodes are killed.
var scraper = http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Metrics are the node's numbers, by series: the name with its labels as the node prints them.
func (n *Node) Metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Admin+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("testcluster: metrics: %w", err)
	}
	resp, err := scraper.Do(req)
	if err != nil {
		return nil, fmt.Errorf("testcluster: metrics: %w", err)
	}
	defer resp.Body.Close()
	return parseMetrics(resp.Body)
}

// parseMetrics reads Prometheus's text format, without time stamps.
func parseMetrics(r io.Reader) (map[string]float64, error) {
	all := map[string]float64{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		end := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || end < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("testcluster: metrics: %q: %w", line, err)
		}
		all[line[:end]] = v
	}
	return all, nil
}

// Metrics are the sums over all nodes that run and answer.
func (c *Cluster) Metrics(ctx context.Context) (map[string]float64, error) {
	sums := map[string]float64{}
	for _, n := range c.Nodes {
		if n.PID() == 0 {
			continue
		}
		all, err := n.Metrics(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		for series, v := range all {
			sums[series] += v
		}
	}
	return sums, nil
}

// Sum adds up all series of a name, whatever their labels.
func Sum(metrics map[string]float64, name string) (sum float64) {
	for series, v := range metrics {
		if series == name || strings.HasPrefix(series, name+"{") {
			sum += v
		}
	}
	return sum
}
