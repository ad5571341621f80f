package lint

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// block is a block of either syntax.
type block struct {
	kind   string
	labels []string
	attrs  map[string]attr
	blocks []*block
	at     hcl.Range
}

type attr struct {
	expr hclsyntax.Expression
	// name is where the attribute's name stands, all the whole of its expression.
	name, all hcl.Range
}

// label gives the nth label, "" when there is none.
func (b *block) label(n int) string {
	if n < len(b.labels) {
		return b.labels[n]
	}
	return ""
}

// address is how Terraform names the block.
func (b *block) address() string {
	switch b.kind {
	case "resource":
		return strings.Join(b.labels, ".")
	case "variable":
		return "var." + b.label(0)
	}
	return strings.Join(append([]string{b.kind}, b.labels...), ".")
}

// inner gives the blocks of a kind directly within.
func (b *block) inner(kind string) (out []*block) {
	for _, c := range b.blocks {
		if c.kind == kind {
			out = append(out, c)
		}
	}
	return out
}

// expressions gives every attribute of the block and of those within, by its name in
// the outermost one, in the order of place.
func (b *block) expressions() (out []named) {
	for _, name := range slices.Sorted(maps.Keys(b.attrs)) {
		out = append(out, named{name, b.attrs[name]})
	}
	for _, c := range b.blocks {
		for _, n := range c.expressions() {
			out = append(out, named{c.kind, n.attr})
		}
	}
	return out
}

type named struct {
	name string
	attr attr
}

// natively makes the tree of HCL's native syntax.
func natively(b *hclsyntax.Body) (attrs map[string]attr, blocks []*block) {
	attrs = map[string]attr{}
	for name, a := range b.Attributes {
		attrs[name] = attr{expr: a.Expr, name: a.NameRange, all: a.Expr.Range()}
	}
	for _, c := range b.Blocks {
		n := &block{kind: c.Type, labels: c.Labels, at: c.DefRange()}
		n.attrs, n.blocks = natively(c.Body)
		blocks = append(blocks, n)
	}
	return attrs, blocks
}

// text gives an expression that is one literal text.
func text(e hclsyntax.Expression) (string, bool) {
	if e == nil {
		return "", false
	}
	if len(e.Variables()) > 0 || calls(e) {
		return "", false
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// literal gives the attribute's text, "" when it has none.
func (b *block) literal(name string) string {
	s, _ := text(b.attrs[name].expr)
	return s
}

func calls(e hclsyntax.Expression) (found bool) {
	visit(e, func(n hclsyntax.Node) {
		if _, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			found = true
		}
	})
	return found
}

// visit walks an expression; none of the nodes is changed.
func visit(e hclsyntax.Expression, f func(hclsyntax.Node)) {
	if e == nil {
		return
	}
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		f(n)
		return nil
	})
}

// words gives the literal parts of an expression, one per line.
func words(e hclsyntax.Expression) string {
	var b strings.Builder
	visit(e, func(n hclsyntax.Node) {
		l, ok := n.(*hclsyntax.LiteralValueExpr)
		if ok && l.Val.IsKnown() && !l.Val.IsNull() && l.Val.Type() == cty.String {
			b.WriteString(l.Val.AsString())
			b.WriteByte('\n')
		}
	})
	return b.String()
}
