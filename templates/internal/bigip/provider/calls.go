package provider

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"patchbay/templates/internal/standin"
)

// The real provider waits 10 s before it asks a busy device again, and 3 s between two
// looks at a task. Tests only need that it waits.
const (
	pause = 20 * time.Millisecond
	poll  = 10 * time.Millisecond
)

// BigIP is f5networks/bigip 1.28.0: its schema, and its calls in their order.
func BigIP() standin.Provider {
	return standin.Provider{
		Source: "f5networks/bigip",
		Schema: standin.BigIP(),
		Configure: func(ctx context.Context, config standin.Object) (standin.Calls, error) {
			w, err := login(ctx, config, pause, poll)
			if err != nil {
				return nil, err
			}
			return standin.Calls{
				"bigip_as3":                     {Create: w.createAS3, Read: w.readAS3, Update: w.updateAS3, Delete: w.deleteAS3},
				"bigip_event_service_discovery": {Create: w.announce, Read: w.readNodes, Update: second(w.announce), Delete: w.forgetNodes},
				"bigip_ltm_datagroup":           {Create: w.createGroup, Read: w.readGroup, Update: w.updateGroup, Delete: w.remove("data-group/internal", "name")},
				"bigip_ltm_node":                {Create: w.createNode, Read: w.readNode, Update: w.updateNode, Delete: w.remove("node", "name")},
				"bigip_ltm_pool":                {Create: w.createPool, Read: w.readPool, Update: w.updatePool, Delete: w.remove("pool", "name")},
				"bigip_ltm_pool_attachment":     {Create: w.attach, Read: w.readMember, Update: w.updateMember, Delete: w.detach},
			}, nil
		},
	}
}

// second is for resources whose change is what their making is.
func second(create func(context.Context, standin.Object) (standin.Object, error)) func(context.Context, standin.Object, standin.Object) (standin.Object, error) {
	return func(ctx context.Context, _, planned standin.Object) (standin.Object, error) {
		return create(ctx, planned)
	}
}

func (w *wire) remove(kind, name string) func(context.Context, standin.Object) error {
	return func(ctx context.Context, state standin.Object) error {
		return w.call(ctx, http.MethodDelete, "/mgmt/tm/ltm/"+kind+"/"+tilde(state.String(name)), nil, nil)
	}
}

// announce sends the whole list of nodes; without any the provider sends null.
func (w *wire) announce(ctx context.Context, planned standin.Object) (standin.Object, error) {
	var nodes []any
	for _, n := range planned.Objects("node") {
		nodes = append(nodes, map[string]any{"id": n.String("id"), "ip": n.String("ip"), "port": n.Int("port")})
	}
	id := planned.String("taskid")
	if err := w.call(ctx, http.MethodPost, "/mgmt/shared/service-discovery/task/"+id+"/nodes", nodes, nil); err != nil {
		return nil, fmt.Errorf("error adding nodes %s: %w", id, err)
	}
	return w.readNodes(ctx, planned.With(standin.Object{"id": id}))
}

// readNodes fails where the device has no such task: the provider does not take that
// for an object that is gone.
func (w *wire) readNodes(ctx context.Context, state standin.Object) (standin.Object, error) {
	var told struct {
		Result struct {
			ProviderOptions struct {
				NodeList []standin.Object `json:"nodeList"`
			} `json:"providerOptions"`
		} `json:"result"`
	}
	if err := w.call(ctx, http.MethodGet, "/mgmt/shared/service-discovery/task/"+state.String("taskid")+"/nodes", nil, &told); err != nil {
		return nil, err
	}
	nodes := []standin.Object{}
	for _, n := range told.Result.ProviderOptions.NodeList {
		nodes = append(nodes, standin.Object{"id": n["id"], "ip": n["ip"], "port": n["port"]})
	}
	return state.With(standin.Object{"node": nodes}), nil
}

func (w *wire) forgetNodes(ctx context.Context, state standin.Object) error {
	return w.call(ctx, http.MethodPost, "/mgmt/shared/service-discovery/task/"+state.String("taskid")+"/nodes/", []any{}, nil)
}

const groups = "/mgmt/tm/ltm/data-group/internal"

func records(planned standin.Object) []any {
	var out []any
	for _, r := range planned.Objects("record") {
		out = append(out, map[string]any{"name": r.String("name"), "data": r.String("data")})
	}
	return out
}

