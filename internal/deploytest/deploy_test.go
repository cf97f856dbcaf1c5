package deploytest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

func text(t *testing.T, name string) string {
	t.Helper()
	s, err := read(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files are all that is in the folder.
func files(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var rel string
			rel, err = filepath.Rel(folder, path)
			list = append(list, rel)
		}
		return err
	})
	if err != nil || len(list) < 6 {
		t.Fatalf("%v, %v", list, err)
	}
	return list
}

// TestNames: every variable and flag that is used is one.
func TestNames(t *testing.T) {
	known := map[string]bool{"JACKDAW_CONFIG": true, "JACKDAW_PASSWORD": true} // the second is the compose file's own
	for _, v := range variables(config.Default().Print()) {
		known[v] = true
	}
	help, err := os.ReadFile("../../cmd/jackdaw/testdata/help.txt")
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, name := range files(t) {
		for _, v := range variables(text(t, name)) {
			if used++; !known[v] {
				t.Errorf("%s: there is no %s", name, v)
			}
		}
		for _, f := range flags(text(t, name)) {
			if used++; !strings.Contains(string(help), " "+f+" ") && !strings.Contains(string(help), " "+f+"\n") {
				t.Errorf("%s: no command has the flag %s", name, f)
			}
		}
	}
	if used < 10 {
		t.Errorf("%d names were found", used)
	}
}

func TestScripts(t *testing.T) {
	var scripts []string
	for _, name := range files(t) {
		s := text(t, name)
		if !strings.HasPrefix(s, "#!") {
			continue
		}
		scripts = append(scripts, name)
		if lines := strings.Split(s, "\n"); lines[0] != "#!/bin/bash" || !strings.Contains(s, "\nset -euo pipefail\n") || !strings.HasPrefix(lines[1], "# ") {
			t.Errorf("%s doesn't begin as a script does: what it is for, and no error passed over", name)
		}
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s can't be executed: %v", name, err)
		}
	}
	if len(scripts) != 4 {
		t.Errorf("scripts %v", scripts)
	}
	for _, name := range scripts {
		t.Run("bash reads "+name, func(t *testing.T) {
			out, err := exec.Command(tool(t, "bash"), "-n", filepath.Join(folder, name)).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// tool finds a program; where there is none, the test is skipped, and counted as that.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " isn't here: the files were only read")
	}
	return path
}

func TestUnit(t *testing.T) {
	lines, err := parseUnit(text(t, "jackdaw.service"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range lines {
		got[l.section+"."+l.name] = l.value
	}
	for name, want := range map[string]string{
		"Service.Type": "exec", "Service.User": "jackdaw", "Service.ExecStart": "/usr/local/bin/jackdaw serve", "Service.ExecReload": "/bin/kill -HUP $MAINPID",
		"Service.StateDirectory": "jackdaw", "Service.StateDirectoryMode": "0700", "Service.UMask": "0077", "Service.NoNewPrivileges": "true",
		"Service.RestartPreventExitStatus": "2", // wrong usage, which no restart mends
		"Install.WantedBy":                 "multi-user.target",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, not %q", name, got[name], want)
		}
	}
	t.Run("systemd reads it", func(t *testing.T) {
		out, _ := exec.Command(tool(t, "systemd-analyze"), "verify", filepath.Join(folder, "jackdaw.service")).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "jackdaw.service") && !strings.Contains(line, "is not executable") { // it isn't installed here
				t.Error(line)
			}
		}
	})
}

