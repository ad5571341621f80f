package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/google/go-cmp/cmp"
)

// The tests here ask the program itself what it offers, so that a command or an
// operation without a case below is a failure and none can be forgotten.

// asked is what an operation of the API is asked for, and what it must answer.
type asked struct {
	operation
	query, body string
	status      int
	text        string
	// until ends the reading of a stream.
	until string
}

// operationCases has a case of every operation, in an order that can be asked
// of one daemon: MODULE stands for a module's path.
var operationCases = []asked{
	{operation{"GET", "/v1/health"}, "", "", 200, `{}`, ""},
	{operation{"GET", "/v1/health/ready"}, "", "", 200, `{"ready":true}`, ""},
	{operation{"GET", "/v1/openapi.yaml"}, "", "", 200, "openapi: 3.", ""},
	{operation{"GET", "/ui"}, "", "", 200, "<h2>ids</h2>", ""},
	{operation{"GET", "/metrics"}, "", "", 200, "patchbay_tasks 1", ""},
	{operation{"GET", "/v1/status"}, "", "", 200, `"successful":1`, ""},
	{operation{"GET", "/v1/status/cluster"}, "", "", 405, "only available with high availability configured", ""},
	{operation{"GET", "/v1/status/tasks"}, "?include=events", "", 200, `"success":true`, ""},
	{operation{"GET", "/v1/status/tasks/{name}"}, "", "", 200, `"task_name":"ids"`, ""},
	{operation{"GET", "/v1/state"}, "", "", 200, `"phase":"applied"`, ""},
	{operation{"GET", "/v1/events"}, "", "", 200, `"phase":"applied"`, `"phase":"applied"`},
	{operation{"GET", "/v1/tasks"}, "", "", 200, `"name":"ids"`, ""},
	{operation{"POST", "/v1/tasks"}, "?run=now", `{"task":{"name":"made","module":"MODULE","condition":{"services":{"names":["web"]}}}}`, 201, `"name":"made"`, ""},
	{operation{"GET", "/v1/tasks/{name}"}, "", "", 200, `"request_id"`, ""},
	{operation{"PATCH", "/v1/tasks/{name}"}, "?run=now", `{"enabled":true}`, 200, `{}`, ""},
	{operation{"GET", "/v1/tasks/{name}/state"}, "", "", 200, `"phase":"unchanged"`, ""},
	{operation{"GET", "/v1/tasks/{name}/events"}, "", "", 200, `"name":"ids"`, `"name":"ids"`},
	{operation{"GET", "/v1/tasks/{name}/runs"}, "?limit=1", "", 200, `"phase":"unchanged"`, ""},
	{operation{"GET", "/v1/tasks/{name}/runs/{id}"}, "", "", 404, "has no run 'r-1'", ""},
	{operation{"POST", "/v1/tasks/{name}/approve"}, "", `{"plan":"x"}`, 400, `"request_id"`, ""},
	{operation{"POST", "/v1/tasks/{name}/run"}, "", "", 202, `"request_id"`, ""},
	{operation{"POST", "/v1/reload"}, "", "", 200, `"changes":[]`, ""},
	{operation{"GET", "/v1/canaries"}, "", "", 200, `"canaries":[]`, ""},
	{operation{"GET", "/v1/canaries/{name}"}, "", "", 404, "is not declared", ""},
	{operation{"POST", "/v1/canaries/{name}/{command}"}, "", "", 404, "is no command of a canary", ""},
	{operation{"GET", "/v1/xds"}, "", "", 404, "no Envoys are served", ""},
	{operation{"GET", "/v1/xds/clients/{node}"}, "", "", 404, "no Envoys are served", ""},
	{operation{"DELETE", "/v1/tasks/{name}"}, "", "", 404, "a task with name 'gone' does not exist", ""},
}

// typedCommand is how a command is called, and what must come of it.
type typedCommand struct {
	words string
	// args follow the words and, when the command asks the daemon, its flags.
	args []string
	code int
	text string
}

