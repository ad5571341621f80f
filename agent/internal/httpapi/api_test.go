package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var start = time.Date(2026, 11, 21, 22, 50, 26, 686_000_000, time.UTC)

// fake is an agent with three tasks: web succeeded, db failed, new never ran.
type fake struct {
	list     []tasks.State
	history  map[string][]tasks.Run
	broken   error
	ready    bool
	approved ApproveRequest
	err      error
	limits   []int
	author   *author // nil makes tasks read only
	remote   Remote
	decode   Decode // nil is decodeTask
	proxies  Proxies
	canaries Canaries
	reloader Reloader
}

func (f *fake) States() []tasks.State { return f.list }

func (f *fake) State(name string) (tasks.State, bool) {
	for _, s := range f.list {
		if s.Task.Name == name {
			return s, true
		}
	}
	return tasks.State{}, false
}

func (f *fake) Runs(name string, limit int) ([]tasks.Run, error) {
	f.limits = append(f.limits, limit)
	runs := f.history[name]
	return runs[:min(limit, len(runs))], f.broken
}

func (f *fake) Approve(_ context.Context, name string, want ApproveRequest) (tasks.HeldPlan, error) {
	f.approved = want
	return tasks.HeldPlan{Task: name, Run: "run-7", Changes: want.Changes, Serial: 4, Since: start}, f.err
}

func (f *fake) RunNow(context.Context, string) error { return f.err }

func (f *fake) Ready() (bool, []string) {
	if f.ready {
		return true, nil
	}
	return false, []string{"Consul does not answer", "the first pass is not done"}
}

func run(task string, n int, phase tasks.Phase) tasks.Run {
	r := tasks.Run{ID: fmt.Sprintf("run-%d", n), Task: task, Trigger: tasks.Changed, Phase: phase, Module: "acme/rules/fw",
		Started: start.Add(time.Duration(n) * time.Minute), Updated: start.Add(time.Duration(n)*time.Minute + 4*time.Second),
		Tries: 1, Providers: []string{"fw"}, Plan: tasks.Plan{Changes: []tasks.Change{}}}
	if phase == tasks.Failed || phase == tasks.Retrying {
		r.Attempts = []tasks.Attempt{{At: start, Phase: tasks.Planning, Error: "first"}, {At: start, Phase: tasks.Applying, Error: "exit status 1: <b>\xff"}}
	}
	return r
}

// devices is a change with every field that the API tells.
func devices() []tasks.DeviceChange {
	why := tasks.Why{Kind: tasks.WhyCheck, Service: "web", Instance: "web-1.n1.dc1", Node: "n1", Check: "http /health", Status: catalog.Critical,
		Output: "connection refused", Since: start, Last: start.Add(time.Second), Earlier: true, After: time.Minute, To: "10.0.0.2:80"}
	return []tasks.DeviceChange{{Object: "pool web_pool", Alike: []string{"pool b"}, MoreAlike: 1, Action: tasks.Update, Unit: "members",
		Size: &tasks.Size{Before: 32, After: 31}, Notes: []string{"description a → b"}, Text: []string{"pool web_pool 32 → 31 members"},
		Items: []tasks.ItemChange{{What: tasks.ItemRemoved, Items: []string{"10.0.4.17:8080"}, More: 3, Detail: "weight 1 → 5", Why: &why}}}}
}

