package lint

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// loop gives the shape of a for expression.
func (l *linter) loop(e *hclsyntax.ForExpr, in scope) shape {
	over := l.shape(e.CollExpr, in)
	inner := in.with(e.KeyVar, shape{}).with(e.ValVar, shape{count: over.items, same: over.same})
	value := l.shape(e.ValExpr, inner)
	if e.KeyExpr == nil || !e.Group {
		return shape{count: over.count, items: value.count, same: value.same}
	}
	if over.count < perInstance {
		return shape{count: over.count, items: max(over.items, value.count)}
	}
	if l.sameKey(e, inner) {
		return shape{count: perService, items: perInstance}
	}
	return shape{count: perInstance, items: perInstance} // groups may be many, or large
}

// sameKey tells whether instances of one service share the key of a group: it is made
// of what they have in common alone.
func (l *linter) sameKey(e *hclsyntax.ForExpr, in scope) bool {
	found := false
	for _, t := range e.KeyExpr.Variables() {
		of, bound := in[t.RootName()]
		switch {
		case !bound:
		case len(t) == 1 && !of.same, len(t) > 1 && !shared(t):
			return false
		default:
			found = true
		}
	}
	return found
}

// shared tells whether instances have an attribute in common: one that repeats, or a
// value of meta, which the operator gives to many.
func shared(t hcl.Traversal) bool {
	for _, step := range t {
		if a, ok := step.(hcl.TraverseAttr); ok && (a.Name == "meta" || a.Name == "cts_user_defined_meta" || a.Name == "node_meta") {
			return true
		}
	}
	return repeats(t)
}

func (l *linter) splat(e *hclsyntax.SplatExpr, in scope) shape {
	s := l.shape(e.Source, in)
	s.same = false
	if each, ok := e.Each.(*hclsyntax.RelativeTraversalExpr); ok {
		s.same, s.items = repeats(each.Traversal), fixed
	}
	return s
}

// scalars are functions whose result is no collection.
var scalars = map[string]bool{
	"abs": true, "alltrue": true, "anytrue": true, "base64encode": true, "base64gzip": true, "base64sha256": true, "can": true, "ceil": true,
	"contains": true, "endswith": true, "file": true, "floor": true, "format": true, "index": true, "join": true, "jsonencode": true, "length": true,
	"lower": true, "max": true, "md5": true, "min": true, "one": true, "replace": true, "sha1": true, "sha256": true, "startswith": true, "substr": true,
	"sum": true, "templatefile": true, "tobool": true, "tonumber": true, "tostring": true, "trim": true, "trimspace": true, "upper": true, "yamlencode": true,
}

func (l *linter) call(e *hclsyntax.FunctionCallExpr, in scope) shape {
	if scalars[e.Name] || len(e.Args) == 0 {
		return shape{}
	}
	out := l.shape(e.Args[0], in)
	switch e.Name {
	case "toset", "distinct":
		if out.same {
			out.count = min(out.count, perService)
		}
		return out
	case "flatten":
		return shape{count: max(out.count, out.items), same: out.same}
	case "transpose": // groups the keys of a map by what its lists have in common
		by := shape{count: out.count, items: out.count}
		if out.same {
			by.count = min(by.count, perService)
		}
		return by
	case "lookup", "element":
		return shape{count: out.items}
	case "keys":
		return shape{count: out.count}
	}
	for _, arg := range e.Args[1:] {
		out = out.with(l.shape(arg, in))
	}
	if e.ExpandFinal { // merge([…]...) takes the elements of the list
		out.count = max(out.count, out.items)
	}
	return out
}