// commandCases has a case of every command of Patchbay, in an order that can be
// typed with one daemon.
var commandCases = []typedCommand{
	{"version", nil, 0, "Compatible with Terraform"},
	{"help", []string{"start"}, 0, "Run the daemon"},
	{"completion", []string{"bash"}, 0, "bash completion"},
	{"validate", []string{"-config-file", "patchbay.hcl"}, 0, "The configuration is valid: 1 task."},
	{"compare", []string{"-config-file", "patchbay.hcl"}, 0, "ids: same"},
	{"module list", nil, 0, "builtin/nginx"},
	{"module show", []string{"nginx"}, 0, "config_path: string, default"},
	{"module init", []string{"nginx", "copied"}, 0, "module = \"./copied\""},
	{"module lint", []string{"copied"}, 0, "copied: no findings"},
	{"module test", []string{"copied"}, 0, "copied: 11 sets planned."},
	{"canary list", nil, 0, "no canaries are declared"},
	{"canary show", []string{"web"}, 11, "a canary of service 'web' is not declared"},
	{"canary promote", []string{"web"}, 11, "a canary of service 'web' is not declared"},
	{"canary pause", []string{"web"}, 11, "a canary of service 'web' is not declared"},
	{"canary resume", []string{"web"}, 11, "a canary of service 'web' is not declared"},
	{"canary abort", []string{"web"}, 11, "a canary of service 'web' is not declared"},
	{"canary restart", []string{"web"}, 11, "a canary of service 'web' is not declared"},
	{"xds bootstrap", []string{"-service", "web"}, 0, `"cluster": "web"`},
	{"xds status", nil, 11, "no Envoys are served"},
	{"xds show", []string{"web@here"}, 11, "no Envoys are served"},
	{"start", []string{"-config-file", "patchbay.hcl"}, 11, "two agents would overwrite each other"},
	{"reload", nil, 0, "it says what it said before"},
	{"status", nil, 0, "TASK"},
	{"task list", nil, 0, "services web"},
	{"task show", []string{"ids"}, 0, "newest run"},
	{"task run", []string{"-wait", "ids"}, 0, "unchanged"},
	{"task runs", []string{"ids"}, 0, "first pass"},
	{"task logs", []string{"ids"}, 0, "trigger: asked"},
	{"task approve", []string{"-auto-approve", "ids"}, 11, "no plan of 'ids' is held"},
	{"task create", []string{"-auto-approve", "-task-file=task.hcl"}, 0, "Task 'typed' created"},
	{"task update", []string{"-auto-approve", "-task-file=update.hcl", "typed"}, 0, "'typed' update complete!"},
	{"task disable", []string{"typed"}, 0, "'typed' disable complete!"},
	{"task enable", []string{"-auto-approve", "typed"}, 0, "'typed' enable complete!"},
	{"task delete", []string{"-auto-approve", "typed"}, 0, "Task 'typed' has been marked for deletion"},
}

// legacyCommands are those of Consul-Terraform-Sync.
var legacyCommands = []string{"start", "task create", "task delete", "task disable", "task enable"}

// casesOf are the cases of the commands that the program has under a name.
func casesOf(as string) (out []typedCommand) {
	for _, c := range commandCases {
		if as == "patchbay" || slices.Contains(legacyCommands, c.words) {
			out = append(out, c)
		}
	}
	return out
}

// helpLine is a command in a usage text.
var helpLine = regexp.MustCompile(`^ {2,4}([a-z]+)\s{2,}\S`)

// commands asks the program for its commands, and of each whether it asks a daemon.
func (w *world) commands(words ...string) map[string]bool {
	w.t.Helper()
	out := map[string]bool{}
	usage, code := w.patch(append(words, "-help")...)
	if code != 0 {
		w.t.Fatalf("help of %v: exit code %d\n%s", words, code, usage)
	}
	_, list, group := strings.Cut(usage, "ommands:\n")
	for line := range strings.Lines(list) {
		m := helpLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			break
		}
		if m[1] == "help" {
			out["help"] = false // it has no usage of its own
			continue
		}
		maps.Copy(out, w.commands(append(slices.Clone(words), m[1])...))
	}
	if !group {
		out[strings.Join(words, " ")] = strings.Contains(usage, "-http-addr")
	}
	return out
}

