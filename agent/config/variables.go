package config

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// variables decodes variables = { name = "HCL expression" }.
func (d *decoder) variables(t *taskBlock, f field) {
	n, ok := d.object(f)
	if !ok {
		return
	}
	for _, e := range n.fields {
		if !hclsyntax.ValidIdentifier(e.name) {
			d.problem(e.pos, "use letters, digits, _ and -", "%q is not a variable's name", e.name)
			continue
		}
		text := e.value.text
		if e.value.kind != kindBool { // true and "true" are the same expression
			if text, ok = d.text(e); !ok {
				continue
			}
		}
		v, problem := expression(text)
		if problem != "" {
			d.problem(e.value.pos, `write a string that holds a literal HCL value, such as "5", "[1, 2]" or "\"text\""`, "variable %s: %s", e.name, problem)
			continue
		}
		t.variables[e.name] = v
	}
}

// expression evaluates a literal HCL expression; problem says in one sentence what
// is wrong and shows nothing of a value.
func expression(text string) (v cty.Value, problem string) {
	src := []byte(text)
	tokensAllowed(src, func(_ hcl.Pos, what, _ string) { problem = what })
	if problem != "" {
		return cty.NilVal, problem
	}
	e, diags := hclsyntax.ParseExpression(src, "", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags[0].Summary
	}
	return constant(e)
}

// constant evaluates an expression that is a literal throughout.
func constant(e hclsyntax.Expression) (v cty.Value, problem string) {
	if !isConstant(e) {
		return cty.NilVal, "only literal values are read"
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		return cty.NilVal, diags[0].Summary
	}
	if !numbersInRange(v) {
		return cty.NilVal, "the number is out of range"
	}
	return v, ""
}

func isConstant(e hclsyntax.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return true
	case *hclsyntax.TemplateExpr:
		return all(e.Parts, func(p hclsyntax.Expression) bool { _, ok := p.(*hclsyntax.LiteralValueExpr); return ok })
	case *hclsyntax.ParenthesesExpr:
		return isConstant(e.Expression)
	case *hclsyntax.UnaryOpExpr:
		_, ok := e.Val.(*hclsyntax.LiteralValueExpr)
		return ok && e.Op == hclsyntax.OpNegate
	case *hclsyntax.TupleConsExpr:
		return all(e.Exprs, isConstant)
	case *hclsyntax.ObjectConsExpr:
		return all(e.Items, func(i hclsyntax.ObjectConsItem) bool { return isConstantKey(i.KeyExpr) && isConstant(i.ValueExpr) })
	}
	return false
}

func isConstantKey(e hclsyntax.Expression) bool {
	k, ok := e.(*hclsyntax.ObjectConsKeyExpr)
	return ok && (hcl.ExprAsKeyword(k.Wrapped) != "" || isConstant(k.Wrapped))
}

func all[T any](list []T, ok func(T) bool) bool {
	for _, item := range list {
		if !ok(item) {
			return false
		}
	}
	return true
}

// numbersInRange refuses numbers beyond float64, which are written out digit by
// digit in a generated file.
func numbersInRange(v cty.Value) bool {
	const maxExponent = 1024
	ok := true
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) { // the callback gives no error
		if v.Type() == cty.Number && !v.IsNull() {
			f := v.AsBigFloat()
			e := f.MantExp(nil)
			ok = ok && !f.IsInf() && e < maxExponent && e > -maxExponent
		}
		return ok, nil
	})
	return ok
}

// variableFiles reads tfvars files with literal values; later files win.
func (d *decoder) variableFiles(t *taskBlock, f field) {
	t.VariableFiles, t.fromFiles = nil, map[string]cty.Value{}
	for _, e := range elements(f) {
		name, ok := d.text(e)
		if !ok {
			continue
		}
		path := absolute(d.WorkDir, name)
		data, err := readBounded(path)
		if err != nil {
			d.problem(e.value.pos, "correct the path; it starts at "+d.WorkDir, "cannot read variable file %q: %v", name, cause(err))
			continue
		}
		t.VariableFiles = append(t.VariableFiles, path)
		// The file's mistakes come after those of the line that names it.
		at := Position{File: name, order: e.pos.order, nested: name}
		if !textIsClean(at, data, d.report) {
			continue
		}
		if filepath.Ext(name) == ".json" {
			d.jsonVariables(t, at, data)
			continue
		}
		d.hclVariables(t, at, data)
	}
}

func (d *decoder) jsonVariables(t *taskBlock, at Position, data []byte) {
	p := newJSONFrontEnd(at, data, d.report)
	p.nulls = true
	for _, f := range p.parse().fields {
		if !hclsyntax.ValidIdentifier(f.name) {
			d.problem(f.pos, "use letters, digits, _ and -", "%q is not a variable's name", f.name)
			continue
		}
		t.fromFiles[f.name] = f.value.value(d.report)
	}
}

func (d *decoder) hclVariables(t *taskBlock, file Position, data []byte) {
	at := startOf(file)
	if !tokensAllowed(data, func(pos hcl.Pos, what, do string) { d.problem(at(pos), do, "%s", what) }) {
		return
	}
	parsed, diags := hclsyntax.ParseConfig(data, file.File, hcl.InitialPos)
	tell(diags, d.report, at)
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for _, b := range body.Blocks {
		d.problem(at(b.TypeRange.Start), "write name = value", "a variable file holds no blocks")
	}
	for name, a := range body.Attributes {
		v, problem := constant(a.Expr)
		if problem != "" {
			d.problem(at(a.SrcRange.Start), "write the value itself", "variable %s: %s", name, problem)
			continue
		}
		t.fromFiles[name] = v
	}
}
