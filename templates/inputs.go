package templates

import (
	"patchbay/tasks"

	"github.com/zclconf/go-cty/cty"
)

// Inputs is everything besides the task that its root module is rendered from.
type Inputs struct {
	// Input is what the module gets from Consul.
	Input tasks.Input
	// CanaryWeights are service, subset and percent, see [CanaryVariable]; nil for a
	// module that does not declare the variable.
	CanaryWeights map[string]map[string]float64
	// Providers are the terraform_provider blocks that the task lists, in its
	// order; a listed name without block has empty arguments.
	Providers []tasks.Provider
	// RequiredVersion is the constraint on Terraform; "" writes none.
	RequiredVersion   string
	RequiredProviders map[string]RequiredProvider
	Backend           Backend
	// Env is added to Terraform's environment beside the providers' own, which win.
	Env map[string]tasks.Secret
}

// RequiredProvider is one entry of the driver's required_providers; Source and
// Version may each be "".
type RequiredProvider struct{ Source, Version string }

// Backend is where Terraform keeps the state of all tasks.
type Backend struct {
	// Type is consul, local, …; cloud stands for Terraform's cloud block.
	Type string
	// Attributes of the backend block. A nested block is an object, several are a
	// tuple of objects. http needs {task} in its addresses, where the name of the
	// task is put.
	Attributes map[string]cty.Value
}
