package config

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Written is a task block as a file has it: only what is set, with nothing
// checked, completed or made absolute.
type Written struct {
	// Fields are attributes and blocks by the name in the file. A value is a
	// string, a bool, a [json.Number], a []any or a map[string]any. A label is a map
	// round its block, as in JSON, and a block that stands several times is a []any
	// of them; of an attribute the last one counts.
	Fields map[string]any

	files   []field
	options Options
}

// ReadTasks reads one configuration file for its task blocks alone, which are
// those of [Load] before they are decoded. The error is an [*Error].
func ReadTasks(path string, o Options) ([]Written, error) {
	r := newReport()
	all := node{kind: kindObject}
	for i, f := range readAll([]string{path}, o.WorkDir, r) {
		at := Position{File: f.name, order: i + 1}
		if !textIsClean(at, f.data, r) {
			continue
		}
		parse := parseHCL
		if filepath.Ext(f.name) == ".json" {
			parse = parseJSON
		}
		all = appendFile(all, parse(at, f.data, r))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	var out []Written
	for _, f := range all.fields {
		if n, ok := f.value.objects(); ok && strings.EqualFold(f.name, "task") {
			for _, one := range n {
				out = append(out, newWritten(one, o))
			}
		}
	}
	return out, nil
}

func newWritten(n node, o Options) Written {
	w := Written{Fields: n.plain().(map[string]any), options: o}
	for _, f := range n.fields {
		if strings.EqualFold(f.name, "variable_files") {
			w.files = append(w.files, f)
		}
	}
	return w
}

// FileVariables reads the files of the task's variable_files and gives each
// variable as an HCL expression; later files win.
func (w Written) FileVariables() (map[string]string, error) {
	d := newDecoder(w.options, newReport())
	t := &taskBlock{fromFiles: map[string]cty.Value{}}
	for _, f := range w.files {
		d.variableFiles(t, f)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	out := make(map[string]string, len(t.fromFiles))
	for name, v := range t.fromFiles {
		out[name] = string(hclwrite.TokensForValue(v).Bytes())
	}
	return out, nil
}

// plain gives a node as encoding/json would decode it.
func (n node) plain() any {
	switch n.kind {
	case kindBool:
		return n.text == "true"
	case kindNumber:
		return json.Number(n.text)
	case kindNull:
		return nil
	case kindList:
		out := make([]any, len(n.list))
		for i, item := range n.list {
			out[i] = item.plain()
		}
		return out
	case kindObject:
		out := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			v := f.value.plain()
			if before, twice := out[f.name]; twice && !f.value.scalar() {
				v = append(asList(before), asList(v)...)
			}
			out[f.name] = v
		}
		return out
	}
	return n.text
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
