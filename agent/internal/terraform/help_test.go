package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

// tool gives an executable on PATH or in the repository's .tools/bin; a missing
// one fails the test.
func tool(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		path, err := filepath.Abs(filepath.Join("../../../.tools/bin", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("none of %v is on PATH or in .tools/bin: run make tools", names)
	return ""
}

// buffer is a buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// bench is a runner over a wrapper that logs each command line, in a new directory.
type bench struct {
	*Runner
	dir      string
	log, out *buffer
	argv     string
}

func newBench(t testing.TB, change func(*Options)) *bench {
	t.Helper()
	return newBenchOf(t, tool(t, "terraform", "tofu"), change)
}

func newBenchOf(t testing.TB, executable string, change func(*Options)) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{dir: filepath.Join(dir, "task"), log: &buffer{}, out: &buffer{}, argv: filepath.Join(dir, "argv")}
	wrapper := filepath.Join(dir, "terraform")
	script := fmt.Sprintf("#!/bin/sh\necho \"$*\" >>'%s'\nexec '%s' \"$@\"\n", b.argv, executable)
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := Find(t.Context(), Choice{Binary: wrapper})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Log: hclog.New(&hclog.LoggerOptions{Output: b.log, Level: hclog.Debug}), Output: b.out}
	if change != nil {
		change(&o)
	}
	b.Runner = New(found, o)
	b.forget(t)
	return b
}

// commands lists the subcommands that ran since the last [bench.forget].
func (b *bench) commands(t testing.TB) (out []string) {
	t.Helper()
	text, err := os.ReadFile(b.argv)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "workspace" {
			sub, _, _ := strings.Cut(rest, " ")
			word += " " + sub
		}
		out = append(out, word)
	}
	return out
}

func (b *bench) forget(t testing.TB) {
	t.Helper()
	if err := os.Remove(b.argv); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

const localBackend = "terraform {\n  backend \"local\" {}\n}\n"

// root gives files of a root module with the local backend and main appended.
func (b *bench) root(main string) tasks.Files {
	return tasks.Files{
		Dir: b.dir, Workspace: "web",
		Root: map[string]tasks.File{"main.tf": {Content: []byte(localBackend + main)}},
	}
}

func yes(tasks.Plan) bool { return true }
func no(tasks.Plan) bool  { return false }

// run applies and fails the test on an error.
func (b *bench) run(t testing.TB, files tasks.Files) tasks.Outcome {
	t.Helper()
	out, err := b.Run(t.Context(), files, yes)
	if err != nil {
		t.Fatalf("%v\nlog: %s\noutput: %s", err, b.log, b.out)
	}
	return out
}

// stateOf reads the state of the workspace with the local backend.
func (b *bench) state(t testing.TB) (addresses []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "terraform.tfstate.d/web/terraform.tfstate"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Resources []struct {
			Type, Name string
			Instances  []struct {
				Key    any    `json:"index_key"`
				Status string `json:"status"`
			}
		}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("state is not JSON: %v", err)
	}
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			a := r.Type + "." + r.Name
			if i.Key != nil {
				a += fmt.Sprintf("[%v]", i.Key)
			}
			if i.Status != "" {
				a += " " + i.Status
			}
			addresses = append(addresses, a)
		}
	}
	return addresses
}

// find lists the files below dir that contain text.
func find(t testing.TB, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte(text)) {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// waitFor blocks until ok or the test's end.
func waitFor(ctx context.Context, t testing.TB, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		default:
			pause()
		}
	}
}
