package testnode

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// BinaryEnv names the environment variable with the path of a ready binary. Where it is set, nothing is built: so the same tests
// run on a release, or on a binary built with the race detector. It isn't named JACKDAW_..: the server takes those as its configuration.
const BinaryEnv = "TESTNODE_BINARY"

// command is the package of the server's binary.
const command = "github.com/jackdaw-im/jackdaw/cmd/jackdaw"

var built struct {
	sync.Mutex
	dir, path string
}

// Build builds the server's binary, once in the life of this process, and returns its path. RemoveBuild deletes it. It needs the
// go command, and a working directory inside the module.
func Build(ctx context.Context) (string, error) {
	if path := os.Getenv(BinaryEnv); path != "" {
		return path, nil
	}
	built.Lock()
	defer built.Unlock()
	if built.path != "" {
		return built.path, nil
	}
	dir, err := os.MkdirTemp("", "jackdaw-build-")
	if err != nil {
		return "", fmt.Errorf("testnode: build: %w", err)
	}
	path := filepath.Join(dir, "jackdaw")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, command).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("testnode: build: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	built.dir, built.path = dir, path
	return path, nil
}

// RemoveBuild deletes what Build built, if anything. A program calls it before it ends, a test package from TestMain.
func RemoveBuild() error {
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		return nil
	}
	dir := built.dir
	built.dir, built.path = "", ""
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("testnode: remove the build: %w", err)
	}
	return nil
}
