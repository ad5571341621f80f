package testconsul

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/consul/sdk/testutil"
	"github.com/hashicorp/consul/sdk/testutil/retry"
)

const (
	tries = 10
	// patience is how long a server that answers has to elect itself.
	patience = time.Minute
)

// Start starts the consul on PATH, or else the one that `make tools` put into .tools at
// the root of the module, with what configure (or nil) changes of its configuration. It
// ends with the test. The test fails where no server comes up.
func Start(t *testing.T, configure testutil.ServerConfigCallback) *testutil.TestServer {
	t.Helper()
	if _, err := exec.LookPath("consul"); err != nil {
		t.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+filepath.Join(root(t), ".tools", "bin"))
	}
	var token string
	start := func() (*testutil.TestServer, error) {
		return testutil.NewTestServerConfigT(t, func(c *testutil.TestServerConfig) {
			c.Stdout, c.Stderr, c.LogLevel = io.Discard, io.Discard, "error"
			if configure != nil {
				configure(c)
			}
			token = c.ACL.Tokens.InitialManagement
		})
	}
	server, err := start()
	for n := 1; err != nil && n < tries; n++ {
		server, err = start()
	}
	if err != nil {
		t.Fatalf("start consul (put it on PATH, or run make tools): %v", err)
	}
	t.Cleanup(func() { _ = server.Stop() }) // an interrupted consul ends with status 1
	retry.RunWith(&retry.Timer{Timeout: patience, Wait: 25 * time.Millisecond}, t, func(r *retry.R) {
		var checks []struct{ CheckID string }
		read(r, server, token, "/v1/health/state/any?consistent", &checks)
		for _, c := range checks {
			if c.CheckID == "serfHealth" {
				return
			}
		}
		r.Fatal("the check of its node is not in the catalog")
	})
	return server
}

// read reads from a server that may have no leader yet.
func read(r *retry.R, server *testutil.TestServer, token, path string, into any) {
	req, err := http.NewRequest(http.MethodGet, "http://"+server.HTTPAddr+path, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("X-Consul-Token", token)
	req.Close = true // so that no idle connection outlives the test
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		r.Fatal(resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		r.Fatal(err)
	}
}

// root is the directory of go.mod above the test's package.
func root(t *testing.T) string {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal(err)
	return ""
}
