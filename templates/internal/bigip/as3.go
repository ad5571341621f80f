package bigip

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"patchbay/templates/internal/bigip/config"
	"patchbay/templates/internal/bigip/rules"
)

// task is one asynchronous run of AS3: it says code 0 while polls is above 0.
type task struct {
	id      string
	polls   int
	results []map[string]any
}

// as3 answers below /mgmt/shared/appsvcs/.
func (d *Device) as3(r Request, rest string) config.Reply {
	what, name, _ := strings.Cut(rest, "/")
	switch {
	case what == "info" && r.Method == http.MethodGet:
		return config.OK(map[string]any{"version": "3.50.0", "release": "5", "schemaCurrent": "3.50.0", "schemaMinimum": "3.0.0"})
	case what == "settings" && r.Method == http.MethodGet:
		return config.OK(map[string]any{"perAppDeploymentAllowed": false})
	case what == "task" && r.Method == http.MethodGet:
		return d.taskOf(name)
	case what == "declare":
		return d.declare(r, name)
	}
	return config.Refuse(http.StatusNotFound, "declaration endpoint %s does not exist", rest)
}

// declare shows, replaces and removes tenants; names are those of the path.
func (d *Device) declare(r Request, names string) config.Reply {
	var tenants []string
	if names != "" {
		tenants = strings.Split(names, ",")
	}
	switch r.Method {
	case http.MethodGet:
		return d.shown(tenants)
	case http.MethodDelete:
		var results []map[string]any
		for _, tenant := range tenants {
			results = append(results, d.deploy(tenant, map[string]any{"class": "Tenant"}))
		}
		return d.started(r, results)
	case http.MethodPost:
		adc, message := rules.ADC(r.Body)
		if message != "" {
			return config.Reply{Status: http.StatusUnprocessableEntity, Body: invalid(message)}
		}
		return d.started(r, d.deployAll(adc, tenants))
	}
	return config.Refuse(http.StatusMethodNotAllowed, "method %s is not allowed", r.Method)
}

func invalid(errors ...string) map[string]any {
	return map[string]any{"code": http.StatusUnprocessableEntity, "errors": errors, "declarationFullId": "", "message": "declaration is invalid"}
}

// deployAll checks a declaration as a whole and then brings in each tenant by itself, so
// that one may fail and the others not.
func (d *Device) deployAll(adc map[string]any, filter []string) (results []map[string]any) {
	if errors := rules.Faulty(adc); len(errors) > 0 {
		return []map[string]any{invalid(errors...)}
	}
	if d.next != nil {
		results, d.next = d.next, nil
		refused := map[any]bool{}
		for _, result := range results {
			if result["code"] != http.StatusOK {
				refused[result["tenant"]] = true
			}
		}
		for name, tenant := range rules.Tenants(adc) {
			if !refused[name] && !refused[nil] {
				d.deploy(name, tenant)
			}
		}
		return results
	}
	for _, name := range slices.Sorted(maps.Keys(rules.Tenants(adc))) {
		if len(filter) == 0 || slices.Contains(filter, name) {
			results = append(results, d.deploy(name, rules.Tenants(adc)[name]))
		}
	}
	if len(results) == 0 {
		results = []map[string]any{{"code": http.StatusOK, "message": "no change"}}
	}
	d.envelope = map[string]any{}
	for key, value := range adc {
		if m, isObject := value.(map[string]any); !isObject || m["class"] != "Tenant" {
			d.envelope[key] = value
		}
	}
	return results
}

// outcome decides the results of the next declaration. A result without a tenant, or
// with one that failed, applies nothing of it.
func (d *Device) outcome(results []map[string]any) { d.next = results }

// Slow makes each task of AS3 that begins from now on run until it was asked for polls
// times.
func (d *Device) Slow(polls int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.polls = polls
}

func (d *Device) started(r Request, results []map[string]any) config.Reply {
	if !strings.Contains(r.Query, "async=true") {
		status := http.StatusOK
		if code, _ := results[0]["code"].(int); len(results) == 1 {
			status = code
		}
		return config.Reply{Status: status, Body: map[string]any{"results": results}}
	}
	t := &task{id: fmt.Sprintf("%08d-0000-4000-8000-000000000000", len(d.tasks)+1), polls: d.polls, results: results}
	d.tasks[t.id] = t
	return config.Reply{Status: http.StatusAccepted, Body: map[string]any{"id": t.id, "selfLink": "https://localhost/mgmt/shared/appsvcs/task/" + t.id,
		"results": []any{map[string]any{"code": 0, "message": "Declaration successfully submitted"}}}}
}

func (d *Device) taskOf(id string) config.Reply {
	t := d.tasks[id]
	switch {
	case t == nil:
		return config.Refuse(http.StatusNotFound, "task %s does not exist", id)
	case t.polls > 0:
		t.polls--
		return config.OK(map[string]any{"id": id, "results": []any{map[string]any{"code": 0, "message": "in progress"}}})
	}
	return config.OK(map[string]any{"id": id, "results": t.results})
}

// shown gives the declaration of tenants as it was sent, or of all.
func (d *Device) shown(tenants []string) config.Reply {
	if len(d.tenants) == 0 {
		return config.Reply{Status: http.StatusNoContent, Body: nil}
	}
	out := maps.Clone(d.envelope)
	out["updateMode"] = "selective"
	out["controls"] = map[string]any{"archiveTimestamp": "2026-01-01T00:00:00.000Z"}
	if len(tenants) == 0 {
		tenants = slices.Sorted(maps.Keys(d.tenants))
	}
	for _, name := range tenants {
		if d.tenants[name] == nil {
			return config.Refuse(http.StatusNotFound, "declaration for tenant %s was not found.", name)
		}
		out[name] = d.tenants[name]
	}
	return config.OK(out)
}

// deploy replaces a tenant by what a declaration has of it, or changes nothing. A
// tenant without objects is removed, as AS3 does it.
func (d *Device) deploy(name string, tenant map[string]any) map[string]any {
	result := map[string]any{"tenant": name, "host": "localhost", "lineCount": 1, "runTime": 1, "code": http.StatusOK, "message": "success"}
	if reflect.DeepEqual(d.tenants[name], tenant) || d.tenants[name] == nil && !config.Inhabited(tenant) {
		result["message"] = "no change"
		return result
	}
	next, events, err := d.objects.Tenant(name, tenant)
	if err != nil {
		result["code"], result["message"], result["response"] = http.StatusUnprocessableEntity, "declaration failed", err.Error()
		return result
	}
	if d.objects = next; config.Inhabited(tenant) {
		d.tenants[name] = tenant
	} else {
		delete(d.tenants, name)
	}
	d.listen(name, events)
	return result
}

// listen keeps the lists of service discovery of a tenant that its pools still ask for.
func (d *Device) listen(tenant string, events map[string]string) {
	for id := range d.discoveries {
		if _, wanted := events[id]; !wanted && strings.HasPrefix(id, "~"+tenant+"~") {
			delete(d.discoveries, id)
		}
	}
	for id, pool := range events {
		if d.discoveries[id] == nil {
			d.discoveries[id] = &discovery{pool: pool, nodes: []any{}}
		}
	}
}
