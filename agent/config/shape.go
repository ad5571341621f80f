package config

import (
	"maps"
	"slices"
)

// shape is what a JSON value of the HTTP API may be. Types are exact there and
// names keep their case, unlike in files.
type shape struct {
	kind kind
	// fields are an object's, those in required must be there; item is the shape
	// of a list's elements, or of an object's values when its names are the user's.
	fields   map[string]shape
	required []string
	item     *shape
}

// fit tells r everything in n that has not the shape s, and gives what has. path
// is where n stands, as a JSON pointer.
func (s shape) fit(n node, path string, r *report) (node, bool) {
	if n.kind != s.kind {
		r.problem(n.pos, "write it so at "+path, "value must be %s", s.kind.inJSON())
		return n, false
	}
	switch n.kind {
	case kindList:
		list := n.list
		n.list = nil
		for _, v := range list {
			if v, ok := s.item.fit(v, path, r); ok {
				n.list = append(n.list, v)
			}
		}
	case kindObject:
		n.fields = s.fitFields(n, path, r)
	}
	return n, true
}

func (s shape) fitFields(n node, path string, r *report) (out []field) {
	seen := map[string]bool{}
	for _, f := range n.fields {
		inner, ok := s.fields[f.name]
		if s.item != nil {
			inner, ok = *s.item, true
		}
		if !ok {
			r.problem(f.pos, "known at "+path+" are "+listed(s.fields), "property %q is unsupported", f.name)
			continue
		}
		seen[f.name] = true
		if f.value, ok = inner.fit(f.value, path+"/"+f.name, r); ok {
			out = append(out, f)
		}
	}
	for _, name := range s.required {
		if !seen[name] {
			r.problem(n.pos, "add it at "+path, "property %q is missing", name)
		}
	}
	return out
}

func listed(fields map[string]shape) (out string) {
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			out += ", "
		}
		out += name
	}
	return out
}

// inJSON names the kind as the API's schema does.
func (k kind) inJSON() string {
	return [...]string{"nothing", "a string", "a number", "a boolean", "an array", "an object", "null"}[k]
}

func object(fields map[string]shape, required ...string) shape {
	return shape{kind: kindObject, fields: fields, required: required}
}

// with gives the entries of both maps; those of more win.
func with[T any](fields, more map[string]T) map[string]T {
	out := maps.Clone(fields)
	maps.Copy(out, more)
	return out
}

// taskShape is the task object of the HTTP API. Functions make it, since package
// variables could be changed.
func taskShape() shape {
	text, flag := shape{kind: kindString}, shape{kind: kindBool}
	texts := shape{kind: kindObject, item: &text}
	place := map[string]shape{"datacenter": text, "namespace": text}
	services := with(place, map[string]shape{"regexp": text, "names": {kind: kindList, item: &text}, "filter": text, "cts_user_defined_meta": texts})
	others := object(services)
	services = with(services, map[string]shape{"others": {kind: kindList, item: &others}})
	kv := with(place, map[string]shape{"path": text, "recurse": flag})
	nodes := map[string]shape{"regexp": text, "datacenter": text, "node_meta": texts}
	use := map[string]shape{"use_as_module_input": flag}
	return object(map[string]shape{
		"name": text, "module": text, "description": text, "version": text, "enabled": flag,
		"providers": {kind: kindList, item: &text}, "variables": texts, "terraform_version": text,
		"buffer_period": object(map[string]shape{"enabled": flag, "min": text, "max": text}),
		"guard":         object(map[string]shape{"max_destroys": {kind: kindNumber}, "allow_empty": flag}),
		"condition": object(map[string]shape{
			"services":         object(with(services, use)),
			"catalog_services": object(with(place, with(use, map[string]shape{"regexp": text, "node_meta": texts})), "regexp"),
			"consul_kv":        object(with(kv, use), "path"),
			"nodes":            object(with(nodes, use)),
			"schedule":         object(map[string]shape{"cron": text}, "cron")}),
		"module_input": object(map[string]shape{"services": object(services), "consul_kv": object(kv, "path"), "nodes": object(nodes)}),
		"terraform_cloud_workspace": object(map[string]shape{
			"execution_mode": text, "agent_pool_id": text, "agent_pool_name": text, "terraform_version": text}),
	}, "name", "module", "condition")
}
