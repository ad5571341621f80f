package httpapi

import (
	"net/http"
	"slices"

	"patchbay/tasks"
)

func (a *api) tasks(x exchange) {
	out := TaskList{RequestID: x.id(), Tasks: []Task{}}
	for _, s := range a.Reader.States() {
		out.Tasks = append(out.Tasks, a.wire(s.Task))
	}
	x.answer(http.StatusOK, out)
}

func (a *api) task(x exchange) {
	s, ok := a.Reader.State(x.name())
	if !ok {
		x.unknownTask()
		return
	}
	x.answer(http.StatusOK, OneTask{RequestID: x.id(), Task: a.wire(s.Task)})
}

func (a *api) states(x exchange) {
	out := StateList{RequestID: x.id(), Tasks: []State{}}
	for _, s := range a.Reader.States() {
		out.Tasks = append(out.Tasks, NewState(s))
	}
	x.answer(http.StatusOK, out)
}

func (a *api) state(x exchange) {
	s, ok := a.Reader.State(x.name())
	if !ok {
		x.unknownTask()
		return
	}
	x.answer(http.StatusOK, OneState{RequestID: x.id(), State: NewState(s)})
}

func (a *api) runs(x exchange) {
	limit, err := parseLimit(x.r.URL.RawQuery)
	if err != nil {
		x.fail(http.StatusBadRequest, "%s", err)
		return
	}
	if runs, ok := a.runsOf(x, limit); ok {
		x.answer(http.StatusOK, RunList{RequestID: x.id(), Runs: runs})
	}
}

// run finds a run among those that the list can show.
func (a *api) run(x exchange) {
	runs, ok := a.runsOf(x, MaxRuns)
	if !ok {
		return
	}
	id := x.r.PathValue("id")
	n := slices.IndexFunc(runs, func(r tasks.Run) bool { return r.ID == id })
	if n < 0 {
		x.fail(http.StatusNotFound, "task '%s' has no run '%s': it never had, or it is too old to be kept", clip(x.name()), clip(id))
		return
	}
	x.answer(http.StatusOK, OneRun{RequestID: x.id(), Run: runs[n]})
}

// runsOf reads runs of the task that the path names. It answers a failure itself
// and then returns ok = false.
func (a *api) runsOf(x exchange, limit int) (runs []tasks.Run, ok bool) {
	if _, known := a.Reader.State(x.name()); !known {
		x.unknownTask()
		return nil, false
	}
	runs, err := a.Reader.Runs(x.name(), limit)
	if err != nil {
		x.fail(http.StatusInternalServerError, "%s", err)
		return nil, false
	}
	if runs == nil {
		runs = []tasks.Run{}
	}
	return runs, true
}
