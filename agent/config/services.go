package config

import (
	"regexp"
	"slices"
	"strings"

	"patchbay/agent/internal/filter"
	"patchbay/tasks"
)

// condition decodes what starts a run.
func (d *decoder) condition(t *taskBlock, f field) {
	blocks := d.labels(f, writeCondition)
	if len(blocks) > 1 {
		d.problem(blocks[1].pos, "keep one", "only one 'condition' block can be configured")
	}
	for _, b := range blocks {
		switch {
		case laterConditions[b.label]:
			d.problem(b.pos, "write "+writeCondition, "condition type %q is not supported yet", b.label)
		case b.label != "services":
			d.problem(b.pos, "write "+writeCondition, "unsupported condition type: %s", b.label)
		default:
			t.Condition.UseAsModuleInput = true
			s := d.services(b, join(t.path, "condition.services"),
				map[string]setter{"use_as_module_input": d.boolean(&t.Condition.UseAsModuleInput)})
			t.Condition.Services = &s
		}
	}
}

// moduleInput decodes data that starts no run.
func (d *decoder) moduleInput(t *taskBlock, f field) {
	for _, b := range d.labels(f, writeInput) {
		switch {
		case laterInputs[b.label]:
			d.problem(b.pos, "write "+writeInput, "module_input type %q is not supported yet", b.label)
		case b.label != "services":
			d.problem(b.pos, "write "+writeInput, "unsupported module_input type: %s", b.label)
		default:
			s := d.services(b, join(t.path, "module_input.services"), map[string]setter{})
			if len(t.ModuleInputs) > 0 {
				d.problem(b.pos, "put all services into one", "more than one 'module_input' block for the \"services\" variable")
				continue
			}
			t.ModuleInputs = append(t.ModuleInputs, tasks.ModuleInput{Services: &s})
			t.where["module_input"] = b.pos
		}
	}
}

// checkInputs looks at condition and inputs together.
func (d *decoder) checkInputs(t *taskBlock) {
	if _, ok := t.where["condition"]; !ok {
		d.warn(t.at, "task %s has no condition: it runs at start and never by itself", t.Name)
	}
	if t.Condition.Services != nil && len(t.ModuleInputs) > 0 {
		d.problem(t.where["module_input"], "remove one of the two",
			"task's condition block and module_input block both monitor \"services\" variable type")
	}
}

// services decodes the attributes that a condition and an input share; more are
// those of the one.
func (d *decoder) services(b labelled, path string, more map[string]setter) (s tasks.Services) {
	var namesSet, regexpSet bool
	more["names"] = func(f field) {
		namesSet = true
		d.list(&s.Names)(f)
		if slices.Contains(s.Names, "") {
			d.problem(f.pos, "remove it", "names field includes empty string(s). service names cannot be empty")
		}
	}
	more["regexp"] = func(f field) {
		regexpSet = true
		d.regexp(&s.Regexp, f)
	}
	more["filter"] = func(f field) { d.filter(&s.Filter, f) }
	more["datacenter"], more["namespace"] = d.str(&s.Datacenter), d.str(&s.Namespace)
	more["cts_user_defined_meta"] = d.stringMap(&s.UserMeta)
	d.block(b.body, path, more)
	switch {
	case !regexpSet && !(namesSet && len(s.Names) > 0):
		d.missing(b.pos, "write names = [\"…\"], or regexp = \"…\" with \"\" for all services", "either the regexp or names field must be configured")
	case regexpSet && namesSet:
		d.problem(b.pos, "remove one of the two", "regexp and names fields cannot both be configured")
	}
	return s
}

// regexp decodes a regular expression. CTS passes it through a template string, so
// its users double each backslash once more: doubled ones are halved when the
// result compiles, and taken as they are otherwise.
func (d *decoder) regexp(dst *string, f field) {
	s, ok := d.text(f)
	if !ok {
		return
	}
	if half := strings.ReplaceAll(s, `\\`, `\`); half != s {
		if _, err := regexp.Compile(half); err == nil {
			s = half
		}
	}
	if _, err := regexp.Compile(s); err != nil {
		d.problem(f.value.pos, "correct the expression; its syntax is RE2", "unable to compile services regexp: %v", err)
		return
	}
	*dst = s
}

func (d *decoder) filter(dst *string, f field) {
	s, ok := d.text(f)
	if !ok {
		return
	}
	if _, err := filter.Compile(s); err != nil {
		d.problem(f.value.pos, "correct the expression; its syntax is Consul's", "unable to use the services filter: %v", err)
		return
	}
	*dst = s
}