// transports are the ways to the API: what the daemon is told, and what its
// clients say besides the address.
var transports = map[string]func(w *world, ca *rig.CA) (block string, flags []string){
	"plain": func(*world, *rig.CA) (string, []string) { return "", nil },
	"TLS": func(w *world, ca *rig.CA) (string, []string) {
		cert, key, err := ca.Issue("server-" + w.id)
		w.must(err)
		w.program.TLS = w.trusting("", "", ca)
		return fmt.Sprintf("tls {\n  cert = %q\n  key = %q\n}", cert, key), []string{"-ca-cert", ca.Cert}
	},
	"mTLS": func(w *world, ca *rig.CA) (string, []string) {
		cert, key, err := ca.Issue("server-" + w.id)
		w.must(err)
		mine, mineKey, err := ca.Issue("client-" + w.id)
		w.must(err)
		w.program.TLS = w.trusting(mine, mineKey, ca)
		return fmt.Sprintf("tls {\n  cert = %q\n  key = %q\n  verify_incoming = true\n  ca_cert = %q\n}", cert, key, ca.Cert),
			[]string{"-ca-cert=" + ca.Cert, "-client-cert=" + mine, "--client-key", mineKey}
	},
}

func TestEveryOperationOfTheAPIAndEveryCommandWorks(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	ca, err := rig.NewCA(base.dir, "ca")
	base.must(err)
	for over, prepare := range transports {
		t.Run("over "+over, func(t *testing.T) {
			t.Parallel()
			underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
				w := base.beside(t, as+"-"+over)
				block, flags := prepare(w, ca)
				w.settled(use, block)
				w.must(w.patchbay.AwaitReady(t.Context(), limit))
				w.everyOperation()
				w.everyCommand(as, flags)
			})
		})
	}
}

// everyOperation asks for each operation of the API's document.
func (w *world) everyOperation() {
	w.t.Helper()
	have := map[string]bool{}
	module, _ := w.noteModule("made", "sort([for s in var.services : s.id])")
	for _, c := range operationCases {
		have[c.operation.String()] = true
		task := "ids"
		if c.method == "DELETE" {
			task = "gone"
		}
		a, err := w.patchbay.Ask(rig.Request{Method: c.method, Path: c.on(task) + c.query, Body: strings.ReplaceAll(c.body, "MODULE", module), Until: c.until})
		w.must(err)
		if a.Status != c.status || !strings.Contains(a.Body, c.text) {
			w.t.Errorf("%s answered %d, want %d with %s:\n%s", c.operation, a.Status, c.status, c.text, a.Body)
		}
	}
	w.send("DELETE", "/v1/tasks/made", "", 202)
	w.noTask("made")
	documented := map[string]bool{}
	for _, o := range w.operations() {
		documented[o.String()] = true
	}
	if diff := cmp.Diff(documented, have); diff != "" {
		w.t.Errorf("the operations of the document and those with a case (-document +cases):\n%s", diff)
	}
}

// everyCommand types each command that the program's usage has.
func (w *world) everyCommand(as string, flags []string) {
	w.t.Helper()
	module, _ := w.noteModule("typed", "sort([for s in var.services : s.id])")
	w.file("task.hcl", moduleTask("typed", "web", module))
	w.file("update.hcl", strings.Replace(moduleTask("typed", "web", module), "{\n", "{\n  description = \"updated\"\n", 1))
	offered, have := w.commands(), map[string]bool{}
	for _, c := range casesOf(as) {
		have[c.words] = true
		args := strings.Fields(c.words)
		switch {
		case offered[c.words]:
			args = append(append(args, "-http-addr="+w.patchbay.API), flags...)
		case len(flags) > 0:
			continue // how the API is reached is nothing to a command that does not ask it
		}
		out, code := w.patch(append(args, c.args...)...)
		if code != c.code || !strings.Contains(out, c.text) {
			w.t.Errorf("%s %s: exit code %d, want %d and %q\n%s", as, c.words, code, c.code, c.text, out)
		}
	}
	for words := range offered {
		if !have[words] {
			w.t.Errorf("%s %s has no case", as, words)
		}
		delete(have, words)
	}
	for words := range have {
		w.t.Errorf("there is a case of %s %s, which its usage does not have", as, words)
	}
}

func TestThePathOfTheBinaryIsNotItsName(t *testing.T) {
	t.Parallel()
	w := emptyWorld(t)
	dir := filepath.Join(w.dir, "consul-terraform-sync", "bin")
	w.must(os.MkdirAll(dir, 0o755))
	link := filepath.Join(dir, "patchbay")
	w.must(os.Symlink(w.program.Binary, link))
	w.program.Binary = link
	w.says(0, "", []string{"-version"}, "patchbay ")
}
