//go:build linux

package interop

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// switchEnv names the environment variable that makes the tests run clients.
const switchEnv = "JACKDAW_INTEROP"

// tableEnv names the environment variable with the file that gets the table, if it is set. The table is printed, too.
const tableEnv = "INTEROP_TABLE"

// parallel is how many clients are tested at once. Most of the time, they wait.
const parallel = 4

// shared is the server of all tests, or nil if the clients aren't to be run.
var shared *server

// launch starts the server.
var launch = startServer

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if os.Getenv(switchEnv) == "" {
		return m.Run()
	}
	// The server refuses variables with its prefix that it doesn't know.
	if err := os.Unsetenv(switchEnv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		_ = os.RemoveAll(dir)      // a temporary folder
		_ = testnode.RemoveBuild() // another
	}()
	if out, err := compileStrophe(dir); err != nil {
		fmt.Fprintf(os.Stderr, "the driver of libstrophe doesn't compile (install.sh installs what it needs): %v\n%s", err, out)
		return 1
	}
	certs, err := makeCertificates(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared, err = launch(dir, certs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	shared.stop()
	endCluster(code != 0)
	fmt.Print(table())
	if file := os.Getenv(tableEnv); file != "" {
		if err := os.WriteFile(file, []byte(table()), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if code != 0 {
		fmt.Printf("\nthe server's last output:\n%s\n", shared.log())
	}
	return code
}

// needClients skips a test where the clients aren't to be run.
func needClients(t *testing.T) {
	t.Helper()
	if shared == nil {
		t.Skipf("%s is not set; install.sh installs the clients", switchEnv)
	}
}
