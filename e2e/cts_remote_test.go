package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

// operation is a path of the API with a method, as its document lists them.
type operation struct{ method, path string }

func (o operation) String() string { return o.method + " " + o.path }

var (
	documentPath   = regexp.MustCompile(`^  (/[^:]*):$`)
	documentMethod = regexp.MustCompile(`^    (get|put|post|delete|options|head|patch|trace):$`)
)

// operations lists what the API's document says that can be asked.
func (w *world) operations() (out []operation) {
	w.t.Helper()
	path := ""
	for line := range strings.Lines(w.send("GET", "/v1/openapi.yaml", "", 200).Body) {
		line = strings.TrimRight(line, "\n")
		if m := documentPath.FindStringSubmatch(line); m != nil {
			path = m[1]
		}
		if m := documentMethod.FindStringSubmatch(line); m != nil {
			out = append(out, operation{strings.ToUpper(m[1]), path})
		}
	}
	if len(out) < 20 {
		w.t.Fatalf("the document has the operations %v only", out)
	}
	return out
}

// on is the path of an operation on a task.
func (o operation) on(task string) string {
	return strings.NewReplacer("{name}", task, "{id}", "r-1").Replace(o.path)
}

// fromAnotherHost asks the API as another host does.
func (w *world) fromAnotherHost(r rig.Request) rig.Answer {
	w.t.Helper()
	var err error
	r.From, err = rig.OtherAddress()
	w.must(err)
	a, err := w.patchbay.Ask(r)
	w.must(err)
	return a
}

// disabling is a write that changes a task and is seen at once.
var disabling = rig.Request{Method: "PATCH", Path: "/v1/tasks/ids", Body: `{"enabled":false}`}

// settled starts a daemon with one task and waits until that ran and may be changed.
func (w *world) settled(use func(w *world), blocks ...string) {
	w.t.Helper()
	use(w)
	module, _ := w.noteModule("ids", "sort([for s in var.services : s.id])")
	w.start(w.config(local, append(blocks, moduleTask("ids", "web", module))...))
	w.shows("/v1/status/tasks/ids", `"status":"successful"`)
}

// enabled tells whether the API shows a task as enabled.
func (w *world) enabled(task string) bool {
	w.t.Helper()
	return strings.Contains(w.send("GET", "/v1/tasks/"+task, "", 200).Body, `"enabled":true`)
}

func TestAnotherHostReadsAndMayNotWrite(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		w.settled(use)
		writes := 0
		for _, o := range w.operations() {
			if o.method == "GET" {
				continue
			}
			writes++
			a := w.fromAnotherHost(rig.Request{Method: o.method, Path: o.on("ids"), Body: `{"enabled":false}`})
			if a.Status != 403 {
				t.Errorf("%s from another host answered %d, want 403: %s", o, a.Status, a.Body)
			}
			wantText(t, a.Body, "another host than the agent's", "nothing was changed", "api allow_remote_writes", `"request_id"`)
		}
		if writes < 4 {
			t.Errorf("%d operations write, want those of tasks at least", writes)
		}
		for _, path := range []string{"/v1/health", "/v1/status", "/v1/tasks", "/v1/status/tasks/ids?include=events"} {
			if a := w.fromAnotherHost(rig.Request{Method: "GET", Path: path}); a.Status != 200 {
				t.Errorf("GET %s from another host answered %d, want 200: %s", path, a.Status, a.Body)
			}
		}
		if got := w.taskNames(); !slices.Equal(got, []string{"ids"}) || !w.enabled("ids") || len(w.runs("ids")) != 1 {
			t.Errorf("after refused writes: tasks %v, enabled %t, %d runs; want that nothing changed", got, w.enabled("ids"), len(w.runs("ids")))
		}
	})
}

func TestAnotherHostMayWriteWhenItIsLetIn(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	for how, c := range map[string]struct {
		api     string
		header  map[string]string
		status  int
		refusal string
	}{
		"by allow_remote_writes":             {"  allow_remote_writes = true", nil, 200, ""},
		"by the token":                       {"  token = \"open-sesame\"", bearer("open-sesame"), 200, ""},
		"not by another token":               {"  token = \"open-sesame\"", bearer("open-barley"), 403, "its bearer token is not the agent's"},
		"not without the token":              {"  token = \"open-sesame\"", nil, 403, "another host than the agent's"},
		"not by a token of no name":          {"", bearer("open-sesame"), 403, "another host than the agent's"},
		"not by allow_remote_writes = false": {"  allow_remote_writes = false", nil, 403, "another host than the agent's"},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
				w := base.beside(t, as+"-"+strings.ReplaceAll(how, " ", "-"))
				w.settled(use, fmt.Sprintf("api {\n%s\n}", c.api))
				r := disabling
				r.Header = c.header
				a := w.fromAnotherHost(r)
				if a.Status != c.status {
					t.Errorf("the write answered %d, want %d: %s", a.Status, c.status, a.Body)
				}
				wantText(t, a.Body, c.refusal)
				if got := w.enabled("ids"); got != (c.status != 200) {
					t.Errorf("afterwards the task is enabled: %t", got)
				}
				w.holdsNo("the answer", a.Body, "open-sesame")
				w.holdsNo("the log", w.patchbay.Output(), "open-sesame")
				w.holdsNo("the list of tasks", w.send("GET", "/v1/tasks", "", 200).Body, "open-sesame")
			})
		})
	}
}

func TestAnotherHostMayWriteWithACertificate(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	ca, err := rig.NewCA(base.dir, "ca")
	base.must(err)
	cert, key, err := ca.Issue("server")
	base.must(err)
	mine, mineKey, err := ca.Issue("client")
	base.must(err)
	for how, c := range map[string]struct {
		tls    string
		status int
	}{
		"that the agent verifies":          {fmt.Sprintf("  verify_incoming = true\n  ca_cert = %q\n", ca.Cert), 200},
		"but not one that it did not want": {"", 403},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
				w := base.beside(t, as+"-"+strings.ReplaceAll(how, " ", "-"))
				w.program.TLS = w.trusting(mine, mineKey, ca)
				w.settled(use, fmt.Sprintf("tls {\n  cert = %q\n  key = %q\n%s}", cert, key, c.tls))
				if a := w.fromAnotherHost(disabling); a.Status != c.status {
					t.Errorf("the write answered %d, want %d: %s", a.Status, c.status, a.Body)
				}
				if got := w.enabled("ids"); got != (c.status != 200) {
					t.Errorf("afterwards the task is enabled: %t", got)
				}
			})
		})
	}
}
