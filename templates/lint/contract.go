package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/templates/source"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// services is the one variable that every module must declare.
const services = source.Services

// reserved are the names that Terraform refuses for a variable.
var reserved = []string{"count", "depends_on", "for_each", "lifecycle", "locals", "providers", "source", "version"}

// contract judges the variables by what a task gives.
func (l *linter) contract() {
	l.missing()
	providers := map[string]bool{}
	for _, r := range l.Requirements() {
		providers[r.Name] = true
	}
	for _, b := range l.Of("variable") {
		name := b.Label(0)
		_, optional := b.Attrs["default"]
		if slices.Contains(reserved, name) {
			l.add(b.At, advice{Error, "reserved-name", "Terraform refuses it, as module blocks have an argument of this name", "rename it"}, "variable %q has a reserved name", name)
		}
		if providers[name] && !optional {
			l.add(b.At, advice{Error, "not-given", "a task keeps the provider's configuration in a variable of this name and cannot give another one",
				"rename the variable"}, "required variable %q has the name of a provider that the module needs", name)
		}
		if want, ok := source.Contract()[name]; ok {
			l.typed(b, name, want)
			l.notGiven(b, name, optional)
		}
	}
}

// missing tells when there is no variable services.
func (l *linter) missing() {
	for _, b := range l.Of("variable") {
		if b.Label(0) == services {
			return
		}
	}
	l.found = append(l.found, Finding{Severity: Error, Rule: "no-services", File: l.anyFile(),
		What: `the module declares no variable "services"`, Why: "a task always gives it, and Terraform refuses an argument that is not declared",
		Do: "declare it as templates/README.md has it, even if the module makes no use of it"})
}

// anyFile names a file for what is nowhere: variables.tf, else the first.
func (l *linter) anyFile() string {
	names := l.Names()
	if slices.Contains(names, "variables.tf") {
		return "variables.tf"
	}
	return names[0]
}

func (l *linter) notGiven(b *source.Block, name string, optional bool) {
	switch {
	case optional:
	case name == "instance_weights":
		l.add(b.At, advice{Error, "not-given", "only modules that Patchbay ships are given it, so no task can run this one", "add default = {}"}, "variable %q has no default", name)
	case name == "canary_weights":
		l.add(b.At, advice{Warning, "not-given", "only Patchbay gives it: the module cannot be used by Consul-Terraform-Sync or by itself", "add default = {}"}, "variable %q has no default", name)
	}
}

// typed judges the type of a variable that a task gives.
func (l *linter) typed(b *source.Block, name string, want cty.Type) {
	a, ok := b.Attrs["type"]
	if !ok {
		return
	}
	got, optional, problem := l.typeOf(a)
	switch {
	case problem != "":
		l.add(a.All, advice{Error, "syntax", "Terraform refuses the module", "correct the type"}, "the type of variable %q cannot be read: %s", name, problem)
	case got.HasDynamicTypes():
	case name == services && got.IsMapType() && got.ElementType().IsObjectType():
		l.attributes(a, got.ElementType(), optional)
	case !fits(want, got):
		l.add(a.All, advice{Error, "wrong-type", "Terraform refuses what the task gives", "declare it as templates/README.md has it: " + typeexpr.TypeString(want)},
			"variable %q is a %s", name, got.FriendlyNameForConstraint())
	}
}

// typeOf reads a constraint: the type without optional marks, and which attributes of
// the elements have one.
func (l *linter) typeOf(a source.Attr) (ty cty.Type, optional map[string]struct{}, problem string) {
	e := a.Expr
	if s, ok := source.Text(e); ok { // JSON syntax, or the form of old modules
		parsed, diags := hclsyntax.ParseExpression([]byte(s), a.All.Filename, a.All.Start)
		if diags.HasErrors() {
			return cty.NilType, nil, diags[0].Summary
		}
		e = parsed
	}
	if s := hcl.ExprAsKeyword(e); s == "map" || s == "list" { // old modules, too
		return cty.DynamicPseudoType, nil, ""
	}
	ty, _, diags := typeexpr.TypeConstraintWithDefaults(e)
	if diags.HasErrors() {
		return cty.NilType, nil, strings.TrimSuffix(diags[0].Detail, ".")
	}
	if ty.IsMapType() && ty.ElementType().IsObjectType() {
		optional = ty.ElementType().OptionalAttributes()
	}
	return ty.WithoutOptionalAttributesDeep(), optional, ""
}

// fits tells whether every value of a type can become one of another.
func fits(from, to cty.Type) bool {
	if from.IsListType() && to.IsSetType() { // which loses the order, and no more
		return fits(from.ElementType(), to.ElementType())
	}
	return from.Equals(to) || convert.GetConversion(from, to) != nil
}

// attributes judges what the module wants to know of an instance.
func (l *linter) attributes(a source.Attr, element cty.Type, optional map[string]struct{}) {
	known := source.Instance()
	for _, name := range slices.Sorted(maps.Keys(element.AttributeTypes())) {
		at, got := l.attributeRange(a, name), element.AttributeType(name)
		_, may := optional[name]
		want, isKnown := known[name]
		switch {
		case !isKnown && may:
			l.add(at, advice{Warning, "unknown-attribute", "the contract has no such attribute, so it is always null", "leave it out, or take the value from meta or cts_user_defined_meta"},
				"services has the attribute %q", name)
		case !isKnown:
			l.add(at, advice{Error, "unknown-attribute", "the contract has no such attribute, so Terraform refuses every instance", "leave it out, or take the value from meta or cts_user_defined_meta"},
				"services has the required attribute %q", name)
		case !fits(want, got):
			l.add(at, advice{Error, "wrong-type", "Terraform refuses what the task gives", fmt.Sprintf("declare it as %s", typeexpr.TypeString(want))},
				"attribute %q of services is a %s", name, got.FriendlyNameForConstraint())
		}
	}
}

// attributeRange finds where an attribute of services is declared; in JSON that is
// the whole type.
func (l *linter) attributeRange(a source.Attr, name string) hcl.Range {
	at := a.All
	source.Visit(a.Expr, func(n hclsyntax.Node) {
		o, ok := n.(*hclsyntax.ObjectConsExpr)
		if !ok {
			return
		}
		for _, item := range o.Items {
			if hcl.ExprAsKeyword(item.KeyExpr) == name {
				at = item.KeyExpr.Range()
			}
		}
	})
	return at
}
