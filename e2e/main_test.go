package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"patchbay/e2e/internal/rig"
)

// TestMain builds the binary that all tests run; with the race detector when the
// tests themselves have it.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "patchbay-e2e-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = build(filepath.Join(dir, "patchbay"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		// Most of a test is waiting: for a buffer, for a slow apply, for Consul.
		flag.Parse()
		if n := flag.Lookup("test.parallel").Value; n.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
			if err := n.Set(strconv.Itoa(atOnce * runtime.GOMAXPROCS(0))); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		return m.Run()
	}())
}

// atOnce is how many tests run at once per CPU when no -parallel is given.
const atOnce = 3

// binaryVariable carries the path of the built binary to the tests.
const binaryVariable = "PATCHBAY_E2E_BINARY"

func build(path string) error {
	if os.Getenv(binaryVariable) != "" {
		return nil // by the process that runs this one, see alone
	}
	root, err := rig.Root()
	if err != nil {
		return err
	}
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/patchbay")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build patchbay: %w\n%s", err, out)
	}
	return os.Setenv(binaryVariable, path)
}
