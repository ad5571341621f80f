package tasks

import (
	"slices"

	"patchbay/tasks/catalog"

	"github.com/zclconf/go-cty/cty"
)

// Task is what a network team declares: when to run which module with what.
type Task struct {
	// Name is unique; a letter or _ first, then letters, digits, _ and -. It is
	// the module's label, the workspace and the directory.
	Name        string
	Description string
	Enabled     bool
	// Module is a Terraform module source; builtin/<name> names a shipped one. A
	// local one is absolute; then WrittenModule is how the task names it.
	Module, WrittenModule string
	// Version constrains a registry module; "" is any.
	Version string
	// Providers are IDs of terraform_provider blocks: name or name.alias.
	Providers []string
	Condition Condition
	// ModuleInputs add data to what the module is given and start nothing.
	ModuleInputs []ModuleInput
	// OldServices are the names of services that the task lists in the old form, in
	// its order; nil without. What they select is in Condition or ModuleInputs.
	OldServices []string
	// VariableFiles are absolute paths; their values are in Variables already.
	VariableFiles []string
	// Variables are the user's values for module variables.
	Variables map[string]cty.Value
	Buffer    Buffer
	// OwnBuffer is true when the task itself sets Buffer; else it is inherited.
	OwnBuffer bool
	// WorkingDir is the absolute directory of the rendered root module.
	WorkingDir string
	Guard      Guard
	// Position is file:line of the block, for messages; "" for tasks made by API.
	Position string
}

// Condition says what starts a run. Exactly one of the pointers is set, or none:
// then only the first pass and an operator start one.
type Condition struct {
	Services        *Services
	CatalogServices *CatalogServices
	ConsulKV        *ConsulKV
	Nodes           *Nodes
	Schedule        *Schedule
	// UseAsModuleInput also gives what is watched to the module.
	UseAsModuleInput bool
}

// ModuleInput is data for the module that starts no run. Exactly one field is set.
type ModuleInput struct {
	Services *Services
	ConsulKV *ConsulKV
	Nodes    *Nodes
}

// CatalogServices watches which services there are, not their instances.
type CatalogServices struct {
	// Regexp is RE2, not anchored; "" matches all names.
	Regexp                string
	Datacenter, Namespace string
	// NodeMeta restricts to services on nodes with these metadata.
	NodeMeta map[string]string
}

// Query is what must be watched.
func (c CatalogServices) Query() catalog.Query {
	return catalog.Query{Kind: catalog.ServiceNames, Datacenter: c.Datacenter, Namespace: c.Namespace, NodeMeta: catalog.EncodeMeta(c.NodeMeta)}
}

// Select maps the names that match to their sorted tags.
func (c CatalogServices) Select(snapshot catalog.Snapshot) map[string][]string {
	out := map[string][]string{}
	match := catalog.Selector{Regexp: c.Regexp}.Matcher()
	if v, ok := snapshot.View(c.Query()); ok {
		for name, tags := range v.Names {
			if match(name) {
				out[name] = tags
			}
		}
	}
	return out
}

// ConsulKV reads one key, or with Recurse all keys that begin with Path.
type ConsulKV struct {
	// Path has no leading slash.
	Path                  string
	Recurse               bool
	Datacenter, Namespace string
}

// Query is what must be watched.
func (c ConsulKV) Query() catalog.Query {
	q := catalog.Query{Kind: catalog.KVKey, Name: c.Path, Datacenter: c.Datacenter, Namespace: c.Namespace}
	if c.Recurse {
		q.Kind = catalog.KVPrefix
	}
	return q
}

// Select maps full keys to values.
func (c ConsulKV) Select(snapshot catalog.Snapshot) map[string]string {
	if v, ok := snapshot.View(c.Query()); ok && v.Pairs != nil {
		return v.Pairs
	}
	return map[string]string{}
}

// Nodes reads the nodes of a datacenter, whatever runs on them.
type Nodes struct {
	// Regexp is RE2 over node names, not anchored; "" matches all.
	Regexp     string
	Datacenter string
	NodeMeta   map[string]string
}

// Query is what must be watched.
func (n Nodes) Query() catalog.Query {
	return catalog.Query{Kind: catalog.NodeNames, Datacenter: n.Datacenter, NodeMeta: catalog.EncodeMeta(n.NodeMeta)}
}

// Select lists the nodes that match, in the order of their names.
func (n Nodes) Select(snapshot catalog.Snapshot) []catalog.Node {
	var out []catalog.Node
	match := catalog.Selector{Regexp: n.Regexp}.Matcher()
	if v, ok := snapshot.View(n.Query()); ok {
		for _, node := range v.Nodes {
			if match(node.Name) {
				out = append(out, node)
			}
		}
	}
	return out
}

// Schedule starts runs by the clock, and then only when an input changed.
type Schedule struct {
	// Cron is what CTS accepts: 5 to 7 fields, or @hourly and the like; local time.
	Cron string
}

// inputs lists all that the task reads: the condition's first.
func (t Task) inputs() []ModuleInput {
	c := t.Condition
	return append([]ModuleInput{{Services: c.Services, ConsulKV: c.ConsulKV, Nodes: c.Nodes}}, t.ModuleInputs...)
}

// Wants lists what the task reads from Consul: its condition's first.
func (t Task) Wants() (out []catalog.Want) {
	if c := t.Condition.CatalogServices; c != nil {
		out = append(out, c.Query())
	}
	for _, in := range t.inputs() {
		if in.Services != nil {
			for _, one := range in.Services.Each() {
				out = append(out, one.Selector)
			}
		}
		if in.ConsulKV != nil {
			out = append(out, in.ConsulKV.Query())
		}
		if in.Nodes != nil {
			out = append(out, in.Nodes.Query())
		}
	}
	return out
}

// Selectors lists the selections of instances among [Task.Wants].
func (t Task) Selectors() (out []catalog.Selector) {
	for _, in := range t.inputs() {
		if in.Services != nil {
			for _, one := range in.Services.Each() {
				out = append(out, one.Selector)
			}
		}
	}
	return out
}

// Filters lists the filter expressions of all selections of instances, each once.
func (t Task) Filters() (out []string) {
	for _, in := range t.inputs() {
		if in.Services == nil {
			continue
		}
		for _, one := range in.Services.Each() {
			if !slices.Contains(out, one.Filter) {
				out = append(out, one.Filter)
			}
		}
	}
	return out
}

// Given lists what fills the module's variables: the condition's, if it is used
// as module input, and the module inputs.
func (t Task) Given() []ModuleInput {
	all := t.inputs()
	if !t.Condition.UseAsModuleInput {
		return all[1:]
	}
	return all
}

// InputServices is the selection that fills the module's services variable; ok is
// false when there is none.
func (t Task) InputServices() (s Services, ok bool) {
	for _, in := range t.Given() {
		if in.Services != nil {
			return *in.Services, true
		}
	}
	return Services{}, false
}
