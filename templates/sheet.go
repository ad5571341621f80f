package templates

import (
	"bytes"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// sheet lays out nested objects as hclwrite tokens, formatted as hclwrite itself
// would: it sets the spaces while it goes. Formatting thousands of instances as
// one hclwrite expression takes many times as long, because every level of
// nesting is laid out again and every column counted in grapheme clusters.
type sheet struct {
	out    *bytes.Buffer
	tokens []hclwrite.Token
	ptrs   hclwrite.Tokens
	// bytes hold the text of the tokens, so that each does not need its own.
	bytes []byte
	depth int
	// row are the assignments so far whose signs are to stand in one column.
	row []assignment
	// widest is the widest key in row, in columns.
	widest int
}

// assignment is an equals sign, by its place in tokens, with the width of its key.
type assignment struct{ sign, width int }

// How a key is written: quoted always, bare where it is an identifier.
const (
	bare   = false
	quoted = true
)

func newSheet(out *bytes.Buffer) *sheet { return &sheet{out: out} }

// flush writes the tokens so far; it may be called between two entries.
func (s *sheet) flush() {
	s.align()
	s.ptrs = s.ptrs[:0]
	for n := range s.tokens {
		s.ptrs = append(s.ptrs, &s.tokens[n])
	}
	// A bytes.Buffer returns no error.
	_, _ = s.ptrs.WriteTo(s.out)
	s.tokens, s.bytes = s.tokens[:0], s.bytes[:0]
}

func (s *sheet) add(ty hclsyntax.TokenType, text string, spaces int) {
	// Growing may move bytes; tokens made before keep the array that they know.
	start := len(s.bytes)
	s.bytes = append(s.bytes, text...)
	s.tokens = append(s.tokens, hclwrite.Token{Type: ty, Bytes: s.bytes[start:len(s.bytes):len(s.bytes)], SpacesBefore: spaces})
}

func (s *sheet) newline() { s.add(hclsyntax.TokenNewline, "\n", 0) }

// key begins a line: indentation, the key and the sign.
func (s *sheet) key(key string, always bool) {
	first := len(s.tokens)
	width := len(key)
	if !always && bareKey(key) {
		s.add(hclsyntax.TokenIdent, key, 2*s.depth)
	} else {
		s.quote(key, 2*s.depth)
		width = s.columns(first)
	}
	s.widest = max(s.widest, width)
	s.row = append(s.row, assignment{len(s.tokens), width})
	s.add(hclsyntax.TokenEqual, "=", 1)
}

// columns counts the columns of the tokens from first on without indentation.
func (s *sheet) columns(first int) (n int) {
	for i := first; i < len(s.tokens); i++ {
		t := s.tokens[i]
		if isASCII(string(t.Bytes)) {
			n += len(t.Bytes)
			continue
		}
		t.SpacesBefore = 0
		n += hclwrite.Tokens{&t}.Columns()
	}
	return n
}

// align puts the signs of the row into one column and ends the row.
func (s *sheet) align() {
	for _, a := range s.row {
		s.tokens[a.sign].SpacesBefore = s.widest - a.width + 1
	}
	s.row, s.widest = s.row[:0], 0
}

// open begins an object on several lines. Its line takes part in no row.
func (s *sheet) open(key string, always bool) {
	s.align()
	s.key(key, always)
	s.row, s.widest = s.row[:0], 0
	s.add(hclsyntax.TokenOBrace, "{", 1)
	s.newline()
	s.depth++
}

func (s *sheet) close(comma bool) {
	s.align()
	s.depth--
	s.add(hclsyntax.TokenCBrace, "}", 2*s.depth)
	if comma {
		s.add(hclsyntax.TokenComma, ",", 0)
	}
	s.newline()
}

func (s *sheet) text(key, value string) {
	s.key(key, bare)
	s.quote(value, 1)
	s.newline()
}

func (s *sheet) value(n int) { s.add(hclsyntax.TokenNumberLit, strconv.Itoa(n), 1) }

func (s *sheet) number(key string, n int) {
	s.key(key, bare)
	s.value(n)
	s.newline()
}

func (s *sheet) list(key string, list []string) {
	s.key(key, bare)
	s.tuple(list)
}

// tuple ends a line with a list.
func (s *sheet) tuple(list []string) {
	s.add(hclsyntax.TokenOBrack, "[", 1)
	for n, text := range list {
		if n == 0 {
			s.quote(text, 0)
			continue
		}
		s.add(hclsyntax.TokenComma, ",", 0)
		s.quote(text, 1)
	}
	s.add(hclsyntax.TokenCBrack, "]", 0)
	s.newline()
}

func (s *sheet) pairs(key string, pairs []pair) {
	if len(pairs) == 0 {
		s.key(key, bare)
		s.add(hclsyntax.TokenOBrace, "{", 1)
		s.add(hclsyntax.TokenCBrace, "}", 0)
		s.newline()
		return
	}
	s.open(key, bare)
	for _, p := range pairs {
		s.text(p.key, p.value)
	}
	s.close(false)
}

// quote writes a string literal. hclwrite knows how to escape; text without
// anything to escape spares the call.
func (s *sheet) quote(text string, spaces int) {
	if !plain(text) {
		for n, t := range hclwrite.TokensForValue(cty.StringVal(text)) {
			t.SpacesBefore = 0
			if n == 0 {
				t.SpacesBefore = spaces
			}
			s.tokens = append(s.tokens, *t)
		}
		return
	}
	s.add(hclsyntax.TokenOQuote, `"`, spaces)
	if text != "" {
		s.add(hclsyntax.TokenQuotedLit, text, 0)
	}
	s.add(hclsyntax.TokenCQuote, `"`, 0)
}

// plain tells whether a text is the same inside quotes: printable ASCII without
// quote, backslash and the two signs that can begin a template.
func plain(s string) bool {
	for n := range len(s) {
		switch c := s[n]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '$', c == '%':
			return false
		}
	}
	return true
}
