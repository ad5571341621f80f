package haproxy_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

// read reads a file of a root module.
func read(t *testing.T, s *moduletest.Stack, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		t.Fatalf("read file: %v", err)
	}
	return string(content)
}

// onlyFiles fails when the directory of the module's file has other files, hidden ones too.
func onlyFiles(t *testing.T, h *haproxy.Server, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(h.Path(haproxy.Live)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files beside the live one (-want +got):\n%s", diff)
	}
}

// run runs apply.sh with lines of slots.awk as Terraform would, in a process group of
// its own. Check is the command with all -f arguments.
func run(t *testing.T, h *haproxy.Server, script []string, path string, check []string, lines string) (string, error) {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(lines)); err != nil {
		t.Fatalf("pack lines: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("pack lines: %v", err)
	}
	arguments := append(script[1:], h.Path(haproxy.Live), h.Path("master.sock"), "-")
	command := exec.Command(script[0], append(arguments, check...)...)
	command.Env = append(os.Environ(), "PATH="+path, "RELOAD_TIMEOUT=30", "BACKENDS_0="+base64.StdEncoding.EncodeToString(packed.Bytes()))
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := command.CombinedOutput()
	return string(out), err
}
