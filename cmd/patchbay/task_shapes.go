package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// shape turns a value of a configuration file, which may be written loosely, into
// the one form that the API takes. path is for messages.
type shape func(v any, path string) (any, error)

// The attributes of a task file and their forms. A nil shape leaves the attribute
// out: the API does not have it.
var (
	taskShapes = map[string]shape{
		"name": text, "description": text, "module": text, "version": text, "terraform_version": text,
		"enabled": boolean, "providers": texts, "variables": textMap,
		"working_dir": nil, "variable_files": nil,
		"buffer_period":             block(map[string]shape{"enabled": boolean, "min": duration, "max": duration}),
		"terraform_cloud_workspace": block(map[string]shape{"execution_mode": text, "agent_pool_id": text, "agent_pool_name": text, "terraform_version": text}),
		"condition":                 labelled, "module_input": labelled,
		"guard": whole,
	}
	// inputShapes are of all conditions and inputs together; which has which is
	// the agent's to say.
	inputShapes = map[string]shape{
		"names": texts, "regexp": text, "filter": text, "datacenter": text, "namespace": text, "path": text, "cron": text,
		"recurse": boolean, "use_as_module_input": boolean, "cts_user_defined_meta": textMap, "node_meta": textMap,
	}
)

// convert gives the attributes of a block in the API's forms.
func convert(in map[string]any, path string, shapes map[string]shape) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		known := strings.ToLower(name)
		form, ok := shapes[known]
		if !ok {
			return nil, fmt.Errorf("invalid keys: %s.%s", path, name)
		}
		if form == nil {
			continue
		}
		v, err := form(in[name], path+"."+known)
		if err != nil {
			return nil, err
		}
		out[known] = v
	}
	return out, nil
}

func wrong(path, want string) error { return fmt.Errorf("%s must be %s", path, want) }

func text(v any, path string) (any, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return nil, wrong(path, "a string")
}

func boolean(v any, path string) (any, error) {
	s, err := text(v, path)
	if err != nil {
		return nil, wrong(path, "true or false")
	}
	b, err := strconv.ParseBool(s.(string))
	if err != nil {
		return nil, wrong(path, "true or false")
	}
	return b, nil
}

// duration gives a bare number the unit that a configuration file means: seconds.
func duration(v any, path string) (any, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String() + "s", nil
	}
	return nil, wrong(path, "a duration")
}

// texts takes a single value as a list of one.
func texts(v any, path string) (any, error) {
	out := []string{}
	for _, item := range asList(v) {
		s, err := text(item, path)
		if err != nil {
			return nil, wrong(path, "a list of strings")
		}
		out = append(out, s.(string))
	}
	return out, nil
}

func textMap(v any, path string) (any, error) {
	in, ok := v.(map[string]any)
	if !ok {
		return nil, wrong(path, "a map of strings")
	}
	out := make(map[string]string, len(in))
	for name, item := range in {
		s, err := text(item, path)
		if err != nil {
			return nil, wrong(path+"."+name, "a string")
		}
		out[name] = s.(string)
	}
	return out, nil
}

// block is a block that stands at most once.
func block(shapes map[string]shape) shape {
	return func(v any, path string) (any, error) {
		list := asList(v)
		if len(list) != 1 {
			return nil, wrong(path, "one block")
		}
		in, ok := list[0].(map[string]any)
		if !ok {
			return nil, wrong(path, "a block")
		}
		return convert(in, path, shapes)
	}
}

// labelled makes one object of labelled blocks; the API writes _ in their names
// where the file writes -.
func labelled(v any, path string) (any, error) {
	out := map[string]any{}
	if !allLabelled(v) {
		return nil, wrong(path, "a block with a label")
	}
	for _, k := range kinds(v) {
		name := strings.ReplaceAll(k.name, "-", "_")
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("only one '%s %q' block can be configured", strings.TrimPrefix(path, "task."), k.name)
		}
		one, err := convert(k.body, path+"."+k.name, inputShapes)
		if err != nil {
			return nil, err
		}
		out[name] = one
	}
	return out, nil
}

// allLabelled tells whether a value is labelled blocks and nothing else.
func allLabelled(v any) bool {
	for _, item := range asList(v) {
		outer, ok := item.(map[string]any)
		for _, bodies := range outer {
			for _, body := range asList(bodies) {
				_, isBlock := body.(map[string]any)
				ok = ok && isBlock
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// whole sends a value as it is.
func whole(v any, _ string) (any, error) { return v, nil }
