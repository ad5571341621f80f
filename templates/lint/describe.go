package lint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Variable is one input of a module.
type Variable struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Type is the constraint as it is written; any when there is none.
	Type string `json:"type"`
	// Default is the expression as it is written; "" when Required.
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required"`
	// Sensitive values are hidden by Terraform.
	Sensitive bool `json:"sensitive,omitempty"`
}

// Output is one output of a module.
type Output struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Provider is one entry of required_providers; Source and Version may be "".
type Provider struct {
	Name    string `json:"name"`
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty"`
}

// Needs is what must be there before a module can run.
type Needs struct {
	// Terraform is the constraint on its version, "" for any.
	Terraform string     `json:"terraform,omitempty"`
	Providers []Provider `json:"providers"`
}

// Variables gives the inputs: services first, the other required ones, then by name.
func (m *Module) Variables() []Variable {
	out := []Variable{}
	for _, b := range m.of("variable") {
		v := Variable{Name: b.label(0), Description: b.literal("description"), Type: "any", Required: true}
		if a, ok := b.attrs["type"]; ok {
			v.Type = m.source(a)
		}
		if a, ok := b.attrs["default"]; ok {
			v.Default, v.Required = m.source(a), false
		}
		v.Sensitive = strings.TrimSpace(m.source(b.attrs["sensitive"])) == "true"
		out = append(out, v)
	}
	rank := func(v Variable) int {
		switch {
		case v.Name == services:
			return 0
		case v.Required:
			return 1
		}
		return 2
	}
	slices.SortFunc(out, func(a, b Variable) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name)) })
	return out
}

// Outputs gives the outputs in the order of name.
func (m *Module) Outputs() []Output {
	out := []Output{}
	for _, b := range m.of("output") {
		out = append(out, Output{Name: b.label(0), Description: b.literal("description")})
	}
	slices.SortFunc(out, func(a, b Output) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Needs gives the versions that the module asks for, providers in the order of name.
func (m *Module) Needs() Needs {
	out := Needs{Providers: []Provider{}}
	for _, b := range m.of("terraform") {
		out.Terraform = cmp.Or(b.literal("required_version"), out.Terraform)
	}
	for _, p := range m.required() {
		out.Providers = append(out.Providers, p.Provider)
	}
	slices.SortFunc(out.Providers, func(a, b Provider) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// requirement is an entry of required_providers and where it stands.
type requirement struct {
	Provider
	attr attr
}

func (m *Module) required() (out []requirement) {
	for _, t := range m.of("terraform") {
		for _, b := range t.inner("required_providers") {
			for name, a := range b.attrs {
				r := requirement{Provider{Name: name}, a}
				if version, ok := text(a.expr); ok { // the form of old modules
					r.Version = version
				}
				if o, ok := a.expr.(*hclsyntax.ObjectConsExpr); ok {
					r.Source, r.Version = field(o, "source"), field(o, "version")
				}
				out = append(out, r)
			}
		}
	}
	return out
}

// field gives the literal text of an object's attribute.
func field(o *hclsyntax.ObjectConsExpr, name string) string {
	for _, item := range o.Items {
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || key.IsNull() || key.Type() != cty.String || key.AsString() != name {
			continue
		}
		s, _ := text(item.ValueExpr)
		return s
	}
	return ""
}
