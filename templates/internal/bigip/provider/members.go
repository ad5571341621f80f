package provider

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"patchbay/templates/internal/bigip/config"
	"patchbay/templates/internal/standin"
)

// membersPath is the URL of a pool's members, memberName a node as the device names it.
func membersPath(state standin.Object) string {
	return pools + "/" + tilde(state.String("pool")) + "/members"
}

func memberName(state standin.Object) string {
	node := state.String("node")
	if strings.HasPrefix(node, "/") {
		return node
	}
	return "/" + config.Partition(config.Path(tilde(state.String("pool")))) + "/" + node
}

// attach makes a member and then sets it up, with two requests.
func (w *wire) attach(ctx context.Context, planned standin.Object) (standin.Object, error) {
	if err := w.call(ctx, http.MethodPost, membersPath(planned), map[string]any{"name": memberName(planned)}, nil); err != nil {
		return nil, fmt.Errorf("failure adding node %s to pool %s: %w", planned.String("node"), planned.String("pool"), err)
	}
	made := planned.With(standin.Object{"id": planned.String("pool") + "-" + planned.String("node")})
	out, err := w.updateMember(ctx, nil, made)
	if err != nil {
		return made, err // the provider remembers the member by then
	}
	return out, nil
}

var memberNames = map[string]string{
	"connectionLimit": "connection_limit", "dynamicRatio": "dynamic_ratio", "monitor": "monitor", "priorityGroup": "priority_group",
	"rateLimit": "connection_rate_limit", "ratio": "ratio",
}

func (w *wire) updateMember(ctx context.Context, _, planned standin.Object) (standin.Object, error) {
	body := map[string]any{}
	for theirs, ours := range memberNames {
		if planned[ours] != nil {
			body[theirs] = planned[ours]
		}
	}
	switch planned.String("state") {
	case "enabled":
		body["state"], body["session"] = "user-up", "user-enabled"
	case "disabled":
		body["state"], body["session"] = "user-up", "user-disabled"
	case "forced_offline":
		body["state"], body["session"] = "user-down", "user-disabled"
	}
	if err := w.call(ctx, http.MethodPatch, membersPath(planned)+"/"+tilde(memberName(planned)), body, nil); err != nil {
		return nil, fmt.Errorf("failure modifying node %s in pool %s: %w", planned.String("node"), planned.String("pool"), err)
	}
	return w.readMember(ctx, planned)
}

// readMember looks for the pool and then through all of its members. It does not read
// the state back.
func (w *wire) readMember(ctx context.Context, state standin.Object) (standin.Object, error) {
	err := w.call(ctx, http.MethodGet, pools+"/"+tilde(state.String("pool")), nil, nil)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var told struct{ Items []standin.Object }
	if err := w.call(ctx, http.MethodGet, membersPath(state), nil, &told); err != nil {
		return nil, err
	}
	for _, m := range told.Items {
		if m.String("fullPath") == memberName(state) {
			out := state.With(nil)
			for theirs, ours := range memberNames {
				out[ours] = m[theirs]
			}
			return out, nil
		}
	}
	return nil, nil
}

func (w *wire) detach(ctx context.Context, state standin.Object) error {
	return w.call(ctx, http.MethodDelete, membersPath(state)+"/"+tilde(memberName(state)), nil, nil)
}

const nodes = "/mgmt/tm/ltm/node"

var nodeNames = map[string]string{
	"address": "address", "connectionLimit": "connection_limit", "description": "description", "dynamicRatio": "dynamic_ratio",
	"rateLimit": "rate_limit", "ratio": "ratio", "session": "session", "state": "state",
}

func (w *wire) writeNode(ctx context.Context, method, path string, planned standin.Object) error {
	body := map[string]any{}
	for theirs, ours := range nodeNames {
		if planned[ours] != nil {
			body[theirs] = planned[ours]
		}
	}
	if monitor := planned.String("monitor"); monitor != "" {
		body["monitor"] = monitor
	}
	if method == http.MethodPost {
		body["name"] = planned.String("name")
	}
	return w.call(ctx, method, path, body, nil)
}

func (w *wire) createNode(ctx context.Context, planned standin.Object) (standin.Object, error) {
	name := planned.String("name")
	if err := w.call(ctx, http.MethodGet, nodes+"/"+tilde(name), nil, nil); err != nil && !gone(err) {
		return nil, err
	}
	if err := w.writeNode(ctx, http.MethodPost, nodes, planned); err != nil {
		return nil, fmt.Errorf("error modifying node %s: %w", name, err)
	}
	return w.readNode(ctx, planned.With(standin.Object{"id": name}))
}

func (w *wire) updateNode(ctx context.Context, _, planned standin.Object) (standin.Object, error) {
	if err := w.writeNode(ctx, http.MethodPut, nodes+"/"+tilde(planned.String("name")), planned); err != nil {
		return nil, fmt.Errorf("error modifying node %s: %w", planned.String("name"), err)
	}
	return w.readNode(ctx, planned)
}

func (w *wire) readNode(ctx context.Context, state standin.Object) (standin.Object, error) {
	var told standin.Object
	err := w.call(ctx, http.MethodGet, nodes+"/"+tilde(state.String("name")), nil, &told)
	if gone(err) {
		return nil, nil
	}
	out := state.With(standin.Object{"name": told["fullPath"]})
	for theirs, ours := range nodeNames {
		if ours != "description" || told[theirs] != nil {
			out[ours] = told[theirs]
		}
	}
	return out, err
}
