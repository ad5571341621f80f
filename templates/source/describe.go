package source

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
	for _, b := range m.Of("variable") {
		v := Variable{Name: b.Label(0), Description: b.Literal("description"), Type: "any", Required: true}
		if a, ok := b.Attrs["type"]; ok {
			v.Type = m.Source(a)
		}
		if a, ok := b.Attrs["default"]; ok {
			v.Default, v.Required = m.written(a), false
		}
		v.Sensitive = strings.TrimSpace(m.Source(b.Attrs["sensitive"])) == "true"
		out = append(out, v)
	}
	rank := func(v Variable) int {
		switch {
		case v.Name == Services:
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
	for _, b := range m.Of("output") {
		out = append(out, Output{Name: b.Label(0), Description: b.Literal("description")})
	}
	slices.SortFunc(out, func(a, b Output) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Needs gives the versions that the module asks for, providers in the order of name.
func (m *Module) Needs() Needs {
	out := Needs{Providers: []Provider{}}
	for _, b := range m.Of("terraform") {
		out.Terraform = cmp.Or(b.Literal("required_version"), out.Terraform)
	}
	for _, p := range m.Requirements() {
		out.Providers = append(out.Providers, p.Provider)
	}
	slices.SortFunc(out.Providers, func(a, b Provider) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Requirement is an entry of required_providers and where it stands.
type Requirement struct {
	Provider
	Attr Attr
}

// Requirements gives the entries of required_providers.
func (m *Module) Requirements() (out []Requirement) {
	for _, t := range m.Of("terraform") {
		for _, b := range t.Inner("required_providers") {
			for name, a := range b.Attrs {
				r := Requirement{Provider{Name: name}, a}
				if version, ok := Text(a.Expr); ok { // the form of old modules
					r.Version = version
				}
				if o, ok := a.Expr.(*hclsyntax.ObjectConsExpr); ok {
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
		s, _ := Text(item.ValueExpr)
		return s
	}
	return ""
}
