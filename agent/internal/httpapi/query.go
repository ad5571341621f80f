package httpapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks"
)

// statusQuery is the query of the task status endpoints.
type statusQuery struct {
	// events asks for events.
	events bool
	// status lists tasks of this status only; "" lists all.
	status tasks.Status
}

func parseStatusQuery(raw string) (q statusQuery, err error) {
	include, given, err := single(raw, "include")
	if err != nil {
		return q, err
	}
	if given && include != "events" {
		return q, fmt.Errorf("unsupported include parameter value %q: the only one is 'events'", clip(include))
	}
	status, filtered, err := single(raw, "status")
	if err != nil {
		return q, err
	}
	q = statusQuery{events: given}
	if !filtered {
		return q, nil
	}
	switch s := tasks.Status(strings.ToLower(status)); s {
	case tasks.StatusSuccessful, tasks.StatusErrored, tasks.StatusCritical, tasks.StatusUnknown:
		q.status = s
		return q, nil
	}
	return statusQuery{}, fmt.Errorf("unsupported status parameter value %q: want successful, errored, critical or unknown", clip(status))
}

// parseLimit reads the number of runs to list.
func parseLimit(raw string) (int, error) {
	text, given, err := single(raw, "limit")
	if err != nil {
		return 0, err
	}
	if !given {
		return DefaultRuns, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxRuns {
		return 0, fmt.Errorf("parameter \"limit\" in query has an error: %q is not a number from 1 to %d", clip(text), MaxRuns)
	}
	return n, nil
}

// single gives the one value that a query has of a name.
func single(raw, name string) (value string, given bool, err error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return "", false, errors.New("the query has an error: " + clip(err.Error()))
	}
	switch values := q[name]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, fmt.Errorf("the query has more than one %s parameter", name)
}

// runModes are the values of the run parameter.
var runModes = []tasks.RunMode{tasks.RunNow, tasks.RunInspect}

var errRun = errors.New(`parameter "run" in query has an error: value is not one of the allowed values ["now","inspect"]`)

// parseRun reads the run parameter exactly as it is spelled.
func parseRun(raw string) (tasks.RunMode, error) {
	text, given, err := single(raw, "run")
	switch {
	case err != nil:
		return tasks.RunLater, err
	case !given:
		return tasks.RunLater, nil
	case slices.Contains(runModes, tasks.RunMode(text)):
		return tasks.RunMode(text), nil
	}
	return tasks.RunLater, errRun
}

// parseAnyRun reads the run parameter in any case.
func parseAnyRun(raw string) (tasks.RunMode, error) {
	text, given, err := single(raw, "run")
	if err != nil || !given {
		return tasks.RunLater, err
	}
	if mode := tasks.RunMode(strings.ToLower(text)); slices.Contains(runModes, mode) {
		return mode, nil
	}
	return tasks.RunLater, errRun
}

// parseDestroy tells whether a removal shall destroy what the task made.
func parseDestroy(raw string) (bool, error) {
	text, given, err := single(raw, "destroy")
	if err != nil || !given {
		return false, err
	}
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("parameter \"destroy\" in query has an error: %q is neither true nor false", clip(text))
}
