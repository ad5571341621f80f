package standin

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// plan gives what an object will be: what Terraform proposes with the defaults, and
// unknown where only the device can tell.
func (b *block) plan(prior, proposed tftypes.Value) (tftypes.Value, []*tftypes.AttributePath, error) {
	if proposed.IsNull() {
		return proposed, nil, nil
	}
	defaulted, err := b.complete(proposed, false)
	if err != nil {
		return proposed, nil, err
	}
	if prior.IsNull() {
		planned, err := b.complete(defaulted, true)
		return planned, nil, err
	}
	if defaulted, err = b.settle(prior, defaulted); err != nil || printed(defaulted) == printed(prior) {
		return prior, nil, err
	}
	return b.change(prior, defaulted)
}

// complete walks an object and its nested blocks and sets what is null to its default
// or, when unknown says so, what is computed to unknown.
func (b *block) complete(v tftypes.Value, unknown bool) (tftypes.Value, error) {
	if v.IsNull() || !v.IsKnown() {
		return v, nil
	}
	var inner map[string]tftypes.Value
	if err := v.As(&inner); err != nil {
		return v, err
	}
	for _, a := range b.Attributes {
		if fallback, ok := b.defaults[a.Name]; ok && inner[a.Name].IsNull() {
			inner[a.Name] = fallback
		}
		if unknown && a.Computed && inner[a.Name].IsNull() {
			inner[a.Name] = tftypes.NewValue(a.Type, tftypes.UnknownValue)
		}
	}
	for _, n := range b.BlockTypes {
		var err error
		if inner[n.TypeName], err = b.nested[n.TypeName].completeAll(n, inner[n.TypeName], unknown); err != nil {
			return v, err
		}
	}
	return tftypes.NewValue(b.ValueType(), inner), nil
}

func (b *block) completeAll(n *tfprotov5.SchemaNestedBlock, v tftypes.Value, unknown bool) (tftypes.Value, error) {
	if n.Nesting == tfprotov5.SchemaNestedBlockNestingModeSingle {
		return b.complete(v, unknown)
	}
	if v.IsNull() || !v.IsKnown() {
		return v, nil
	}
	var list []tftypes.Value
	if err := v.As(&list); err != nil {
		return v, err
	}
	for i := range list {
		var err error
		if list[i], err = b.complete(list[i], unknown); err != nil {
			return v, err
		}
	}
	return tftypes.NewValue(n.ValueType(), list), nil
}

// change plans an update: what is computed keeps its value, but in blocks, where the
// device tells it anew.
func (b *block) change(prior, wanted tftypes.Value) (tftypes.Value, []*tftypes.AttributePath, error) {
	var before, after map[string]tftypes.Value
	if err := prior.As(&before); err != nil {
		return wanted, nil, err
	}
	if err := wanted.As(&after); err != nil {
		return wanted, nil, err
	}
	for _, n := range b.BlockTypes {
		var err error
		if after[n.TypeName], err = b.nested[n.TypeName].completeAll(n, after[n.TypeName], true); err != nil {
			return wanted, nil, err
		}
	}
	var replaces []*tftypes.AttributePath
	for _, name := range b.replaces {
		if printed(before[name]) != printed(after[name]) {
			replaces = append(replaces, tftypes.NewAttributePath().WithAttributeName(name))
		}
	}
	return tftypes.NewValue(b.ValueType(), after), replaces, nil
}

// printed is a text that equal values share and no others: a set has its elements in
// order. The library compares each element of a set with each other, which takes seconds
// for a thousand.
func printed(v tftypes.Value) string {
	var list []tftypes.Value
	var fields map[string]tftypes.Value
	switch {
	case !v.IsKnown() || v.IsNull():
		return v.String()
	case v.Type().Is(tftypes.Set{}) && v.As(&list) == nil:
		out := make([]string, len(list))
		for n, inner := range list {
			out[n] = printed(inner)
		}
		slices.Sort(out)
		return fmt.Sprintf("%q", out)
	case v.Type().Is(tftypes.List{}) && v.As(&list) == nil:
		out := make([]string, len(list))
		for n, inner := range list {
			out[n] = printed(inner)
		}
		return fmt.Sprintf("%q", out)
	case v.As(&fields) == nil:
		var out []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			out = append(out, name, printed(fields[name]))
		}
		return fmt.Sprintf("%q", out)
	}
	return v.String()
}

// refuseComputed fails when a configuration sets what only the provider tells, which
// Terraform leaves to providers.
func (b *block) refuseComputed(config tftypes.Value) error {
	var inner map[string]tftypes.Value
	if err := config.As(&inner); err != nil {
		return err
	}
	for _, a := range b.Attributes {
		if !a.Optional && !a.Required && !inner[a.Name].IsNull() {
			return fmt.Errorf("can't configure a value for %q: its value will be decided automatically", a.Name)
		}
	}
	return nil
}

// settle gives next with the null or zero values of arguments as prior has them: to
// the SDK of the real providers "", 0, false, an empty list and null are one.
func (b *block) settle(prior, next tftypes.Value) (tftypes.Value, error) {
	if prior.IsNull() || next.IsNull() {
		return next, nil
	}
	var before, after map[string]tftypes.Value
	if err := prior.As(&before); err != nil {
		return next, err
	}
	if err := next.As(&after); err != nil {
		return next, err
	}
	for _, a := range b.Attributes {
		if (a.Optional || a.Required) && isZero(before[a.Name]) && isZero(after[a.Name]) {
			after[a.Name] = before[a.Name]
		}
	}
	return tftypes.NewValue(b.ValueType(), after), nil
}

func isZero(v tftypes.Value) bool {
	if !v.IsKnown() {
		return false
	}
	x, err := plain(v)
	if err != nil {
		return false
	}
	switch x := x.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case float64:
		return x == 0
	case bool:
		return !x
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return false
}
