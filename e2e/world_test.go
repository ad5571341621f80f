package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/e2e/internal/rig"
)

// limit bounds every wait: far more than anything takes on a busy machine.
const limit = 90 * time.Second

// pause is between two signals of an impatient person.
const pause = time.Second

// world is what one test runs in: servers, instances and the daemon.
type world struct {
	t        *testing.T
	dir      string
	id       string // of the daemon in Consul
	consul   *rig.Consul
	nginx    *rig.NGINX
	program  rig.Program
	patchbay *rig.Patchbay
	backends map[string]*rig.Backend
}

// newWorld starts Consul, and NGINX when there are sites.
func newWorld(t *testing.T, sites ...rig.Site) *world {
	t.Helper()
	w := emptyWorld(t)
	w.backends = map[string]*rig.Backend{}
	t.Cleanup(w.saveLogs)
	var err error
	w.consul, err = rig.NewConsul(w.t.Context(), filepath.Join(w.dir, "consul"), false)
	w.must(err)
	t.Cleanup(func() { w.consul.Kill() })
	if len(sites) > 0 {
		w.nginx, err = rig.StartNGINX(w.t.Context(), filepath.Join(w.dir, "nginx"), sites...)
		w.must(err)
		t.Cleanup(func() { w.check(w.nginx.Quit()) })
	}
	return w
}

// emptyWorld is one without servers.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), id: "patchbay-under-test"}
	w.program = rig.Program{Binary: os.Getenv(binaryVariable), Dir: filepath.Join(w.dir, "patchbay")}
	w.must(os.MkdirAll(w.program.Dir, 0o755))
	return w
}

// beside is a world of a part of the test with a daemon of its own and the same
// Consul: much cheaper than another one.
func (w *world) beside(t *testing.T, id string) *world {
	t.Helper()
	b := emptyWorld(t)
	b.id, b.consul, b.backends = id, w.consul, w.backends
	t.Cleanup(b.saveLogs)
	return b
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

// saveLogs keeps the logs of a failed test below .tools/e2e-logs and shows the end
// of Patchbay's.
func (w *world) saveLogs() {
	if !w.t.Failed() {
		return
	}
	root, err := rig.Root()
	if err != nil {
		w.t.Error(err)
		return
	}
	to := filepath.Join(root, ".tools", "e2e-logs", strings.ReplaceAll(w.t.Name(), "/", "_"))
	logs, _ := filepath.Glob(filepath.Join(w.dir, "*", "*.log"))
	for _, from := range logs {
		w.check(copyFile(from, filepath.Join(to, filepath.Base(from))))
	}
	w.t.Logf("the logs of all servers are in %s", to)
	if b, err := os.ReadFile(filepath.Join(w.program.Dir, "patchbay.log")); err == nil {
		lines := strings.Split(string(b), "\n")
		w.t.Logf("the end of Patchbay's log:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
	}
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// serve starts backends of the given ids and registers them as instances.
func (w *world) serve(service string, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.must(w.consul.Register(service, w.backend(id)))
	}
}

// backend starts an HTTP service, anew when there is one of that id.
func (w *world) backend(id string) *rig.Backend {
	w.t.Helper()
	b, err := rig.NewBackend(id)
	w.must(err)
	w.t.Cleanup(func() { w.check(b.Close()) })
	w.backends[id] = b
	return b
}

// local is a backend block that keeps states beside the tasks' files.
const local = "backend \"local\" {}"

// config is a configuration of this world's Consul with some tasks; the backend is
// Consul when none is given.
func (w *world) config(backend string, blocks ...string) string {
	return fmt.Sprintf(`port      = 0
log_level = "DEBUG"
id        = %q

buffer_period {
  min = "200ms"
  max = "1s"
}

consul {
  address = %s
}

driver "terraform" {
  %s
}

%s`, w.id, rig.HCLString(w.consul.Addr), backend, strings.Join(blocks, "\n"))
}

// nginxTask is a task that writes a service's instances to a file of NGINX.
func (w *world) nginxTask(name, service, file string, more ...string) string {
	w.t.Helper()
	variables, err := w.nginx.ModuleVariables(file, append(more, "service_names = "+rig.HCLStrings(service))...)
	w.must(err)
	return fmt.Sprintf("task {\n  name   = %q\n  module = \"builtin/nginx\"\n  condition \"services\" {\n    names = [%q]\n  }\n%s}\n",
		name, service, variables)
}

// module writes a module of one file and gives its path; it has the services variable.
func (w *world) module(name, text string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, "modules", name)
	w.must(os.MkdirAll(dir, 0o755))
	text = "variable \"services\" {\n  type = map(object({ id = string, name = string, address = string, port = number }))\n}\n" + text
	w.must(os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o644))
	return dir
}

// start starts the daemon; the test's end stops it gracefully if it still runs.
func (w *world) start(config string) {
	w.t.Helper()
	p, err := w.program.Start(w.t.Context(), config)
	w.must(err)
	w.patchbay = p
	w.t.Cleanup(func() {
		if !p.Exited() {
			w.check(p.Stop(limit))
		}
		if strings.Contains(p.Output(), "DATA RACE") {
			w.t.Errorf("the race detector spoke; see %s", p.Log)
		}
	})
}

// answers waits until exactly the given ids answer a site.
func (w *world) answers(upstream string, ids ...string) {
	w.t.Helper()
	w.must(w.nginx.AwaitAnswers(w.t.Context(), upstream, limit, ids...))
}

// phase waits until a task's newest run is in a phase.
func (w *world) phase(task, phase string) rig.Run {
	w.t.Helper()
	r, err := w.patchbay.AwaitPhase(w.t.Context(), task, phase, limit)
	w.must(err)
	return r
}

// ended are the phases in which nothing more happens in a run.
var ended = []string{"applied", "unchanged", "held", "inspected", "failed", "interrupted"}

// applied counts a task's runs that changed something, once none is under way.
func (w *world) applied(task string) (n int) {
	w.t.Helper()
	_, err := w.patchbay.AwaitRun(w.t.Context(), task, limit, func(r rig.Run) bool { return slices.Contains(ended, r.Phase) })
	w.must(err)
	for _, r := range w.runs(task) {
		if r.Phase == "applied" {
			n++
		}
	}
	return n
}

// patch runs a command of the binary, which finds the daemon by its environment,
// and gives its output and exit code.
func (w *world) patch(args ...string) (output string, code int) {
	w.t.Helper()
	return w.typed("", args...)
}

// typed is [world.patch] with what a person types at the questions.
func (w *world) typed(input string, args ...string) (output string, code int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	prepared, err := w.program.Command(args...)
	w.must(err)
	cmd := exec.CommandContext(ctx, prepared.Path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = prepared.Dir, prepared.Env, strings.NewReader(input)
	if w.patchbay != nil {
		cmd.Env = append(cmd.Env, "PATCHBAY_ADDRESS="+w.patchbay.API)
	}
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		w.t.Fatalf("run patchbay %v: %v\n%s", args, err, out)
	}
	if ctx.Err() != nil {
		w.t.Fatalf("run patchbay %v: still running after %s\n%s", args, limit, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// ask runs a command that speaks to the daemon and must succeed.
func (w *world) ask(args ...string) string {
	w.t.Helper()
	out, code := w.patch(args...)
	if code != 0 {
		w.t.Fatalf("patchbay %v: exit code %d\n%s", args, code, out)
	}
	return out
}

// runs lists a task's runs, newest first.
func (w *world) runs(task string) []rig.Run {
	w.t.Helper()
	runs, err := w.patchbay.Runs(task)
	w.must(err)
	return runs
}
