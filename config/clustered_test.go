package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDefaultsOfAClusteredNode: whoever runs several machines has clients on others.
func TestDefaultsOfAClusteredNode(t *testing.T) {
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	joined := Config{Data: data}
	if err := os.WriteFile(joined.BundleFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		flags map[string]string
		want  string
	}{
		{nil, "127.0.0.1:5222 127.0.0.1:5223 127.0.0.1:5290"},
		{map[string]string{"cluster.listen": ":5300"}, ":5222 :5223 127.0.0.1:5290"},
		{map[string]string{"cluster.join": "n1:5300"}, ":5222 :5223 127.0.0.1:5290"},
		{map[string]string{"data": data}, ":5222 :5223 127.0.0.1:5290"},
		{map[string]string{"data": data, "c2s": DefaultC2S, "c2s_tls": "", "admin": ":5290"}, "127.0.0.1:5222  :5290"},
	} {
		cfg, err := Load(Sources{Flags: c.flags})
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.C2S + " " + cfg.C2STLS + " " + cfg.Admin; got != c.want {
			t.Errorf("%v: %q, not %q", c.flags, got, c.want)
		}
	}
}
