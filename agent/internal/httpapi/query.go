package httpapi

import (
	"errors"
	"fmt"
	"net/url"
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
