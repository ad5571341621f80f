package source

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// shapes tell which properties of JSON syntax are blocks: only a schema tells. What
// is in no shape is an attribute, also the blocks of a provider's resource.
var shapes = map[string][]hcl.BlockHeaderSchema{
	"": {
		{Type: "terraform"}, {Type: "locals"}, {Type: "variable", LabelNames: []string{"name"}}, {Type: "output", LabelNames: []string{"name"}},
		{Type: "provider", LabelNames: []string{"name"}}, {Type: "module", LabelNames: []string{"name"}},
		{Type: "resource", LabelNames: []string{"type", "name"}}, {Type: "data", LabelNames: []string{"type", "name"}},
	},
	"terraform":   {{Type: "required_providers"}, {Type: "backend", LabelNames: []string{"type"}}, {Type: "cloud"}},
	"resource":    {{Type: "lifecycle"}, {Type: "connection"}, {Type: "provisioner", LabelNames: []string{"type"}}},
	"provisioner": {{Type: "connection"}},
	"variable":    {{Type: "validation"}},
}

// fromJSON makes the tree of JSON syntax; kind is the block that the body is of, ""
// for a file.
func fromJSON(kind string, body hcl.Body) (attrs map[string]Attr, blocks []*Block, diags hcl.Diagnostics) {
	content, rest, diags := body.PartialContent(&hcl.BodySchema{Blocks: shapes[kind]})
	attrs = map[string]Attr{}
	if kind != "" { // a file has blocks only
		list, more := rest.JustAttributes()
		diags = append(diags, more...)
		for name, a := range list {
			attrs[name] = Attr{Expr: converted(a.Expr), Name: a.NameRange, All: a.Expr.Range()}
		}
	}
	for _, c := range content.Blocks {
		n := &Block{Kind: c.Type, Labels: c.Labels, At: c.DefRange}
		var more hcl.Diagnostics
		n.Attrs, n.Blocks, more = fromJSON(c.Type, c.Body)
		blocks, diags = append(blocks, n), append(diags, more...)
	}
	return attrs, blocks, diags
}

// converted makes an expression of JSON one of the native syntax; a text that is no
// template stays the text that it is.
func converted(e hcl.Expression) hclsyntax.Expression {
	if pairs, diags := hcl.ExprMap(e); !diags.HasErrors() {
		o := &hclsyntax.ObjectConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, p := range pairs {
			o.Items = append(o.Items, hclsyntax.ObjectConsItem{KeyExpr: converted(p.Key), ValueExpr: converted(p.Value)})
		}
		return o
	}
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		t := &hclsyntax.TupleConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, item := range list {
			t.Exprs = append(t.Exprs, converted(item))
		}
		return t
	}
	v, _ := e.Value(nil) // without a context a text is not evaluated
	if !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}
	}
	start := e.StartRange().Start
	start.Column++
	template, diags := hclsyntax.ParseTemplate([]byte(v.AsString()), e.Range().Filename, start)
	if diags.HasErrors() {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}
	}
	return template
}