// TestConfigurationOfTheUnit: the file that the unit's head makes lets clients of other machines in.
func TestConfigurationOfTheUnit(t *testing.T) {
	_, command, _ := strings.Cut(text(t, "jackdaw.service"), "jackdaw config print ")
	command, _, found := strings.Cut(command, " > /etc/jackdaw/jackdaw.yaml\n")
	words := strings.Fields(command)
	if !found || len(words)%2 != 0 {
		t.Fatalf("the command is %q", command)
	}
	given := map[string]string{}
	for i := 0; i < len(words); i += 2 {
		given[strings.ReplaceAll(strings.TrimPrefix(words[i], "--"), "-", "_")] = words[i+1]
	}
	cfg, err := config.Load(config.Sources{Flags: given})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jackdaw.yaml")
	if err := os.WriteFile(file, []byte(cfg.Print()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []map[string]string{nil, {"cluster.listen": ":5300"}} { // a server alone, and a node
		cfg, err = config.Load(config.Sources{File: file, Flags: flags})
		if err != nil || cfg.C2S != ":5222" || cfg.C2STLS != ":5223" || cfg.Admin != config.DefaultAdmin || cfg.Data != "/var/lib/jackdaw" {
			t.Errorf("%v, %v", cfg, err)
		}
	}
}

func TestKernelSettings(t *testing.T) {
	for i, line := range strings.Split(text(t, "99-jackdaw.conf"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, " = ")
		if !ok || value == "" {
			t.Errorf("line %d: %q", i+1, line)
		}
		if runtime.GOOS != "linux" || strings.Contains(key, "netfilter") { // which is there with its module only
			continue
		}
		if _, err := os.Stat("/proc/sys/" + strings.ReplaceAll(key, ".", "/")); err != nil && !strings.HasPrefix(key, "net.core") { // which a container may not see
			t.Errorf("this kernel has no %s", key)
		}
	}
}

func TestDockerfile(t *testing.T) {
	list, err := parseDockerfile(text(t, "docker/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var names, stages []string
	user := ""
	for _, in := range list {
		names = append(names, in.name)
		switch in.name {
		case "FROM":
			image := strings.Fields(in.args)[0]
			if _, tag, ok := strings.Cut(image, ":"); !ok || tag == "latest" {
				t.Errorf("%s names no version", image)
			}
			if version, ok := strings.CutPrefix(image, "golang:"); ok && !strings.Contains(string(mod), "\ngo "+strings.Split(version, "-")[0]) {
				t.Errorf("%s isn't the version of go.mod", image)
			}
			stages, user = append(stages, image), ""
		case "USER":
			user = in.args
		case "ENTRYPOINT", "CMD":
			if !strings.HasPrefix(in.args, "[") {
				t.Errorf("%s %s: a shell would stand between the program and its signals", in.name, in.args)
			}
		case "ADD", "MAINTAINER":
			t.Errorf("%s isn't used any more", in.name)
		case "COPY":
			for _, from := range strings.Fields(in.args)[:len(strings.Fields(in.args))-1] {
				if strings.HasPrefix(in.args, "--from") {
					break
				}
				if _, err := os.Stat(filepath.Join("../..", from)); err != nil {
					t.Errorf("COPY %s: %v", from, err)
				}
			}
		case "RUN":
			if strings.Contains(in.args, "sudo") || strings.Contains(in.args, "apt-get") && !strings.Contains(in.args, "rm -rf /var/lib/apt/lists") {
				t.Errorf("RUN %s", in.args)
			}
		}
	}
	if user == "" || user == "root" || user == "0" {
		t.Errorf("the server would run as %q", user)
	}
	for _, needed := range []string{"HEALTHCHECK", "EXPOSE", "VOLUME", "STOPSIGNAL", "ENTRYPOINT"} {
		if !slices.Contains(names, needed) {
			t.Errorf("no %s", needed)
		}
	}
	if len(stages) != 2 {
		t.Errorf("stages %v", stages)
	}
}

// TestDockerignore: nothing that a server which was tried out has written gets into a layer of the image's build.
func TestDockerignore(t *testing.T) {
	lines, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".tools", "bin", "**" + strings.TrimPrefix(config.DefaultData, "."), "**/.env"} {
		if !slices.Contains(strings.Split(string(lines), "\n"), name) {
			t.Errorf("%s isn't left out", name)
		}
	}
	for _, left := range strings.Split(string(lines), "\n") {
		if _, err := os.Stat(filepath.Join("../..", left, "go.mod")); err == nil && left != "" && left[0] != '#' {
			t.Errorf("%s leaves the source out", left)
		}
	}
}

// TestComposeReadsIt asks the program that the file is for, without an engine.
func TestComposeReadsIt(t *testing.T) {
	docker := tool(t, "docker")
	if out, err := exec.Command(docker, "compose", "version").CombinedOutput(); err != nil {
		t.Skipf("docker has no compose here: %s", out)
	}
	cmd := exec.Command(docker, "compose", "--file", filepath.Join(folder, "docker/compose.yaml"), "config", "--quiet")
	cmd.Env = append(os.Environ(), "JACKDAW_PASSWORD=a", "REPLICATION_PASSWORD=b", "POSTGRES_PASSWORD=c")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// compose is what is looked at of the compose file.
type compose struct {
	Name     string             `yaml:"name"`
	Services map[string]service `yaml:"services"`
	Networks map[string]any     `yaml:"networks"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image       string            `yaml:"image"`
	Build       map[string]string `yaml:"build"`
	Command     []string          `yaml:"command"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Networks    []string          `yaml:"networks"`
	Ports       []string          `yaml:"ports"`
	Hostname    string            `yaml:"hostname"`
	Restart     string            `yaml:"restart"`
	Grace       string            `yaml:"stop_grace_period"`
	NetworkMode string            `yaml:"network_mode"`
	Health      map[string]any    `yaml:"healthcheck"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

func TestCompose(t *testing.T) {
	var c compose
	if err := yaml.Unmarshal([]byte(text(t, "docker/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) != 6 || len(c.Networks) != 2 || c.Name != "jackdaw" {
		t.Errorf("%d services, %d networks", len(c.Services), len(c.Networks))
	}
	mounted, taken := map[string]bool{}, map[string]string{}
	for name, s := range c.Services {
		if _, tag, _ := strings.Cut(s.Image, ":"); s.Image == "" || tag == "latest" {
			t.Errorf("%s: image %q", name, s.Image)
		}
		if name != "token" && (s.Restart != "unless-stopped" || s.Hostname != name || len(s.Networks) == 0 || s.Grace == "") {
			t.Errorf("%s: %+v", name, s)
		}
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok {
				t.Errorf("%s: no network %s", name, n)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, ".") {
				if _, err := os.Stat(filepath.Join(folder, "docker", from)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s: no volume %s", name, from)
			}
			mounted[from] = true
		}
		for on, how := range s.DependsOn {
			switch other, ok := c.Services[on]; {
			case !ok:
				t.Errorf("%s waits for %s, which there isn't", name, on)
			case how.Condition == "service_healthy" && other.Health == nil && other.Image != "jackdaw": // whose image has one
				t.Errorf("%s waits for the health of %s, which has none", name, on)
			case how.Condition == "service_completed_successfully" && other.Restart != "":
				t.Errorf("%s waits for the end of %s, which is started again", name, on)
			}
		}
		for _, p := range s.Ports {
			host, _, _ := strings.Cut(p, ":")
			if taken[host] != "" {
				t.Errorf("%s and %s have the port %s", name, taken[host], host)
			}
			taken[host] = name
		}
	}
	for v := range c.Volumes {
		if !mounted[v] {
			t.Errorf("nobody has the volume %s", v)
		}
	}
	// What n1 is told is a configuration.
	environ := []string{}
	for name, value := range c.Services["n1"].Environment {
		environ = append(environ, name+"="+strings.ReplaceAll(value, "${JACKDAW_PASSWORD}", "secret"))
	}
	cfg, err := config.Load(config.Sources{Environ: environ, Flags: map[string]string{"domain": "example.org", "cluster.listen": ":5300"}})
	if err != nil || !pgstore.Is(cfg.Store.URL) || len(pgstore.Split(cfg.Store.URL)) != 1 || fmt.Sprint(c.Services["n1"].Command) != "[serve --domain example.org --cluster :5300]" {
		t.Errorf("%v, %v", cfg, err)
	}
}

// TestRightsOfTheRole: what the primary's script grants is enough for a store.
func TestRightsOfTheRole(t *testing.T) {
	_, script, _ := strings.Cut(text(t, "docker/primary-init"), "<<'SQL'\n")
	script, _, ok := strings.Cut(script, "\nSQL\n")
	if !ok {
		t.Fatal("the script has no SQL")
	}
	server := testpg.Run(t, testpg.Options{})
	// The server of the test is owned by a jackdaw, and isn't replicated.
	script = strings.NewReplacer("jackdaw", "node", ":'password'", "'secret'", ":'replication'", "'secret'").Replace(script)
	for statement := range strings.SplitSeq(script, ";") {
		var lines []string
		for line := range strings.Lines(statement) {
			if !strings.HasPrefix(line, "--") {
				lines = append(lines, line)
			}
		}
		statement = strings.TrimSpace(strings.Join(lines, ""))
		if statement == "" || strings.HasPrefix(statement, "ALTER SYSTEM") {
			continue
		}
		if err := server.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	url := func(database string) string {
		return fmt.Sprintf("postgres://node:secret@%s/%s", server.Addr(), database)
	}
	e, err := pgstore.Open(url("mail"), pgstore.Options{Directory: url("directory"), Node: "n1@1", AllowUnreplicated: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range e.Databases() {
		if d.Down != "" || strings.Contains(d.Unreplicated, "GRANT") {
			t.Errorf("%+v", d)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestParsers(t *testing.T) {
	if _, err := parseUnit("Type=exec\n"); err == nil {
		t.Error("a line outside of any section")
	}
	if lines, err := parseUnit("[Service]\n# comment\nType=exec\n"); err != nil || len(lines) != 1 || lines[0] != (unitLine{"Service", "Type", "exec"}) {
		t.Errorf("%v, %v", lines, err)
	}
	if _, err := parseDockerfile("from x\n"); err == nil {
		t.Error("an instruction in lower case")
	}
	if list, err := parseDockerfile("# c\nRUN a \\\n && b\n"); err != nil || len(list) != 1 || list[0].args != "a  && b" {
		t.Errorf("%v, %v", list, err)
	}
	if got := fmt.Sprint(flags("jackdaw drain --over 1s\n# no --flag\nserve, --domain x")); got != "[--over --domain]" {
		t.Error(got)
	}
	if _, err := read("none"); err == nil {
		t.Error("no file")
	}
}
