package bigip

import (
	"net/http"
	"strconv"
	"strings"

	"patchbay/templates/internal/bigip/config"
)

// set is an open transaction: what it will do when it is committed.
type set struct{ queued []queued }

type queued struct {
	request Request
	rest    string
}

// transact opens, shows, commits and drops transactions.
func (d *Device) transact(r Request, rest string) config.Reply {
	id, err := strconv.Atoi(strings.TrimPrefix(rest, "/"))
	switch {
	case rest == "" && r.Method == http.MethodPost:
		id = len(d.sets) + 1
		d.sets[id] = &set{}
		return config.OK(map[string]any{"transId": id, "state": "STARTED", "timeoutSeconds": 120})
	case err != nil || d.sets[id] == nil:
		return config.Refuse(http.StatusNotFound, "there is no transaction %s", rest)
	case r.Method == http.MethodGet:
		return config.OK(map[string]any{"transId": id, "state": "STARTED"})
	case r.Method == http.MethodDelete:
		d.sets[id] = nil
		return config.Reply{Status: http.StatusOK, Body: nil}
	case r.Method == http.MethodPatch:
		if asked, _ := config.Object(r.Body); asked["state"] != "VALIDATING" {
			return config.Refuse(http.StatusBadRequest, "a transaction is committed with state VALIDATING")
		}
		return d.commit(id)
	}
	return config.Refuse(http.StatusMethodNotAllowed, "method %s is not allowed", r.Method)
}

func (d *Device) queue(r Request, rest string) config.Reply {
	id, err := strconv.Atoi(r.transaction)
	if err != nil || d.sets[id] == nil {
		return config.Refuse(http.StatusNotFound, "there is no transaction %s", r.transaction)
	}
	d.sets[id].queued = append(d.sets[id].queued, queued{r, rest})
	return config.OK(map[string]any{"transId": id, "commandId": len(d.sets[id].queued), "state": "QUEUED"})
}

// commit does all of a transaction, or nothing when one of its requests is refused.
func (d *Device) commit(id int) config.Reply {
	next := d.objects.Clone()
	for _, q := range d.sets[id].queued {
		if answer := next.Serve(q.request.Method, q.request.Body, q.rest, d.hasPartition); answer.Status >= http.StatusBadRequest {
			message, _ := answer.Body.(map[string]any)["message"].(string)
			d.sets[id] = nil
			return config.Refuse(answer.Status, "transaction failed:%s", message)
		}
	}
	d.objects, d.sets[id] = next, nil
	return config.OK(map[string]any{"transId": id, "state": "COMPLETED"})
}
