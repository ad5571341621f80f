package source

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Block is a block of either syntax.
type Block struct {
	Kind   string
	Labels []string
	Attrs  map[string]Attr
	Blocks []*Block
	// At is where its header stands.
	At hcl.Range
}

// Attr is an argument; the zero Attr is none.
type Attr struct {
	Expr hclsyntax.Expression
	// Name is where the argument's name stands, All the whole of its expression.
	Name, All hcl.Range
}

// Label gives the nth label, "" when there is none.
func (b *Block) Label(n int) string {
	if n < len(b.Labels) {
		return b.Labels[n]
	}
	return ""
}

// Address is how Terraform names the block.
func (b *Block) Address() string {
	switch b.Kind {
	case "resource":
		return strings.Join(b.Labels, ".")
	case "variable":
		return "var." + b.Label(0)
	}
	return strings.Join(append([]string{b.Kind}, b.Labels...), ".")
}

// Inner gives the blocks of a kind directly within.
func (b *Block) Inner(kind string) (out []*Block) {
	for _, c := range b.Blocks {
		if c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}

// Literal gives an argument's text, "" when it has none; see [Text].
func (b *Block) Literal(name string) string {
	s, _ := Text(b.Attrs[name].Expr)
	return s
}

// Argument is an argument of a block or of those within.
type Argument struct {
	// Name is that of the argument or block directly in the outermost block.
	Name string
	Attr
}

// Arguments gives all arguments of the block and of those within, in the order of name.
func (b *Block) Arguments() (out []Argument) {
	for _, name := range slices.Sorted(maps.Keys(b.Attrs)) {
		out = append(out, Argument{name, b.Attrs[name]})
	}
	for _, c := range b.Blocks {
		for _, n := range c.Arguments() {
			out = append(out, Argument{c.Kind, n.Attr})
		}
	}
	return out
}

// natively makes the tree of HCL's native syntax.
func natively(b *hclsyntax.Body) (attrs map[string]Attr, blocks []*Block) {
	attrs = map[string]Attr{}
	for name, a := range b.Attributes {
		attrs[name] = Attr{Expr: a.Expr, Name: a.NameRange, All: a.Expr.Range()}
	}
	for _, c := range b.Blocks {
		n := &Block{Kind: c.Type, Labels: c.Labels, At: c.DefRange()}
		n.Attrs, n.Blocks = natively(c.Body)
		blocks = append(blocks, n)
	}
	return attrs, blocks
}

// Text gives an expression that is one literal text; ok is false for any other one and
// for nil.
func Text(e hclsyntax.Expression) (s string, ok bool) {
	if e == nil || len(e.Variables()) > 0 || calls(e) {
		return "", false
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

func calls(e hclsyntax.Expression) (found bool) {
	Visit(e, func(n hclsyntax.Node) {
		if _, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			found = true
		}
	})
	return found
}

// Visit walks an expression, which may be nil.
func Visit(e hclsyntax.Expression, f func(hclsyntax.Node)) {
	if e == nil {
		return
	}
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		f(n)
		return nil
	})
}

// Words gives the literal parts of an expression, one per line.
func Words(e hclsyntax.Expression) string {
	var b strings.Builder
	Visit(e, func(n hclsyntax.Node) {
		l, ok := n.(*hclsyntax.LiteralValueExpr)
		if ok && l.Val.IsKnown() && !l.Val.IsNull() && l.Val.Type() == cty.String {
			b.WriteString(l.Val.AsString())
			b.WriteByte('\n')
		}
	})
	return b.String()
}
