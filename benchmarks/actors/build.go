package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// folder is where the contestants' sources lie, in the module's.
const folder = "benchmarks/actors"

// built is what has been built: a folder with the programs and Erlang's compiled modules, and who is missing, each with the reason.
type built struct {
	dir     string
	missing map[string]error
	facts   map[string]string // versions, by contestant
}

// errNoErlang says how to get what is missing.
var errNoErlang = errors.New("erl and erlc aren't installed: apt-get install erlang-base, or make bench-actors, which does so")

// moduleRoot is the folder of the module that the working directory is in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "go", "env", "GOMOD"))
	if err != nil {
		return "", err
	}
	file := strings.TrimSpace(out)
	if file == "" || file == os.DevNull {
		return "", errors.New("actors: run it inside the module, where the sources are")
	}
	return filepath.Dir(file), nil
}

// build builds the wanted contestants into dir. Ours must build; of the others those that can't be had are missing.
func build(ctx context.Context, root, dir string, wants func(string) bool) (*built, error) {
	b := &built{dir: dir, missing: map[string]error{}, facts: map[string]string{}}
	for _, name := range contestants() {
		if !wants(name) {
			continue
		}
		var err error
		switch name {
		case ours, channels:
			err = b.goBuild(ctx, name, root, "./"+folder+"/"+name)
		case beam:
			err = b.erlc(ctx, filepath.Join(root, folder, beam))
		default:
			err = b.peer(ctx, name, filepath.Join(root, folder, "peers"))
		}
		if err != nil && name == ours {
			return nil, err
		}
		if err != nil {
			b.missing[name] = err
		}
	}
	return b, nil
}

// program is the path of a contestant.
func (b *built) program(name string) string { return filepath.Join(b.dir, name) }

// goBuild builds a program of Go in a module's folder.
func (b *built) goBuild(ctx context.Context, name, module, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.program(name), pkg)
	cmd.Dir = module
	_, err := output(cmd)
	return err
}

// errNoModule says that a library isn't here and can't be downloaded.
var errNoModule = errors.New("a library can't be downloaded")

// peer builds a contestant that stands on somebody else's library. They are a module of their own, in a workspace with this one.
func (b *built) peer(ctx context.Context, name, module string) error {
	download := exec.CommandContext(ctx, "go", "list", "-deps", "-f", "{{if .Error}}{{.Error}}{{end}}", "./"+name)
	download.Dir, download.Env = module, append(os.Environ(), "GOWORK="+filepath.Join(module, "go.work"))
	if _, err := output(download); err != nil {
		return fmt.Errorf("%w: %w", errNoModule, err)
	}
	compile := exec.CommandContext(ctx, "go", "build", "-o", b.program(name), "./"+name)
	compile.Dir, compile.Env = download.Dir, download.Env
	if _, err := output(compile); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(b.program(name))
	if err != nil {
		return fmt.Errorf("actors: %w", err)
	}
	for _, dep := range info.Deps {
		if strings.Contains(dep.Path, name) {
			b.facts[name] = dep.Path + " " + dep.Version
		}
	}
	return nil
}

// erlc compiles Erlang's modules.
func (b *built) erlc(ctx context.Context, source string) error {
	for _, program := range []string{"erl", "erlc"} {
		if _, err := exec.LookPath(program); err != nil {
			return errNoErlang
		}
	}
	files, err := filepath.Glob(filepath.Join(source, "*.erl"))
	if err != nil {
		return fmt.Errorf("actors: %w", err)
	}
	if _, err := output(exec.CommandContext(ctx, "erlc", append([]string{"-Wall", "-o", b.dir}, files...)...)); err != nil {
		return err
	}
	version, err := output(exec.CommandContext(ctx, "erl", "-noshell", "-eval",
		`io:format("OTP ~s, erts ~s, ~s", [erlang:system_info(otp_release), erlang:system_info(version), erlang:system_info(emu_flavor)]), halt().`))
	b.facts[beam] = version
	return err
}

// output runs a command and returns what it prints; an error has what it printed as an error.
func output(cmd *exec.Cmd) (string, error) {
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("actors: %s: %w\n%s", filepath.Base(cmd.Path), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
