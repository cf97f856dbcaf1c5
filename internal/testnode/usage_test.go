package testnode

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const line = "4711 (a) b (c) S 1 4711 4711 0 -1 4194304 1 2 3 4 150 50 7 8 20 0 9 0 12345 987654321 300 18446744073709551615 1 1"
	got, err := parseStat(line, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Usage{RSS: 300 * 4096, CPU: 2 * time.Second}); got != want {
		t.Errorf("usage %+v, want %+v", got, want)
	}
	for _, bad := range []string{"", "1 (a", "1 (a) S 1 2", strings.Replace(line, " 150 ", " x ", 1)} {
		if _, err := parseStat(bad, 4096); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
	if _, err := UsageOf(os.Getpid()); err != nil {
		t.Error(err)
	}
	if _, err := UsageOf(-1); err == nil {
		t.Error("usage of no process")
	}
}

func TestTail(t *testing.T) {
	var out tail
	for range 5 {
		for _, part := range []string{strings.Repeat("a", tailSize/2), strings.Repeat("b", tailSize/2-1), "c"} {
			if n, err := out.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	got := out.String()
	if len(got) != tailSize || !strings.HasPrefix(got, "aa") || !strings.HasSuffix(got, "bc") {
		t.Errorf("%d bytes, end %q", len(got), got[max(0, len(got)-5):])
	}
}

func TestFreeAddr(t *testing.T) {
	seen := make(map[string]bool)
	for range 20 {
		addr, err := FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		if seen[addr] {
			t.Errorf("%s twice", addr)
		}
		seen[addr] = true
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBuildTakesAReadyBinary(t *testing.T) {
	t.Setenv(BinaryEnv, "/some/jackdaw")
	path, err := Build(t.Context())
	if path != "/some/jackdaw" || err != nil {
		t.Errorf("%q, %v", path, err)
	}
	if err := RemoveBuild(); err != nil {
		t.Error(err)
	}
}
