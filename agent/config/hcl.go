package config

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxDepth bounds the nesting of a file; the parsers recurse.
const maxDepth = 64

// maxLabels bounds the labels of a block, each of which is one more level.
const maxLabels = 8

// hclFrontEnd reads HCL 2 native syntax into the neutral tree. Only literals,
// lists, objects and negative numbers are values.
type hclFrontEnd struct {
	file  Position // the file, without line
	src   []byte   // with masks
	diags *report
}

// parseHCL gives the tree of one file; its top is an object. A file that HCL 2
// refuses is read as HCL 1, and one that begins with a brace as JSON, as
// Consul-Terraform-Sync does. Mistakes of syntax are told to r as HCL 2 sees them,
// and what could be read all the same is returned, so that other mistakes are found
// in the same go.
func parseHCL(file Position, src []byte, r *report) node {
	if bytes.HasPrefix(bytes.TrimSpace(src), []byte("{")) {
		return parseJSON(file, src, r)
	}
	second := newReport()
	top := parseHCL2(file, src, second)
	if second.err() != nil {
		if old, ok := parseHCL1(file, src, r); ok {
			return old
		}
	}
	r.problems, r.warnings = append(r.problems, second.problems...), append(r.warnings, second.warnings...)
	return top
}

func parseHCL2(file Position, src []byte, r *report) node {
	p := hclFrontEnd{file: file, src: mask(src), diags: r}
	top := node{pos: p.at(hcl.InitialPos), kind: kindObject}
	if !tokensAllowed(p.src, func(at hcl.Pos, what, do string) { r.problem(p.at(at), do, "%s", what) }) {
		return top
	}
	parsed, diags := hclsyntax.ParseConfig(p.src, file.File, hcl.InitialPos)
	tell(diags, r, p.at)
	if body, ok := parsed.Body.(*hclsyntax.Body); ok {
		top.fields = p.body(body)
	}
	return top
}

// tell reports what HCL says of a file. HCL's texts name arguments and blocks,
// never values.
func tell(diags hcl.Diagnostics, r *report, at func(hcl.Pos) Position) {
	for _, d := range diags {
		pos := hcl.InitialPos
		if d.Subject != nil {
			pos = d.Subject.Start
		}
		r.problem(at(pos), unmask(d.Detail), "%s", unmask(d.Summary))
	}
}

// operators are those on which the parser recurses or takes quadratic time; no
// literal needs them.
var operators = map[hclsyntax.TokenType]bool{hclsyntax.TokenQuestion: true, hclsyntax.TokenBang: true,
	hclsyntax.TokenStar: true, hclsyntax.TokenDoubleColon: true}

// tokensAllowed tells whether the parser can be given src: not nested deeper than
// maxDepth and without operators.
func tokensAllowed(src []byte, tell func(at hcl.Pos, what, do string)) bool {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	depth, minus := 0, false
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth--
		}
		double := minus && t.Type == hclsyntax.TokenMinus
		minus = t.Type == hclsyntax.TokenMinus
		if double || operators[t.Type] {
			tell(t.Range.Start, "expressions are not supported here", "write the value itself")
			return false
		}
		if depth > maxDepth {
			tell(t.Range.Start, "nested too deeply", "at most 64 levels are read")
			return false
		}
	}
	return true
}

func (p hclFrontEnd) at(pos hcl.Pos) Position {
	at := p.file
	at.Line, at.Column = pos.Line, pos.Column
	return at
}

// body gives attributes and blocks in the order of the source.
func (p hclFrontEnd) body(body *hclsyntax.Body) []field {
	type item struct {
		at int
		f  field
	}
	var items []item
	for _, a := range body.Attributes {
		if v, ok := p.expression(a.Expr); ok {
			items = append(items, item{a.SrcRange.Start.Byte, field{name: a.Name, pos: p.at(a.SrcRange.Start), value: v}})
		}
	}
	for _, b := range body.Blocks {
		items = append(items, item{b.TypeRange.Start.Byte, p.block(b)})
	}
	slices.SortFunc(items, func(a, b item) int { return a.at - b.at })
	fields := make([]field, len(items))
	for i, it := range items {
		fields[i] = it.f
	}
	return fields
}

// block makes an object of a block's body and one more round it per label.
func (p hclFrontEnd) block(b *hclsyntax.Block) field {
	start := p.at(b.TypeRange.Start)
	if len(b.Labels) > maxLabels {
		p.diags.problem(start, "remove most of them", "too many labels")
		b.Labels = b.Labels[:maxLabels]
	}
	v := node{pos: start, kind: kindObject, style: styleBlock, fields: p.body(b.Body)}
	for i := len(b.Labels) - 1; i >= 0; i-- {
		label := field{name: unmask(b.Labels[i]), pos: p.at(b.LabelRanges[i].Start), label: true, value: v}
		v = node{pos: start, kind: kindObject, style: styleBlock, fields: []field{label}}
	}
	return field{name: b.Type, pos: start, value: v}
}

