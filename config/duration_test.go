package config

import (
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "0": 0, "0s": 0, "1h30m": 90 * time.Minute, "-5m": -5 * time.Minute, "2µs": 2 * time.Microsecond,
		"30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "1d0s": 24 * time.Hour, "-1d1h": -25 * time.Hour, "106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "15", "1day", "d1h", "1h1d", "1d1", "1d-1h", "1d+1h", "--1d", "1e3d", "infd", "nand", "0x1d", "1.2.3d", "106752d", "106751d24h", "9e9999d", "1d 1h", "3w"} {
		if got, err := ParseDuration(text); err == nil || !strings.Contains(err.Error(), "is not a duration") || got != 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestDurationsOfDays(t *testing.T) {
	c, err := Load(Sources{Flags: map[string]string{"mailbox.ttl": "7d"}})
	if err != nil || c.Mailbox.TTL != 7*24*time.Hour || !strings.Contains(c.Print(), "ttl: 168h") {
		t.Errorf("%v", err)
	}
}
