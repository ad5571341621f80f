package terraform

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"patchbay/tasks"
)

// states is a server for Terraform's http backend, which keeps one state.
type states struct {
	mu      sync.Mutex
	content []byte
	locks   int
}

func (s *states) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, password, _ := r.BasicAuth(); password != envCanary || r.URL.Path != "/net" {
		http.Error(w, "denied", http.StatusForbidden)
		return
	}
	switch r.Method {
	case http.MethodGet:
		if s.content == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = w.Write(s.content)
	case http.MethodPost:
		s.content, _ = io.ReadAll(r.Body)
	case "LOCK":
		s.locks++
	case "UNLOCK":
		s.locks--
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *states) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(string(s.content), text)
}

func httpRoot(b *bench, address, main string) tasks.Files {
	backend := fmt.Sprintf("# header\n\nterraform {\n  backend \"http\" {\n    address = \"%[1]s/net\"\n    lock_address = \"%[1]s/net\"\n"+
		"    unlock_address = \"%[1]s/net\"\n    username = \"u\"\n    password = %[2]q\n  }\n}\n", address, envCanary)
	return tasks.Files{Dir: b.dir, Workspace: "default", Root: map[string]tasks.File{"main.tf": {Content: []byte(backend + main), Secret: true}}}
}

func TestABackendWithoutWorkspacesKeepsTheStateOfTheTask(t *testing.T) {
	kept := &states{}
	server := httptest.NewServer(kept)
	defer server.Close()
	b := newBench(t, nil)
	files := httpRoot(b, server.URL, data("a", "input = 1"))
	if out := b.run(t, files); !out.Applied || !kept.has("terraform_data") {
		t.Fatalf("applied %v, state is %s", out.Applied, kept.content)
	}
	b.forget(t)
	if out := b.run(t, files); !out.Plan.Empty() || len(b.commands(t)) != 1 {
		t.Errorf("second run: plan %s by %v", out.Plan.Summary(), b.commands(t))
	}
	argv, err := os.ReadFile(b.argv)
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, "a command line", string(argv))
	noCanary(t, "the log", b.log.String())
	noCanary(t, "the output", b.out.String())
	// What Terraform itself remembers of the backend is for its owner alone.
	for _, name := range find(t, b.dir, envCanary) {
		info, err := os.Stat(filepath.Join(b.dir, name))
		if err != nil || name != memoryName || info.Mode().Perm() != secretMode {
			t.Errorf("%s holds the password: mode %v, %v", name, info.Mode(), err)
		}
	}

	if err := b.Remove(t.Context(), files); err == nil || !strings.Contains(err.Error(), "still holds objects (1)") {
		t.Fatalf("a state with objects was removed: %v", err)
	}
	noCanary(t, "main.tf after a refused removal", string(read(t, filepath.Join(b.dir, "main.tf"))))
	emptied := httpRoot(b, server.URL, "")
	b.run(t, emptied)
	if err := b.Remove(t.Context(), emptied); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is there still: %v", err)
	}
	if kept.locks != 0 {
		t.Errorf("%d locks are left", kept.locks)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
