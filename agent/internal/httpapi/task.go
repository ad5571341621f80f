package httpapi

import (
	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Task is the contract's task object.
type Task struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
	// Module is the source as configured.
	Module    string   `json:"module"`
	Version   string   `json:"version"`
	Providers []string `json:"providers"`
	// Variables are HCL expressions: a string keeps its quotes.
	Variables   map[string]string `json:"variables"`
	ModuleInput ModuleInput       `json:"module_input"`
	Condition   Condition         `json:"condition"`
}

// Condition is what starts a run of a task.
type Condition struct {
	Services *ServicesCondition `json:"services,omitempty"`
}

// ServicesCondition is a services block of a condition.
type ServicesCondition struct {
	Services
	UseAsModuleInput bool `json:"use_as_module_input"`
}

// ModuleInput is what else a module is given.
type ModuleInput struct {
	Services *Services `json:"services,omitempty"`
}

// Services selects instances: by Names, or when these are absent by Regexp.
type Services struct {
	Regexp     *string           `json:"regexp,omitempty"`
	Names      []string          `json:"names,omitempty"`
	Datacenter string            `json:"datacenter"`
	Namespace  string            `json:"namespace"`
	Filter     string            `json:"filter"`
	UserMeta   map[string]string `json:"cts_user_defined_meta"`
}

// NewTask puts a task on the wire. Of several module inputs of one kind the first
// is shown, the one that fills the module's variable.
func NewTask(t tasks.Task) Task {
	out := Task{Name: t.Name, Description: t.Description, Enabled: t.Enabled, Module: t.Module, Version: t.Version,
		Providers: list(t.Providers), Variables: make(map[string]string, len(t.Variables))}
	for name, value := range t.Variables {
		out.Variables[name] = expression(value)
	}
	if c := t.Condition.Services; c != nil {
		out.Condition.Services = &ServicesCondition{Services: newServices(*c), UseAsModuleInput: t.Condition.UseAsModuleInput}
	}
	for _, in := range t.ModuleInputs {
		if in.Services != nil && out.ModuleInput.Services == nil {
			s := newServices(*in.Services)
			out.ModuleInput.Services = &s
		}
	}
	return out
}

func newServices(s tasks.Services) Services {
	out := Services{Names: s.Names, Datacenter: s.Datacenter, Namespace: s.Namespace, Filter: s.Filter, UserMeta: s.UserMeta}
	if len(s.Names) == 0 {
		out.Regexp = &s.Regexp
	}
	if out.UserMeta == nil {
		out.UserMeta = map[string]string{}
	}
	return out
}

// expression writes a value as an HCL expression. A value that has no such form
// (unknown, or of a type of its own) is null, one marked as sensitive is hidden;
// configuration makes neither, but hclwrite would panic on them.
func expression(v cty.Value) string {
	switch {
	case v == cty.NilVal:
		return "null"
	case v.ContainsMarked():
		return `"<sensitive>"`
	case !v.IsWhollyKnown() || v.Type().IsCapsuleType():
		return "null"
	}
	return string(hclwrite.TokensForValue(v).Bytes())
}
