package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/zclconf/go-cty/cty"
)

// unknown stands in a tree for a value that only applying will tell.
type unknown struct{}

// A tree is a value as JSON has it, with numbers as [json.Number] and [unknown].
type tree = any

// leaf is one end of a tree.
type leaf struct {
	// kind is s, n, b, 0 (null), u (unknown), { or [ (both empty).
	kind      byte
	text      string
	sensitive bool
}

// object is one resource instance, data source or output that a plan changes, in
// the one form that the plan file and terraform show both give.
type object struct {
	address, deposed, typ, provider string
	// actions is Terraform's list, joined by commas.
	actions string
	// previous and importing are set when the object moves or is imported.
	previous, importing string
	before, after       map[string]leaf
}

// flatten lists the leaves of t by path. Sensitive are all at or below the paths
// in sensitive. A null root has no leaves.
func flatten(t tree, sensitive map[string]bool) map[string]leaf {
	if t == nil {
		return nil
	}
	out := map[string]leaf{}
	flattenAt(out, "", t, sensitive, sensitive[""])
	return out
}

func flattenAt(out map[string]leaf, path string, t tree, sensitive map[string]bool, hidden bool) {
	hidden = hidden || sensitive[path]
	put := func(kind byte, text string) { out[path] = leaf{kind, text, hidden} }
	switch t := t.(type) {
	case nil:
		put('0', "")
	case unknown:
		put('u', "")
	case bool:
		put('b', strconv.FormatBool(t))
	case string:
		put('s', t)
	case json.Number:
		put('n', number(string(t)))
	case map[string]tree:
		if len(t) == 0 {
			put('{', "")
		}
		for k, v := range t {
			flattenAt(out, attribute(path, k), v, sensitive, hidden)
		}
	case []tree:
		if len(t) == 0 {
			put('[', "")
		}
		for i, v := range t {
			flattenAt(out, index(path, i), v, sensitive, hidden)
		}
	default:
		put('?', fmt.Sprint(t))
	}
}

// truths lists the paths at which a tree of booleans, as terraform show gives it
// for sensitive values, is true.
func truths(t tree) map[string]bool {
	out := map[string]bool{}
	var walk func(path string, t tree)
	walk = func(path string, t tree) {
		switch t := t.(type) {
		case bool:
			if t {
				out[path] = true
			}
		case map[string]tree:
			for k, v := range t {
				walk(attribute(path, k), v)
			}
		case []tree:
			for i, v := range t {
				walk(index(path, i), v)
			}
		}
	}
	walk("", t)
	return out
}

// withUnknown puts [unknown] into t wherever the tree of booleans says so; show
// leaves such values out or null.
func withUnknown(t, marks tree) tree {
	switch marks := marks.(type) {
	case bool:
		if marks {
			return unknown{}
		}
	case map[string]tree:
		return unknownInMap(t, marks)
	case []tree:
		list, ok := t.([]tree)
		if !ok || len(list) != len(marks) {
			return t
		}
		list = slices.Clone(list)
		for i := range list {
			list[i] = withUnknown(list[i], marks[i])
		}
		return list
	}
	return t
}

func unknownInMap(t tree, marks map[string]tree) tree {
	m, ok := t.(map[string]tree)
	if !ok {
		return t
	}
	m = maps.Clone(m)
	for k, mark := range marks {
		old, had := m[k]
		if v := withUnknown(old, mark); had || v != nil {
			m[k] = v
		}
	}
	return m
}

// number writes a number in one way however it came.
func number(s string) string {
	v, err := cty.ParseNumberVal(s)
	if err != nil {
		return s
	}
	return v.AsBigFloat().Text('f', -1)
}

func attribute(path, name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	switch {
	case !plain:
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// digestOf identifies the changes of objects and outputs with all their values.
func digestOf(objects []object) catalog.Digest {
	h := catalog.NewHasher().Int(len(objects))
	for _, o := range objects {
		h.String(o.address, o.deposed, o.typ, o.provider, o.actions, o.previous, o.importing)
		for _, side := range []map[string]leaf{o.before, o.after} {
			h.Int(len(side))
			for _, p := range slices.Sorted(maps.Keys(side)) {
				l := side[p]
				h.String(p, string(l.kind), l.text, strconv.FormatBool(l.sensitive))
			}
		}
	}
	return h.Sum()
}

// actionOf maps Terraform's list of actions; an unknown one is an error, so that
// nothing is applied that the guard could not judge.
func actionOf(o object) (tasks.Action, error) {
	switch o.actions {
	case "no-op":
		return tasks.NoOp, nil
	case "create":
		return tasks.Create, nil
	case "read":
		return tasks.Read, nil
	case "update":
		return tasks.Update, nil
	case "delete":
		return tasks.Delete, nil
	case "delete,create", "create,delete":
		return tasks.Replace, nil
	case "forget":
		return tasks.Forget, nil
	case "create,forget", "forget,create":
		return tasks.Replace, nil
	}
	return "", fmt.Errorf("read plan of %s: unknown action %q; this version of Terraform is newer than Patchbay knows", o.address, o.actions)
}