func newFake() *fake {
	web, db := run("web", 9, tasks.Held), run("db", 3, tasks.Retrying)
	db.Services = []string{"db", "cache"}
	web.Devices, web.MoreDevices = devices(), 2
	digest := catalog.NewHasher().String("x").Sum()
	names := tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}}
	pattern := tasks.Services{Selector: catalog.Selector{Regexp: "^db<", Datacenter: "dc2", Namespace: "ns"}, Filter: `"a" in Service.Tags`,
		UserMeta: map[string]string{"k": "v"}}
	return &fake{
		ready: true,
		list: []tasks.State{
			{Task: tasks.Task{Name: "web", Description: "the front", Enabled: true, Module: "acme/rules/fw", Version: "1.0.0", Providers: []string{"fw", "fw.b"},
				Variables: map[string]cty.Value{"zone": cty.StringVal("dmz"), "n": cty.NumberIntVal(3), "none": cty.NullVal(cty.String),
					"list": cty.TupleVal([]cty.Value{cty.StringVal("${x}\n"), cty.True}), "nil": cty.NilVal, "unknown": cty.UnknownVal(cty.String),
					"secret": cty.ObjectVal(map[string]cty.Value{"password": cty.StringVal("hidden").Mark("sensitive")})},
				Condition:    tasks.Condition{Services: &names, UseAsModuleInput: true},
				ModuleInputs: []tasks.ModuleInput{{Services: &pattern}, {Services: &names}}},
				Status: tasks.StatusSuccessful, Newest: &web, Note: "waits for an approval",
				Record: tasks.Record{
					Held:    &tasks.HeldPlan{Task: "web", Run: "run-9", Input: digest, Changes: digest, Serial: 3, Findings: []tasks.Finding{}, Since: start},
					Applied: &tasks.AppliedInput{Run: "run-8", Input: digest, At: start, Members: make([]catalog.Member, 32)},
				}},
			{Task: tasks.Task{Name: "db", Enabled: true, Module: "builtin/nginx", Condition: tasks.Condition{Services: &pattern}, OldServices: []string{"db", "cache"},
				Guard: tasks.Guard{MaxDestroys: 3}},
				Status: tasks.StatusCritical, Newest: &db},
			{Task: tasks.Task{Name: "new", Module: "./m"}, Status: tasks.StatusUnknown},
		},
		history: map[string][]tasks.Run{
			"web": {web, run("web", 8, tasks.Applied), run("web", 7, tasks.Inspected), run("web", 6, tasks.Unchanged), run("web", 5, tasks.Failed),
				run("web", 4, tasks.Applied), run("web", 3, tasks.Interrupted), run("web", 2, tasks.Applied), run("web", 1, tasks.Applied)},
			"db": {db, run("db", 2, tasks.Failed)},
		},
	}
}

// call sends a request from this machine; edits change it before.
func call(t *testing.T, f *fake, method, target string, body io.Reader, edits ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:8558"
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, edit := range edits {
		edit(r)
	}
	w := httptest.NewRecorder()
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "patchbay_up 1\n") })
	o := Options{Reader: f, Operator: f, Prober: f, Metrics: metrics, Remote: f.remote, Reloader: f.reloader, Proxies: f.proxies, Canaries: f.canaries}
	if f.author != nil {
		o.Author, o.Decode = f.author, decodeTask
		if f.decode != nil {
			o.Decode = f.decode
		}
	}
	checked(t, newAPI(o, func() string { return "98dc0a25" })).ServeHTTP(w, r)
	return w
}

