package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(start()) }

func start() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}

// run measures the modules of these names, all when there are none; it starts in the
// root of the repository.
func run(ctx context.Context, wanted []string, stdout, progress io.Writer) error {
	modules, err := shipped()
	if err != nil {
		return err
	}
	for _, name := range wanted {
		if !slices.Contains(modules, name) {
			return fmt.Errorf("find module: no %q is shipped; shipped are %s", name, strings.Join(modules, ", "))
		}
	}
	if len(wanted) == 0 {
		wanted = modules
	}
	found, failed := measure(ctx, wanted, progress)
	if _, err := io.WriteString(stdout, found.table()); err != nil {
		return errors.Join(err, failed)
	}
	if missing := found.missing(wanted); failed == nil && len(missing) > 0 {
		failed = fmt.Errorf("measure modules: no BenchmarkModule of %s; add one beside the module's tests", strings.Join(missing, ", "))
	}
	return failed
}

// shipped lists the modules by their directories.
func shipped() (names []string, err error) {
	dirs, err := filepath.Glob("templates/modules/*/versions.tf")
	if err != nil || len(dirs) == 0 {
		return nil, errors.Join(errors.New("find modules: there are none; start it in the root of the repository"), err)
	}
	for _, d := range dirs {
		names = append(names, filepath.Base(filepath.Dir(d)))
	}
	return names, nil
}

// measure runs the benchmarks one after the other.
func measure(ctx context.Context, modules []string, progress io.Writer) (figures, error) {
	quoted := make([]string, len(modules))
	for n, name := range modules {
		quoted[n] = regexp.QuoteMeta(name)
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-p", "1", "-timeout", "60m", "-run", "^$", "-benchtime", "3x",
		"-bench", "^BenchmarkModule$/^("+strings.Join(quoted, "|")+")$", "./templates/internal/...")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stderr = progress
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run go test: %w", err)
	}
	found, readErr := read(out, progress)
	if err := cmd.Wait(); err != nil {
		return found, fmt.Errorf("run benchmarks: %w; see the lines above", err)
	}
	return found, readErr
}
