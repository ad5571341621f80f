package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"patchbay/tasks"
)

func (a *api) update(x exchange) {
	bad := x
	bad.old = true // the contract's 400 of this endpoint has no request_id
	if strings.Contains(x.name(), "/") {
		bad.fail(http.StatusBadRequest, "unsupported path '%s': a task name has no '/'", clip(x.r.URL.Path))
		return
	}
	mode, err := parseAnyRun(x.r.URL.RawQuery)
	if err != nil {
		bad.fail(http.StatusBadRequest, "%s", err)
		return
	}
	body, ok := bad.readBody(true)
	if !ok {
		return
	}
	patch, err := parsePatch(body)
	if err != nil {
		bad.fail(http.StatusBadRequest, "%s", err)
		return
	}
	s, ok := a.Reader.State(x.name())
	if !ok {
		x.unknownTask()
		return
	}
	next, err := patch.apply(s.Task, a.decode)
	if err != nil {
		bad.fail(http.StatusBadRequest, "%s", err)
		return
	}
	a.updated(x, next, mode)
}

// updated replaces a task and answers.
func (a *api) updated(x exchange, next tasks.Task, mode tasks.RunMode) {
	if mode == tasks.RunInspect && !next.Enabled {
		// A disabled task does nothing: there is no plan to make.
		x.answer(http.StatusOK, Inspection{Inspect: Inspected{}})
		return
	}
	op, err := a.Author.Replace(x.r.Context(), next, effective(next, mode))
	switch {
	case errors.Is(err, tasks.ErrTaskBusy):
		x.fail(http.StatusInternalServerError, "task '%s' is active and cannot be updated at this time", clip(x.name()))
	case err != nil:
		x.refused(err)
	case mode == tasks.RunInspect:
		x.answer(http.StatusOK, Inspection{Inspect: Inspected{Plan: op.Text, ChangesPresent: !op.Plan.Empty()}})
	default:
		x.answer(http.StatusOK, struct{}{})
	}
}

func (a *api) remove(x exchange) {
	destroy, err := parseDestroy(x.r.URL.RawQuery)
	if err != nil {
		x.fail(http.StatusBadRequest, "%s", err)
		return
	}
	err = a.Author.Remove(x.r.Context(), x.name(), destroy)
	switch {
	case errors.Is(err, tasks.ErrTaskBusy):
		x.fail(http.StatusConflict, "task '%s' is active and cannot be removed at this time; nothing was removed; ask again when its run has ended", clip(x.name()))
	case err != nil:
		x.refused(err)
	default:
		x.answer(http.StatusAccepted, Accepted{RequestID: x.id()})
	}
}
