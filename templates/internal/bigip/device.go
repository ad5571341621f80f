package bigip

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"patchbay/templates/internal/bigip/config"
)

// User and Password open a session on every [Device].
const (
	User     = "patchbay"
	Password = "correct horse"
)

// maxBody bounds what a request may carry.
const maxBody = 16 << 20

// Device is a BIG-IP with partition Common, until its test ends.
type Device struct {
	// URL is where it listens.
	URL string

	mu      sync.Mutex
	log     []Request
	faults  []*Fault
	objects config.Objects
	// sets are the open transactions: the requests that wait for their commit.
	sets   map[int]*set
	tokens map[string]bool
	// logins counts the tokens that were ever given.
	logins int
	// tenants are the AS3 declarations by tenant, tasks those of AS3 by id.
	tenants map[string]map[string]any
	tasks   map[string]*task
	// envelope is what a declaration has beside tenants; next decides the results of the
	// next one, polls how long its task runs.
	envelope map[string]any
	next     []map[string]any
	polls    int
	// discoveries are the lists of event-driven service discovery by task id.
	discoveries map[string]*discovery
}

// Request is one request as the device saw it. Auth is basic, token or none.
type Request struct {
	Method, Path, Query, Auth, Body string
	// Status is that of the answer.
	Status int
	// transaction is the id of X-F5-REST-Coordination-Id, token that of X-F5-Auth-Token.
	transaction, token string
}

// String gives method and path, with the query where there is one.
func (r Request) String() string {
	if r.Query != "" {
		return r.Method + " " + r.Path + "?" + r.Query
	}
	return r.Method + " " + r.Path
}

// New starts a device.
func New(tb testing.TB) *Device {
	tb.Helper()
	d := &Device{
		objects: config.Objects{}, sets: map[int]*set{}, tokens: map[string]bool{}, tenants: map[string]map[string]any{},
		tasks: map[string]*task{}, discoveries: map[string]*discovery{},
	}
	d.objects.Put("net/self", "/Common/self-internal", map[string]any{"address": "127.0.0.1/8", "vlan": "/Common/internal"})
	server := httptest.NewServer(d)
	tb.Cleanup(server.Close)
	d.URL = server.URL
	return d
}

// Requests gives what was asked since the start or the last call of [Device.Forget].
func (d *Device) Requests() []Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

// Forget empties the log.
func (d *Device) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = nil
}

// Count counts the requests of the log with a method, "" for any, and a part of a path.
func (d *Device) Count(method, path string) int {
	n := 0
	for _, r := range d.Requests() {
		if (method == "" || r.Method == method) && strings.Contains(r.Path, path) {
			n++
		}
	}
	return n
}

// Logins is the number of tokens that were ever given.
func (d *Device) Logins() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logins
}

// Token gives a new token, as an administrator makes one for a daemon.
func (d *Device) Token() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.newToken()
}

// ServeHTTP answers one request.
func (d *Device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	asked := Request{
		Method: r.Method, Path: strings.TrimSuffix(r.URL.Path, "/"), Query: r.URL.RawQuery, Auth: "none", Body: string(content),
		transaction: r.Header.Get("X-F5-REST-Coordination-Id"), token: r.Header.Get("X-F5-Auth-Token"),
	}
	user, password, basic := r.BasicAuth()
	switch {
	case asked.token != "":
		asked.Auth = "token"
	case basic:
		asked.Auth = "basic"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	answer := d.answer(asked, user == User && password == Password)
	asked.Status = answer.Status
	d.log = append(d.log, asked)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Status)
	if answer.Body != nil {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(answer.Body) // a client that is gone gets no answer
	}
}

func (d *Device) answer(r Request, known bool) config.Reply {
	if answer, broken := d.broken(r); broken {
		return answer
	}
	if r.Path == "/mgmt/shared/authn/login" {
		return d.login(r)
	}
	switch {
	case r.Auth == "basic" && !known, r.Auth == "none":
		return config.Refuse(http.StatusUnauthorized, "Authentication failed.")
	case r.Auth == "token" && !d.tokens[r.token]:
		return config.Refuse(http.StatusUnauthorized, "X-F5-Auth-Token does not exist.")
	}
	for _, route := range []struct {
		prefix string
		answer func(Request, string) config.Reply
	}{
		{"/mgmt/shared/authz/tokens/", d.tokenOf},
		{"/mgmt/shared/appsvcs/", d.as3},
		{"/mgmt/shared/service-discovery/task/", d.discover},
		{"/mgmt/tm/transaction", d.transact},
		{"/mgmt/tm/", d.configure},
	} {
		if rest, found := strings.CutPrefix(r.Path, route.prefix); found {
			return route.answer(r, rest)
		}
	}
	return config.Refuse(http.StatusNotFound, "URI path %s not registered. Please verify URI is supported and wait for /available suffix to be responsive.", r.Path)
}
