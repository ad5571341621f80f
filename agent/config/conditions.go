package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"patchbay/tasks"

	"github.com/hashicorp/cronexpr"
)

const (
	writeCondition = `condition "services" { … }`
	writeInput     = `module_input "services" { … }`
)

// condition decodes what starts a run.
func (d *decoder) condition(t *taskBlock, f field) {
	blocks := d.labels(f, writeCondition)
	if len(blocks) > 1 {
		d.problem(blocks[1].pos, "keep one", "only one 'condition' block can be configured")
	}
	c := &t.Condition
	for _, b := range blocks {
		path := join(t.path, "condition."+b.label)
		more := d.useAsInput(&c.UseAsModuleInput, b.label)
		c.UseAsModuleInput = b.label != "schedule"
		switch b.label {
		case "services":
			c.Services = new(d.services(b, path, more))
		case "catalog-services":
			c.CatalogServices = new(d.catalogServices(b, path, more))
		case "consul-kv":
			c.ConsulKV = new(d.consulKV(b, path, "condition", more))
		case "nodes":
			c.Nodes = new(d.nodes(b, path, more))
		case "schedule":
			c.Schedule = new(d.schedule(b, path))
		default:
			d.problem(b.pos, "use one of services, catalog-services, consul-kv, schedule, nodes", "unsupported condition type: %s", b.label)
		}
	}
}

// moduleInput decodes data that starts no run.
func (d *decoder) moduleInput(t *taskBlock, f field) {
	for _, b := range d.labels(f, writeInput) {
		var in tasks.ModuleInput
		path := join(t.path, "module_input."+b.label)
		switch b.label {
		case "services":
			in.Services = new(d.services(b, path, map[string]setter{}))
		case "consul-kv":
			in.ConsulKV = new(d.consulKV(b, path, "module_input", map[string]setter{}))
		case "nodes":
			in.Nodes = new(d.nodes(b, path, map[string]setter{}))
		default:
			d.problem(b.pos, "use one of services, consul-kv, nodes", "unsupported module_input type: %s", b.label)
			continue
		}
		d.addInput(t, in, b.pos)
	}
}

// addInput keeps one input for each of the module's variables.
func (d *decoder) addInput(t *taskBlock, in tasks.ModuleInput, at Position) {
	name := variableOf(in)
	if _, twice := t.inputs[name]; twice {
		d.problem(at, "put all into one", "more than one 'module_input' block for the %q variable", name)
		return
	}
	t.inputs[name] = at
	t.ModuleInputs = append(t.ModuleInputs, in)
}

// variableOf names the module's variable that an input fills; "" for none.
func variableOf(in tasks.ModuleInput) string {
	switch {
	case in.Services != nil:
		return "services"
	case in.ConsulKV != nil:
		return "consul_kv"
	case in.Nodes != nil:
		return "nodes"
	}
	return ""
}

// checkInputs looks at condition and inputs together.
func (d *decoder) checkInputs(t *taskBlock) {
	if _, ok := t.where["condition"]; !ok {
		d.warn(t.at, "task %s has no condition: it runs at start and never by itself", t.Name)
	}
	c := t.Condition
	name := variableOf(tasks.ModuleInput{Services: c.Services, ConsulKV: c.ConsulKV, Nodes: c.Nodes})
	if at, both := t.inputs[name]; both {
		d.problem(at, "remove one of the two", "task's condition block and module_input block both monitor %q variable type", name)
	}
}

// checkSchedule takes the buffer from a task that runs by the clock.
func (d *decoder) checkSchedule(t *taskBlock) {
	if t.Condition.Schedule == nil {
		return
	}
	if at, set := t.where["buffer_period"]; set && t.Buffer.Enabled {
		d.warn(at, "task %s runs by a schedule; its buffer_period is disabled", t.Name)
	}
	t.Buffer = tasks.Buffer{}
}

func (d *decoder) catalogServices(b labelled, path string, more map[string]setter) (c tasks.CatalogServices) {
	set := false
	more["regexp"] = func(f field) {
		set = true
		d.regexp(&c.Regexp, "catalog-services", f)
	}
	more["datacenter"], more["namespace"] = d.str(&c.Datacenter), d.str(&c.Namespace)
	more["node_meta"] = d.stringMap(&c.NodeMeta)
	d.block(b.body, path, more)
	if !set {
		d.missing(b.pos, "write regexp = \"…\", with \"\" for all services", "catalog-services 'regexp' field must be set")
	}
	return c
}

func (d *decoder) consulKV(b labelled, path, kind string, more map[string]setter) (kv tasks.ConsulKV) {
	broken := false
	more["path"] = func(f field) {
		path, ok := d.text(f)
		kv.Path, broken = path, !ok
	}
	more["recurse"] = d.boolean(&kv.Recurse)
	more["datacenter"], more["namespace"] = d.str(&kv.Datacenter), d.str(&kv.Namespace)
	d.block(b.body, path, more)
	root := kv.Path == "/" && kv.Recurse
	kv.Path = strings.TrimPrefix(kv.Path, "/")
	if kv.Path == "" && !root && !broken {
		d.missing(b.pos, "write path = \"…\", or path = \"/\" with recurse = true for all keys", "path is required for consul-kv %s", kind)
	}
	return kv
}

func (d *decoder) nodes(b labelled, path string, more map[string]setter) (n tasks.Nodes) {
	more["regexp"] = func(f field) { d.regexp(&n.Regexp, "nodes", f) }
	more["datacenter"] = d.str(&n.Datacenter)
	more["node_meta"] = d.stringMap(&n.NodeMeta)
	d.block(b.body, path, more)
	return n
}

func (d *decoder) schedule(b labelled, path string) (s tasks.Schedule) {
	broken := false
	d.block(b.body, path, map[string]setter{"cron": func(f field) {
		cron, ok := d.text(f)
		s.Cron, broken = cron, !ok
		if err := checkCron(s.Cron); s.Cron != "" && err != nil {
			broken = true
			d.problem(f.value.pos, "write 5 to 7 fields, such as \"*/10 * * * *\", or @hourly and the like", "unable to parse cron %q: %v", s.Cron, err)
		}
	}})
	if s.Cron == "" && !broken {
		d.missing(b.pos, "write cron = \"…\", such as \"@hourly\"", "cron config is required for schedule condition")
	}
	return s
}

// maxCronFields are seconds to year.
const maxCronFields = 7

// maxCron is the longest expression in bytes; the parser makes regular
// expressions of its parts.
const maxCron = 200

// checkCron tells whether an expression is understood. One that never comes due
// is: such a task runs when its first pass or an operator says so.
func checkCron(cron string) (err error) {
	if len(cron) > maxCron {
		return fmt.Errorf("longer than %d characters", maxCron)
	}
	defer func() { // the parser is not written for hostile texts
		if recover() != nil {
			err = errors.New("not understood")
		}
	}()
	e, err := cronexpr.Parse(cron)
	if err != nil {
		return err
	}
	if len(strings.Fields(cron)) > maxCronFields {
		return errors.New("more than 7 fields")
	}
	e.Next(time.Unix(0, 0).UTC())
	return nil
}
