package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

// buffered is a task on a service with a buffer of its own.
func buffered(name, service, module, least, most string) string {
	return fmt.Sprintf("task {\n  name   = %q\n  module = %q\n%s  buffer_period {\n    min = %q\n    max = %q\n  }\n}\n",
		name, module, services("condition", service), least, most)
}

// many are ids from first to last.
func many(prefix string, first, last int) (ids []string) {
	for n := first; n <= last; n++ {
		ids = append(ids, fmt.Sprintf("%s-%02d", prefix, n))
	}
	return ids
}

func TestChangesCloseTogetherAreOneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", many("web", 0, 0)...)
	module, note := w.noteModule("web", "length(var.services)")
	w.start(w.config(local, w.witness(), buffered("web", "web", module, "5s", "1h")))
	w.reads(note, "1")
	w.serve("web", many("web", 1, 6)...)
	w.reads(note, "7")
	w.ran("web", 2)
}

func TestChangesThatDoNotEndAreARunAtTheLatestAfterMax(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", many("web", 0, 0)...)
	module, note := w.noteModule("web", "length(var.services)")
	w.start(w.config(local, buffered("web", "web", module, "10s", "12s")))
	w.reads(note, "1")
	w.phase("web", "applied")
	// min would never be over: the next change comes long before.
	for n := 1; len(w.runs("web")) < 2; n++ {
		if n > 60 {
			t.Fatal("a minute of changes made no run")
		}
		w.serve("web", fmt.Sprintf("web-%02d", n))
		_ = rig.Until(t.Context(), pause, func() error {
			if len(w.runs("web")) < 2 {
				return errors.New("no run yet")
			}
			return nil
		})
	}
}

func TestTheFirstPassAndARunNowWaitForNoBuffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	made := filepath.Join(w.dir, "made")
	hour := "  buffer_period {\n    min = \"1h\"\n  }"
	config := w.config(local, w.filesTask("web", "web", made, hour))
	w.says(0, "", []string{"start", "-config-file", w.file("once.hcl", config), "-once"}, "task completed")
	w.reads(made, "web-1")
	w.must(os.Remove(made))
	w.start(config)
	w.reads(made, "web-1")
	w.shows("/v1/status/tasks/web", `"status":"successful"`)
	w.serve("web", "web-2")
	w.must(rig.Until(t.Context(), limit, func() error {
		if note := w.noteOf("web"); !strings.Contains(note, "runs in") {
			return fmt.Errorf("the task says %q; the change is not there yet", note)
		}
		return nil
	}))
	w.reads(made, "web-1")
	w.send("PATCH", "/v1/tasks/web?run=now", `{"enabled":true}`, 200)
	w.reads(made, "web-1,web-2")
}

// noteOf is what a task says of itself.
func (w *world) noteOf(task string) string {
	w.t.Helper()
	s, err := w.patchbay.State(task)
	w.must(err)
	return s.Note
}

func TestDifferentTasksRunAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	meet := func(own, other string) string {
		return w.module(own, fmt.Sprintf("resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = %s\n  }\n}\n",
			rig.HCLString(fmt.Sprintf("touch %[1]s/%[2]s.here; while ! test -e %[1]s/%[3]s.here; do sleep 0.1; done", w.dir, own, other))))
	}
	w.start(w.config(local, moduleTask("one", "web", meet("one", "two")), moduleTask("two", "web", meet("two", "one"))))
	w.phase("one", "applied")
	w.phase("two", "applied")
}

func TestChangesDuringARunAreExactlyOneMoreRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	module, begun, open := w.gate("slow")
	w.start(w.config(local, w.witness(), unbuffered("slow", module, services("condition", "web"))))
	w.begin(begun, 1)
	for _, id := range []string{"web-2", "web-3", "web-4"} {
		w.serve("web", id)
		w.moment()
	}
	// One task never runs twice at once.
	if got := lines(begun); len(got) != 1 {
		t.Errorf("%d runs have begun while the first goes on, want 1", len(got))
	}
	w.opens(open)
	w.begin(begun, 2)
	w.ran("slow", 2)
	tfvars, err := os.ReadFile(w.taskDir("slow", "terraform.tfvars"))
	w.must(err)
	wantText(t, string(tfvars), `"web-4.node-1.dc1"`)
}

// everySecond is a task on a schedule with a service as its input.
func everySecond(name, module, service string) string {
	return fmt.Sprintf("task {\n  name = %q\n  module = %q\n  condition \"schedule\" {\n    cron = \"* * * * * * *\"\n  }\n%s}\n",
		name, module, services("module_input", service))
}

func TestATickDuringARunIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	module, begun, open := w.gate("slow")
	clock, _ := w.noteModule("clock", "length(var.services)")
	w.opens(open)
	w.start(w.config(local, everySecond("slow", module, "web"), everySecond("clock", clock, "nobody")))
	w.shows("/v1/status/tasks/slow", `"status":"successful"`)
	w.must(os.Remove(open))
	w.serve("web", "web-2")
	w.begin(begun, 2)
	// While the run goes on, the clock of another task ticks twice.
	for range 2 {
		w.another("clock", func() {})
	}
	if got := lines(begun); len(got) != 2 {
		t.Errorf("%d runs have begun, want 2: the ticks during the second start none", len(got))
	}
	w.opens(open)
	w.must(w.patchbay.AwaitLog(t.Context(), "scheduled trigger was dropped: the task was running: task=slow", limit))
}

func TestOneTriggerIsOneRunAndOneEvent(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		made := filepath.Join(w.dir, "made")
		w.start(w.config(local, w.witness(), w.filesTask("web", "app-"+as, made)))
		w.shows("/v1/status/tasks/web", `"status":"successful"`)
		w.serve("app-"+as, as+"-1")
		w.reads(made, as+"-1")
		w.ran("web", 2)
		w.shows("/v1/status/tasks/web", `"status":"successful"`)
		if got := w.events("web"); len(got) != 2 || slices.ContainsFunc(got, func(e event) bool { return !e.Success }) {
			t.Errorf("the events are %+v, want two that are successful: of the first pass and of the change", got)
		}
		if as == "consul-terraform-sync" {
			for _, line := range []string{"executing task: task_name=web", "task completed: task_name=web"} {
				if n := strings.Count(w.patchbay.Output(), line); n != 2 {
					t.Errorf("the log has %q %d times, want once for each of two runs", line, n)
				}
			}
		}
	})
}

func TestARunThatTheAPIAskedForIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun := filepath.Join(w.dir, "begun")
	failing := w.module("failing", fmt.Sprintf("resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = %s\n  }\n}\n",
		rig.HCLString("echo step >> "+begun+"; exit 7")))
	w.start(w.config(local, w.witness()))
	a := w.send("POST", "/v1/tasks?run=now", fmt.Sprintf(`{"task":{"name":"made","module":%q,"condition":{"services":{"names":["web"]}}}}`, failing), 500)
	wantText(t, a.Body, "exit status 7", `"request_id"`)
	w.moment()
	if got := lines(begun); len(got) != 1 {
		t.Errorf("the apply was begun %d times, want once", len(got))
	}
	w.send("GET", "/v1/tasks/made", "", 404)
}
