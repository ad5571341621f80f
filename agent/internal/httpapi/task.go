package httpapi

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
