package templates

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Bounds of what Baseline reads: 5,000 instances take about 4 MB and five levels.
const (
	maxBaselineBytes = 32 << 20
	maxBaselineDepth = 32
)

// Given is what a terraform.tfvars gave its module.
type Given struct {
	// Members are in the order of key; nil when the file has no services variable,
	// empty when that has no entry.
	Members []catalog.Member
	// Sets are the keys of the other variables that Consul fills, in the form of
	// [tasks.Input.Sets]; never nil.
	Sets map[string][]string
}

// Baseline reads what a terraform.tfvars gave its module last; it is CTS's file or
// one that Render made. Anything but literal values, members without a name, and a
// variable of Consul that is no map are an error: a guess would be worse than no
// baseline.
func Baseline(tfvars []byte) (Given, error) {
	given, err := baseline(tfvars)
	if err != nil {
		return Given{}, fmt.Errorf("read %s: %w", fileConsulValues, err)
	}
	return given, nil
}

func baseline(tfvars []byte) (Given, error) {
	if err := checkLiteral(tfvars); err != nil {
		return Given{}, err
	}
	file, diags := hclsyntax.ParseConfig(tfvars, fileConsulValues, hcl.InitialPos)
	if diags.HasErrors() {
		return Given{}, brief(diags)
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || len(body.Blocks) > 0 {
		return Given{}, errors.New("it holds a block, where only variables belong")
	}
	out := Given{Sets: map[string][]string{}}
	for _, name := range []string{servicesVariable, catalogVariable, kvVariable, nodesVariable} {
		attribute, ok := body.Attributes[name]
		if !ok {
			continue
		}
		v, diags := attribute.Expr.Value(nil)
		if diags.HasErrors() {
			return Given{}, brief(diags)
		}
		if v.IsNull() || !v.Type().IsObjectType() {
			return Given{}, fmt.Errorf("%s is no map", name)
		}
		if name != servicesVariable {
			out.Sets[name] = slices.AppendSeq([]string{}, maps.Keys(v.Type().AttributeTypes()))
			slices.Sort(out.Sets[name])
			continue
		}
		var err error
		if out.Members, err = membersOf(v); err != nil {
			return Given{}, err
		}
	}
	return out, nil
}

func membersOf(services cty.Value) ([]catalog.Member, error) {
	members := make([]catalog.Member, 0, services.LengthInt())
	for it := services.ElementIterator(); it.Next(); {
		key, entry := it.Element()
		m, err := member(key.AsString(), entry)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b catalog.Member) int { return cmp.Compare(a.Key, b.Key) })
	return members, nil
}

// checkLiteral lets only the tokens of literal values through. It keeps what
// follows from computing anything, and from descending without end.
func checkLiteral(tfvars []byte) error {
	if len(tfvars) > maxBaselineBytes {
		return fmt.Errorf("it has %d bytes, more than the %d that are read", len(tfvars), maxBaselineBytes)
	}
	tokens, diags := hclsyntax.LexConfig(tfvars, fileConsulValues, hcl.InitialPos)
	if diags.HasErrors() {
		return brief(diags)
	}
	depth, before := 0, hclsyntax.TokenNil
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack:
			depth--
		case hclsyntax.TokenIdent, hclsyntax.TokenEqual, hclsyntax.TokenColon, hclsyntax.TokenComma, hclsyntax.TokenNewline,
			hclsyntax.TokenComment, hclsyntax.TokenEOF, hclsyntax.TokenNumberLit, hclsyntax.TokenMinus,
			hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenStringLit, hclsyntax.TokenCHeredoc:
		default:
			return fmt.Errorf("line %d: %s is no part of a literal value", t.Range.Start.Line, quote(string(t.Bytes)))
		}
		if t.Type == hclsyntax.TokenMinus && before == hclsyntax.TokenMinus || depth > maxBaselineDepth {
			return fmt.Errorf("line %d: values are nested too deeply", t.Range.Start.Line)
		}
		before = t.Type
	}
	return nil
}

// brief keeps one line of what the parser says, without the file's content.
func brief(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError && d.Subject != nil {
			return fmt.Errorf("line %d: %s", d.Subject.Start.Line, d.Summary)
		}
	}
	return errors.New("it is no valid HCL")
}

func member(key string, entry cty.Value) (catalog.Member, error) {
	if entry.IsNull() || !entry.Type().IsObjectType() {
		return catalog.Member{}, fmt.Errorf("services: %s is no object", quote(key))
	}
	m := catalog.Member{Key: key}
	for name, to := range map[string]*string{"name": &m.Service, "node": &m.Node, "address": &m.Address} {
		if !entry.Type().HasAttribute(name) {
			continue
		}
		v := entry.GetAttr(name)
		if v.IsNull() || v.Type() != cty.String {
			return catalog.Member{}, fmt.Errorf("services: %s of %s is no text", name, quote(key))
		}
		*to = v.AsString()
	}
	if m.Service == "" {
		return catalog.Member{}, fmt.Errorf("services: %s has no name", quote(key))
	}
	if entry.Type().HasAttribute("port") {
		port, ok := portOf(entry.GetAttr("port"))
		if !ok {
			return catalog.Member{}, fmt.Errorf("services: port of %s is no number from 0 to %d", quote(key), math.MaxUint16)
		}
		m.Port = port
	}
	return m, nil
}

func portOf(v cty.Value) (int, bool) {
	if v.IsNull() || v.Type() != cty.Number {
		return 0, false
	}
	n, accuracy := v.AsBigFloat().Int64()
	return int(n), accuracy == big.Exact && n >= 0 && n <= math.MaxUint16
}
