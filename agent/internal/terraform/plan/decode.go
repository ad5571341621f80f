package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/msgpack"
	"google.golang.org/protobuf/encoding/protowire"
)

// builtinValue is the schema of terraform_data; none of it is sensitive by itself.
var builtinValue = cty.Object(map[string]cty.Type{
	"id": cty.String, "input": cty.DynamicPseudoType,
	"output": cty.DynamicPseudoType, "triggers_replace": cty.DynamicPseudoType,
})

// planFields are the fields of planproto.Plan that may be in a plan of the fast
// path: version, variables, resource_changes, output_changes, backend,
// terraform_version, relevant_attributes, resource_drift, check_results,
// timestamp, function results, applyable and complete. Destroying, targeting,
// replacing by request, actions and deferring are others.
var planFields = map[protowire.Number]bool{
	1: true, 2: true, 3: true, 4: true, 13: true, 14: true, 15: true,
	18: true, 19: true, 21: true, 22: true, 25: true, 26: true,
}

func decodePlan(b []byte) (objects []object, err error) {
	version := uint64(0)
	err = eachField(b, func(n protowire.Number, v uint64, sub []byte) error {
		switch {
		case n == 1:
			version = v
		case n == 3:
			o, err := decodeChange(sub)
			if err != nil {
				return err
			}
			if o.actions != "no-op" {
				objects = append(objects, o)
			}
		case n == 4:
			return refuseOutput(sub)
		case !planFields[n]:
			return fmt.Errorf("field %d of the plan", n)
		}
		return nil
	})
	if err == nil && version != planVersion {
		err = fmt.Errorf("version %d of the plan", version)
	}
	return objects, err
}

// refuseOutput accepts outputs that do not change.
func refuseOutput(b []byte) error {
	return eachField(b, func(n protowire.Number, _ uint64, sub []byte) error {
		if n != 2 {
			return nil
		}
		return eachField(sub, func(n protowire.Number, v uint64, _ []byte) error {
			if n == 1 && v != 0 {
				return errors.New("an output changes")
			}
			return nil
		})
	})
}

// decodeChange reads planproto.ResourceInstanceChange.
func decodeChange(b []byte) (o object, err error) {
	previous := ""
	err = eachField(b, func(n protowire.Number, _ uint64, sub []byte) error {
		switch n {
		case 13:
			o.address = string(sub)
		case 14:
			previous = string(sub)
		case 8:
			if !strings.HasSuffix(string(sub), `provider["`+builtinProvider+`"]`) {
				return errors.New("a provider that is not built in")
			}
			o.provider = builtinProvider
		case 9:
			return decodeValues(sub, &o)
		case 10, 11, 12: // private, required_replace, action_reason
		default:
			return fmt.Errorf("field %d of a change", n)
		}
		return nil
	})
	if err == nil && (o.address == "" || o.provider == "" || o.actions == "" || previous != "" && previous != o.address) {
		err = errors.New("an incomplete or moved change")
	}
	o.typ = builtinType
	return o, err
}

