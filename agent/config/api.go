package config

import (
	"slices"
	"strings"

	"patchbay/tasks"
)

// bodyName stands for the file's name in problems with a request.
const bodyName = "request"

// TaskFromAPI makes a task of its JSON object as the HTTP API gives it: the value
// of "task" in {"task": {…}}. It has the defaults, the inheritance from base and
// the checks of a task in a file, except that types are exact, names keep their
// case, and a condition must be there. Whether the name is taken is the caller's
// to say: a task of that name in base counts as the one to be replaced.
//
// The error is an [*Error] with all problems, and then the task is empty. The
// task's Position is "".
func TaskFromAPI(body []byte, base Config, o Options) (tasks.Task, error) {
	r := newReport()
	at := Position{File: bodyName, order: 1}
	if len(body) > maxFile {
		r.problem(at, "send less", "the body is too large")
		return tasks.Task{}, r.err()
	}
	if !textIsClean(at, body, r) {
		return tasks.Task{}, r.err()
	}
	top := parseJSON(at, body, r)
	if err := r.err(); err != nil {
		return tasks.Task{}, err
	}
	top, _ = taskShape().fit(top, "/task", r)
	r.broken[at.order] = len(r.problems) > 0
	d := newDecoder(o, r)
	d.fromAPI = true
	t := d.apiTask(top, base)
	if err := r.err(); err != nil {
		return tasks.Task{}, err
	}
	return t, nil
}

// apiTask decodes a task of the right shape.
func (d *decoder) apiTask(n node, base Config) tasks.Task {
	n.fields = slices.Clone(n.fields)
	for i, f := range n.fields {
		if isInput(f.name) {
			n.fields[i].value = dashed(f.value)
		}
		if f.name == "condition" && len(f.value.fields) == 0 {
			d.missing(f.value.pos, "write one of services, catalog_services, consul_kv, nodes, schedule", "condition is empty")
		}
	}
	n.fields = slices.DeleteFunc(n.fields, func(f field) bool { return len(f.value.fields) == 0 && isInput(f.name) })
	name := ""
	if i := find(n.fields, "name", 0); i >= 0 {
		name = n.fields[i].value.text
	}
	d.cfg = base
	d.cfg.Tasks = slices.DeleteFunc(slices.Clone(base.Tasks), func(t tasks.Task) bool { return t.Name == name })
	d.task(field{name: "task", path: "task", pos: n.pos, value: n}, base.Guard)
	t := d.cfg.Tasks[len(d.cfg.Tasks)-1]
	t.Position = ""
	return t
}

func isInput(name string) bool { return name == "condition" || name == "module_input" }

// dashed gives the types of conditions and inputs the names that files have.
func dashed(n node) node {
	n.fields = slices.Clone(n.fields)
	for i := range n.fields {
		n.fields[i].name = strings.ReplaceAll(n.fields[i].name, "_", "-")
	}
	return n
}
