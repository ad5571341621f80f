package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"patchbay/tasks"
)

func (a *api) health(x exchange) { x.answer(http.StatusOK, struct{}{}) }

func (a *api) ready(x exchange) {
	ok, reasons := a.Prober.Ready()
	if ok {
		x.answer(http.StatusOK, Readiness{Ready: true})
		return
	}
	x.answer(http.StatusServiceUnavailable, Readiness{Reasons: reasons})
}

func (a *api) summary(x exchange) {
	var s Summary
	for _, state := range a.Reader.States() {
		switch state.Status {
		case tasks.StatusSuccessful:
			s.Tasks.Status.Successful++
		case tasks.StatusErrored:
			s.Tasks.Status.Errored++
		case tasks.StatusCritical:
			s.Tasks.Status.Critical++
		default:
			s.Tasks.Status.Unknown++
		}
		if state.Task.Enabled {
			s.Tasks.Enabled.True++
		} else {
			s.Tasks.Enabled.False++
		}
	}
	x.answer(http.StatusOK, s)
}

// cluster tells of no members: an agent is always alone.
func (a *api) cluster(x exchange) {
	x.fail(http.StatusMethodNotAllowed, "this endpoint is only available with high availability configured")
}

func (a *api) taskStatus(x exchange) {
	q, err := parseStatusQuery(x.r.URL.RawQuery)
	if strings.Contains(x.name(), "/") {
		x.fail(http.StatusBadRequest, "unsupported path '%s': a task name has no '/', and a task's status has nothing below it", clip(x.r.URL.Path))
		return
	}
	if err != nil {
		x.fail(http.StatusBadRequest, "%s", err)
		return
	}
	states := a.Reader.States()
	if x.name() != "" {
		s, ok := a.Reader.State(x.name())
		if !ok {
			x.unknownTask()
			return
		}
		states = []tasks.State{s}
	}
	out := map[string]TaskStatus{}
	for _, s := range states {
		if q.status != "" && q.status != s.Status {
			continue
		}
		status, err := a.statusOf(s, q.events)
		if err != nil {
			x.fail(http.StatusInternalServerError, "%s", err)
			return
		}
		out[s.Task.Name] = status
	}
	x.answer(http.StatusOK, out)
}

// statusOf makes one task's status, reading its runs only when events are asked for.
func (a *api) statusOf(s tasks.State, events bool) (TaskStatus, error) {
	out := TaskStatus{TaskName: s.Task.Name, Status: s.Status, Enabled: s.Task.Enabled,
		Providers: list(s.Task.Providers), Services: list(s.Task.OldServices)}
	// A status is folded from events: there are none exactly when it is unknown.
	if s.Status != tasks.StatusUnknown {
		out.EventsURL = "/v1/status/tasks/" + url.PathEscape(s.Task.Name) + "?include=events"
	}
	var err error
	if events {
		out.Events, err = a.events(s.Task.Name)
	}
	return out, err
}

// events gives the newest events of a task. Held and inspected runs between them
// are rare, so a few runs are read first and many only when these do not suffice.
func (a *api) events(name string) ([]Event, error) {
	var out []Event
	for _, limit := range []int{4 * tasks.EventRuns, MaxRuns} {
		runs, err := a.Reader.Runs(name, limit)
		if err != nil {
			return nil, err
		}
		out = newEvents(runs)
		if len(out) == tasks.EventRuns || len(runs) < limit {
			break
		}
	}
	return out, nil
}

// newEvents makes the events of runs, newest first.
func newEvents(runs []tasks.Run) (out []Event) {
	for _, r := range runs {
		if !r.Counts() || r.Phase == tasks.Held {
			continue
		}
		e := Event{ID: r.ID, Success: r.Phase.Success(), StartTime: r.Started, EndTime: r.Updated, TaskName: r.Task,
			Config: EventConfig{Providers: list(r.Providers), Services: list(r.Services), Source: r.Module}}
		if !e.Success {
			e.Error = &Message{Message: r.Error()}
		}
		if out = append(out, e); len(out) == tasks.EventRuns {
			break
		}
	}
	return out
}

// list makes nil an empty list, which JSON shows as [].
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
