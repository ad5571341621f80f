package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks"

	"github.com/zclconf/go-cty/cty"
)

// patch is a JSON merge patch (RFC 7396) of a task's wire form, known keys only.
type patch map[string]any

// patchable tells what of a task each key changes: next is the task as it is and
// then as it will be, from the patched one as its wire form decodes, to the new
// value of the key. The wire form does not tell all of a task, so what a patch
// does not name is kept as it is.
var patchable = map[string]func(next *tasks.Task, from tasks.Task, to any){
	"enabled":     func(next *tasks.Task, from tasks.Task, _ any) { next.Enabled = from.Enabled },
	"description": func(next *tasks.Task, from tasks.Task, _ any) { next.Description = from.Description },
	"module": func(next *tasks.Task, from tasks.Task, _ any) {
		next.Module, next.WrittenModule = from.Module, from.WrittenModule
	},
	"version":   func(next *tasks.Task, from tasks.Task, _ any) { next.Version = from.Version },
	"providers": func(next *tasks.Task, from tasks.Task, _ any) { next.Providers = from.Providers },
	"buffer_period": func(next *tasks.Task, from tasks.Task, _ any) {
		next.Buffer, next.OwnBuffer = from.Buffer, from.OwnBuffer
	},
	"guard":        func(next *tasks.Task, from tasks.Task, _ any) { next.Guard = from.Guard },
	"condition":    func(next *tasks.Task, from tasks.Task, _ any) { next.Condition = from.Condition },
	"variables":    patchVariables,
	"module_input": patchInputs,
	"name":         func(*tasks.Task, tasks.Task, any) {},
}

// parsePatch reads the body of an update. The key enabled may be in any case and
// its value a text or a number, as Consul-Terraform-Sync takes them.
func parsePatch(body []byte) (patch, error) {
	value, err := parseJSON(body)
	if err != nil {
		return nil, fmt.Errorf("request body has an error: failed to decode request body: %w", err)
	}
	sent, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("request body has an error: it is not a JSON object")
	}
	out, unsupported := patch{}, []string(nil)
	for key, to := range sent {
		if strings.EqualFold(key, "enabled") {
			key = "enabled"
		}
		if _, twice := out[key]; twice {
			return nil, errors.New("request body has an error: enabled is given twice")
		}
		if patchable[key] == nil {
			unsupported = append(unsupported, key)
		}
		out[key] = to
	}
	if len(unsupported) > 0 {
		slices.Sort(unsupported)
		return nil, fmt.Errorf("request body's JSON contains unsupported keys: %s", clip(strings.Join(unsupported, ", ")))
	}
	if len(out) == 0 {
		return nil, errors.New("request body has an error: enabled is missing, and nothing else is to be changed")
	}
	if to, given := out["enabled"]; given {
		if out["enabled"], err = weakBool(to); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// weakBool reads a truth value as Consul-Terraform-Sync does.
func weakBool(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case float64:
		return v != 0, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b, nil
		}
	}
	return false, errors.New("request body has an error: enabled is neither true nor false")
}

// apply makes the patched task; decode reads a wire form and all of its problems.
func (p patch) apply(present tasks.Task, decode func(map[string]any) (tasks.Task, error)) (tasks.Task, error) {
	if name, given := p["name"]; given && name != any(present.Name) {
		return tasks.Task{}, fmt.Errorf("request body has an error: the task is %s and a task cannot be renamed; create another one", present.Name)
	}
	next := present
	if to, given := p["enabled"]; given && len(p) == 1 {
		next.Enabled = to.(bool)
		return next, nil
	}
	wire, err := p.merged(present)
	if err != nil {
		return tasks.Task{}, err
	}
	if err := conforms("TaskRequest", map[string]any{"task": wire}); err != nil {
		return tasks.Task{}, fmt.Errorf("request body has an error: %w", err)
	}
	if err := selectsOnce(wire); err != nil {
		return tasks.Task{}, fmt.Errorf("request body has an error: %w", err)
	}
	decoded, err := decode(wire)
	if err != nil {
		return tasks.Task{}, err
	}
	for key, to := range p {
		patchable[key](&next, decoded, to)
	}
	return next, nil
}

// merged is the wire form of the present task with the patch in it.
func (p patch) merged(present tasks.Task) (map[string]any, error) {
	shown := NewTask(present, nil)
	shown.Buffer = nil
	if _, given := p["buffer_period"]; given {
		shown.Buffer = newBuffer(present.Buffer)
	}
	if _, given := p["guard"]; given {
		shown.Guard = NewGuard(present.Guard)
	}
	raw, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("write task %s as JSON: %w", present.Name, err)
	}
	var wire map[string]any
	if err := json.Unmarshal(raw, &wire); err != nil {
		return nil, fmt.Errorf("read task %s as JSON: %w", present.Name, err)
	}
	if to, is := p["condition"].(map[string]any); is {
		// A task has one condition: a new kind replaces the present one.
		maps.DeleteFunc(wire["condition"].(map[string]any), func(kind string, _ any) bool { return to[kind] == nil })
	}
	for _, kinds := range []string{"condition", "module_input"} {
		to, _ := p[kinds].(map[string]any)
		services, _ := to["services"].(map[string]any)
		was, _ := wire[kinds].(map[string]any)["services"].(map[string]any)
		replaceSelection(was, services)
	}
	return merge(wire, map[string]any(p)).(map[string]any), nil
}

// replaceSelection makes room in a services block for a selection of the other
// kind: names and regexp exclude each other.
func replaceSelection(was, to map[string]any) {
	if to["names"] != nil {
		delete(was, "regexp")
	}
	if to["regexp"] != nil {
		delete(was, "names")
	}
}

// merge is RFC 7396; it changes the target.
func merge(target, p any) any {
	changes, is := p.(map[string]any)
	if !is {
		return p
	}
	out, is := target.(map[string]any)
	if !is {
		out = map[string]any{}
	}
	for key, to := range changes {
		if to == nil {
			delete(out, key)
			continue
		}
		out[key] = merge(out[key], to)
	}
	return out
}

func patchVariables(next *tasks.Task, from tasks.Task, to any) {
	named, is := to.(map[string]any)
	if !is {
		next.Variables = from.Variables
		return
	}
	out := maps.Clone(next.Variables)
	if out == nil {
		out = map[string]cty.Value{}
	}
	for name := range named {
		delete(out, name)
		if v, ok := from.Variables[name]; ok {
			out[name] = v
		}
	}
	next.Variables = out
}

func patchInputs(next *tasks.Task, from tasks.Task, to any) {
	kinds, is := to.(map[string]any)
	if !is {
		next.ModuleInputs = from.ModuleInputs
		return
	}
	named := func(in tasks.ModuleInput) bool {
		_, services := kinds["services"]
		_, kv := kinds["consul_kv"]
		_, nodes := kinds["nodes"]
		return in.Services != nil && services || in.ConsulKV != nil && kv || in.Nodes != nil && nodes
	}
	var out []tasks.ModuleInput
	for _, in := range next.ModuleInputs {
		if !named(in) {
			out = append(out, in)
		}
	}
	for _, in := range from.ModuleInputs {
		if named(in) {
			out = append(out, in)
		}
	}
	next.ModuleInputs = out
}
