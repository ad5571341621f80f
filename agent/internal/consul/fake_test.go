package consul

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The ports of the tests' Consul servers are kept by a goroutine without end.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/hashicorp/consul/sdk/freeport.checkFreedPorts"))
}

// call is one request as the fake saw it.
type call struct {
	path, escaped, query, token string
	blocking, consistent        bool
	service                     string
	at                          time.Time
	gone                        <-chan struct{}
}

// lie answers a call instead of the fake; false leaves it to the truth.
type lie func(w http.ResponseWriter, c call) bool

// fake is a Consul that keeps services and nodes in memory, answers blocking
// queries and lies on request.
type fake struct {
	mu       sync.Mutex
	index    uint64
	services map[string][]*api.ServiceEntry
	touched  map[string]uint64
	nodes    map[string]string // name to the status of serfHealth, "" for none
	changed  chan struct{}
	lie      lie
	calls    []call
	open     int
	mostOpen int
}

func newFake() *fake {
	return &fake{index: 10, services: map[string][]*api.ServiceEntry{}, touched: map[string]uint64{},
		nodes: map[string]string{}, changed: make(chan struct{})}
}

// change runs f under the lock with a new index and wakes blocked queries.
func (f *fake) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index++
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// set makes entries all instances of a service; none takes it off the list.
func (f *fake) set(service string, entries ...*api.ServiceEntry) {
	f.change(func() {
		f.services[service] = entries
		f.touched[service] = f.index
		if len(entries) == 0 {
			delete(f.services, service)
		}
		for _, e := range entries {
			if _, ok := f.nodes[e.Node.Node]; !ok {
				f.nodes[e.Node.Node] = catalog.Passing
			}
		}
	})
}

// restore makes the index fall to 5, as a restored snapshot does.
func (f *fake) restore() {
	f.change(func() {
		f.index = 5
		for name := range f.touched {
			f.touched[name] = 5
		}
	})
}

func (f *fake) tell(l lie) {
	f.change(func() { f.lie = l })
}

func (f *fake) seen(keep func(call) bool) (out []call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if keep(c) {
			out = append(out, c)
		}
	}
	return out
}

// most is how many requests were open at once.
func (f *fake) most() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mostOpen
}

// ServeHTTP implements [http.Handler].
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	index, _ := strconv.ParseUint(q.Get("index"), 10, 64)
	wait, _ := time.ParseDuration(q.Get("wait"))
	c := call{path: r.URL.Path, escaped: r.URL.EscapedPath(), query: r.URL.RawQuery, token: r.Header.Get("X-Consul-Token"),
		blocking: index > 0, consistent: q.Has("consistent"), at: time.Now(), gone: r.Context().Done()}
	c.service = strings.TrimPrefix(r.URL.Path, "/v1/health/service/")
	f.mu.Lock()
	f.calls = append(f.calls, c)
	f.open++
	f.mostOpen = max(f.mostOpen, f.open)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.open--
	}()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		f.mu.Lock()
		current, changed, tell := f.indexOf(c), f.changed, f.lie
		f.mu.Unlock()
		if tell != nil && tell(w, c) {
			return
		}
		if !c.blocking || current > index {
			break
		}
		select {
		case <-changed:
			continue
		case <-deadline.C:
		case <-r.Context().Done():
			return
		}
		break
	}
	f.answer(w, c)
}

func (f *fake) indexOf(c call) uint64 {
	if strings.HasPrefix(c.path, "/v1/health/service/") && f.touched[c.service] > 0 {
		return f.touched[c.service]
	}
	return f.index
}

func (f *fake) answer(w http.ResponseWriter, c call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	index := f.indexOf(c)
	switch {
	case c.path == "/v1/status/leader":
		reply(w, index, "127.0.0.1:8300")
	case c.path == "/v1/catalog/services":
		names := map[string][]string{"consul": {}}
		for name, entries := range f.services {
			names[name] = entries[0].Service.Tags
		}
		reply(w, index, names)
	case strings.HasPrefix(c.path, "/v1/health/node/"):
		checks := api.HealthChecks{}
		if status := f.nodes[strings.TrimPrefix(c.path, "/v1/health/node/")]; status != "" {
			checks = append(checks, &api.HealthCheck{CheckID: catalog.SerfHealth, Status: status})
		}
		reply(w, index, checks)
	case strings.HasPrefix(c.path, "/v1/catalog/node/"):
		name := strings.TrimPrefix(c.path, "/v1/catalog/node/")
		if _, ok := f.nodes[name]; !ok {
			reply(w, index, nil)
			return
		}
		reply(w, index, api.CatalogNode{Node: &api.Node{Node: name}})
	default:
		reply(w, index, append([]*api.ServiceEntry{}, f.services[c.service]...))
	}
}

func reply(w http.ResponseWriter, index uint64, body any) {
	w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body)
}

// instance is one instance of web with a passing check of its own.
func instance(id, node string, port int) *api.ServiceEntry {
	return named("web", id, node, port)
}

