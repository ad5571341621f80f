package tasks

import (
	"strings"

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
	// Module is a Terraform module source; builtin/<name> names a shipped one.
	Module string
	// Version constrains a registry module; "" is any.
	Version string
	// Providers are IDs of terraform_provider blocks: name or name.alias.
	Providers []string
	Condition Condition
	// ModuleInputs add data to what the module is given and start nothing.
	ModuleInputs []ModuleInput
	// VariableFiles are absolute paths; their values are in Variables already.
	VariableFiles []string
	// Variables are the user's values for module variables.
	Variables map[string]cty.Value
	Buffer    Buffer
	// WorkingDir is the absolute directory of the rendered root module.
	WorkingDir string
	Guard      Guard
	// Position is file:line of the block, for messages; "" for tasks made by API.
	Position string
}

// Condition says what starts a run. Exactly one field is set.
type Condition struct {
	Services *ServicesCondition
}

// ServicesCondition starts a run when what it selects changed.
type ServicesCondition struct {
	Services
	// UseAsModuleInput also gives the selected instances to the module.
	UseAsModuleInput bool
}

// ModuleInput is data for the module that starts no run. Exactly one field is set.
type ModuleInput struct {
	Services *Services
}

// Services selects instances for a condition or a module input.
type Services struct {
	catalog.Selector
	// Filter is a Consul filter expression; "" matches all.
	Filter string
	// UserMeta is given with every selected instance.
	UserMeta map[string]string
}

// Matcher tells whether an instance matches a filter expression.
type Matcher func(catalog.Instance) bool

// Select lists the instances of s that a module may see: the passing ones that
// match the filter, or, when the filter speaks of Checks.Status, all that match.
// match is the compiled Filter; nil matches all.
func (s Services) Select(snapshot catalog.Snapshot, match Matcher) []catalog.Instance {
	anyHealth := strings.Contains(s.Filter, "Checks.Status")
	var out []catalog.Instance
	for _, i := range snapshot.Instances(s.Selector) {
		if (anyHealth || i.Status() == catalog.Passing) && (match == nil || match(i)) {
			out = append(out, i)
		}
	}
	return out
}

// Selectors lists what the task reads from Consul: its condition's first.
func (t Task) Selectors() (out []catalog.Selector) {
	if c := t.Condition.Services; c != nil {
		out = append(out, c.Selector)
	}
	for _, in := range t.ModuleInputs {
		if in.Services != nil {
			out = append(out, in.Services.Selector)
		}
	}
	return out
}

// InputServices is the selection that fills the module's services variable: the
// condition's, or else a module input's. ok is false when neither gives one.
func (t Task) InputServices() (s Services, ok bool) {
	if c := t.Condition.Services; c != nil && c.UseAsModuleInput {
		return c.Services, true
	}
	for _, in := range t.ModuleInputs {
		if in.Services != nil {
			return *in.Services, true
		}
	}
	return Services{}, false
}
