package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shape lists the keys of a JSON text with their kinds, sorted: `a.b string`. Of a
// list the elements together count.
func shape(text string) ([]string, error) {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	found := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 {
				found[path+" {}"] = true
			}
			for key, inner := range v {
				walk(strings.TrimPrefix(path+"."+key, "."), inner)
			}
		case []any:
			if len(v) == 0 {
				found[path+" []"] = true
			}
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		case nil:
			found[path+" null"] = true
		default:
			found[fmt.Sprintf("%s %T", path, v)] = true
		}
	}
	walk("", value)
	return slices.Sorted(maps.Keys(found)), nil
}

// taskShape is a task of an answer with a services condition.
var taskShape = []string{
	"condition.services.cts_user_defined_meta {}", "condition.services.datacenter string", "condition.services.filter string",
	"condition.services.names[] string", "condition.services.namespace string", "condition.services.use_as_module_input bool",
	"description string", "enabled bool", "module string", "module_input {}", "name string", "providers []", "variables.file string", "version string",
}

// under puts a prefix before paths.
func under(prefix string, paths ...string) (out []string) {
	for _, p := range paths {
		out = append(out, prefix+p)
	}
	return out
}

var (
	failureShape = []string{"error.message string", "request_id string"}
	oldFailure   = []string{"error.message string"}
	accepted     = []string{"request_id string"}
	statusShape  = []string{"enabled bool", "events_url string", "providers []", "services []", "status string", "task_name string"}
	eventShape   = []string{"config.providers []", "config.services []", "config.source string", "end_time string", "error null", "id string",
		"start_time string", "success bool", "task_name string"}
)

func TestEveryEndpointAnswersInItsShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.start(w.config(local, w.filesTask("web", "web", filepath.Join(w.dir, "web.txt")),
		w.filesTask("off", "web", filepath.Join(w.dir, "off.txt"), "  enabled = false")))
	w.phase("web", "applied")
	w.must(w.patchbay.AwaitReady(t.Context(), limit))
	definition := func(name, more string) string {
		return fmt.Sprintf(`{"task":{"name":%q,"module":%q,"variables":{"file":%q},"condition":{"services":{"names":["web"]}}%s}}`,
			name, w.plainModule("files", "variable \"file\" {\n  type = string\n}\nresource \"terraform_data\" \"x\" {}\n"), `"x"`, more)
	}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		shape                    []string
		text                     string
	}{
		{"health", "GET", "/v1/health", "", 200, []string{" {}"}, ""},
		{"status", "GET", "/v1/status", "", 200, []string{
			"task_summary.enabled.false float64", "task_summary.enabled.true float64", "task_summary.status.critical float64",
			"task_summary.status.errored float64", "task_summary.status.successful float64", "task_summary.status.unknown float64"},
			`{"task_summary":{"status":{"successful":1,"errored":0,"critical":0,"unknown":1},"enabled":{"true":1,"false":1}}}`},
		{"status of all tasks", "GET", "/v1/status/tasks", "", 200,
			append(under("web.", statusShape...), under("off.", statusShape...)...), `"events_url":"/v1/status/tasks/web?include=events"`},
		{"status of one task", "GET", "/v1/status/tasks/off", "", 200, under("off.", statusShape...), `"events_url":""`},
		{"status with events", "GET", "/v1/status/tasks/web?include=events", "", 200,
			append(under("web.", statusShape...), under("web.events[].", eventShape...)...), `"error":null`},
		{"status by status", "GET", "/v1/status/tasks?status=UNKNOWN", "", 200, under("off.", statusShape...), `"status":"unknown"`},
		{"status by a wrong status", "GET", "/v1/status/tasks?status=good", "", 400, oldFailure, "good"},
		{"status with a wrong include", "GET", "/v1/status/tasks?include=runs", "", 400, oldFailure, "runs"},
		{"status with two includes", "GET", "/v1/status/tasks?include=events&include=events", "", 400, oldFailure, "include"},
		{"status of an unknown task", "GET", "/v1/status/tasks/x", "", 404, oldFailure, "a task with name 'x' does not exist or has not been initialized yet"},
		{"status below a task", "GET", "/v1/status/tasks/web/x", "", 400, oldFailure, ""},
		{"status by another method", "PUT", "/v1/status", "{}", 405, oldFailure, "'PUT' in an unsupported method"},
		{"cluster alone", "GET", "/v1/status/cluster", "", 405, failureShape, "this endpoint is only available with high availability configured"},
		{"tasks", "GET", "/v1/tasks", "", 200, append(under("tasks[].", taskShape...), "request_id string"), `"name":"web"`},
		{"one task", "GET", "/v1/tasks/web", "", 200, append(under("task.", taskShape...), "request_id string"), `"use_as_module_input":true`},
		{"an unknown task", "GET", "/v1/tasks/x", "", 404, failureShape, "a task with name 'x' does not exist or has not been initialized yet"},
		{"a task by another method", "PUT", "/v1/tasks/web", "{}", 405, oldFailure, "'PUT' in an unsupported method. The task API currently supports the method(s): 'PATCH'"},
		{"make without a module", "POST", "/v1/tasks", `{"task":{"name":"x","condition":{"services":{"names":["web"]}}}}`, 400, failureShape, `request body has an error`},
		{"make with an unknown field", "POST", "/v1/tasks", definition("x", `,"working_dir":"/x"`), 400, failureShape, `working_dir`},
		{"make with a wrong type", "POST", "/v1/tasks", definition("x", `,"description":7`), 400, failureShape, `request body has an error`},
		{"make without a condition", "POST", "/v1/tasks", `{"task":{"name":"x","module":"./m","condition":{}}}`, 400, failureShape, ""},
		{"make with a wrong run", "POST", "/v1/tasks?run=NOW", definition("x", ""), 400, failureShape, `parameter \"run\" in query has an error: value is not one of the allowed values [\"now\",\"inspect\"]`},
		{"make with a wrong duration", "POST", "/v1/tasks", definition("x", `,"buffer_period":{"min":"soon"}`), 400, failureShape, "error with task configuration"},
		{"make one that exists", "POST", "/v1/tasks", definition("web", ""), 400, failureShape, "task with name web already exists"},
		{"make one of a bad name", "POST", "/v1/tasks", definition("1/x", ""), 500, failureShape, ""},
		{"inspect a new one", "POST", "/v1/tasks?run=inspect", definition("new", ""), 200, []string{
			"request_id string", "run.changes_present bool", "run.plan string", "task.condition.services.cts_user_defined_meta {}",
			"task.condition.services.datacenter string", "task.condition.services.filter string", "task.condition.services.names[] string",
			"task.condition.services.namespace string", "task.condition.services.use_as_module_input bool", "task.module string", "task.name string",
			"task.variables.file string"}, `"changes_present":true`},
		{"make one", "POST", "/v1/tasks", definition("new", ""), 201, append(under("task.", taskShape...), "request_id string"), `"name":"new"`},
		{"make one and run it", "POST", "/v1/tasks?run=now", definition("ran", ""), 201, append(under("task.", taskShape...), "request_id string"), `"name":"ran"`},
		{"inspect an enabling", "PATCH", "/v1/tasks/off?run=inspect", `{"enabled":true}`, 200, []string{"inspect.changes_present bool", "inspect.plan string"}, "Plan: 1 to add"},
		{"inspect a disabling", "PATCH", "/v1/tasks/web?run=inspect", `{"enabled":false}`, 200, []string{"inspect.changes_present bool", "inspect.plan string"},
			`{"inspect":{"changes_present":false,"plan":""}}`},
		{"enable in any spelling", "PATCH", "/v1/tasks/off?run=NOW", `{"Enabled":"true"}`, 200, []string{" {}"}, ""},
		{"disable", "PATCH", "/v1/tasks/off", `{"enabled":0}`, 200, []string{" {}"}, ""},
		{"change nothing", "PATCH", "/v1/tasks/web", `{}`, 400, oldFailure, ""},
		{"change unknown keys", "PATCH", "/v1/tasks/web", `{"foo":1,"bar":2}`, 400, oldFailure, "request body's JSON contains unsupported keys: bar, foo"},
		{"change with a wrong run", "PATCH", "/v1/tasks/web?run=soon", `{"enabled":true}`, 400, oldFailure, `parameter \"run\" in query has an error: value is not one of the allowed values [\"now\",\"inspect\"]`},
		{"change without JSON", "PATCH", "/v1/tasks/web", `enabled`, 400, oldFailure, ""},
		{"change an unknown task", "PATCH", "/v1/tasks/x", `{"enabled":true}`, 404, failureShape, "a task with name 'x' does not exist"},
		{"change a field", "PATCH", "/v1/tasks/new", `{"description":"changed"}`, 200, []string{" {}"}, ""},
		{"remove one", "DELETE", "/v1/tasks/new", "", 202, accepted, ""},
		{"remove an unknown one", "DELETE", "/v1/tasks/x", "", 404, failureShape, "a task with name 'x' does not exist"},
		{"ready", "GET", "/v1/health/ready", "", 200, []string{"ready bool"}, `{"ready":true}`},
		{"run now", "POST", "/v1/tasks/web/run", "", 202, accepted, ""},
		{"approve nothing", "POST", "/v1/tasks/web/approve", `{"plan":"x"}`, 400, failureShape, ""},
		{"runs of an unknown task", "GET", "/v1/tasks/x/runs", "", 404, failureShape, "a task with name 'x' does not exist"},
		{"too many runs", "GET", "/v1/tasks/web/runs?limit=9999", "", 400, failureShape, "limit"},
		{"an unknown run", "GET", "/v1/tasks/web/runs/x", "", 404, failureShape, "has no run 'x'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := w.patchbay.Send(c.method, c.path, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status != c.status {
				t.Errorf("status %d, want %d: %s", answer.Status, c.status, answer.Body)
			}
			got, err := shape(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(c.shape)
			if diff := cmp.Diff(c.shape, got); diff != "" {
				t.Errorf("the keys of the answer (-want +got):\n%s", diff)
			}
			wantText(t, answer.Body, c.text)
			for header, want := range map[string]string{"Content-Type": "application/json", "Access-Control-Allow-Origin": "*",
				"Access-Control-Allow-Headers": "Content-Type", "Access-Control-Allow-Methods": "GET, PUT, PATCH, POST, DELETE"} {
				if got := answer.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
		})
	}
}

