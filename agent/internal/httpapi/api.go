package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"path"
	"slices"
	"strings"

	"patchbay/tasks"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
)

// Reader tells how tasks stand; it answers at once.
type Reader interface {
	// States lists every task in the order of the configuration.
	States() []tasks.State
	// State gives one task; ok is false when there is none of the name.
	State(name string) (s tasks.State, ok bool)
	// Runs lists the newest runs of a task, newest first, at most limit.
	Runs(name string, limit int) ([]tasks.Run, error)
}

// Operator does what a person asks for. Its errors wrap [tasks.ErrUnknownTask],
// [tasks.ErrNothingHeld], [tasks.ErrOtherPlan], [tasks.ErrDisabledTask] or
// [tasks.ErrStopping]; any other is a fault of the agent.
type Operator interface {
	// Approve lets the held plan of a task through and returns it.
	Approve(ctx context.Context, name string, want ApproveRequest) (tasks.HeldPlan, error)
	// RunNow starts a run and does not wait for its end.
	RunNow(ctx context.Context, name string) error
}

// Prober tells whether the agent does its work.
type Prober interface {
	// Ready is true when the first pass is done and Consul answers; otherwise
	// reasons are plain sentences.
	Ready() (ok bool, reasons []string)
}

// Options are the parts of [New].
type Options struct {
	Reader   Reader
	Operator Operator
	Prober   Prober
	// Author and Decode make and change tasks; when one is nil, tasks are read only.
	Author Author
	Decode Decode
	// Feed tells of changes; nil serves no event streams.
	Feed Feed
	// Reloader reads the configuration anew; nil serves no reload.
	Reloader Reloader
	// Proxies tells of Envoys; nil when none are served.
	Proxies Proxies
	// Canaries tells of canaries and obeys people; nil when there are none.
	Canaries Canaries
	Remote   Remote
	// Metrics answers GET /metrics; nil answers 404.
	Metrics http.Handler
	// Log gets one debug line per request but health; nil is silent.
	Log hclog.Logger
	// Inherited gives what tasks take over that set none of their own: others show
	// what they have; nil is not known.
	Inherited func() Inherited
	// Names are the listener's own host names, without port, that a Host header
	// of a write may have besides addresses and localhost.
	Names []string
}

// api answers requests.
type api struct {
	Options
	newID func() string
	// seats has one element per open event stream.
	seats chan struct{}
}

// New makes the handler of the whole API.
func New(o Options) http.Handler { return newAPI(o, uuid.NewString) }

func newAPI(o Options, newID func() string) http.Handler {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	a := &api{Options: o, newID: newID, seats: make(chan struct{}, maxStreams)}
	return logging{a.logged(a.mux()), o.Log}
}

// route is one path of the API.
type route struct {
	pattern string
	// api names the group of endpoints in the 405 text.
	api string
	// old endpoints leave request_id out of failures, as in CTS.
	old     bool
	methods map[string]func(exchange)
}

// wire puts a task on the wire.
func (a *api) wire(t tasks.Task) Task {
	if a.Inherited == nil {
		return NewTask(t, nil)
	}
	inherited := a.Inherited()
	return NewTask(t, &inherited)
}

// authored tells whether tasks can be made and changed here.
func (a *api) authored() bool { return a.Author != nil && a.Decode != nil }

func (a *api) routes() []route {
	get := func(f func(exchange)) map[string]func(exchange) { return map[string]func(exchange){http.MethodGet: f} }
	post := func(f func(exchange)) map[string]func(exchange) {
		return map[string]func(exchange){http.MethodPost: a.guarded(f)}
	}
	all := map[string]func(exchange){http.MethodGet: a.tasks}
	one := map[string]func(exchange){http.MethodGet: a.task}
	if a.authored() {
		all[http.MethodPost] = a.guarded(a.create)
		one[http.MethodPatch], one[http.MethodDelete] = a.guarded(a.update), a.guarded(a.remove)
	}
	routes := []route{
		{"/v1/openapi.yaml", "document", false, get(a.document)},
		{"/ui", "page", false, get(a.page)},
		{"/v1/health", "health", false, get(a.health)},
		{"/v1/health/ready", "health", false, get(a.ready)},
		{"/v1/status", "overallStatus", true, get(a.summary)},
		{"/v1/status/cluster", "cluster status", false, get(a.cluster)},
		{"/v1/status/tasks", "task status", true, get(a.taskStatus)},
		{"/v1/status/tasks/{name...}", "task status", true, get(a.taskStatus)},
		{"/v1/tasks", "task", false, all},
		{"/v1/tasks/{name}", "task", false, one},
		{"/v1/state", "state", false, get(a.states)},
		{"/v1/tasks/{name}/state", "task", false, get(a.state)},
		{"/v1/tasks/{name}/runs", "task", false, get(a.runs)},
		{"/v1/tasks/{name}/runs/{id}", "task", false, get(a.run)},
		{"/v1/tasks/{name}/approve", "task", false, post(a.approve)},
		{"/v1/tasks/{name}/run", "task", false, post(a.runNow)},
		{"/v1/canaries", "canary", false, get(a.canaries)},
		{"/v1/canaries/{name}", "canary", false, get(a.canary)},
		{"/v1/canaries/{name}/{command}", "canary", false, post(a.commandCanary)},
		{"/v1/xds", "xds", false, get(a.served(a.xds))},
		{"/v1/xds/clients/{node}", "xds", false, get(a.served(a.xdsClient))},
	}
	if a.Reloader != nil {
		routes = append(routes, route{"/v1/reload", "reload", false, post(a.reload)})
	}
	if a.Feed != nil {
		routes = append(routes,
			route{"/v1/events", "events", false, get(a.allEvents)},
			route{"/v1/tasks/{name}/events", "task", false, get(a.taskEvents)})
	}
	return routes
}

func (a *api) mux() http.Handler {
	mux := http.NewServeMux()
	for _, r := range a.routes() {
		mux.HandleFunc(r.pattern, r.serve)
	}
	if a.Metrics != nil {
		mux.Handle("GET /metrics", a.Metrics)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := path.Clean("/" + r.URL.Path); {
		case r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusOK)
		case r.URL.Path != p && (r.URL.Path != p+"/" || p == "/"):
			http.NotFound(w, r) // the mux would redirect to another path
		case r.Method == http.MethodPatch && r.URL.Path == "/v1/tasks/" && a.authored():
			exchange{w: w, r: r, old: true}.fail(http.StatusBadRequest, "no task name was given: ask for /v1/tasks/NAME")
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// serve calls the endpoint of the request's method.
func (r route) serve(w http.ResponseWriter, req *http.Request) {
	x := exchange{w: w, r: req, old: r.old}
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if f, ok := r.methods[method]; ok {
		f(x)
		return
	}
	var allowed []string
	for m := range r.methods {
		allowed = append(allowed, m)
	}
	// The contract's 405 of a task names PATCH alone: it comes first.
	slices.SortFunc(allowed, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	x.old = true // the contract's 405 has no request_id anywhere
	x.fail(http.StatusMethodNotAllowed, "'%s' in an unsupported method. The %s API currently supports the method(s): '%s'",
		req.Method, r.api, strings.Join(allowed, "', '"))
}

func rank(method string) int {
	if method == http.MethodPatch {
		return 0
	}
	return 1
}
