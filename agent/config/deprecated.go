package config

import (
	"maps"
	"slices"

	"patchbay/tasks"
)

// Names that Consul-Terraform-Sync deprecated and still takes. Each use gives one
// warning that says the new form; the values go where the new names put them.

// source keeps the old name of module, which counts when module is not set.
func (d *decoder) source(t *taskBlock, f field) {
	var s string
	d.str(&s)(f)
	t.old.source, t.old.sourceAt = s, f.pos
	d.warn(f.pos, "source is deprecated; write module = \"…\"")
}

func (d *decoder) sourceInput(t *taskBlock, f field) {
	d.warn(f.pos, "source_input is deprecated; write module_input \"<type>\" { … }")
	d.moduleInput(t, f)
}

// useAsInput gives the setters that say whether a condition is an input too, by the
// new name and by the old one, over which the new one wins.
func (d *decoder) useAsInput(dst *bool, kind string) map[string]setter {
	set := false
	out := map[string]setter{"use_as_module_input": func(f field) {
		set = true
		d.boolean(dst)(f)
	}}
	if kind == "nodes" { // never had the old name
		return out
	}
	out["source_includes_var"] = func(f field) {
		d.warn(f.pos, "source_includes_var is deprecated; write use_as_module_input = …")
		old := *dst
		d.boolean(&old)(f)
		if !set {
			*dst = old
		}
	}
	return out
}

// service decodes a service block, which says more of a name in a task's services.
func (d *decoder) service(f field) {
	n, ok := d.object(f)
	if !ok {
		return
	}
	var name, id string
	var s tasks.Services
	d.block(n, f.path, map[string]setter{
		"name": d.str(&name), "id": d.str(&id), "description": d.str(new(string)),
		"datacenter": d.str(&s.Datacenter), "namespace": d.str(&s.Namespace), "cts_user_defined_meta": d.stringMap(&s.UserMeta),
		"filter": func(f field) { d.filter(&s.Filter, f) }})
	d.warn(f.pos, "service blocks are deprecated; write names, datacenter, namespace, filter and cts_user_defined_meta into condition \"services\" or module_input \"services\" of the task")
	if name == "" {
		d.missing(f.pos, "write name = \"…\"", "service name is required")
	}
	if id == "" {
		id = name
	}
	if _, twice := d.blocks[id]; twice {
		d.problem(f.pos, "give one of them another id", "unique service IDs are required: %s", id)
	}
	s.Names = []string{name}
	d.blocks[id] = s
}

// oldNames puts what a task's deprecated names say into its fields.
func (d *decoder) oldNames(t *taskBlock) {
	if t.Module == "" && t.old.source != "" {
		t.Module, t.where["module"] = t.old.source, t.old.sourceAt
	}
	f := t.old.services
	groups := d.serviceGroups(f)
	if len(groups) == 0 {
		return
	}
	_, hasInput := t.inputs["services"]
	_, hasCondition := t.where["condition"]
	switch {
	case t.Condition.Services != nil || hasInput:
		d.problem(f.pos, "move the names into the block", "services and a \"services\" block cannot both be configured")
	case hasCondition:
		d.oldServices(f, `module_input "services"`, groups)
		t.ModuleInputs = append(t.ModuleInputs, tasks.ModuleInput{Services: selection(groups)})
		t.inputs["services"] = f.pos
	default:
		d.oldServices(f, `condition "services"`, groups)
		t.Condition = tasks.Condition{Services: selection(groups), UseAsModuleInput: true}
	}
	t.where["condition"] = f.pos
	for _, e := range elements(f) {
		name := e.value.text // as serviceGroups, which has told what is no name
		if s, known := d.blocks[name]; known {
			name = s.Names[0]
		}
		t.OldServices = append(t.OldServices, name)
	}
}

// oldServices warns of a list of services. Where their blocks differ no newer form
// says the same.
func (d *decoder) oldServices(f field, form string, groups []tasks.Services) {
	if len(groups) > 1 {
		d.warn(f.pos, "services is deprecated; their service blocks differ, so no other form says the same in one task: keep it, or make a task for each and write %s { … }", form)
		return
	}
	d.warn(f.pos, "services is deprecated; write %s { names = [ … ] }", form)
}

// selection makes one selection of all groups.
func selection(groups []tasks.Services) *tasks.Services {
	s := groups[0]
	s.Others = groups[1:]
	if len(s.Others) == 0 {
		s.Others = nil
	}
	return &s
}

// serviceGroups gives the services of a list, those with equal attributes together.
func (d *decoder) serviceGroups(f field) (groups []tasks.Services) {
	if f.name == "" {
		return nil
	}
	for _, e := range elements(f) {
		id, ok := d.text(e)
		if !ok {
			continue
		}
		if id == "" {
			d.problem(e.pos, "remove it", "services includes an empty name")
			continue
		}
		s, known := d.blocks[id]
		if !known {
			s.Names = []string{id}
		}
		i := slices.IndexFunc(groups, func(g tasks.Services) bool {
			return g.Datacenter == s.Datacenter && g.Namespace == s.Namespace && g.Filter == s.Filter && maps.Equal(g.UserMeta, s.UserMeta)
		})
		if i < 0 {
			s.Names = slices.Clone(s.Names)
			groups = append(groups, s)
		} else if !slices.Contains(groups[i].Names, s.Names[0]) {
			groups[i].Names = append(groups[i].Names, s.Names[0])
		}
	}
	return groups
}
