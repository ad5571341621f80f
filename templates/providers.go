package templates

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// provider is a provider with the arguments that Terraform is to see.
type provider struct {
	name      string
	arguments map[string]cty.Value
	// plain: only blocks hold objects, and those hold none themselves.
	plain bool
}

// newProviders sorts providers by name. The two arguments that only the agent
// acts on are left out, as CTS does.
func newProviders(list []tasks.Provider) ([]provider, error) {
	var out []provider
	for _, p := range list {
		arguments, err := argumentsOf(p)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", quote(p.Name), err)
		}
		plain := true
		for name, v := range arguments {
			plain = plain && isPlain(v)
			arguments[name] = single(v)
		}
		out = append(out, provider{p.Name, arguments, plain})
	}
	slices.SortStableFunc(out, func(a, b provider) int { return cmp.Compare(a.name, b.name) })
	return out, nil
}

func argumentsOf(p tasks.Provider) (map[string]cty.Value, error) {
	v := p.Arguments.Reveal()
	if v == cty.NilVal || v.IsNull() {
		return map[string]cty.Value{}, nil
	}
	if !v.IsKnown() || v.IsMarked() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return nil, errors.New("its arguments are no object")
	}
	arguments := map[string]cty.Value{}
	maps.Copy(arguments, v.AsValueMap())
	delete(arguments, "alias")
	delete(arguments, "auto_commit")
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		if !hclsyntax.ValidIdentifier(name) {
			return nil, fmt.Errorf("%s is not a name that Terraform allows for an argument", quote(name))
		}
		if err := checkValue("argument "+quote(name), arguments[name]); err != nil {
			return nil, err
		}
	}
	return arguments, nil
}

// isPlain tells whether an argument can be written without knowing the provider's
// schema: a value without objects is an argument, and what was written as one
// block, without objects in it, is a block, as it is for CTS.
func isPlain(v cty.Value) bool {
	if !isBlockList(v) {
		return !isObject(v) && !isObjectList(v)
	}
	for _, inner := range v.Index(cty.Zero).AsValueMap() {
		if isObject(inner) || isBlockList(inner) || isObjectList(inner) {
			return false
		}
	}
	return v.LengthInt() == 1
}

// isObjectList tells whether v was written as a list with one object.
func isObjectList(v cty.Value) bool {
	return v.Type().IsListType() && !v.IsNull() && v.LengthInt() > 0 && isObject(v.Index(cty.Zero))
}

// single makes a block that stands alone an object, at every depth, as modules
// and files of CTS have it: var.fw.login.user. A list of one stays a list.
func single(v cty.Value) cty.Value {
	switch {
	case isObjectList(v):
		list := v.AsValueSlice()
		for n := range list {
			list[n] = single(list[n])
		}
		return cty.TupleVal(list)
	case isBlockList(v) && v.LengthInt() == 1:
		return single(v.Index(cty.Zero))
	case isBlockList(v):
		list := v.AsValueSlice()
		for n := range list {
			list[n] = single(list[n])
		}
		return cty.TupleVal(list)
	case isObject(v):
		attrs := v.AsValueMap()
		for name, inner := range attrs {
			attrs[name] = single(inner)
		}
		return cty.ObjectVal(attrs)
	}
	return v
}

// isObject tells whether v may be a block.
func isObject(v cty.Value) bool { return v.Type().IsObjectType() && !v.IsNull() }

// isBlockList tells whether v may be several blocks.
func isBlockList(v cty.Value) bool {
	return v.Type().IsTupleType() && !v.IsNull() && v.LengthInt() > 0 &&
		!slices.ContainsFunc(v.AsValueSlice(), func(one cty.Value) bool { return !isObject(one) })
}

// named tells whether all names in objects could be those of arguments.
func named(objects ...cty.Value) bool {
	for _, v := range objects {
		for name := range v.AsValueMap() {
			if !hclsyntax.ValidIdentifier(name) {
				return false
			}
		}
	}
	return true
}

// writeArguments fills the block of a plain provider: every argument refers to the
// variable that holds its value, so no value stands in main.tf.
func writeArguments(body *hclwrite.Body, at hcl.Traversal, arguments map[string]cty.Value) {
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		v := arguments[name]
		here := append(slices.Clip(at), hcl.TraverseAttr{Name: name})
		if isObject(v) && named(v) {
			writeArguments(body.AppendNewBlock(name, nil).Body(), here, v.AsValueMap())
			continue
		}
		body.SetAttributeTraversal(name, here)
	}
}

// providersJSON gives the blocks of the providers that are not plain, nil when
// there are none. In Terraform's JSON syntax a block and an argument that is an
// object look the same, and Terraform tells them apart by the provider's schema.
func (r *root) providersJSON() []byte {
	blocks := map[string]any{}
	for _, p := range r.providers {
		if p.plain {
			continue
		}
		arguments := map[string]any{}
		for name, v := range p.arguments {
			arguments[name] = jsonArgument("var."+p.name+"."+name, v)
		}
		blocks[p.name] = arguments
	}
	if len(blocks) == 0 {
		return nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	// What consists of maps, lists and texts is always written.
	_ = e.Encode(map[string]any{"//": r.headerLines(), "provider": blocks})
	return out.Bytes()
}

// jsonArgument refers to the value at a path. Of what may be blocks, each part is
// referred to by itself; names that no block may have make it an argument for sure.
func jsonArgument(at string, v cty.Value) any {
	switch {
	case isObject(v) && named(v):
		out := map[string]any{}
		for name, inner := range v.AsValueMap() {
			out[name] = jsonArgument(at+"."+name, inner)
		}
		return out
	case isBlockList(v) && named(v.AsValueSlice()...):
		var out []any
		for n, one := range v.AsValueSlice() {
			out = append(out, jsonArgument(fmt.Sprintf("%s[%d]", at, n), one))
		}
		return out
	}
	return "${" + at + "}"
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
