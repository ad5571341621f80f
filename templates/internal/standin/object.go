package standin

import (
	"fmt"
	"maps"
	"math/big"
	"reflect"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Object is what Terraform has of a resource, data source or provider: string, float64,
// bool, []any (lists, sets and blocks), map[string]any (maps, objects and a block), by
// name. What is null or not known yet is nil. An object that calls give back may also
// hold other Go numbers, slices and maps with strings as keys; what it leaves out is null.
type Object map[string]any

// String gives a string, "" if it has none.
func (o Object) String(name string) string { s, _ := o[name].(string); return s }

// Int gives a number without its fraction, 0 if it has none.
func (o Object) Int(name string) int { n, _ := o[name].(float64); return int(n) }

// Bool gives a bool, false if it has none.
func (o Object) Bool(name string) bool { b, _ := o[name].(bool); return b }

// Strings gives a list or set of strings, never nil.
func (o Object) Strings(name string) []string {
	out := []string{}
	list, _ := o[name].([]any)
	for _, x := range list {
		s, _ := x.(string)
		out = append(out, s)
	}
	return out
}

// Objects gives the blocks of a name, never nil.
func (o Object) Objects(name string) []Object {
	out := []Object{}
	list, _ := o[name].([]any)
	for _, x := range list {
		m, _ := x.(map[string]any)
		out = append(out, m)
	}
	return out
}

// With gives a copy that holds more.
func (o Object) With(more Object) Object {
	out := maps.Clone(o)
	if out == nil {
		out = Object{}
	}
	maps.Copy(out, more)
	return out
}

// object gives a value of an object type; nil for null.
func object(v tftypes.Value) (Object, error) {
	x, err := plain(v)
	m, _ := x.(map[string]any)
	return m, err
}

func plain(v tftypes.Value) (any, error) {
	if !v.IsKnown() || v.IsNull() {
		return nil, nil
	}
	switch t := v.Type(); {
	case t.Is(tftypes.String):
		var s string
		return s, v.As(&s)
	case t.Is(tftypes.Bool):
		var b bool
		return b, v.As(&b)
	case t.Is(tftypes.Number):
		n := new(big.Float)
		err := v.As(&n)
		f, _ := n.Float64()
		return f, err
	case t.Is(tftypes.Map{}), t.Is(tftypes.Object{}):
		return plainMap(v)
	default:
		return plainList(v)
	}
}

func plainMap(v tftypes.Value) (any, error) {
	var inner map[string]tftypes.Value
	if err := v.As(&inner); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, i := range inner {
		x, err := plain(i)
		if err != nil {
			return nil, err
		}
		out[name] = x
	}
	return out, nil
}

func plainList(v tftypes.Value) (any, error) {
	var inner []tftypes.Value
	if err := v.As(&inner); err != nil {
		return nil, err
	}
	out := []any{}
	for _, i := range inner {
		x, err := plain(i)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// value makes a resource's value of what its calls gave; nil is null.
func (b *block) value(o Object) (tftypes.Value, error) {
	if o == nil {
		return tftypes.NewValue(b.ValueType(), nil), nil
	}
	given := maps.Clone(o)
	out := map[string]tftypes.Value{}
	for _, a := range b.Attributes {
		v, err := value(a.Type, given[a.Name])
		if err != nil {
			return tftypes.Value{}, fmt.Errorf("encode %s: %w", a.Name, err)
		}
		out[a.Name] = v
		delete(given, a.Name)
	}
	for _, n := range b.BlockTypes {
		v, err := b.nested[n.TypeName].blocks(n, given[n.TypeName])
		if err != nil {
			return tftypes.Value{}, fmt.Errorf("encode block %s: %w", n.TypeName, err)
		}
		out[n.TypeName] = v
		delete(given, n.TypeName)
	}
	for name := range given {
		return tftypes.Value{}, fmt.Errorf("encode %s: the schema has no such attribute", name)
	}
	return tftypes.NewValue(b.ValueType(), out), nil
}

// blocks makes the value of a nested block, or of all of its name. Where there may be
// several, none is an empty list and never null.
func (b *block) blocks(n *tfprotov5.SchemaNestedBlock, x any) (tftypes.Value, error) {
	if n.Nesting == tfprotov5.SchemaNestedBlockNestingModeSingle {
		o, err := asObject(reflect.ValueOf(x))
		if err != nil {
			return tftypes.Value{}, err
		}
		return b.value(o)
	}
	out := []tftypes.Value{}
	list := reflect.ValueOf(x)
	if x != nil && list.Kind() != reflect.Slice {
		return tftypes.Value{}, fmt.Errorf("want a list of blocks, have %T", x)
	}
	for i := 0; x != nil && i < list.Len(); i++ {
		o, err := asObject(list.Index(i))
		if err != nil {
			return tftypes.Value{}, err
		}
		v, err := b.value(o)
		if err != nil {
			return tftypes.Value{}, err
		}
		out = append(out, v)
	}
	return checked(n.ValueType(), out)
}

// asObject gives a map with strings as keys as an object, nil for nil.
func asObject(r reflect.Value) (Object, error) {
	for r.IsValid() && r.Kind() == reflect.Interface {
		r = r.Elem()
	}
	if !r.IsValid() {
		return nil, nil
	}
	if r.Kind() != reflect.Map || r.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("want an object, have %s", r.Type())
	}
	out := Object{}
	for _, key := range r.MapKeys() {
		out[key.String()] = r.MapIndex(key).Interface()
	}
	return out, nil
}

func value(t tftypes.Type, x any) (tftypes.Value, error) {
	r := reflect.ValueOf(x)
	switch {
	case !r.IsValid():
		return checked(t, nil)
	case r.CanInt():
		return checked(t, r.Int())
	case r.CanFloat():
		return checked(t, r.Float())
	case r.Kind() == reflect.Slice && r.IsNil(), r.Kind() == reflect.Map && r.IsNil():
		return checked(t, nil)
	case r.Kind() == reflect.Slice:
		return valueOfSlice(t, r)
	case r.Kind() == reflect.Map:
		return valueOfMap(t, r)
	}
	return checked(t, x)
}

func checked(t tftypes.Type, x any) (tftypes.Value, error) {
	if err := tftypes.ValidateValue(t, x); err != nil {
		return tftypes.Value{}, err
	}
	return tftypes.NewValue(t, x), nil
}

func valueOfSlice(t tftypes.Type, r reflect.Value) (tftypes.Value, error) {
	var element tftypes.Type
	switch t := t.(type) {
	case tftypes.List:
		element = t.ElementType
	case tftypes.Set:
		element = t.ElementType
	default:
		return tftypes.Value{}, fmt.Errorf("want %s, have a list", t)
	}
	out := []tftypes.Value{}
	for n := range r.Len() {
		v, err := value(element, r.Index(n).Interface())
		if err != nil {
			return tftypes.Value{}, err
		}
		out = append(out, v)
	}
	return checked(t, out)
}

func valueOfMap(t tftypes.Type, r reflect.Value) (tftypes.Value, error) {
	out := map[string]tftypes.Value{}
	of := func(string) tftypes.Type { return nil }
	switch t := t.(type) {
	case tftypes.Map:
		of = func(string) tftypes.Type { return t.ElementType }
	case tftypes.Object:
		of = func(name string) tftypes.Type { return t.AttributeTypes[name] }
		for name, inner := range t.AttributeTypes {
			v, err := value(inner, nil)
			if err != nil {
				return v, err
			}
			out[name] = v
		}
	}
	for _, key := range r.MapKeys() {
		inner := of(key.String())
		if inner == nil {
			return tftypes.Value{}, fmt.Errorf("want %s, have a key %q", t, key.String())
		}
		v, err := value(inner, r.MapIndex(key).Interface())
		if err != nil {
			return tftypes.Value{}, fmt.Errorf("%s: %w", key.String(), err)
		}
		out[key.String()] = v
	}
	return checked(t, out)
}