func named(service, id, node string, port int) *api.ServiceEntry {
	return &api.ServiceEntry{
		Node:    &api.Node{Node: node, Address: "10.0.0.1", Datacenter: "dc1"},
		Service: &api.AgentService{ID: id, Service: service, Port: port, Weights: api.AgentWeights{Passing: 1, Warning: 1}},
		Checks:  api.HealthChecks{{CheckID: "c:" + id, Name: "http", Status: catalog.Passing, ServiceID: id}},
	}
}

func several(n int) (out []*api.ServiceEntry) {
	for i := range n {
		out = append(out, instance("web-"+strconv.Itoa(i), "n"+strconv.Itoa(i), 8000+i))
	}
	return out
}

func failingCheck(e *api.ServiceEntry) *api.ServiceEntry {
	e.Checks[0].Status, e.Checks[0].Output = catalog.Critical, "connection refused"
	return e
}

// pipes is a listener whose connections are in memory, so that time may stand
// still while they are idle.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// world is a client and its fake Consul in a bubble of time.
type world struct {
	*fake
	t      *testing.T
	ctx    context.Context
	client *Client
	start  time.Time
}

// inWorld runs f with a client of cfg that runs against a fake.
func inWorld(t *testing.T, cfg config.Consul, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		w := &world{fake: newFake(), t: t, ctx: ctx, start: time.Now()}
		server := &http.Server{Handler: w.fake}
		transport := &http.Transport{DialContext: listener.dial, MaxIdleConnsPerHost: 100}
		if cfg.MaxPolls == 0 {
			cfg.MaxPolls = 100
		}
		client, err := newClient(cfg, hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Trace}), transport)
		if err != nil {
			t.Fatal(err)
		}
		w.client = client
		var group sync.WaitGroup
		group.Go(func() { server.Serve(listener) })
		group.Go(func() {
			if err := client.Run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		defer func() {
			cancel()
			listener.Close()
			server.Close()
			transport.CloseIdleConnections()
			group.Wait()
		}()
		f(w)
	})
}

var withToken = config.Consul{Address: "consul.invalid:8500", Token: tasks.NewSecret("s3cret")}

func byName(names ...string) catalog.Selector { return catalog.Selector{Names: names} }

func (w *world) watch(selectors ...catalog.Selector) <-chan catalog.Snapshot {
	return w.client.Watch(w.ctx, wants(selectors))
}

// next is the next snapshot and how long it took.
func (w *world) next(ch <-chan catalog.Snapshot) (catalog.Snapshot, time.Duration) {
	w.t.Helper()
	asked := time.Now()
	select {
	case s, ok := <-ch:
		if !ok {
			w.t.Fatal("the channel was closed")
		}
		return s, time.Since(asked)
	case <-time.After(time.Hour):
		w.t.Fatalf("no snapshot came within an hour; queries: %+v", w.client.Queries())
	}
	return catalog.Snapshot{}, 0
}

// until is the first snapshot that is as wanted, and all that came before it.
func (w *world) until(ch <-chan catalog.Snapshot, wanted func(catalog.Snapshot) bool) (s catalog.Snapshot, before []catalog.Snapshot) {
	w.t.Helper()
	for range 100 {
		if s, _ = w.next(ch); wanted(s) {
			return s, before
		}
		before = append(before, s)
	}
	w.t.Fatal("100 snapshots came and none was as wanted")
	return s, before
}

// quiet fails when a snapshot comes within d.
func (w *world) quiet(ch <-chan catalog.Snapshot, d time.Duration) {
	w.t.Helper()
	select {
	case s := <-ch:
		w.t.Fatalf("a snapshot came: %s", describe(s))
	case <-time.After(d):
	}
}

func describe(s catalog.Snapshot) string {
	var out []string
	for _, v := range s.Views() {
		b, _ := json.Marshal(struct {
			Query   string
			N       int
			Names   []string
			Verdict catalog.Verdict
			Epoch   int
		}{v.Query.String(), v.Len(), names(v), v.Verdict, v.Epoch})
		out = append(out, string(b))
	}
	return strings.Join(out, "\n")
}

func names(v *catalog.View) (out []string) {
	for name := range v.Names {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// view is the health view of a service.
func view(t *testing.T, s catalog.Snapshot, service string) *catalog.View {
	t.Helper()
	v, ok := s.View(catalog.Query{Kind: catalog.ServiceHealth, Name: service})
	if !ok {
		t.Fatalf("the snapshot has no view of %s:\n%s", service, describe(s))
	}
	return v
}

func trusted(s catalog.Snapshot) bool {
	return !slices.ContainsFunc(s.Views(), func(v *catalog.View) bool { return v.Verdict.Trust != catalog.Trusted })
}

func trust(want catalog.Trust) func(catalog.Snapshot) bool {
	return func(s catalog.Snapshot) bool { return s.Views()[0].Verdict.Trust == want }
}

// health tells whether c asks for the health of instances.
func health(c call) bool { return strings.HasPrefix(c.path, "/v1/health/service/") }

func status(code int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code); io.WriteString(w, body) }
}

func raw(index, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.Header().Set("X-Consul-Index", index); io.WriteString(w, body) }
}

func wants(selectors []catalog.Selector) (out []catalog.Want) {
	for _, s := range selectors {
		out = append(out, s)
	}
	return out
}