func TestTheDocumentOfTheAPINamesEveryPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(w.config(local))
	document := w.send("GET", "/v1/openapi.yaml", "", 200).Body
	if !strings.HasPrefix(document, "openapi: 3.") {
		t.Errorf("the document begins with %q", document[:min(len(document), 40)])
	}
	for _, path := range []string{"/v1/health", "/v1/health/ready", "/v1/openapi.yaml", "/metrics", "/v1/status", "/v1/status/tasks", "/v1/status/tasks/{name}",
		"/v1/status/cluster", "/v1/tasks", "/v1/tasks/{name}", "/v1/state", "/v1/events", "/v1/tasks/{name}/state", "/v1/tasks/{name}/events",
		"/v1/tasks/{name}/runs", "/v1/tasks/{name}/runs/{id}", "/v1/tasks/{name}/approve", "/v1/tasks/{name}/run"} {
		wantText(t, document, "\n  "+path+":\n")
	}
	wantText(t, w.send("GET", "/metrics", "", 200).Body, "# TYPE ")
	w.send("OPTIONS", "/v1/tasks", "", 200)
	if a := w.send("GET", "/v1/nowhere", "", 404); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("an unknown path answers %q, want plain text", a.Header.Get("Content-Type"))
	}
}

func TestAStreamShowsAChange(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"of all tasks": "/v1/events", "of one task": "/v1/tasks/web/events"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve("web", "web-1")
			w.start(w.config(local, w.filesTask("web", "web", filepath.Join(w.dir, "web.txt"))))
			w.phase("web", "applied")
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, "GET", w.patchbay.API+path, nil)
			w.must(err)
			answer, err := http.DefaultClient.Do(request)
			w.must(err)
			defer answer.Body.Close()
			if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
				t.Fatalf("%d with Content-Type %q, want a stream of events", answer.StatusCode, got)
			}
			lines := bufio.NewScanner(answer.Body)
			lines.Buffer(nil, 1<<20)
			follow(t, lines, "the task as it stands", func(line string) bool {
				return strings.HasPrefix(line, "data:") && strings.Contains(line, `"phase":"applied"`)
			})
			w.serve("web", "web-2")
			follow(t, lines, "the change", func(line string) bool {
				return strings.HasPrefix(line, "data:") && strings.Contains(line, "web-2") && strings.Contains(line, `"phase":"applied"`)
			})
		})
	}
}

// follow reads lines until one is as wanted; the stream's context bounds it.
func follow(t *testing.T, lines *bufio.Scanner, what string, wanted func(line string) bool) {
	t.Helper()
	for lines.Scan() {
		if wanted(lines.Text()) {
			return
		}
	}
	t.Fatalf("the stream ended before it showed %s: %v", what, lines.Err())
}
