package templates

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// writeArguments fills a provider block: every argument refers to the variable
// that holds its value, so no value stands in main.tf. An object is a nested
// block, a tuple of objects one nested block each.
func writeArguments(body *hclwrite.Body, at hcl.Traversal, arguments map[string]cty.Value) {
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		v := arguments[name]
		here := append(slices.Clip(at), hcl.TraverseAttr{Name: name})
		switch {
		case isBlock(v):
			writeArguments(body.AppendNewBlock(name, nil).Body(), here, v.AsValueMap())
		case isBlockList(v):
			for n, one := range v.AsValueSlice() {
				index := hcl.TraverseIndex{Key: cty.NumberIntVal(int64(n))}
				writeArguments(body.AppendNewBlock(name, nil).Body(), append(slices.Clip(here), index), one.AsValueMap())
			}
		default:
			body.SetAttributeTraversal(name, here)
		}
	}
}

// checkBlock makes sure that all names in a provider block can be written.
func checkBlock(what string, arguments map[string]cty.Value) error {
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		v := arguments[name]
		if !hclsyntax.ValidIdentifier(name) {
			return fmt.Errorf("%s: %s is not a name that Terraform allows for an argument", what, quote(name))
		}
		var blocks []cty.Value
		switch {
		case isBlock(v):
			blocks = []cty.Value{v}
		case isBlockList(v):
			blocks = v.AsValueSlice()
		}
		for _, b := range blocks {
			if err := checkBlock(what+": "+name, b.AsValueMap()); err != nil {
				return err
			}
		}
	}
	return nil
}

func isBlock(v cty.Value) bool { return v.Type().IsObjectType() && !v.IsNull() }

func isBlockList(v cty.Value) bool {
	return v.Type().IsTupleType() && !v.IsNull() && v.LengthInt() > 0 &&
		!slices.ContainsFunc(v.AsValueSlice(), func(one cty.Value) bool { return !isBlock(one) })
}

// providerValues gives one object per provider.
func (r *root) providerValues() []byte {
	f := hclwrite.NewEmptyFile()
	if len(r.providers) == 0 {
		f.Body().AppendNewline()
	}
	for _, p := range r.providers {
		f.Body().AppendNewline()
		f.Body().SetAttributeRaw(p.name, literal(cty.ObjectVal(p.arguments)))
	}
	return f.Bytes()
}