// golden compares an answer with a file: its status, then its JSON, indented.
func golden(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	if err := json.Indent(&b, w.Body.Bytes(), "", " "); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	path := filepath.Join("testdata", "answers", strings.ReplaceAll(name, " ", "-")+".json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersHaveTheirShapes(t *testing.T) {
	digest := catalog.NewHasher().String("x").Sum().String()
	for name, c := range map[string]struct{ method, target, body string }{
		"health":                        {"GET", "/v1/health", ""},
		"ready":                         {"GET", "/v1/health/ready", ""},
		"summary":                       {"GET", "/v1/status", ""},
		"cluster":                       {"GET", "/v1/status/cluster", ""},
		"status of all":                 {"GET", "/v1/status/tasks", ""},
		"status of all by a slash":      {"GET", "/v1/status/tasks/", ""},
		"status of one with events":     {"GET", "/v1/status/tasks/web?include=events", ""},
		"status of all with events":     {"GET", "/v1/status/tasks?include=events&other=1", ""},
		"status of the critical":        {"GET", "/v1/status/tasks?status=CRITICAL", ""},
		"status of one of another":      {"GET", "/v1/status/tasks/web?status=critical", ""},
		"tasks":                         {"GET", "/v1/tasks", ""},
		"task":                          {"GET", "/v1/tasks/web", ""},
		"states":                        {"GET", "/v1/state", ""},
		"state":                         {"GET", "/v1/tasks/web/state", ""},
		"state before the first run":    {"GET", "/v1/tasks/new/state", ""},
		"runs":                          {"GET", "/v1/tasks/web/runs?limit=2", ""},
		"no runs":                       {"GET", "/v1/tasks/new/runs", ""},
		"run":                           {"GET", "/v1/tasks/web/runs/run-8", ""},
		"approve":                       {"POST", "/v1/tasks/web/approve", `{"by":"kim","reason":"ticket 7\nok","changes":"` + digest + `"}`},
		"approve what is held":          {"POST", "/v1/tasks/web/approve", `{}`},
		"run now":                       {"POST", "/v1/tasks/web/run", ""},
		"unknown task":                  {"GET", "/v1/tasks/x'%22%3Cscript%3E", ""},
		"unknown task state":            {"GET", "/v1/tasks/x/state", ""},
		"unknown task runs":             {"GET", "/v1/tasks/x/runs", ""},
		"unknown task status":           {"GET", "/v1/status/tasks/x", ""},
		"unknown task run":              {"GET", "/v1/tasks/x/runs/run-8", ""},
		"unknown run":                   {"GET", "/v1/tasks/web/runs/run-99", ""},
		"name with a slash":             {"GET", "/v1/tasks/a%2Fb", ""},
		"name that is no text":          {"GET", "/v1/tasks/%FF%00%0A", ""},
		"status of a name with a slash": {"GET", "/v1/status/tasks/a/b", ""},
		"status by an escaped slash":    {"GET", "/v1/status/tasks/a%2Fb", ""},
		"put a task":                    {"PUT", "/v1/tasks/web", ""},
		"create a task":                 {"POST", "/v1/tasks", "{}"},
		"put a status":                  {"PUT", "/v1/status/tasks/web", ""},
		"delete the status":             {"DELETE", "/v1/status", ""},
		"get an approval":               {"GET", "/v1/tasks/web/approve", ""},
		"other include":                 {"GET", "/v1/status/tasks?include=all", ""},
		"repeated include":              {"GET", "/v1/status/tasks?include=events&include=events", ""},
		"other status":                  {"GET", "/v1/status/tasks?status=held", ""},
		"repeated status":               {"GET", "/v1/status/tasks/web?status=errored&status=critical", ""},
		"bad query":                     {"GET", "/v1/status/tasks?status=%zz", ""},
		"limit of none":                 {"GET", "/v1/tasks/web/runs?limit=0", ""},
		"limit too great":               {"GET", "/v1/tasks/web/runs?limit=1001", ""},
		"limit in words":                {"GET", "/v1/tasks/web/runs?limit=ten", ""},
		"approve with a list":           {"POST", "/v1/tasks/web/approve", `[]`},
		"approve with null":             {"POST", "/v1/tasks/web/approve", `null`},
		"approve an unknown field":      {"POST", "/v1/tasks/web/approve", `{"force":true}`},
		"approve twice":                 {"POST", "/v1/tasks/web/approve", `{}{}`},
		"approve no digest":             {"POST", "/v1/tasks/web/approve", `{"changes":"abc"}`},
		"approve with a wrong type":     {"POST", "/v1/tasks/web/approve", `{"by":1}`},
		"approve by a control":          {"POST", "/v1/tasks/web/approve", `{"by":"\u001b[2J"}`},
		"approve by a long name":        {"POST", "/v1/tasks/web/approve", `{"by":"` + strings.Repeat("k", MaxBy+1) + `"}`},
		"approve for a long reason":     {"POST", "/v1/tasks/web/approve", `{"reason":"` + strings.Repeat("k", MaxReason+1) + `"}`},
		"approve for a control":         {"POST", "/v1/tasks/web/approve", `{"reason":"a\u0007"}`},
		"too large":                     {"POST", "/v1/tasks/web/approve", `{"by":"` + strings.Repeat("k", maxBody) + `"}`},
		"run with a body":               {"POST", "/v1/tasks/web/run", `{"force":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			golden(t, name, call(t, newFake(), c.method, c.target, body))
		})
	}
}

func TestTheOperatorsErrorsHaveTheirStatus(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"unknown task": {tasks.ErrUnknownTask, 404}, "nothing held": {tasks.ErrNothingHeld, 409}, "other plan": {tasks.ErrOtherPlan, 409},
		"disabled": {tasks.ErrDisabledTask, 409}, "stopping": {tasks.ErrStopping, 503}, "another error": {errors.New("disk full"), 500},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.err = fmt.Errorf("ask task web: %w", c.err)
			for path, body := range map[string]io.Reader{"approve": strings.NewReader("{}"), "run": nil} {
				w := call(t, f, "POST", "/v1/tasks/web/"+path, body)
				var got Failure
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != c.status || got.RequestID != "98dc0a25" {
					t.Fatalf("%s: %d %s, %v", path, w.Code, w.Body, err)
				}
				if want := c.err.Error(); c.status != 404 && !strings.Contains(got.Error.Message, want) {
					t.Errorf("%s: %q does not tell %q", path, got.Error.Message, want)
				}
			}
		})
	}
}

func TestAnApprovalReachesTheOperatorAsItWasSent(t *testing.T) {
	f := newFake()
	want := ApproveRequest{By: "kim", Reason: "ticket 7", Changes: catalog.NewHasher().String("x").Sum()}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if w := call(t, f, "POST", "/v1/tasks/web/approve", bytes.NewReader(body)); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff(want, f.approved); diff != "" {
		t.Error(diff)
	}
}

func TestNotReadyTellsWhy(t *testing.T) {
	f := newFake()
	f.ready = false
	golden(t, "not ready", call(t, f, "GET", "/v1/health/ready", nil))
}

func TestAnUnreadableHistoryIsAFailureOfTheAnswerOnly(t *testing.T) {
	f := newFake()
	f.broken = errors.New("read runs: damaged")
	for _, target := range []string{"/v1/tasks/web/runs", "/v1/tasks/web/runs/run-8", "/v1/status/tasks?include=events"} {
		if w := call(t, f, "GET", target, nil); w.Code != 500 || !strings.Contains(w.Body.String(), "damaged") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := call(t, f, "GET", "/v1/status/tasks", nil); w.Code != 200 {
		t.Errorf("status without events: %d", w.Code)
	}
}

func TestEventsAreFoundBehindManyHeldRuns(t *testing.T) {
	f := newFake()
	var runs []tasks.Run
	for n := range 300 {
		runs = append(runs, run("web", 1000-n, tasks.Held))
	}
	f.history["web"] = append(runs, f.history["web"]...)
	w := call(t, f, "GET", "/v1/status/tasks/web?include=events", nil)
	var got map[string]TaskStatus
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got["web"].Events) != tasks.EventRuns {
		t.Errorf("%d events, %v", len(got["web"].Events), err)
	}
	if diff := cmp.Diff([]int{4 * tasks.EventRuns, MaxRuns}, f.limits); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownPathsAnswerPlainText(t *testing.T) {
	for _, target := range []string{"/", "/v1", "/v1/", "/v1/x", "/v1/status/", "/v1/status/x", "/v1/tasks/", "/v1/tasks/a/b", "/v1/tasks/web/runs/a/b",
		"/v1//tasks", "/v1/tasks/../status", "//", "/.", "/v1/tasks/%2e%2e/status", "/v1/health/x", "/V1/health", "/metrics/x"} {
		w := call(t, newFake(), "GET", target, nil)
		if w.Code != 404 || w.Body.String() != "404 page not found\n" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %q %s", target, w.Code, w.Body, w.Header())
		}
	}
}

func TestEveryAnswerHasTheCORSHeaders(t *testing.T) {
	for _, c := range [][2]string{{"GET", "/v1/health"}, {"GET", "/nowhere"}, {"PUT", "/v1/tasks"}, {"OPTIONS", "/v1/tasks/web"}, {"OPTIONS", "/nowhere"},
		{"HEAD", "/v1/status"}, {"GET", "/metrics"}} {
		w := call(t, newFake(), c[0], c[1], nil)
		for key, want := range map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Content-Type",
			"Access-Control-Allow-Methods": "GET, PUT, PATCH, POST, DELETE"} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("%s: %s is %q", c, key, got)
			}
		}
		if c[0] == "OPTIONS" && w.Code != 200 {
			t.Errorf("%s: %d", c, w.Code)
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	if w := call(t, newFake(), "GET", "/metrics", nil); w.Code != 200 || w.Body.String() != "patchbay_up 1\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
