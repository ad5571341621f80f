package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"patchbay/tasks"
)

// decoder lays the merged tree over the defaults.
type decoder struct {
	Options
	*report
	cfg Config
	// fromAPI is true for a task of the HTTP API, which says what files cannot.
	fromAPI bool
	// apiAt is where the api block stands.
	apiAt Position
	// blocks are the service blocks by their ID.
	blocks map[string]tasks.Services
	// spots are the places of the fields of the mesh; unsure are those of which
	// something could not be read.
	spots  map[spotKey]Position
	unsure map[spotKey]bool
}

func newDecoder(o Options, r *report) *decoder {
	if o.Env == nil {
		o.Env = func(string) string { return "" }
	}
	if o.Builtin == nil {
		o.Builtin = func(string) bool { return false }
	}
	return &decoder{Options: o, report: r, blocks: map[string]tasks.Services{}, spots: map[spotKey]Position{}, unsure: map[spotKey]bool{}}
}

// setter decodes one field.
type setter func(f field)

// many are the names that may stand more than once in one block.
var many = map[string]bool{"task": true, "terraform_provider": true, "module_input": true, "source_input": true, "service": true,
	"routes": true, "sidecar": true, "gateway": true, "subset": true, "route": true, "match": true, "to": true, "header": true, "query": true,
	"cookie": true, "upstream": true, "listener": true, "hash": true, "failover": true,
	"canary": true, "step": true, "metric": true}

// block decodes an object whose names are known. path is where it stands, such as
// task[0].buffer_period.
func (d *decoder) block(n node, path string, known map[string]setter) {
	seen := map[string]field{}
	for _, f := range n.fields {
		name := strings.ToLower(f.name)
		set, ok := known[name]
		switch {
		case f.label:
			d.problem(f.pos, "remove the label", "%s takes no label here", describe(path))
			d.block(f.value.block(), path, known)
			continue
		case !ok:
			d.unknown(f, path, slices.Sorted(maps.Keys(known)))
			continue
		}
		if first, twice := seen[name]; twice && (!many[name] || f.value.scalar()) {
			d.twice(first, f)
		}
		seen[name] = f
		set(f)
	}
}

func (d *decoder) twice(first, f field) {
	if f.value.scalar() {
		d.warn(f.pos, "%s is set twice; the last one counts", f.name)
		return
	}
	do := "put both into one"
	if first.pos.File == f.pos.File { // else a later file was laid over the first
		do += "; the other is at " + first.pos.String()
	}
	d.problem(f.pos, do, "only one '%s' block can be configured", strings.ToLower(f.name))
}

// nested gives a setter for a block within a block.
func (d *decoder) nested(path string, known map[string]setter) setter {
	return func(f field) {
		if n, ok := d.object(f); ok {
			d.block(n, join(path, strings.ToLower(f.name)), known)
		}
	}
}

// object gives the one object that f must be.
func (d *decoder) object(f field) (node, bool) {
	list, ok := f.value.objects()
	switch {
	case !ok || len(list) == 0:
		d.problem(f.pos, "write "+f.name+" { … }", "%s must be a block, not %s", f.name, f.value.kind)
		return node{}, false
	case len(list) > 1:
		d.problem(list[1].pos, "put all into one", "only one '%s' block can be configured", strings.ToLower(f.name))
		return node{}, false
	}
	return list[0], true
}

// labelled is a block with the label that says its type or name.
type labelled struct {
	label string
	pos   Position
	body  node
}

// labels gives the blocks of f, each with its one label; what has none is told.
// wants shows how it is written.
func (d *decoder) labels(f field, wants string) (out []labelled) {
	list, ok := f.value.objects()
	if !ok || len(list) == 0 {
		d.problem(f.pos, "write "+wants, "%s must be a block, not %s", f.name, f.value.kind)
		return nil
	}
	for _, n := range list {
		if len(n.fields) == 0 || n.style == styleBlock && !n.fields[0].label && !onlyBlocks(n) {
			d.problem(n.pos, "write "+wants, "%s needs a label", f.name)
			continue
		}
		if n.style == styleBlock && !n.fields[0].label {
			d.warn(n.pos, "%s has no label; what stands in it is taken for one, write %s %q { … }", f.name, f.name, n.fields[0].name)
		}
		for _, l := range n.fields {
			bodies, ok := l.value.objects()
			if !ok {
				d.problem(l.pos, "write "+wants, "%s %q must be a block, not %s", f.name, l.name, l.value.kind)
			}
			for _, body := range bodies {
				out = append(out, labelled{label: l.name, pos: labelPos(f, l), body: body})
			}
		}
	}
	return out
}

// onlyBlocks tells whether a block holds blocks and nothing else: in HCL 1 a label
// is only a nested key, so condition { services { … } } has one.
func onlyBlocks(n node) bool {
	return !slices.ContainsFunc(n.fields, func(f field) bool {
		_, ok := f.value.objects()
		return !ok || f.value.kind == kindList
	})
}

// labelPos is where a labelled block begins: at its keyword in HCL, at its label
// in JSON, which may have many under one keyword.
func labelPos(f, l field) Position {
	if l.label {
		return f.pos
	}
	return l.pos
}

// unknown reports a name that the block at path does not have.
func (d *decoder) unknown(f field, path string, known []string) {
	name, block := strings.ToLower(f.name), indices.ReplaceAllString(path, "")
	context := join(block, name)
	known = slices.DeleteFunc(known, func(k string) bool { return deprecated[join(block, k)] })
	if what, ok := notYet[context]; ok {
		d.problem(f.pos, "remove it; "+what, "'%s' is not supported yet", f.name)
		return
	}
	hint := "known here are " + strings.Join(known, ", ")
	if near := nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	if h, ok := instead[context]; ok {
		hint = h
	}
	if strings.Contains(path, ".condition.") || strings.Contains(path, ".module_input.") {
		d.problem(f.pos, hint, "invalid keys: %s", f.name)
		return
	}
	d.problem(f.pos, hint, "'%s' has invalid keys: %s", f.pos.File, join(path, f.name))
}

var indices = regexp.MustCompile(`\[\d+\]`)

func describe(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
