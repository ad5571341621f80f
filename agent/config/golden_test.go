package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the wanted output of testdata/*.txtar")

// secretText stands for every secret in the cases.
const secretText = "hunter2"

// Each case is a txtar: the files to read, and want, which is either the dump of
// the Config without the lines of an empty one, or the list of problems. The files
// env and paths, when present, are the environment and the paths to read; without
// paths it is the directory conf.
func TestGoldenConfigurations(t *testing.T) {
	for _, name := range goldenCases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := loadCase(t, archive)
			i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if i < 0 {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				i = len(archive.Files) - 1
			}
			if *update {
				archive.Files[i].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if strings.Contains(got, secretText) {
				t.Error("a secret is shown")
			}
			if d := cmp.Diff(string(archive.Files[i].Data), got); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
}

func goldenCases(t testing.TB) []string {
	t.Helper()
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) < 20 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}

// loadCase writes the files of a case into a new directory, loads them and gives
// what came out as text.
func loadCase(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	env, paths := map[string]string{}, []string{"conf"}
	for _, f := range archive.Files {
		switch f.Name {
		case "want":
			continue
		case "env":
			for line := range strings.Lines(string(f.Data)) {
				k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
				env[k] = v
			}
			continue
		case "paths":
			paths = strings.Fields(string(f.Data))
			continue
		}
		write(t, dir, f.Name, string(f.Data))
	}
	cfg, err := Load(paths, testOptions(dir, env))
	var text string
	var list *Error
	switch {
	case errors.As(err, &list):
		for _, p := range list.Problems {
			text += p.String() + "\n"
		}
	case err != nil:
		t.Fatalf("error of type %T", err)
	default:
		empty := dump(t, build(nil, testOptions(dir, nil), newReport()), false)
		for _, line := range dump(t, cfg, false) {
			if !slices.Contains(empty, line) {
				text += line + "\n"
			}
		}
	}
	return strings.ReplaceAll(text, dir, "$WORK")
}

func testOptions(dir string, env map[string]string) Options {
	return Options{WorkDir: dir, Hostname: "host", Env: func(name string) string { return env[name] },
		Builtin: func(name string) bool { return name == "nginx" }}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
