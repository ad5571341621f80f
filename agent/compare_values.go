package agent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/templates"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// valueDifferences compares two files of values. No value is shown but those of
// instances, which are no secret.
func valueDifferences(there, here []byte) ([]string, error) {
	if there == nil && here == nil {
		return nil, nil
	}
	ours, err := values(here)
	if err != nil {
		return nil, err
	}
	if there == nil {
		return []string{"CTS has not written it yet"}, nil
	}
	theirs, err := values(there)
	if err != nil {
		return []string{"CTS's file is not what Terraform reads as values: " + err.Error()}, nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(union(theirs, ours))) {
		out = append(out, entries("variable "+name, theirs[name], ours[name], func(key string, a, b cty.Value) []string {
			if name != "services" {
				return []string{fmt.Sprintf("variable %s: %q differs", name, key)}
			}
			return attributes(fmt.Sprintf("services: %s: ", key), a, b)
		})...)
	}
	return out, nil
}

// values reads literal values; what is not literal is refused before it is read.
func values(content []byte) (map[string]cty.Value, error) {
	if _, err := templates.Baseline(content); err != nil {
		return nil, errors.Unwrap(err)
	}
	f, diags := hclsyntax.ParseConfig(content, valuesName, hcl.InitialPos)
	body, ok := f.Body.(*hclsyntax.Body)
	if diags.HasErrors() || !ok {
		return nil, errors.New("it is no HCL")
	}
	out := map[string]cty.Value{}
	for name, a := range body.Attributes {
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			return nil, fmt.Errorf("line %d: %s is no literal value", a.SrcRange.Start.Line, name)
		}
		out[name] = v
	}
	return out, nil
}

// entries compares two variables, key by key when both have keys.
func entries(what string, there, here cty.Value, differ func(key string, a, b cty.Value) []string) (out []string) {
	switch {
	case here == cty.NilVal:
		return []string{what + " is in CTS's file only"}
	case there == cty.NilVal:
		return []string{what + " is in Patchbay's file only"}
	case there.RawEquals(here):
		return nil
	case there.IsNull() || here.IsNull() || !there.Type().IsObjectType() || !here.Type().IsObjectType():
		return []string{what + " differs"}
	}
	a, b := there.AsValueMap(), here.AsValueMap()
	for _, key := range slices.Sorted(maps.Keys(union(a, b))) {
		switch {
		case b[key] == cty.NilVal:
			out = append(out, fmt.Sprintf("%s: %q is in CTS's file only", what, key))
		case a[key] == cty.NilVal:
			out = append(out, fmt.Sprintf("%s: %q is in Patchbay's file only", what, key))
		case !a[key].RawEquals(b[key]):
			out = append(out, differ(key, a[key], b[key])...)
		}
	}
	return out
}

// attributes tells how two entries of services differ.
func attributes(prefix string, there, here cty.Value) []string {
	if !there.Type().IsObjectType() || !here.Type().IsObjectType() || there.IsNull() || here.IsNull() {
		return []string{prefix + "differs"}
	}
	sides := [2]meaning{}
	for n, v := range []cty.Value{there, here} {
		sides[n] = meaning{}
		for name, a := range v.AsValueMap() {
			sides[n][prefix+name] = said{plain(a), true}
		}
	}
	return unequal(sides[0], sides[1])
}

// plain gives the value of an instance's attribute as text.
func plain(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString())
	case !v.CanIterateElements():
		return fmt.Sprintf("%#v", v)
	}
	var parts []string
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		part := plain(element)
		if v.Type().IsObjectType() {
			part = key.AsString() + " = " + part
		}
		parts = append(parts, part)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
