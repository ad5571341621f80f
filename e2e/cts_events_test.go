package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/e2e/internal/rig"
)

// event is one of a task's status.
type event struct {
	ID      string
	Success bool
	Start   time.Time `json:"start_time"`
	End     time.Time `json:"end_time"`
	Error   *struct{ Message string }
}

// taskStatus is a task's status with its events, newest first.
func (w *world) taskStatus(task string) (status string, events []event) {
	w.t.Helper()
	var answer map[string]struct {
		Status string
		Events []event
	}
	w.must(json.Unmarshal([]byte(w.send("GET", "/v1/status/tasks/"+task+"?include=events", "", 200).Body), &answer))
	return answer[task].Status, answer[task].Events
}

func (w *world) events(task string) []event {
	w.t.Helper()
	_, events := w.taskStatus(task)
	return events
}

// eventful waits until a task has a status and a number of events.
func (w *world) eventful(task, status string, events int) []event {
	w.t.Helper()
	var found []event
	w.must(rig.Until(w.t.Context(), limit, func() error {
		got, list := w.taskStatus(task)
		found = list
		if got != status || len(list) != events {
			return fmt.Errorf("%s is %s with %d events, want %s with %d", task, got, len(list), status, events)
		}
		return nil
	}))
	return found
}

// another waits until a task has a newer event than the newest one now, after
// what is to lead to it.
func (w *world) another(task string, leads func()) event {
	w.t.Helper()
	var before event
	if events := w.events(task); len(events) > 0 {
		before = events[0]
	}
	leads()
	newest := before
	w.must(rig.Until(w.t.Context(), limit, func() error {
		if events := w.events(task); len(events) > 0 {
			newest = events[0]
		}
		if newest.ID == before.ID {
			return fmt.Errorf("the newest event of %s is still %q", task, newest.ID)
		}
		return nil
	}))
	return newest
}

func TestTheStatusOfATaskFollowsItsEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	broken := filepath.Join(w.dir, "broken")
	module := w.plainModule("device", fmt.Sprintf(`resource "terraform_data" "x" {
  triggers_replace = sort([for s in var.services : s.id])
  provisioner "local-exec" {
    command = "! test -e %s"
  }
}
`, broken))
	w.start(w.config(local, strings.Replace(moduleTask("device", "web", module), "{\n", "{\n  enabled = false\n", 1)))
	w.eventful("device", "unknown", 0)
	w.send("PATCH", "/v1/tasks/device?run=now", `{"enabled":true}`, 200)
	w.eventful("device", "successful", 1)

	w.must(os.WriteFile(broken, nil, 0o644))
	w.serve("web", "web-2")
	failed := w.eventful("device", "errored", 2)
	if failed[0].Success || failed[0].Error == nil || !failed[1].Success || failed[1].Error != nil {
		t.Errorf("the events are %+v, want a failed one with its error, then a successful one without", failed)
	}
	wantText(t, failed[0].Error.Message, "exit status 1")
	// The trigger stays one event, however often it is tried; another one that
	// fails makes the task critical.
	w.serve("web", "web-3")
	w.eventful("device", "critical", 3)
	w.must(os.Remove(broken))
	w.shows("/v1/status/tasks/device", `"status":"successful"`)
	wantText(t, w.send("GET", "/v1/status/tasks?status=Successful", "", 200).Body, `"device"`)
	wantText(t, w.send("GET", "/v1/status/tasks?status=critical", "", 200).Body, `{}`)
}

func TestTheNewestFiveEventsAreKeptNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(w.config(local, w.witness()))
	var newest string
	for range 6 {
		newest = w.another("witness", func() { w.put("witness/"+w.id, fmt.Sprint(moments.Add(1))) }).ID
	}
	events := w.events("witness")
	if len(events) != 5 || !slices.IsSortedFunc(events, func(a, b event) int { return b.Start.Compare(a.Start) }) || events[0].ID != newest {
		t.Errorf("the events are %+v, want five, the newest first", events)
	}
	for _, e := range events {
		if !e.Success || e.End.Before(e.Start) || e.Error != nil {
			t.Errorf("an event is %+v", e)
		}
	}
}

func TestWhatAppliesNothingLeavesNoEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	made := filepath.Join(w.dir, "made")
	w.start(w.config(local, w.witness(), w.filesTask("web", "web", made)))
	w.eventful("web", "successful", 1)
	w.send("PATCH", "/v1/tasks/web?run=inspect", `{"enabled":false}`, 200)
	w.send("PATCH", "/v1/tasks/web", `{"enabled":false}`, 200)
	w.serve("web", "web-2") // a trigger of a disabled task
	w.moment()
	w.send("PATCH", "/v1/tasks/web?run=inspect", `{"enabled":true}`, 200)
	w.send("PATCH", "/v1/tasks/web", `{"enabled":true}`, 200)
	w.moment()
	w.reads(made, "web-1")
	w.eventful("web", "successful", 1)
	w.send("PATCH", "/v1/tasks/web?run=now", `{"enabled":true}`, 200)
	w.eventful("web", "successful", 2)
}

func TestATickWithoutAChangeIsASuccessfulEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	module, begun, open := w.gate("clock")
	w.opens(open)
	w.start(w.config(local, everySecond("clock", module, "web")))
	events := w.eventful("clock", "successful", 5)
	if slices.ContainsFunc(events, func(e event) bool { return !e.Success }) {
		t.Errorf("the events are %+v, want successful ones", events)
	}
	if got := lines(begun); len(got) != 1 {
		t.Errorf("Terraform made the object %d times, want once", len(got))
	}
}
