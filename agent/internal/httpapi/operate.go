package httpapi

import (
	"errors"
	"net/http"

	"patchbay/tasks"
)

func (a *api) approve(x exchange) {
	body, ok := x.readBody(true)
	if !ok {
		return
	}
	want, err := parseApprove(body)
	if err != nil {
		x.fail(http.StatusBadRequest, "request body has an error: %s", err)
		return
	}
	held, err := a.Operator.Approve(x.r.Context(), x.name(), want)
	if err != nil {
		x.refused(err)
		return
	}
	x.answer(http.StatusOK, ApproveAnswer{RequestID: x.id(), Approved: held})
}

func (a *api) runNow(x exchange) {
	if !x.readNothing() {
		return
	}
	if err := a.Operator.RunNow(x.r.Context(), x.name()); err != nil {
		x.refused(err)
		return
	}
	x.answer(http.StatusAccepted, Accepted{RequestID: x.id()})
}

// refusals tell an operator what to do about an error.
var refusals = []struct {
	err    error
	status int
	advice string
}{
	{tasks.ErrNothingHeld, http.StatusConflict, "nothing was approved; the task's state tells what it does now"},
	{tasks.ErrOtherPlan, http.StatusConflict, "nothing was approved; look at the plan that is held now and approve that one"},
	{tasks.ErrDisabledTask, http.StatusConflict, "nothing was done; enable the task first"},
	{tasks.ErrStopping, http.StatusServiceUnavailable, "nothing was done; ask again when the agent runs"},
}

// refused answers an operator's error.
func (x exchange) refused(err error) {
	if errors.Is(err, tasks.ErrUnknownTask) {
		x.unknownTask()
		return
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			x.fail(r.status, "%s; %s", err, r.advice)
			return
		}
	}
	x.fail(http.StatusInternalServerError, "%s", err)
}
