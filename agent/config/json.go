package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// jsonFrontEnd reads JSON into the neutral tree. It reads token by token, because
// the tree must know where everything stands.
type jsonFrontEnd struct {
	file  Position
	src   []byte
	dec   *json.Decoder
	diags *report
	// nulls allows null as a value.
	nulls bool
	// line and column are of offset, up to which positions were counted.
	offset, line, column int
}

// parseJSON gives the tree of one file; its top is an object. The first mistake
// of syntax is told to r and ends the reading; what was read is returned.
func parseJSON(file Position, src []byte, r *report) node {
	return newJSONFrontEnd(file, src, r).parse()
}

func newJSONFrontEnd(file Position, src []byte, r *report) *jsonFrontEnd {
	p := &jsonFrontEnd{file: file, src: src, dec: json.NewDecoder(bytes.NewReader(src)), diags: r, line: 1, column: 1}
	p.dec.UseNumber()
	return p
}

func (p *jsonFrontEnd) parse() node {
	top, ok := p.value(0)
	if !ok {
		return top
	}
	at := p.next()
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		p.diags.problem(at, "remove it; one file holds one JSON object", "there is something after the end of the JSON object")
	}
	if top.kind != kindObject {
		p.diags.problem(top.pos, "write { … } round all settings", "the file must be one JSON object")
		return node{pos: top.pos, kind: kindObject}
	}
	return top
}

// next gives the position of the next token.
func (p *jsonFrontEnd) next() Position {
	from := int(p.dec.InputOffset())
	n := bytes.IndexFunc(p.src[from:], func(r rune) bool {
		return r != ' ' && r != '\t' && r != '\r' && r != '\n' && r != ',' && r != ':'
	})
	if n < 0 {
		n = len(p.src) - from
	}
	return p.position(from + n)
}

func (p *jsonFrontEnd) position(offset int) Position {
	for offset > p.offset {
		r, size := utf8.DecodeRune(p.src[p.offset:])
		p.offset += size
		p.column++
		if r == '\n' {
			p.line, p.column = p.line+1, 1
		}
	}
	at := p.file
	at.Line, at.Column = p.line, p.column
	return at
}

// fail reports a mistake of syntax and where it stands.
func (p *jsonFrontEnd) fail(at Position, err error) {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		if offset := int(syntax.Offset) - 1; offset > p.offset && offset <= len(p.src) {
			at = p.position(offset)
		}
		p.diags.problem(at, "correct the JSON here or just before", "invalid JSON: %s", syntax)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		p.diags.problem(at, "close what is open", "the JSON ends too early")
	default:
		p.diags.problem(at, "correct the JSON here or just before", "invalid JSON")
	}
}

func (p *jsonFrontEnd) value(depth int) (n node, ok bool) {
	n.pos = p.next()
	if depth > maxDepth {
		p.diags.problem(n.pos, "at most "+strconv.Itoa(maxDepth)+" levels are read", "nested too deeply")
		return n, false
	}
	token, err := p.dec.Token()
	if err != nil {
		p.fail(n.pos, err)
		return n, false
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			n.kind = kindObject
			return p.object(n, depth)
		}
		n.kind = kindList
		return p.array(n, depth)
	case string:
		n.kind, n.text = kindString, cty.NormalizeString(t)
	case json.Number:
		n.kind, n.text = kindNumber, t.String()
		numberInRange(n, p.diags)
	case bool:
		n.kind, n.text = kindBool, strconv.FormatBool(t)
	default:
		if p.nulls {
			n.kind = kindNull
			return n, true
		}
		p.diags.problem(n.pos, "leave the attribute out", "null is not supported")
	}
	return n, true
}

func (p *jsonFrontEnd) object(n node, depth int) (node, bool) {
	for p.dec.More() {
		at := p.next()
		token, err := p.dec.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			p.fail(at, err)
			return n, false
		}
		v, ok := p.value(depth + 1)
		if v.kind != 0 {
			n.fields = append(n.fields, field{name: cty.NormalizeString(name), pos: at, value: v})
		}
		if !ok {
			return n, false
		}
	}
	return p.end(n)
}

func (p *jsonFrontEnd) array(n node, depth int) (node, bool) {
	for p.dec.More() {
		v, ok := p.value(depth + 1)
		if v.kind != 0 {
			n.list = append(n.list, v)
		}
		if !ok {
			return n, false
		}
	}
	return p.end(n)
}

func (p *jsonFrontEnd) end(n node) (node, bool) {
	at := p.next()
	if _, err := p.dec.Token(); err != nil {
		p.fail(at, err)
		return n, false
	}
	return n, true
}

// numberInRange tells whether a number is short enough and within float64.
func numberInRange(n node, r *report) bool {
	if _, err := strconv.ParseFloat(n.text, 64); err != nil || len(n.text) > maxNumber {
		r.problem(n.pos, "write a smaller or shorter number", "the number is out of range")
		return false
	}
	return true
}
