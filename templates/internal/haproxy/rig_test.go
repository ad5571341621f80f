package haproxy_test

import (
	"os"
	"path/filepath"
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
