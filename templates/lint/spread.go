package lint

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// size tells with what a collection grows.
type size int

const (
	fixed size = iota
	perService
	perInstance
)

// shape is what is known of a value without knowing the value.
type shape struct {
	// count is the size of the collection, items that of each of its elements.
	count, items size
	// same: the elements repeat, as names of services do over their instances.
	same bool
}

// with is either of two values, or both together.
func (s shape) with(t shape) shape {
	same := (s.same || s.count < perInstance) && (t.same || t.count < perInstance)
	return shape{max(s.count, t.count), max(s.items, t.items), same}
}

// spreads judges objects of which there is one per instance.
func (l *linter) spreads() {
	why := "Terraform handles each object on its own and its time grows with the square of them: a plan took 0.55 s with 100 instances, " +
		"18 s with 500 and 67 s with 1,000, where the apply took 163 s; a device with one lock per pool adds to that"
	for _, b := range l.Of("resource", "data", "module") {
		a := advice{Warning, "per-instance", why, "make one object per service whose attribute is a list: group with { for k, s in var.services : s.name => s... }"}
		if each, ok := b.Attrs["for_each"]; ok && l.shape(each.Expr, nil).count == perInstance {
			l.add(each.Name, a, "%s has one object per instance", b.Address())
		}
		if count, ok := b.Attrs["count"]; ok && l.counts(count.Expr, map[string]bool{}) {
			l.add(count.Name, a, "%s has one object per instance", b.Address())
		}
	}
}

// counts tells whether a count grows with the instances; conditions do not. seen are
// the locals that were looked at.
func (l *linter) counts(e hclsyntax.Expression, seen map[string]bool) bool {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return l.counts(e.Expression, seen)
	case *hclsyntax.TemplateWrapExpr:
		return l.counts(e.Wrapped, seen)
	case *hclsyntax.ConditionalExpr:
		return l.counts(e.TrueResult, seen) || l.counts(e.FalseResult, seen)
	case *hclsyntax.ScopeTraversalExpr:
		name, ok := second(e.Traversal)
		if !ok || e.Traversal.RootName() != "local" || len(e.Traversal) != 2 || seen[name] {
			return false
		}
		seen[name] = true
		return l.counts(l.Local(name).Expr, seen)
	case *hclsyntax.FunctionCallExpr:
		if e.Name == "length" && len(e.Args) == 1 {
			return l.shape(e.Args[0], nil).count == perInstance
		}
	}
	return false
}

// scope are the variables of for expressions.
type scope map[string]shape

func (s scope) with(name string, what shape) scope {
	out := scope{}
	for k, v := range s {
		out[k] = v
	}
	if name != "" {
		out[name] = what
	}
	return out
}

// repeating are attributes of an instance that others of its service share.
var repeating = map[string]bool{"name": true, "service": true, "namespace": true, "kind": true, "status": true, "node_datacenter": true, "datacenter": true, "port": true}

// shape follows an expression to what it grows with. What is not understood is fixed:
// no finding is better than a wrong one.
func (l *linter) shape(e hclsyntax.Expression, in scope) shape {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return l.shape(e.Expression, in)
	case *hclsyntax.TemplateWrapExpr:
		return l.shape(e.Wrapped, in)
	case *hclsyntax.ScopeTraversalExpr:
		return l.reference(e.Traversal, in)
	case *hclsyntax.RelativeTraversalExpr:
		return shape{count: l.shape(e.Source, in).items, same: repeats(e.Traversal)}
	case *hclsyntax.IndexExpr:
		return shape{count: l.shape(e.Collection, in).items}
	case *hclsyntax.SplatExpr:
		return l.splat(e, in)
	case *hclsyntax.ConditionalExpr:
		return l.shape(e.TrueResult, in).with(l.shape(e.FalseResult, in))
	case *hclsyntax.ForExpr:
		return l.loop(e, in)
	case *hclsyntax.FunctionCallExpr:
		return l.call(e, in)
	case *hclsyntax.ObjectConsExpr:
		var out shape
		for _, item := range e.Items {
			out.items = max(out.items, l.shape(item.ValueExpr, in).count)
		}
		return out
	case *hclsyntax.TupleConsExpr:
		out := shape{same: len(e.Exprs) > 0}
		for _, item := range e.Exprs {
			s := l.shape(item, in)
			out.items, out.same = max(out.items, s.count), out.same && s.same
		}
		return out
	}
	return shape{}
}

func repeats(t hcl.Traversal) bool {
	last, ok := t[len(t)-1].(hcl.TraverseAttr)
	return ok && repeating[last.Name]
}

func (l *linter) reference(t hcl.Traversal, in scope) shape {
	if s, ok := in[t.RootName()]; ok {
		if len(t) == 1 {
			return s
		}
		return shape{count: s.items, same: repeats(t)}
	}
	if len(t) < 2 {
		return shape{}
	}
	second, ok := t[1].(hcl.TraverseAttr)
	var out shape
	switch {
	case !ok:
		return shape{}
	case t.RootName() == "var" && second.Name == services:
		out = shape{count: perInstance}
	case t.RootName() == "local":
		out = l.named(second.Name)
	}
	if len(t) > 2 {
		return shape{count: out.items, same: repeats(t)}
	}
	return out
}

// named gives the shape of a local value; one that refers to itself has none.
func (l *linter) named(name string) shape {
	if s, ok := l.seen[name]; ok {
		return s
	}
	l.seen[name] = shape{}
	l.seen[name] = l.shape(l.Local(name).Expr, nil)
	return l.seen[name]
}
