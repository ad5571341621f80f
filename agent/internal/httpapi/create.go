package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"patchbay/tasks"
)

// nameForm is what a task's name looks like: it becomes a directory, a workspace
// and a label in HCL.
var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// maxProblems bounds the text about a task's configuration, in bytes.
const maxProblems = 8 << 10

func (a *api) create(x exchange) {
	mode, err := parseRun(x.r.URL.RawQuery)
	if err != nil {
		x.fail(http.StatusBadRequest, "%s", err)
		return
	}
	body, ok := x.readBody(true)
	if !ok {
		return
	}
	sent, err := parseDefinition(body)
	if err != nil {
		x.fail(http.StatusBadRequest, "request body has an error: %s", err)
		return
	}
	name, _ := sent["name"].(string)
	if !nameForm.MatchString(name) {
		// The contract has 500 for this.
		x.fail(http.StatusInternalServerError, "invalid task name %q: a name begins with a letter or _ and has letters, digits, _ and -; nothing was created", clip(name))
		return
	}
	if _, exists := a.Reader.State(name); exists {
		x.exists(name)
		return
	}
	t, err := a.decode(sent)
	if err != nil {
		x.fail(http.StatusBadRequest, "%s", err)
		return
	}
	a.created(x, sent, t, mode)
}

// created creates a task that may be created and answers.
func (a *api) created(x exchange, sent map[string]any, t tasks.Task, mode tasks.RunMode) {
	op, err := a.Author.Create(x.r.Context(), t, effective(t, mode))
	switch {
	case errors.Is(err, tasks.ErrTaskExists):
		x.exists(t.Name)
	case errors.Is(err, tasks.ErrStopping):
		x.refused(err)
	case err != nil && mode == tasks.RunInspect:
		x.fail(http.StatusBadRequest, "%s", err)
	case err != nil:
		x.fail(http.StatusInternalServerError, "%s", err)
	case mode == tasks.RunInspect:
		// As in Consul-Terraform-Sync: what was sent, the condition with defaults.
		sent["condition"] = newCondition(t.Condition)
		x.answer(http.StatusOK, InspectedTask{RequestID: x.id(), Task: sent,
			Run: Inspected{Plan: op.Text, ChangesPresent: !op.Plan.Empty()}})
	default:
		x.answer(http.StatusCreated, OneTask{RequestID: x.id(), Task: a.wire(op.Task)})
	}
}

func (x exchange) exists(name string) {
	x.fail(http.StatusBadRequest, "task with name %s already exists", clip(name))
}

// decode makes a task of its wire form. Only what passed the schema is given on:
// a key that was sent twice could mean another thing to another parser.
func (a *api) decode(wire map[string]any) (tasks.Task, error) {
	raw, err := json.Marshal(wire)
	if err != nil {
		return tasks.Task{}, fmt.Errorf("error with task configuration: %w", err)
	}
	t, err := a.Decode(raw)
	if err != nil {
		text := err.Error()
		return tasks.Task{}, fmt.Errorf("error with task configuration: %s", text[:min(len(text), maxProblems)])
	}
	return t, nil
}

// effective is what is done of a mode: a disabled task is not run.
func effective(t tasks.Task, mode tasks.RunMode) tasks.RunMode {
	if mode == tasks.RunNow && !t.Enabled {
		return tasks.RunLater
	}
	return mode
}
