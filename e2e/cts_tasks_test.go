package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"patchbay/e2e/internal/rig"
)

func TestATaskIsMadeByCommandAfterItsPlanWasApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.start(w.config(local))
	made := filepath.Join(w.dir, "ids.txt")
	create := []string{"task", "create", "-task-file=" + w.file("task.hcl", w.filesTask("made", "web", made))}

	w.says(0, "no\n", create, "Inspecting changes to resource if creating task 'made'...", "Request Payload:", "local_file.ids",
		"Plan: 1 to add, 0 to change, 0 to destroy.", "Do you want to perform these actions for 'made'?", "Enter a value: ", "Cancelled creating task 'made'")
	w.says(11, "", create, "Error asking for approval: EOF")
	w.send("GET", "/v1/tasks/made", "", 404)
	w.missing(w.taskDir("made"))
	w.missing(made)

	w.says(0, "yes\n", create, "Creating and running task 'made'...", "Task 'made' created", "Request ID: '")
	w.reads(made, "web-1")
	w.says(11, "yes\n", create, "task with name made already exists")
	w.serve("web", "web-2")
	w.reads(made, "web-1,web-2")
}

func TestAnInspectedTaskIsNotMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.start(w.config(local))
	module, _ := w.noteModule("ids", "sort([for s in var.services : s.id])")
	body := fmt.Sprintf(`{"task":{"name":"made","module":%q,"condition":{"services":{"names":["web"]}}}}`, module)
	found := w.send("POST", "/v1/tasks?run=inspect", body, 200)
	wantText(t, found.Body, `"changes_present":true`, "Plan: 1 to add")
	w.send("GET", "/v1/tasks/made", "", 404)
	w.missing(w.taskDir("made"))
}

func TestATaskMadeByAPIWaitsOrRunsAsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.start(w.config(local))
	module, note := w.noteModule("ids", "sort([for s in var.services : s.id])")
	body := fmt.Sprintf(`{"task":{"name":"made","module":%q,"condition":{"services":{"names":["web"]}}}}`, module)

	w.send("POST", "/v1/tasks", body, 201)
	wantText(t, w.send("GET", "/v1/status/tasks/made", "", 200).Body, `"status":"unknown"`)
	if runs := w.runs("made"); len(runs) > 0 {
		t.Errorf("a task that was made without run=now has the runs %+v", runs)
	}
	w.missing(note)
	// Today's data is the baseline; the next change is the first run.
	w.serve("web", "web-2")
	w.reads(note, `["web-1","web-2"]`)

	w.send("DELETE", "/v1/tasks/made", "", 202)
	w.noTask("made")
	w.send("POST", "/v1/tasks?run=now", body, 201)
	w.shows("/v1/status/tasks/made?include=events", `"status":"successful"`)
	wantText(t, w.send("GET", "/v1/status/tasks/made?include=events", "", 200).Body, `"success":true`)
}

// noTask waits until the API knows no task of a name.
func (w *world) noTask(name string) {
	w.t.Helper()
	w.must(rig.Until(w.t.Context(), limit, func() error {
		a, err := w.patchbay.Send("GET", "/v1/tasks/"+name, "")
		if err == nil && a.Status != 404 {
			err = fmt.Errorf("task %s: %d %s", name, a.Status, a.Body)
		}
		return err
	}))
}

func TestANameCanBeUsedAgainAfterAFailedCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.start(w.config(local))
	body := `{"task":{"name":"made","module":%q,"condition":{"services":{"names":["web"]}}}}`

	broken := w.plainModule("broken", "resource \"terraform_data\" \"x\" {\n  input = var.nowhere\n}\n")
	failed := w.send("POST", "/v1/tasks?run=now", fmt.Sprintf(body, broken), 500)
	wantText(t, failed.Body, `"request_id"`, "nowhere")
	failing := w.module("failing", "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"exit 7\"\n  }\n}\n")
	w.send("POST", "/v1/tasks?run=now", fmt.Sprintf(body, failing), 500)
	w.send("GET", "/v1/tasks/made", "", 404)

	good, note := w.noteModule("ids", "sort([for s in var.services : s.id])")
	w.send("POST", "/v1/tasks?run=now", fmt.Sprintf(body, good), 201)
	w.reads(note, `["web-1"]`)
}

func TestATaskIsEnabledAfterItsPlanWasApprovedAndDisabledAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	witness, heard := w.noteModule("witness", "sort([for s in var.services : s.id])")
	made := filepath.Join(w.dir, "ids.txt")
	w.start(w.config(local, w.filesTask("off", "web", made, "  enabled = false"),
		fmt.Sprintf("task {\n  name = \"witness\"\n  module = %q\n  condition \"services\" {\n    names = [\"web\"]\n  }\n}\n", witness)))
	w.reads(heard, `["web-1"]`)
	w.missing(made)

	w.says(0, "\n", []string{"task", "enable", "off"}, "Inspecting changes to resource if enabling 'off'...", "local_file.ids",
		"Enabling the task will perform the actions described above.", "Cancelled enabling task 'off'")
	w.missing(made)
	w.says(0, "yes\n", []string{"task", "enable", "off"}, "Enabling and running 'off'...", "'off' enable complete!")
	w.reads(made, "web-1")

	w.says(0, "", []string{"task", "disable", "off"}, "Waiting to disable 'off'...", "'off' disable complete!")
	w.serve("web", "web-2")
	w.reads(heard, `["web-1","web-2"]`)
	w.reads(made, "web-1")
	wantText(t, w.send("GET", "/v1/tasks/off", "", 200).Body, `"enabled":false`)

	w.says(0, "", []string{"task", "enable", "-auto-approve", "off"}, "'off' enable complete!")
	w.reads(made, "web-1,web-2")
}

