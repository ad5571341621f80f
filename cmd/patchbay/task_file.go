package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"patchbay/agent/client"
	"patchbay/agent/config"
)

// readTask reads a task file: only its one task counts, and of this only what is
// set. what is the headline of a failure, command the one that failed.
func (c *cli) readTask(file, command, what string) (client.Fields, error) {
	if file == "" {
		return nil, c.misuse(command, what, "no task file provided")
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fail("unable to find the working directory", err)
	}
	refuse := func(detail string, cause error) error {
		return &failure{code: exitError, what: what, details: []string{detail}, cause: cause}
	}
	list, err := config.ReadTasks(file, config.Options{Env: os.Getenv, WorkDir: dir})
	switch {
	case err != nil:
		return nil, refuse("unable to read task file", err)
	case len(list) > 1:
		return nil, refuse(fmt.Sprintf("task file '%s' cannot contain more than 1 task, contains %d tasks", file, len(list)), nil)
	case len(list) == 0:
		return nil, refuse(fmt.Sprintf("task file '%s' does not contain a task, must contain at least one task", file), nil)
	}
	if old := outdated(list[0].Fields); len(old) > 0 {
		return nil, &failure{code: exitError, what: what, details: old}
	}
	task, err := taskFields(list[0])
	if err != nil {
		return nil, refuse(fmt.Sprintf("task '%s' is invalid", file), err)
	}
	return task, nil
}

// outdated tells of each deprecated name in a task that has a replacement.
func outdated(task map[string]any) (out []string) {
	tell := func(what, old, new string) {
		out = append(out, fmt.Sprintf("the '%s' %s is no longer supported\nPlease replace '%s' with '%s' in your task configuration.", old, what, old, new))
	}
	for _, f := range []struct{ old, what, new string }{
		{"source", "field in the task block", "module"},
		{"source_input", "block in the task", "module_input"},
		{"services", "field in the task block", `condition "services"' or 'module_input "services"`},
	} {
		if _, ok := lookUp(task, f.old); ok {
			tell(f.what, f.old, f.new)
		}
	}
	condition, _ := lookUp(task, "condition")
	for _, label := range kinds(condition) {
		if _, ok := lookUp(label.body, "source_includes_var"); ok {
			tell(fmt.Sprintf("field in the task's 'condition \"%s\"' block", label.name), "source_includes_var", "use_as_module_input")
		}
	}
	return out
}

// lookUp finds a name in any case.
func lookUp(block map[string]any, name string) (any, bool) {
	for n, v := range block {
		if strings.EqualFold(n, name) {
			return v, true
		}
	}
	return nil, false
}

// kind is a labelled block.
type kind struct {
	name string
	body map[string]any
}

// kinds gives the labelled blocks of a value, in the order of their names within
// one object.
func kinds(v any) (out []kind) {
	for _, item := range asList(v) {
		block, _ := item.(map[string]any)
		names := make([]string, 0, len(block))
		for n := range block {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			for _, body := range asList(block[n]) {
				if body, ok := body.(map[string]any); ok {
					out = append(out, kind{n, body})
				}
			}
		}
	}
	return out
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// taskFields turns a task block into the API's object. Variables from files are
// laid over those of the block; working_dir and variable_files are the client's
// alone and stay here.
func taskFields(w config.Written) (client.Fields, error) {
	task, err := convert(w.Fields, "task", taskShapes)
	if err != nil {
		return nil, err
	}
	if task["name"] == nil {
		return nil, errors.New("the task has no name")
	}
	fromFiles, err := w.FileVariables()
	if err != nil {
		return nil, err
	}
	if len(fromFiles) > 0 {
		all, _ := task["variables"].(map[string]string)
		if all == nil {
			all = map[string]string{}
		}
		for name, v := range fromFiles {
			all[name] = v
		}
		task["variables"] = all
	}
	return client.Fields(task), nil
}
