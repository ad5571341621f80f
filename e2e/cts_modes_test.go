package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

// gate is a module that writes a line to a file when its object is made and then
// waits for another file; it is made anew when the instances of its service change.
func (w *world) gate(name string) (module, begun, open string) {
	w.t.Helper()
	begun, open = filepath.Join(w.dir, name+".begun"), filepath.Join(w.dir, name+".open")
	module = w.plainModule(name, fmt.Sprintf(`resource "terraform_data" "gate" {
  triggers_replace = sort([for s in var.services : s.id])
  provisioner "local-exec" {
    command = %s
  }
}
`, rig.HCLString(fmt.Sprintf("echo step >> %s; while ! test -e %s; do sleep 0.1; done", begun, open))))
	// A test that failed leaves nothing that waits.
	w.t.Cleanup(func() { w.check(os.WriteFile(open, nil, 0o644)) })
	return module, begun, open
}

// opens lets a gate's module go on.
func (w *world) opens(open string) {
	w.t.Helper()
	w.must(os.WriteFile(open, nil, 0o644))
}

// outputs runs a command and gives what it wrote to standard output and error.
func (w *world) outputs(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	cmd, err := w.program.Command(args...)
	w.must(err)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		w.must(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// behind starts a command and gives what waits for its end.
func (w *world) behind(args ...string) (wait func() (output string, code int)) {
	w.t.Helper()
	cmd, err := w.program.Command(args...)
	w.must(err)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	w.must(cmd.Start())
	ended := false
	end := func() (string, int) {
		// An exit code is told by the caller's check.
		_, _ = cmd.Process.Pid, cmd.Wait()
		ended = true
		return out.String(), cmd.ProcessState.ExitCode()
	}
	w.t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill()
			end()
		}
	})
	return end
}

func TestTheAPIAnswersBeforeTheFirstPassHasEnded(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		module, begun, open := w.gate("slow")
		w.start(w.config(local, moduleTask("slow", "web", module)))
		w.begin(begun, 1)
		wantText(t, w.send("GET", "/v1/status/tasks/slow?include=events", "", 200).Body, `"status":"unknown"`, `"events_url":""`)
		wantText(t, w.send("GET", "/v1/health", "", 200).Body, "{}")
		wantText(t, w.send("GET", "/v1/health/ready", "", 503).Body, `"ready":false`)
		w.opens(open)
		w.shows("/v1/status/tasks/slow", `"status":"successful"`)
		w.must(w.patchbay.AwaitReady(t.Context(), limit))
	})
}

func TestOnceHasNoAPIAndNoRegistrationAndRunsSchedulesToo(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		ports, err := rig.Ports(1)
		w.must(err)
		slow, begun, open := w.gate("slow")
		clock, note := w.noteModule("clock", "sort([for s in var.services : s.id])")
		file := w.file("cts.hcl", strings.Replace(w.config(local, moduleTask("slow", "web", slow), fmt.Sprintf(`task {
  name   = "clock"
  module = %q
  condition "schedule" {
    cron = "@yearly"
  }
  module_input "services" {
    names = ["web"]
  }
}`, clock)), "port      = 0", fmt.Sprintf("port      = %d", ports[0]), 1))
		wait := w.behind("start", "-config-file", file, "-once")
		w.begin(begun, 1)
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0])); err == nil {
			t.Error("-once listens for the API")
			w.check(c.Close())
		}
		services, err := w.consul.Client.Agent().Services()
		w.must(err)
		if _, ok := services[w.id]; ok {
			t.Error("-once is registered in Consul")
		}
		w.opens(open)
		out, code := wait()
		if code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		w.reads(note, `["web-1"]`)
		wantText(t, out, "task completed")
		if as == "consul-terraform-sync" {
			wantText(t, out, "task completed: task_name=slow", "task completed: task_name=clock", "all tasks completed once", "graceful shutdown")
		}
	})
}

func TestOnlyTheTasksThatAreNamedAreInspected(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		first, second, third := filepath.Join(w.dir, "first"), filepath.Join(w.dir, "second"), filepath.Join(w.dir, "third")
		file := w.file("cts.hcl", w.config(local, w.filesTask("first", "web", first), w.filesTask("second", "web", second), w.filesTask("third", "web", third)))
		stdout, stderr, code := w.outputs("start", "-config-file", file, "-inspect-task", "first", "-inspect-task=third")
		if code != 0 {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		if as == "consul-terraform-sync" {
			if stdout != "" {
				t.Errorf("standard output has %q, want nothing", stdout)
			}
			wantText(t, stderr, "inspection results: task_name=first", "inspection results: task_name=third", "all tasks inspected", "graceful shutdown")
		} else {
			wantText(t, stdout, "first: would be 1 created", "third: would be 1 created")
		}
		if strings.Contains(stdout, "second") || strings.Contains(stderr, "task_name=second") {
			t.Errorf("a task that was not named was inspected:\n%s%s", stdout, stderr)
		}
		for _, made := range []string{first, second, third} {
			w.missing(made)
		}
	})
}

func TestWithoutTasksTheDaemonRunsOnAndOnceEnds(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		file := w.file("cts.hcl", w.config(local))
		w.says(0, "", []string{"start", "-config-file", file, "-once"}, "no tasks configured")
		w.start(w.config(local))
		wantText(t, w.send("GET", "/v1/tasks", "", 200).Body, `"tasks":[]`)
		module, note := w.noteModule("first", "length(var.services)")
		w.send("POST", "/v1/tasks?run=now", fmt.Sprintf(`{"task":{"name":"first","module":%q,"condition":{"services":{"names":["nobody"]}}}}`, module), 201)
		w.reads(note, "0")
	})
}

func TestLogsGoToStandardErrorAlone(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		file := w.file("cts.hcl", w.config(local, w.filesTask("web", "web", filepath.Join(w.dir, "made"))))
		stdout, stderr, code := w.outputs("start", "-config-file", file, "-once")
		if code != 0 || stdout != "" {
			t.Errorf("exit code %d with %q on standard output, want 0 and nothing", code, stdout)
		}
		wantText(t, stderr, "[INFO]", "task completed")
	})
}

func TestAQueryThatConsulRefusesFailsTheFirstPassWithItsText(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		module, _ := w.noteModule("ids", "keys(var.services)")
		file := w.file("cts.hcl", w.config(local, strings.Replace(moduleTask("ids", "web", module), "    names", "    datacenter = \"dc9\"\n    names", 1)))
		w.says(11, "", []string{"start", "-config-file", file, "-once"}, "No path to datacenter")
	})
}