func (p hclFrontEnd) expression(e hclsyntax.Expression) (n node, ok bool) {
	n.pos = p.at(e.StartRange().Start)
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return p.literal(n, e)
	case *hclsyntax.TemplateExpr:
		return p.text(n, e)
	case *hclsyntax.UnaryOpExpr:
		if number, ok := p.number(e); ok {
			n.kind, n.text = kindNumber, "-"+number
			return n, true
		}
	case *hclsyntax.TupleConsExpr:
		n.kind = kindList
		for _, item := range e.Exprs {
			if v, ok := p.expression(item); ok {
				n.list = append(n.list, v)
			}
		}
		return n, true
	case *hclsyntax.ObjectConsExpr:
		return p.object(n, e), true
	}
	p.diags.problem(n.pos, "write a string in double quotes, a number, true, false, a list or an object", "expressions are not supported here")
	return n, false
}

func (p hclFrontEnd) literal(n node, e *hclsyntax.LiteralValueExpr) (node, bool) {
	switch {
	case e.Val.IsNull():
		p.diags.problem(n.pos, "leave the attribute out", "null is not supported")
		return n, false
	case e.Val.Type().FriendlyName() == "bool":
		n.kind = kindBool
	default:
		n.kind = kindNumber
	}
	n.text = string(e.SrcRange.SliceBytes(p.src))
	return p.octal(n), n.kind == kindBool || numberInRange(n, p.diags)
}

// octal reads a whole number that begins with 0 as HCL 1 does, in base 8; HCL 2
// would pass over the 0.
func (p hclFrontEnd) octal(n node) node {
	if n.kind != kindNumber || len(n.text) < 2 || n.text[0] != '0' || strings.ContainsAny(n.text, ".eE") {
		return n
	}
	v, err := strconv.ParseInt(n.text, 8, 64)
	if err != nil {
		p.diags.problem(n.pos, "leave the leading 0 out", "a number with a leading 0 is octal, and this one is not")
		return n
	}
	p.diags.warn(n.pos, "a number with a leading 0 is octal; leave the 0 out if it is not meant so")
	n.text = strconv.FormatInt(v, 10)
	return n
}

// number gives the digits of a negated number.
func (p hclFrontEnd) number(e *hclsyntax.UnaryOpExpr) (text string, ok bool) {
	l, ok := e.Val.(*hclsyntax.LiteralValueExpr)
	if !ok || e.Op != hclsyntax.OpNegate {
		return "", false
	}
	n, ok := p.literal(node{pos: p.at(l.SrcRange.Start)}, l)
	return n.text, ok && n.kind == kindNumber
}

// text puts the parts of a string together, which are all literal after masking.
func (p hclFrontEnd) text(n node, e *hclsyntax.TemplateExpr) (node, bool) {
	n.kind = kindString
	for _, part := range e.Parts {
		l, ok := part.(*hclsyntax.LiteralValueExpr)
		if !ok || l.Val.IsNull() || !l.Val.IsKnown() || l.Val.Type().FriendlyName() != "string" {
			p.diags.problem(n.pos, "write the text itself", "templates are not supported here")
			return n, false
		}
		n.text += unmask(l.Val.AsString())
	}
	if src := e.SrcRange.SliceBytes(p.src); bytes.HasPrefix(src, []byte("<<-")) {
		// HCL 2 takes another indentation off than HCL 1.
		n.text = cty.NormalizeString(heredoc(unmask(strings.ReplaceAll(string(src), "\r\n", "\n"))))
	}
	return n, true
}

func (p hclFrontEnd) object(n node, e *hclsyntax.ObjectConsExpr) node {
	n.kind, n.style = kindObject, styleValue
	for _, item := range e.Items {
		at := p.at(item.KeyExpr.StartRange().Start)
		name, ok := p.key(item.KeyExpr)
		if !ok {
			p.diags.problem(at, "write a name or a string in double quotes", "this is not a key")
			continue
		}
		if v, ok := p.expression(item.ValueExpr); ok {
			n.fields = append(n.fields, field{name: name, pos: at, value: v})
		}
	}
	return n
}

func (p hclFrontEnd) key(e hclsyntax.Expression) (name string, ok bool) {
	k, ok := e.(*hclsyntax.ObjectConsKeyExpr)
	if !ok || k.ForceNonLiteral {
		return "", false
	}
	if name := hcl.ExprAsKeyword(k.Wrapped); name != "" {
		return name, true
	}
	switch inner := k.Wrapped.(type) {
	case *hclsyntax.TemplateExpr:
		quiet := p
		quiet.diags = newReport()
		n, ok := quiet.text(node{}, inner)
		return n.text, ok
	case *hclsyntax.LiteralValueExpr:
		return string(inner.SrcRange.SliceBytes(p.src)), true
	}
	return "", false
}
