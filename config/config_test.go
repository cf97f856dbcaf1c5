package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/golden"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jackdaw.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPrecedence(t *testing.T) {
	file := write(t, "domain: file.example\nc2s: :1\nc2s_tls: :2\nadmin: ''\nmailbox:\n  ttl: 24h\n  bytes: 1 GiB\n")
	cfg, err := Load(Sources{
		Environ: []string{FileEnv + "=" + file, "JACKDAW_C2S=:11", "JACKDAW_C2S_TLS=:12", "JACKDAW_MAILBOX_SHARE=50", "PATH=/bin", "odd"},
		Flags:   map[string]string{"c2s_tls": ":22"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Domain, want.C2S, want.C2STLS, want.Admin = "file.example", ":11", ":22", ""
	want.Mailbox.TTL, want.Mailbox.Bytes, want.Mailbox.Share = 24*time.Hour, 1<<30, 50
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got\n%s\nwant\n%s", cfg.Print(), want.Print())
	}
	other := write(t, "domain: other.example")
	cfg, err = Load(Sources{File: other, Environ: []string{FileEnv + "=" + file}})
	if err != nil || cfg.Domain != "other.example" || cfg.C2S != DefaultC2S {
		t.Errorf("the flag's file over the variable's: %v, %v", cfg, err)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	cfg, err := Load(Sources{})
	if err != nil || !reflect.DeepEqual(cfg, Default()) {
		t.Errorf("%v, %v", cfg, err)
	}
}

func TestFileMistakes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key", "data: x\ndomian: y\n", ":2: unknown key domian; did you mean domain?"},
		{"a key that is like nothing", "colour: blue\n", ":1: unknown key colour; `jackdaw config print` shows"},
		{"an unknown key in a group", "mailbox:\n\n  mesages: 3\n", ":3: unknown key mailbox.mesages; did you mean mailbox.messages?"},
		{"a flat key of a group", "messages: 3\n", ":1: unknown key messages"},
		{"a key twice", "domain: a\ndomain: b\n", ":2: "},
		{"a word for a number", "mailbox:\n  messages: many\n", `:2: mailbox.messages: "many" is not a whole number`},
		{"no duration", "session:\n  resume_time: 15\n", `:2: session.resume_time: "15" is not a duration`},
		{"no size", "limits:\n  stanza_bytes: 1 MB\n", `:2: limits.stanza_bytes: "1 MB" is not a size`},
		{"an empty number", "mailbox:\n  messages:\n", ":2: mailbox.messages"},
		{"a list", "domain: [a, b]\n", ":1: domain takes one plain value"},
		{"a group as a value", "mailbox: 3\n", ":1: keys with values"},
		{"a value as a group", "domain:\n  name: x\n", ":2: domain takes one plain value"},
		{"a list of keys", "- domain\n", ":1: keys with values"},
		{"an alias", "data: &a x\ndomain: *a\n", ":1: data takes one plain value"},
		{"no YAML", "data: \"x\ndomain: y\n", "config: "},
		{"two documents", "data: x\n---\ndata: y\n", ":3: a configuration is one document"},
		{"a value out of range", "mailbox:\n  share: 101\n", "mailbox.share is 101, and must be at most 100"},
	} {
		file := write(t, c.text)
		_, err := Load(Sources{File: file})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", c.name, err, c.want)
		} else if strings.HasPrefix(c.want, ":") && !strings.Contains(err.Error(), file+c.want) {
			t.Errorf("%s: %v; want the file's name before %s", c.name, err, c.want)
		}
	}
	for _, empty := range []string{"", "# only a comment\n", "---\n", "mailbox:\n"} {
		if cfg, err := Load(Sources{File: write(t, empty)}); err != nil || !reflect.DeepEqual(cfg, Default()) {
			t.Errorf("%q: %v", empty, err)
		}
	}
	if _, err := Load(Sources{File: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := Load(Sources{
		File:    write(t, "one: 1\ntwo: 2\n"),
		Environ: []string{"JACKDAW_DATE=x", "JACKDAW_MAILBOX_TTL=long"},
		Flags:   map[string]string{"nonsense": "", "store.lanes": "x"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{":1: unknown key one", ":2: unknown key two", "JACKDAW_DATE means nothing; did you mean JACKDAW_DATA?",
		`JACKDAW_MAILBOX_TTL: "long" is not a duration`, "flag for nonsense", "flag for store.lanes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if n := len(strings.Split(err.Error(), "\n")); n != 6 {
		t.Errorf("%d lines:\n%v", n, err)
	}
}

func TestVariablesOfKubernetes(t *testing.T) {
	_, err := Load(Sources{Environ: []string{"JACKDAW_SERVICE_HOST=10.0.0.1", "JACKDAW_PORT=tcp://10.0.0.1:5222", "JACKDAW_PORT_5222_TCP_ADDR=10.0.0.1",
		"JACKDAW_SERVICE_PORT_XMPP=5222", "JACKDAW_C2S_PORT_5222_TCP=tcp://10.0.0.1:5222", "JACKDAW_C2S_SERVICE_PORT=1"}})
	if err != nil {
		t.Error(err)
	}
	if _, err := Load(Sources{Environ: []string{"JACKDAW_C2S_PORTS=5222"}}); err == nil {
		t.Error("JACKDAW_C2S_PORTS passed")
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no data", func(c *Config) { c.Data = "" }, "data is empty"},
		{"no domain", func(c *Config) { c.Domain = "" }, `domain "" is empty`},
		{"an address as domain", func(c *Config) { c.Domain = "a@b" }, "without user, port or path"},
		{"a port in the domain", func(c *Config) { c.Domain = "b:1" }, "without user, port or path"},
		{"a long domain", func(c *Config) { c.Domain = strings.Repeat("a", 1024) }, "longer than 1023"},
		{"a log level", func(c *Config) { c.LogLevel = "trace" }, "none of debug, info"},
		{"a log format", func(c *Config) { c.LogFormat = "xml" }, "none of auto, console"},
		{"a certificate without key", func(c *Config) { c.Certificate = "x" }, "go together"},
		{"no way in", func(c *Config) { c.C2S, c.C2STLS = "", "" }, "nobody could connect"},
		{"no port", func(c *Config) { c.C2S = "127.0.0.1" }, "write HOST:PORT"},
		{"a port by name", func(c *Config) { c.Admin = "127.0.0.1:http" }, "write HOST:PORT"},
		{"a port too high", func(c *Config) { c.Admin = ":65536" }, "write HOST:PORT"},
		{"one address twice", func(c *Config) { c.Admin = c.C2S }, "c2s and admin are both"},
		{"a small stanza", func(c *Config) { c.Limits.StanzaBytes = 9999 }, "limits.stanza_bytes is 9999B, and must be at least 10000B"},
		{"marks in the wrong order", func(c *Config) { c.Store.ResumeAbove = 1 << 20 }, "store.resume_above is 1MiB, and must be at least 512MiB"},
		{"a negative time", func(c *Config) { c.Session.ResumeTime = -1 }, "session.resume_time"},
		{"no dump is kept", func(c *Config) { c.Dump.Keep = 0 }, "dump.keep is 0, and must be at least 1"},
		{"more memory than there is", func(c *Config) { c.Dump.Memory = 101 }, "dump.memory is 101, and must be at most 100"},
		{"a mailbox without room for a stanza", func(c *Config) { c.Mailbox.Bytes = 1 }, "mailbox.bytes"},
	} {
		cfg := Default()
		c.change(cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	free := Default()
	free.C2S, free.C2STLS = "127.0.0.1:0", "127.0.0.1:0"
	if err := free.Validate(); err != nil {
		t.Errorf("two ports of the system's choice: %v", err)
	}
}

func TestPrint(t *testing.T) {
	got := "# Every key with its default. `jackdaw config print` prints what a server would use.\n\n" + Default().Print()
	golden.File(t, "../docs/config.yaml", got)
	cfg := Default()
	cfg.Data, cfg.Domain, cfg.C2S = "a: b #c \"d\"", "true", ":5222"
	cfg.Certificate, cfg.Key = "12", "~"
	cfg.Limits.Stanzas, cfg.Limits.Bytes, cfg.Session.ResumeTime = 0, 0, 0
	cfg.Session.IdlePing, cfg.Session.PingTimeout = 90*time.Minute, 1100*time.Millisecond
	back, err := Load(Sources{File: write(t, cfg.Print())})
	if err != nil || !reflect.DeepEqual(back, cfg) {
		t.Errorf("%v: what Print wrote was read as\n%s\nand not as\n%s", err, back.Print(), cfg.Print())
	}
}

func TestSecretsAreMasked(t *testing.T) {
	type inner struct {
		Token string `key:"token" doc:"A token." secret:"true"`
	}
	c := struct {
		Name  string `key:"name" doc:"A name."`
		Group inner  `key:"group"`
		Other string `key:"other" doc:"Another." secret:"true"`
	}{Name: "ada", Group: inner{"hunter2"}}
	got := printFields(fields(&c))
	want := "# A name. (JACKDAW_NAME)\nname: ada\n\ngroup:\n  # A token. (JACKDAW_GROUP_TOKEN)\n  token: (secret)\n\n# Another. (JACKDAW_OTHER)\nother: \"\"\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if errs := readYAML(fields(&c), "f", []byte(got)); len(errs) != 1 || c.Group.Token != "hunter2" {
		t.Errorf("the mask was read as a secret: %v, %q", errs, c.Group.Token)
	}
}

func TestEveryKeyIsExplained(t *testing.T) {
	names := map[string]bool{FileEnv: true}
	for _, f := range fields(Default()) {
		if f.key == "" || !strings.HasSuffix(f.doc, ".") {
			t.Errorf("%q: %q", f.key, f.doc)
		}
		if names[f.env()] {
			t.Errorf("%s means two things", f.env())
		}
		if orchestrated.MatchString(f.env()) {
			t.Errorf("%s looks like a variable of Kubernetes", f.env())
		}
		names[f.env()] = true
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "12": 12, "12B": 12, "1KiB": 1024, "64 MiB": 64 << 20, "1gib": 1 << 30, "2TiB": 2 << 40} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
		if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("%v: %v, %v", got, back, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "1MB", "9000000000000TiB", "x"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