func (w *wire) createGroup(ctx context.Context, planned standin.Object) (standin.Object, error) {
	name := planned.String("name")
	if err := w.call(ctx, http.MethodPost, groups, map[string]any{"name": name, "type": planned.String("type"), "records": records(planned)}, nil); err != nil {
		return nil, fmt.Errorf("error creating Data Group List %s: %w", name, err)
	}
	return w.readGroup(ctx, planned.With(standin.Object{"id": name}))
}

// updateGroup asks for the version first: 12 and 13 take no type in a change.
func (w *wire) updateGroup(ctx context.Context, _, planned standin.Object) (standin.Object, error) {
	if err := w.call(ctx, http.MethodGet, "/mgmt/tm/cli/version", nil, nil); err != nil {
		return nil, err
	}
	name := planned.String("name")
	if err := w.call(ctx, http.MethodPut, groups+"/"+tilde(name), map[string]any{"type": planned.String("type"), "records": records(planned)}, nil); err != nil {
		return nil, fmt.Errorf("error modifying Data Group List %s: %w", name, err)
	}
	return w.readGroup(ctx, planned)
}

func (w *wire) readGroup(ctx context.Context, state standin.Object) (standin.Object, error) {
	var told struct {
		FullPath, Type string
		Records        []standin.Object
	}
	err := w.call(ctx, http.MethodGet, groups+"/"+tilde(state.String("name")), nil, &told)
	if gone(err) {
		return nil, nil
	}
	// To the provider no data and "" are one.
	empty := map[string]any{}
	for _, r := range state.Objects("record") {
		empty[r.String("name")] = r["data"]
	}
	out := []standin.Object{}
	for _, r := range told.Records {
		name, data := r.String("name"), r["data"]
		if data == "" {
			data = empty[name]
		}
		out = append(out, standin.Object{"name": name, "data": data})
	}
	return state.With(standin.Object{"name": told.FullPath, "type": told.Type, "record": out}), err
}

const pools = "/mgmt/tm/ltm/pool"

func (w *wire) createPool(ctx context.Context, planned standin.Object) (standin.Object, error) {
	name := planned.String("name")
	if err := w.call(ctx, http.MethodPost, pools, map[string]any{"name": name}, nil); err != nil {
		return nil, fmt.Errorf("error retrieving pool (%s): %w", name, err)
	}
	return w.updatePool(ctx, nil, planned.With(standin.Object{"id": name}))
}

// updatePool deletes the pool when the device refuses the change, as the provider does.
func (w *wire) updatePool(ctx context.Context, _, planned standin.Object) (standin.Object, error) {
	name, body := planned.String("name"), map[string]any{}
	for theirs, ours := range poolNames {
		if planned[ours] != nil {
			body[theirs] = planned[ours]
		}
	}
	if monitors := planned.Strings("monitors"); len(monitors) > 0 {
		slices.Sort(monitors)
		body["monitor"] = strings.Join(monitors, " and ")
	}
	if err := w.call(ctx, http.MethodPut, pools+"/"+tilde(name), body, nil); err != nil {
		if err := w.call(ctx, http.MethodDelete, pools+"/"+tilde(name), nil, nil); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("error modifying pool (%s): %w", name, err)
	}
	return w.readPool(ctx, planned)
}

var poolNames = map[string]string{
	"allowNat": "allow_nat", "allowSnat": "allow_snat", "description": "description", "loadBalancingMode": "load_balancing_mode",
	"minActiveMembers": "minimum_active_members", "reselectTries": "reselect_tries", "serviceDownAction": "service_down_action", "slowRampTime": "slow_ramp_time",
}

func (w *wire) readPool(ctx context.Context, state standin.Object) (standin.Object, error) {
	var told standin.Object
	err := w.call(ctx, http.MethodGet, pools+"/"+tilde(state.String("name")), nil, &told)
	if gone(err) {
		return nil, nil
	}
	out := state.With(standin.Object{"name": told["fullPath"]})
	for theirs, ours := range poolNames {
		if ours != "description" || told[theirs] != nil {
			out[ours] = told[theirs]
		}
	}
	monitors := []string{}
	if joined := told.String("monitor"); joined != "" {
		monitors = strings.Split(joined, " and ")
	}
	out["monitors"] = monitors
	return out, err
}
