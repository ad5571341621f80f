package templates

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// checkText tells whether Terraform reads s again exactly as it is.
func checkText(what, s string) error {
	switch {
	case !utf8.ValidString(s):
		return fmt.Errorf("%s: %s is not valid UTF-8; nothing was rendered", what, quote(s))
	case cty.NormalizeString(s) != s:
		return fmt.Errorf("%s: %s is not in Unicode form NFC, and Terraform would read another text; nothing was rendered", what, quote(s))
	}
	return nil
}

// checkValue tells whether v can be written as a literal. It never shows a part of
// v, which may be a secret.
func checkValue(what string, v cty.Value) error {
	if v == cty.NilVal {
		return fmt.Errorf("%s: has no value", what)
	}
	return cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		switch {
		case v.IsMarked() || !v.IsKnown() || v.Type().IsCapsuleType():
			return false, fmt.Errorf("%s: holds a value that cannot be written as a literal", what)
		case v.IsNull():
			return false, nil
		case v.Type() == cty.String && !utf8.ValidString(v.AsString()):
			return false, fmt.Errorf("%s: holds a text that is not valid UTF-8; nothing was rendered", what)
		case v.Type().IsObjectType() || v.Type().IsMapType():
			for it := v.ElementIterator(); it.Next(); {
				if key, _ := it.Element(); !utf8.ValidString(key.AsString()) {
					return false, fmt.Errorf("%s: holds a key that is not valid UTF-8; nothing was rendered", what)
				}
			}
		}
		return true, nil
	})
}

// literal gives the tokens of a checked value. It differs from hclwrite in one
// point: hclwrite leaves a first key named "for" bare, which starts a for expression.
func literal(v cty.Value) hclwrite.Tokens {
	ty := v.Type()
	switch {
	case v.IsNull():
		return hclwrite.TokensForValue(v)
	case ty.IsObjectType() || ty.IsMapType():
		var attrs []hclwrite.ObjectAttrTokens
		for it := v.ElementIterator(); it.Next(); {
			key, value := it.Element()
			attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: keyTokens(key.AsString()), Value: literal(value)})
		}
		return hclwrite.TokensForObject(attrs)
	case ty.IsTupleType() || ty.IsListType() || ty.IsSetType():
		var elems []hclwrite.Tokens
		for it := v.ElementIterator(); it.Next(); {
			_, value := it.Element()
			elems = append(elems, literal(value))
		}
		return hclwrite.TokensForTuple(elems)
	}
	return hclwrite.TokensForValue(v)
}

func keyTokens(key string) hclwrite.Tokens {
	if bareKey(key) {
		return hclwrite.TokensForIdentifier(key)
	}
	return hclwrite.TokensForValue(cty.StringVal(key))
}

// typeTokens gives the type constraint that exactly this type fulfils, with any
// where the language has no word for it: a null has no type, and an attribute that
// is no identifier cannot be named.
func typeTokens(ty cty.Type) hclwrite.Tokens {
	call := hclwrite.TokensForFunctionCall
	switch {
	case ty == cty.String, ty == cty.Number, ty == cty.Bool:
		return hclwrite.TokensForIdentifier(ty.FriendlyName())
	case ty.IsListType():
		return call("list", typeTokens(ty.ElementType()))
	case ty.IsSetType():
		return call("set", typeTokens(ty.ElementType()))
	case ty.IsMapType():
		return call("map", typeTokens(ty.ElementType()))
	case ty.IsTupleType():
		var elems []hclwrite.Tokens
		for _, e := range ty.TupleElementTypes() {
			elems = append(elems, typeTokens(e))
		}
		return call("tuple", hclwrite.TokensForTuple(elems))
	case ty.IsObjectType():
		var attrs []hclwrite.ObjectAttrTokens
		types := ty.AttributeTypes()
		for _, name := range slices.Sorted(maps.Keys(types)) {
			if !bareKey(name) {
				return hclwrite.TokensForIdentifier("any")
			}
			attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForIdentifier(name), Value: typeTokens(types[name])})
		}
		return call("object", hclwrite.TokensForObject(attrs))
	}
	return hclwrite.TokensForIdentifier("any")
}

// bareKey tells whether a key of an object may stand without quotes. Identifiers
// beyond ASCII are quoted, because versions of Terraform differ in their Unicode.
func bareKey(key string) bool {
	if key == "" || key == "for" {
		return false
	}
	for n, c := range []byte(key) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (n == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

// comment gives one # line per line; a line is cleaned of all that could end it.
func comment(lines ...string) []byte {
	var tokens hclwrite.Tokens
	for _, line := range lines {
		text := "#"
		if line != "" {
			text += " " + line
		}
		tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenComment, Bytes: []byte(text + "\n")})
	}
	return tokens.Bytes()
}

// oneLine makes s a text that stays within its line and looks like what it is:
// line breaks, control and invisible characters become spaces.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "�")))
}

// quote shows hostile text in an error: escaped, and no more than its beginning.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%q and %d bytes more", s[:most], len(s)-most)
	}
	return fmt.Sprintf("%q", s)
}
