package config

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/scanner"
	hclstrconv "github.com/hashicorp/hcl/hcl/strconv"
	"github.com/hashicorp/hcl/hcl/token"
	"github.com/zclconf/go-cty/cty"
)

// hcl1FrontEnd reads HCL 1, the syntax that Consul-Terraform-Sync knows, into the
// neutral tree. It is asked only for files that HCL 2 refuses.
type hcl1FrontEnd struct {
	file  Position
	diags *report
}

var errHCL1 = errors.New("not HCL 1")

// parseHCL1 gives the tree of one file; ok is false, and r untold of mistakes, when
// the file is not HCL 1 either.
func parseHCL1(file Position, src []byte, r *report) (top node, ok bool) {
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	if !sound(src) {
		return node{}, false
	}
	list, err := syntaxHCL1(src)
	if err != nil {
		return node{}, false
	}
	mine := newReport()
	p := hcl1FrontEnd{file: file, diags: mine}
	top = node{pos: p.at(token.Pos{Line: 1, Column: 1}), kind: kindObject}
	top.fields, err = p.items(list)
	if err != nil || mine.err() != nil {
		return node{}, false
	}
	r.warnings = append(r.warnings, mine.warnings...)
	return top, true
}

// syntaxHCL1 parses; the parser is known to panic on odd texts.
func syntaxHCL1(src []byte) (list *ast.ObjectList, err error) {
	defer func() {
		if recover() != nil {
			list, err = nil, errHCL1
		}
	}()
	file, err := parser.ParseDontErrorOnDuplicateKeys(src)
	if err != nil {
		return nil, err
	}
	list, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return nil, errHCL1
	}
	return list, nil
}

// sound tells whether src is nested at most maxDepth deep, since the parser recurses,
// and does not end after an equals sign, where the parser drops what lacks a value.
func sound(src []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	s := scanner.New(src)
	broken, open := false, false
	s.Error = func(token.Pos, string) { broken = true }
	for depth := 0; !broken && depth <= maxDepth; {
		t := s.Scan().Type
		switch t {
		case token.LBRACE, token.LBRACK:
			depth++
		case token.RBRACE, token.RBRACK:
			depth--
		case token.EOF:
			return !broken && !open
		}
		if t != token.COMMENT {
			open = t == token.ASSIGN
		}
	}
	return false
}

func (p hcl1FrontEnd) at(pos token.Pos) Position {
	at := p.file
	at.Line, at.Column = pos.Line, pos.Column
	return at
}

// items gives the fields of an object. Of an attribute that is written twice the
// last one counts; blocks stay.
func (p hcl1FrontEnd) items(list *ast.ObjectList) (out []field, err error) {
	attributes := map[string]int{}
	for _, item := range list.Items {
		f, err := p.item(item)
		if err != nil {
			return nil, err
		}
		if f.value.kind == kindObject {
			out = append(out, f)
			continue
		}
		if i, twice := attributes[f.name]; twice {
			p.diags.warn(f.pos, "%s is set twice; the last one counts", f.name)
			out[i] = f
			continue
		}
		attributes[f.name] = len(out)
		out = append(out, f)
	}
	return out, nil
}

// item gives an attribute or a block; further keys of a block are its labels.
func (p hcl1FrontEnd) item(item *ast.ObjectItem) (f field, err error) {
	value, err := p.value(item.Val)
	if err != nil || len(item.Keys) > maxLabels {
		return f, errors.Join(err, errHCL1)
	}
	if value.kind == kindObject && item.Assign.Line == 0 {
		value.style = styleBlock
	}
	for i := len(item.Keys) - 1; i >= 0; i-- {
		f = field{pos: p.at(item.Keys[i].Pos()), label: i > 0, value: value}
		if f.name, err = keyOf(item.Keys[i].Token); err != nil {
			return f, err
		}
		value = node{pos: p.at(item.Keys[0].Pos()), kind: kindObject, style: styleBlock, fields: []field{f}}
	}
	return f, nil
}

func keyOf(t token.Token) (string, error) {
	if t.Type != token.STRING {
		return t.Text, nil
	}
	name, err := hclstrconv.Unquote(t.Text)
	if !utf8.ValidString(name) {
		return "", errHCL1
	}
	return cty.NormalizeString(name), err
}

func (p hcl1FrontEnd) value(v ast.Node) (n node, err error) {
	n.pos = p.at(v.Pos())
	switch v := v.(type) {
	case *ast.LiteralType:
		return p.literal(n, v.Token)
	case *ast.ListType:
		n.kind = kindList
		for _, item := range v.List {
			value, err := p.value(item)
			if err != nil {
				return n, err
			}
			n.list = append(n.list, value)
		}
		return n, nil
	case *ast.ObjectType:
		n.kind, n.style = kindObject, styleValue
		n.fields, err = p.items(v.List)
		return n, err
	}
	return n, errHCL1
}

func (p hcl1FrontEnd) literal(n node, t token.Token) (node, error) {
	var err error
	switch t.Type {
	case token.BOOL:
		n.kind, n.text = kindBool, t.Text
	case token.STRING:
		n.kind = kindString
		n.text, err = hclstrconv.Unquote(t.Text)
	case token.HEREDOC:
		n.kind, n.text = kindString, heredoc(t.Text)
	case token.NUMBER: // a leading 0 is octal, 0x hexadecimal
		n.kind = kindNumber
		var v int64
		v, err = strconv.ParseInt(t.Text, 0, 64)
		n.text = strconv.FormatInt(v, 10)
	case token.FLOAT:
		n.kind = kindNumber
		var v float64
		v, err = strconv.ParseFloat(t.Text, 64)
		n.text = strconv.FormatFloat(v, 'g', -1, 64)
	default:
		err = errHCL1
	}
	if !utf8.ValidString(n.text) { // "\xff" makes such
		return n, errHCL1
	}
	n.text = cty.NormalizeString(n.text)
	return n, err
}

// heredoc gives the lines between the markers. Of <<- the closing marker's
// indentation is taken off, where all lines have it.
func heredoc(text string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 2 {
		return ""
	}
	end := lines[len(lines)-1]
	indent := end[:len(end)-len(strings.TrimLeft(end, " \t"))]
	body := lines[1 : len(lines)-1]
	if !strings.HasPrefix(text, "<<-") || !all(body, func(l string) bool { return strings.HasPrefix(l, indent) }) {
		return strings.Join(body, "")
	}
	var out strings.Builder
	for _, l := range body {
		out.WriteString(strings.TrimPrefix(l, indent))
	}
	return out.String()
}
