package standin

import (
	"bufio"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Schema is what a provider declares.
type Schema struct {
	provider  *block
	resources map[string]*block
	data      map[string]*block
}

// block is the provider's, a resource's or a nested block: its schema, and what the
// protocol does not show of it.
type block struct {
	*tfprotov5.SchemaBlock
	nested map[string]*block
	// replaces are arguments whose change replaces the object.
	replaces []string
	// defaults are planned for arguments that are left out.
	defaults map[string]tftypes.Value
}

var (
	//go:embed bigip.schema
	bigip string
	//go:embed azurerm.schema
	azurerm string
)

// BigIP is the schema of f5networks/bigip, as far as the shipped modules use it.
func BigIP() *Schema { return must(parseSchema(bigip)) }

// AzureRM is the schema of hashicorp/azurerm, as far as the shipped modules use it.
func AzureRM() *Schema { return must(parseSchema(azurerm)) }

// must is for texts that are part of the package and parsed by its tests.
func must(s *Schema, err error) *Schema {
	if err != nil {
		panic(err)
	}
	return s
}

// nestings are the forms of nested blocks.
var nestings = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
}

// parseSchema reads a table of attributes: what its form is stands at its top.
func parseSchema(text string) (*Schema, error) {
	s := &Schema{resources: map[string]*block{}, data: map[string]*block{}}
	var open []*block // the blocks around a line, by its depth
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		if depth > len(open) {
			return nil, fmt.Errorf("parse schema: line %d is indented too far", n)
		}
		open = open[:depth]
		var (
			inner *block
			err   error
		)
		if depth == 0 {
			inner, err = s.declare(words)
		} else {
			inner, err = open[depth-1].declare(words)
		}
		if err != nil {
			return nil, fmt.Errorf("parse schema: line %d: %w", n, err)
		}
		if inner != nil {
			open = append(open, inner)
		}
	}
	if s.provider == nil {
		return nil, fmt.Errorf("parse schema: no provider")
	}
	return s, lines.Err()
}

func newBlock() *block {
	return &block{SchemaBlock: &tfprotov5.SchemaBlock{}, nested: map[string]*block{}, defaults: map[string]tftypes.Value{}}
}

func (s *Schema) declare(words []string) (*block, error) {
	b := newBlock()
	switch {
	case len(words) == 1 && words[0] == "provider":
		s.provider = b
	case len(words) == 2 && words[0] == "resource":
		s.resources[words[1]] = b
	case len(words) == 2 && words[0] == "data":
		s.data[words[1]] = b
	default:
		return nil, fmt.Errorf("read %q: want provider, resource NAME or data NAME", strings.Join(words, " "))
	}
	return b, nil
}

// declare adds an attribute, or a nested block, which it gives.
func (b *block) declare(words []string) (*block, error) {
	if len(words) < 2 {
		return nil, fmt.Errorf("read %q: want a name and a type", words[0])
	}
	if nesting, limits, ok := strings.Cut(words[1], "{"); ok && !strings.HasPrefix(nesting, "[") {
		return b.nest(words[0], nesting, strings.TrimSuffix(limits, "}"))
	}
	kind := words[1]
	if !strings.HasPrefix(kind, "[") {
		kind = strconv.Quote(kind)
	}
	//lint:ignore SA1019 providers need it no more, as they have their types in Go; a table needs it
	t, err := tftypes.ParseJSONType([]byte(kind))
	if err != nil {
		return nil, fmt.Errorf("read type of %s: %w", words[0], err)
	}
	a := &tfprotov5.SchemaAttribute{Name: words[0], Type: t}
	b.Attributes = append(b.Attributes, a)
	for _, flag := range words[2:] {
		if err := b.flag(a, flag); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (b *block) flag(a *tfprotov5.SchemaAttribute, flag string) error {
	switch name, value, _ := strings.Cut(flag, "="); name {
	case "required":
		a.Required = true
	case "optional":
		a.Optional = true
	case "computed":
		a.Computed = true
	case "sensitive":
		a.Sensitive = true
	case "new":
		b.replaces = append(b.replaces, a.Name)
	case "default":
		v, err := parseScalar(a.Type, value)
		if err != nil {
			return fmt.Errorf("read default of %s: %w", a.Name, err)
		}
		b.defaults[a.Name] = v
	default:
		return fmt.Errorf("read %s: no flag %q", a.Name, flag)
	}
	return nil
}

func (b *block) nest(name, nesting, limits string) (*block, error) {
	mode, ok := nestings[nesting]
	if !ok {
		return nil, fmt.Errorf("read block %s: no nesting %q", name, nesting)
	}
	inner := newBlock()
	n := &tfprotov5.SchemaNestedBlock{TypeName: name, Nesting: mode, Block: inner.SchemaBlock}
	if limits != "" {
		if _, err := fmt.Sscanf(limits, "%d,%d", &n.MinItems, &n.MaxItems); err != nil {
			return nil, fmt.Errorf("read limits of block %s: %w", name, err)
		}
	}
	b.BlockTypes, b.nested[name] = append(b.BlockTypes, n), inner
	return inner, nil
}

// parseScalar reads a string, number or bool.
func parseScalar(t tftypes.Type, text string) (tftypes.Value, error) {
	var x any = text
	switch {
	case t.Is(tftypes.Bool):
		v, err := strconv.ParseBool(text)
		if err != nil {
			return tftypes.Value{}, err
		}
		x = v
	case t.Is(tftypes.Number):
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return tftypes.Value{}, err
		}
		x = v
	}
	if err := tftypes.ValidateValue(t, x); err != nil {
		return tftypes.Value{}, err
	}
	return tftypes.NewValue(t, x), nil
}

// attribute finds an attribute by name, nil if there is none.
func (b *block) attribute(name string) *tfprotov5.SchemaAttribute {
	n := slices.IndexFunc(b.Attributes, func(a *tfprotov5.SchemaAttribute) bool { return a.Name == name })
	if n < 0 {
		return nil
	}
	return b.Attributes[n]
}

// shapes gives the schemas as the protocol carries them.
func shapes(blocks map[string]*block) map[string]*tfprotov5.Schema {
	out := map[string]*tfprotov5.Schema{}
	for name, b := range blocks {
		out[name] = &tfprotov5.Schema{Block: b.SchemaBlock}
	}
	return out
}