func TestATaskIsUpdatedByCommandAfterItsPlanWasApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.serve("api", "api-1")
	made := filepath.Join(w.dir, "ids.txt")
	w.start(w.config(local, w.filesTask("ids", "web", made)))
	w.reads(made, "web-1")
	w.phase("ids", "applied")

	update := []string{"task", "update", "-task-file=" + w.file("update.hcl", w.filesTask("ids", "api", made)), "ids"}
	w.says(0, "no\n", update, "local_file.ids", "Cancelled updating task 'ids'")
	w.reads(made, "web-1")
	w.says(0, "yes\n", update, "'ids' update complete!")
	w.reads(made, "api-1")
	w.serve("api", "api-2")
	w.reads(made, "api-1,api-2")
}

func TestADeletedTaskLeavesWhatItMadeUnlessItIsToBeDestroyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	kept, destroyed := filepath.Join(w.dir, "kept.txt"), filepath.Join(w.dir, "destroyed.txt")
	w.start(w.config("", w.filesTask("kept", "web", kept), w.filesTask("destroyed", "web", destroyed)))
	for task, file := range map[string]string{"kept": kept, "destroyed": destroyed} {
		w.reads(file, "web-1")
		w.phase(task, "applied")
	}

	w.says(0, "no\n", []string{"task", "delete", "kept"}, "Do you want to delete 'kept'?", "This action cannot be undone.",
		"Deleting a task will not destroy the infrastructure managed by the task.", "Cancelled deleting task 'kept'")
	w.send("GET", "/v1/tasks/kept", "", 200)
	w.says(0, "yes\n", []string{"task", "delete", "kept"}, "Marking task 'kept' for deletion...",
		"Task 'kept' has been marked for deletion and will be deleted when not running.")
	w.noTask("kept")
	w.reads(kept, "web-1")
	w.state("kept", true)

	w.says(0, "yes\n", []string{"task", "delete", "-destroy", "destroyed"}, "All infrastructure managed by the task will be destroyed.")
	w.noTask("destroyed")
	w.missing(destroyed)
	w.missing(w.taskDir("destroyed", "main.tf"))
	w.state("destroyed", false)

	w.says(11, "yes\n", []string{"task", "delete", "kept"}, "Error: unable to delete 'kept'", "does not exist")
}

// state checks whether Consul has a task's state.
func (w *world) state(task string, want bool) {
	w.t.Helper()
	pair, _, err := w.consul.Client.KV().Get("consul-terraform-sync/terraform-env:"+task, nil)
	w.must(err)
	if got := pair != nil; got != want {
		w.t.Errorf("Consul has the state of %s: %t, want %t", task, got, want)
	}
}

func TestWhatTheAPIMadeOutlivesRestarts(t *testing.T) {
	t.Parallel()
	for name, signal := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve("web", "web-1")
			w.serve("api", "api-1")
			made, filed := filepath.Join(w.dir, "made.txt"), filepath.Join(w.dir, "filed.txt")
			config := w.config(local, w.filesTask("filed", "api", filed), w.filesTask("gone", "api", filepath.Join(w.dir, "gone.txt")))
			w.start(config)
			w.reads(filed, "api-1")
			w.phase("gone", "applied")
			w.send("POST", "/v1/tasks?run=now", fmt.Sprintf(`{"task":{"name":"made","module":%q,"variables":{"file":%q},"condition":{"services":{"names":["web"]}}}}`,
				w.plainModule("files", filesModule), rig.HCLString(made)), 201)
			w.ask("task", "disable", "filed")
			w.ask("task", "delete", "-auto-approve", "gone")
			w.noTask("gone")
			first := w.runs("made")[0].ID

			w.end(signal)
			w.start(config)
			if got := w.taskNames(); !slices.Equal(got, []string{"filed", "made"}) {
				t.Errorf("after a restart the tasks are %v, want filed and made", got)
			}
			wantText(t, w.send("GET", "/v1/tasks/filed", "", 200).Body, `"enabled":false`)
			runs := w.runs("made")
			if oldest := runs[len(runs)-1].ID; oldest != first {
				t.Errorf("the oldest run is %s after the restart, want %s", oldest, first)
			}
			w.serve("web", "web-2")
			w.serve("api", "api-2")
			w.reads(made, "web-1,web-2")
			w.reads(filed, "api-1")

			// A block that changes wins over what the API said.
			w.end(signal)
			w.start(w.config(local, w.filesTask("filed", "api", filed, `  description = "changed"`)))
			w.reads(filed, "api-1,api-2")
			wantText(t, w.send("GET", "/v1/tasks/filed", "", 200).Body, `"enabled":true`, `"description":"changed"`)
		})
	}
}

// taskNames lists the names of the tasks that the API shows.
func (w *world) taskNames() (names []string) {
	w.t.Helper()
	var list struct {
		Tasks []struct{ Name string }
	}
	w.must(json.Unmarshal([]byte(w.send("GET", "/v1/tasks", "", 200).Body), &list))
	for _, task := range list.Tasks {
		names = append(names, task.Name)
	}
	return names
}

func TestABlockThatIsRemovedDestroysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	stays, goes := filepath.Join(w.dir, "stays.txt"), filepath.Join(w.dir, "goes.txt")
	block := w.filesTask("stays", "web", stays)
	w.start(w.config(local, block, w.filesTask("goes", "web", goes)))
	w.reads(stays, "web-1")
	w.reads(goes, "web-1")
	w.phase("goes", "applied")

	w.end(endings["after a graceful stop"])
	w.start(w.config(local, block))
	w.serve("web", "web-2")
	w.reads(stays, "web-1,web-2")
	w.reads(goes, "web-1")
	w.send("GET", "/v1/tasks/goes", "", 404)
}
