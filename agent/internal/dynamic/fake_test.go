package dynamic

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

type body = map[string]any

// fakeVault answers as Vault does, and refuses what a client must not do.
type fakeVault struct {
	t      *testing.T
	server *httptest.Server

	mu sync.Mutex
	// tokens are those that it accepts.
	tokens []string
	// answers are by method and path; a func is called, nil is a 404.
	answers map[string]func(request body) (int, body)
	// log are the requests, as "GET kv/data/a"; mounts look-ups are left out.
	log []string
	// namespace that every request must name.
	namespace string
}

func newFakeVault(t *testing.T) *fakeVault {
	f := &fakeVault{t: t, tokens: []string{"root-token"}, answers: map[string]func(body) (int, body){}}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if r.Header.Get("X-Vault-Request") != "true" {
		f.t.Errorf("%s %s came without X-Vault-Request", r.Method, path)
	}
	if got := r.Header.Get("X-Vault-Namespace"); got != f.namespace {
		f.t.Errorf("%s %s named namespace %q, want %q", r.Method, path, got, f.namespace)
	}
	if path == r.URL.Path || strings.Contains(path, "//") {
		f.t.Errorf("odd path %s", r.URL.Path)
	}
	if strings.Contains(r.URL.String(), "token") && strings.Contains(r.URL.String(), r.Header.Get("X-Vault-Token")) {
		f.t.Errorf("the token is in the address %s", r.URL)
	}
	what := r.Method + " " + path
	if r.URL.RawQuery != "" {
		what += "?" + r.URL.RawQuery
	}
	if !strings.HasPrefix(path, "sys/internal/ui/mounts/") {
		f.log = append(f.log, what)
	}
	status, answer := f.answer(r, what)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if answer != nil {
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (f *fakeVault) answer(r *http.Request, what string) (int, body) {
	if !slices.Contains(f.tokens, r.Header.Get("X-Vault-Token")) {
		return http.StatusForbidden, body{"errors": []string{"2 errors occurred:\n\t* permission denied\n\t* invalid token " + r.Header.Get("X-Vault-Token")}}
	}
	var request body
	if text, _ := io.ReadAll(r.Body); len(text) > 0 {
		if err := json.Unmarshal(text, &request); err != nil {
			f.t.Errorf("%s came with %q", what, text)
		}
	}
	if mount, ok := strings.CutPrefix(what, "GET sys/internal/ui/mounts/"); ok {
		return f.mount(mount)
	}
	if a, ok := f.answers[what]; ok {
		return a(request)
	}
	return http.StatusNotFound, body{"errors": []string{}}
}

func (f *fakeVault) mount(path string) (int, body) {
	switch {
	case path == "kv" || strings.HasPrefix(path, "kv/"):
		return 200, body{"data": body{"path": "kv/", "type": "kv", "options": body{"version": "2"}}}
	case strings.HasPrefix(path, "old/"):
		return 200, body{"data": body{"path": "old/", "type": "kv", "options": body{"version": "1"}}}
	case strings.HasPrefix(path, "database/"):
		return 200, body{"data": body{"path": "database/", "type": "database", "options": nil}}
	}
	return 403, body{"errors": []string{"preflight capability check returned 403"}}
}

// on sets an answer.
func (f *fakeVault) on(what string, answer func(request body) (int, body)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[what] = answer
}

func (f *fakeVault) always(what string, answer body) {
	f.on(what, func(body) (int, body) { return 200, answer })
}

func (f *fakeVault) allow(tokens ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = tokens
}

// asked gives the requests since the last call.
func (f *fakeVault) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

func (f *fakeVault) config() config.Vault {
	return config.Vault{Enabled: true, Address: f.server.URL, Token: tasks.NewSecret("root-token")}
}

func (f *fakeVault) resolver(cfg config.Vault) *Resolver {
	return New((&values{}).options(cfg))
}

// kv2 is a secret of KV version 2.
func kv2(data body) body {
	return body{"data": body{"data": data, "metadata": body{"version": 1, "deletion_time": ""}}}
}

// clock is a resolver's time.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) set(r *Resolver) { c.now = time.Now(); r.vault.Load().now = c.read }

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// diary is a log that can be read while it is written.
type diary struct {
	mu   sync.Mutex
	text strings.Builder
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func (d *diary) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: d, Level: hclog.Trace})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