// decodeValues reads planproto.Change into o.
func decodeValues(b []byte, o *object) error {
	var values [][]byte
	var action uint64
	sensitive := [2]map[string]bool{{}, {}}
	err := eachField(b, func(n protowire.Number, v uint64, sub []byte) error {
		switch n {
		case 1:
			action = v
		case 2:
			return eachField(sub, func(n protowire.Number, _ uint64, sub []byte) error {
				if n != 1 {
					return fmt.Errorf("field %d of a value", n)
				}
				values = append(values, sub)
				return nil
			})
		case 3, 4:
			p, err := decodePath(sub)
			sensitive[n-3][p] = true
			return err
		default:
			return fmt.Errorf("field %d of values", n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sides, err := sidesOf(action, values, o)
	if err != nil {
		return err
	}
	for i, to := range []*map[string]leaf{&o.before, &o.after} {
		if sides[i] == nil {
			continue
		}
		t, err := decodeValue(sides[i])
		if err != nil {
			return err
		}
		*to = flatten(t, sensitive[i])
	}
	return nil
}

// sidesOf tells which values are before and after; the numbers are those of
// planproto.Action.
func sidesOf(action uint64, values [][]byte, o *object) (sides [2][]byte, err error) {
	kinds := map[uint64]struct {
		actions       string
		before, after bool
	}{
		0: {"no-op", true, false},
		1: {"create", false, true},
		3: {"update", true, true},
		5: {"delete", true, false},
		6: {"delete,create", true, true},
		7: {"create,delete", true, true},
	}
	k, ok := kinds[action]
	o.actions = k.actions
	for i, has := range []bool{k.before, k.after} {
		if has && len(values) > 0 {
			sides[i], values = values[0], values[1:]
		} else if has {
			ok = false
		}
	}
	if !ok || len(values) > 0 {
		return sides, fmt.Errorf("action %d", action)
	}
	return sides, nil
}

// decodePath reads planproto.Path: attribute names and element keys.
func decodePath(b []byte) (path string, err error) {
	err = eachField(b, func(n protowire.Number, _ uint64, step []byte) error {
		if n != 1 {
			return fmt.Errorf("field %d of a path", n)
		}
		return eachField(step, func(n protowire.Number, _ uint64, sub []byte) error {
			switch n {
			case 1:
				path = attribute(path, string(sub))
				return nil
			case 2:
				return eachField(sub, func(_ protowire.Number, _ uint64, key []byte) error {
					path, err = elementKey(path, key)
					return err
				})
			}
			return fmt.Errorf("field %d of a step", n)
		})
	})
	return path, err
}

func elementKey(path string, key []byte) (string, error) {
	typ, err := msgpack.ImpliedType(key)
	if err != nil {
		return "", err
	}
	v, err := msgpack.Unmarshal(key, typ)
	if err != nil {
		return "", err
	}
	switch {
	case !v.IsKnown() || v.IsNull():
	case v.Type() == cty.String:
		return attribute(path, v.AsString()), nil
	case v.Type() == cty.Number:
		if i, accuracy := v.AsBigFloat().Int64(); accuracy == 0 {
			return index(path, int(i)), nil
		}
	}
	return "", errors.New("a key of a path")
}

// decodeValue reads a terraform_data in MessagePack.
func decodeValue(b []byte) (t tree, err error) {
	v, err := msgpack.Unmarshal(b, builtinValue)
	if err != nil {
		return nil, err
	}
	return treeOf(v)
}

// treeOf gives v as terraform show writes it in JSON.
func treeOf(v cty.Value) (tree, error) {
	switch t := v.Type(); {
	case !v.IsKnown():
		return unknown{}, nil
	case v.IsNull():
		return nil, nil
	case t == cty.String:
		return v.AsString(), nil
	case t == cty.Bool:
		return v.True(), nil
	case t == cty.Number:
		return json.Number(v.AsBigFloat().Text('f', -1)), nil
	case t.IsMapType() || t.IsObjectType():
		out := map[string]tree{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			sub, err := treeOf(e)
			if err != nil {
				return nil, err
			}
			out[k.AsString()] = sub
		}
		return out, nil
	case t.IsListType() || t.IsSetType() || t.IsTupleType():
		out := []tree{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			sub, err := treeOf(e)
			if err != nil {
				return nil, err
			}
			out = append(out, sub)
		}
		return out, nil
	}
	return nil, fmt.Errorf("a value of type %s", v.Type().FriendlyName())
}

// eachField calls do with every field of a message: numbers in v, the rest in sub.
func eachField(b []byte, do func(n protowire.Number, v uint64, sub []byte) error) error {
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		var v uint64
		var sub []byte
		switch typ {
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			sub, size = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("wire type %d", typ)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		if err := do(n, v, sub); err != nil {
			return err
		}
	}
	return nil
}
