package config

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// kind tells what a node is.
type kind uint8

const (
	kindString kind = iota + 1
	kindNumber
	kindBool
	kindList
	kindObject
	// kindNull comes from variable files only.
	kindNull
)

func (k kind) String() string {
	return [...]string{"nothing", "a string", "a number", "a boolean", "a list", "a block or object", "null"}[k]
}

// style tells how an object was written, where the syntax can tell.
type style uint8

const (
	// styleEither: JSON has one form for blocks and object values.
	styleEither style = iota
	styleBlock
	styleValue
)

// node is one value of the neutral tree that every front end produces. A block
// is an object; its labels are objects round it, so that
//
//	driver "terraform" { log = true }
//
// in HCL and {"driver": {"terraform": {"log": true}}} in JSON are the same tree.
type node struct {
	pos  Position
	kind kind
	// text is a string's value, a number as written, or true or false.
	text   string
	list   []node
	fields []field
	style  style
}

// field is one named value of an object, in the order of the source; a name may
// come more than once.
type field struct {
	name string
	pos  Position
	// label is true for a block's label.
	label bool
	// path is how messages name a repeatable top-level block, such as task[0].
	path  string
	value node
}

func (n node) scalar() bool {
	return n.kind == kindString || n.kind == kindNumber || n.kind == kindBool
}

// objects gives the objects of a node that is a block, or a list of blocks as
// JSON writes them. ok is false for anything else.
func (n node) objects() (list []node, ok bool) {
	if n.kind == kindObject {
		return []node{n}, true
	}
	if n.kind != kindList {
		return nil, false
	}
	for _, item := range n.list {
		if item.kind != kindObject {
			return nil, false
		}
	}
	return n.list, true
}

// block gives a list of one object as that object, and any other node as it is.
func (n node) block() node {
	if list, ok := n.objects(); ok && len(list) == 1 {
		return list[0]
	}
	return n
}

// find gives the n-th field of that name, in any case; -1 when there is none.
func find(fields []field, name string, n int) int {
	for i, f := range fields {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}

// maxNumber is the longest number in characters, and with float64's range keeps
// 1e999999999 from becoming a gigabyte of zeros in a generated file.
const maxNumber = 64

// value makes the Terraform value of a node: repeated names become a tuple.
// Errors are told to r.
func (n node) value(r *report) cty.Value {
	switch n.kind {
	case kindString:
		return cty.StringVal(n.text)
	case kindBool:
		return cty.BoolVal(n.text == "true")
	case kindNumber:
		v, err := cty.ParseNumberVal(n.text)
		if err != nil {
			r.problem(n.pos, "write a decimal number", "invalid number")
			return cty.Zero
		}
		return v
	case kindNull:
		return cty.NullVal(cty.DynamicPseudoType)
	case kindList:
		items := make([]cty.Value, len(n.list))
		for i, item := range n.list {
			items[i] = item.value(r)
		}
		return cty.TupleVal(items)
	}
	return cty.ObjectVal(gather(n.fields, r, func(f field) (cty.Value, bool) { return f.value.value(r), false }))
}

// gather makes the attributes of an object. one gives a field's value and
// whether it must be in a tuple even when it is alone; a name that comes more
// than once is a tuple anyway.
func gather(fields []field, r *report, one func(field) (v cty.Value, tuple bool)) map[string]cty.Value {
	values, tuples := map[string][]cty.Value{}, map[string]bool{}
	for _, f := range fields {
		if f.label {
			r.problem(f.pos, "remove the label", "a nested block takes no label")
			continue
		}
		v, tuple := one(f)
		values[f.name] = append(values[f.name], v)
		tuples[f.name] = tuples[f.name] || tuple
	}
	out := make(map[string]cty.Value, len(values))
	for name, list := range values {
		out[name] = list[0]
		if tuples[name] || len(list) > 1 {
			out[name] = cty.TupleVal(list)
		}
	}
	return out
}

// join makes the path of a key as messages show it.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return fmt.Sprintf("%s.%s", path, name)
}
