package main

import (
	"testing"
	"time"
)

func TestSpentEach(t *testing.T) {
	at := time.Now()
	before := reading{at: at, server: time.Second, database: time.Second, driver: time.Second, wire: 1000, metrics: map[string]float64{
		`jackdaw_link_sent_total{class="messages",peer="n2"}`: 10, `jackdaw_link_sent_total{class="control",peer="n2"}`: 5,
		"jackdaw_commit_seconds_count": 7}}
	after := reading{at: at.Add(2 * time.Second), server: 2 * time.Second, database: 1500 * time.Millisecond, driver: 1100 * time.Millisecond, wire: 21_000,
		metrics: map[string]float64{`jackdaw_link_sent_total{class="messages",peer="n2"}`: 260, `jackdaw_link_sent_total{class="control",peer="n2"}`: 5,
			`jackdaw_link_resent_total{class="messages",peer="n2"}`: 10, "jackdaw_commit_seconds_count": 57}}
	want := map[string]float64{"CPU of all nodes, a message": 10_000, "CPU of PostgreSQL, a message": 5000, "CPU of the clients, a message": 1000,
		"messages acknowledged": 50, "commits, a message": 0.5, "envelopes between nodes, a message": 2.5, "of them sent again": 0.1,
		"bytes between nodes, a message": 200}
	figures := before.until(after).each(paced, 100)
	if len(figures) != len(want) {
		t.Errorf("%d figures, want %d", len(figures), len(want))
	}
	for _, f := range figures {
		if w, ok := want[f.name]; !ok || w != f.value || f.part != paced {
			t.Errorf("%+v, want %v", f, w)
		}
	}
}

func TestUnknownBytesAreLeftOut(t *testing.T) {
	for _, wire := range []struct{ before, after int64 }{{-1, 100}, {100, -1}, {100, 50}} {
		s := reading{wire: wire.before}.until(reading{wire: wire.after, at: time.Now()})
		for _, f := range s.each(full, 0) {
			if f.unit == "bytes" {
				t.Errorf("%+v: %v bytes", wire, f.value)
			}
		}
	}
}

func TestParseWire(t *testing.T) {
	const text = `0      0      127.0.0.1:52992 127.7.8.2:5301 bbr wscale:10,10 rto:208 cwnd:29 bytes_sent:1500 bytes_acked:1501 bytes_received:110 segs_out:378
0      0      127.0.0.1:53004 127.0.0.2:5301 bbr wscale:10,10 rto:220 cwnd:22 bytes_sent:9999 bytes_acked:10000 bytes_received:9999
0      0      127.7.8.1:53004 127.7.8.3:5301 bbr cwnd:22 bytes_sent:40
`
	hosts := map[string]bool{"127.7.8.2:5301": true, "127.7.8.3:5301": true}
	if n, err := parseWire(text, hosts); n != 1650 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := parseWire("1 2 a 127.7.8.2:5301 bytes_sent:x", hosts); err == nil {
		t.Error("nonsense is a number")
	}
}
