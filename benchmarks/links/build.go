package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// built is what has been built: a folder with the programs and Erlang's compiled modules, and which are missing, each with the reason.
type built struct {
	dir     string
	missing map[string]error
	erlang  string // its version
}

// errNoErlang says how to get what is missing.
var errNoErlang = errors.New("erl and erlc aren't installed: apt-get install erlang-base")

// moduleRoot is the folder of the module that the working directory is in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "go", "env", "GOMOD"))
	if err != nil {
		return "", err
	}
	file := strings.TrimSpace(out)
	if file == "" || file == os.DevNull {
		return "", errors.New("links: run it inside the module, where the sources are")
	}
	return filepath.Dir(file), nil
}

// build builds the programs of the contestants into dir. Only Erlang's may be missing.
func build(ctx context.Context, root, dir string, who []contestant) (*built, error) {
	b := &built{dir: dir, missing: map[string]error{}}
	done := map[string]bool{}
	for _, c := range who {
		if done[c.program] {
			continue
		}
		done[c.program] = true
		if c.program == beam {
			if err := b.erlc(ctx, root); err != nil {
				b.missing[beam] = err
			}
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-o", b.program(c.program), "./benchmarks/links/"+c.program)
		cmd.Dir = root
		if _, err := output(cmd); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// program is the path of a program.
func (b *built) program(name string) string { return filepath.Join(b.dir, name) }

// erlc compiles Erlang's modules.
func (b *built) erlc(ctx context.Context, root string) error {
	for _, program := range []string{"erl", "erlc"} {
		if _, err := exec.LookPath(program); err != nil {
			return errNoErlang
		}
	}
	if _, err := output(exec.CommandContext(ctx, "erlc", "-Wall", "-o", b.dir, filepath.Join(root, "benchmarks/links/beam/links.erl"),
		filepath.Join(root, "benchmarks/actors/beam/measure.erl"))); err != nil {
		return err
	}
	var err error
	b.erlang, err = output(exec.CommandContext(ctx, "erl", "-noshell", "-eval",
		`io:format("OTP ~s, erts ~s, ~s", [erlang:system_info(otp_release), erlang:system_info(version), erlang:system_info(emu_flavor)]), halt().`))
	return err
}

// output runs a command and returns what it prints; an error has what it printed as an error.
func output(cmd *exec.Cmd) (string, error) {
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("links: %s: %w\n%s", filepath.Base(cmd.Path), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
