package standin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// realBlock is a block as Terraform prints the schema of a provider.
type realBlock struct {
	Attributes map[string]struct {
		Type                                    json.RawMessage
		Required, Optional, Computed, Sensitive bool
		WriteOnly                               bool `json:"write_only"`
	}
	BlockTypes map[string]struct {
		NestingMode string `json:"nesting_mode"`
		MinItems    int64  `json:"min_items"`
		MaxItems    int64  `json:"max_items"`
		Block       realBlock
	} `json:"block_types"`
}

type realSchema struct{ Block realBlock }

// tell gives a line for each attribute and block.
func (b realBlock) tell(path string, out map[string]string) {
	for name, a := range b.Attributes {
		var t any
		_ = json.Unmarshal(a.Type, &t)
		kind, _ := json.Marshal(t)
		out[path+name] = fmt.Sprint(string(kind), " required=", a.Required, " optional=", a.Optional, " computed=", a.Computed, " sensitive=", a.Sensitive, " write-only=", a.WriteOnly)
	}
	for name, n := range b.BlockTypes {
		out[path+name] = fmt.Sprint(n.NestingMode, " min=", n.MinItems, " max=", n.MaxItems)
		n.Block.tell(path+name+".", out)
	}
}

func (b *block) tell(path string, out map[string]string) {
	for _, a := range b.Attributes {
		kind, _ := json.Marshal(jsonType(a.Type))
		out[path+a.Name] = fmt.Sprint(string(kind), " required=", a.Required, " optional=", a.Optional, " computed=", a.Computed, " sensitive=", a.Sensitive, " write-only=", a.WriteOnly)
	}
	for _, n := range b.BlockTypes {
		out[path+n.TypeName] = fmt.Sprint(strings.ToLower(n.Nesting.String()), " min=", n.MinItems, " max=", n.MaxItems)
		b.nested[n.TypeName].tell(path+n.TypeName+".", out)
	}
}

func jsonType(t tftypes.Type) any {
	switch t := t.(type) {
	case tftypes.List:
		return []any{"list", jsonType(t.ElementType)}
	case tftypes.Set:
		return []any{"set", jsonType(t.ElementType)}
	case tftypes.Map:
		return []any{"map", jsonType(t.ElementType)}
	case tftypes.Object:
		inner := map[string]any{}
		for name, a := range t.AttributeTypes {
			inner[name] = jsonType(a)
		}
		return []any{"object", inner}
	}
	return map[string]any{tftypes.String.String(): "string", tftypes.Number.String(): "number", tftypes.Bool.String(): "bool"}[t.String()]
}

// shipped are the schemas of this package, by the name of the file of the real one.
var shipped = map[string]func() *Schema{"bigip.json": BigIP, "azurerm.json": AzureRM}

func TestEveryDeclaredResourceIsTheRealProvidersAttributeByAttribute(t *testing.T) {
	for file, schema := range shipped {
		s := schema()
		if len(s.resources) == 0 || len(s.provider.Attributes) == 0 {
			t.Errorf("%s: no resource or no provider block is declared", file)
		}
		everyTypeIsKnown(t, s)

		// The real schemas lie beside the project, where they are at hand at all.
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "schema", file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compare(t, file, s, text)
	}
}

func everyTypeIsKnown(t *testing.T, s *Schema) {
	t.Helper()
	all := map[string]string{}
	s.provider.tell("provider.", all)
	for name, b := range s.resources {
		if b.attribute("id") == nil {
			t.Errorf("%s has no id", name)
		}
		b.tell(name+".", all)
	}
	for name, b := range s.data {
		b.tell("data."+name+".", all)
	}
	for path, line := range all {
		if strings.HasPrefix(line, "null") || strings.HasPrefix(line, "invalid") {
			t.Errorf("%s has no known type: %s", path, line)
		}
		if strings.Contains(line, "required=false optional=false computed=false") {
			t.Errorf("%s is neither required, optional nor computed", path)
		}
	}
}

func compare(t *testing.T, file string, s *Schema, text []byte) {
	t.Helper()
	var all struct {
		Schemas map[string]struct {
			Provider  realSchema
			Resources map[string]realSchema `json:"resource_schemas"`
			Data      map[string]realSchema `json:"data_source_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("decode %s: %v", file, err)
	}
	for _, real := range all.Schemas {
		same(t, "provider", real.Provider, s.provider)
		for name, b := range s.resources {
			same(t, name, real.Resources[name], b)
		}
		for name, b := range s.data {
			same(t, "data."+name, real.Data[name], b)
		}
	}
}

func same(t *testing.T, name string, real realSchema, b *block) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	real.Block.tell("", want)
	b.tell("", got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-real provider +stand-in):\n%s", name, diff)
	}
}

func TestAWrongTableIsRefused(t *testing.T) {
	for sentence, c := range map[string]struct{ text, want string }{
		"no provider":          {"resource x\n  id string", "no provider"},
		"an unknown type":      {"provider\n  a sting optional", "line 2: read type of a"},
		"an unknown flag":      {"provider\n  a string optonal", `no flag "optonal"`},
		"an unknown nesting":   {"provider\n  a bag{}", `no nesting "bag"`},
		"a bad limit":          {"provider\n  a set{x}", "read limits of block a"},
		"a bad default":        {"provider\n  a bool optional default=maybe", "read default of a"},
		"too deep":             {"provider\n    a string optional", "line 2 is indented too far"},
		"an unknown word":      {"provoder", "want provider, resource NAME or data NAME"},
		"a name without type":  {"provider\n  a", "want a name and a type"},
		"a default of no text": {"provider\n  a [\"set\",\"string\"] optional default=x", "read default of a"},
	} {
		if _, err := parseSchema(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", sentence, err, c.want)
		}
	}
}

func TestObjectsSurviveTheWire(t *testing.T) {
	s, err := parseSchema(`provider
resource x
  id string optional computed
  n number optional
  on bool optional
  tags ["map","string"] optional
  ports ["list","number"] optional
  deep ["list",["object",{"a":"number","b":"string"}]] computed
  one single{}
    a string optional
  many set{}
    a string optional
    inner list{}
      b string optional
`)
	if err != nil {
		t.Fatal(err)
	}
	b := s.resources["x"]
	v, err := b.value(Object{"id": "7", "n": 3, "tags": map[string]string{"k": "v"}, "ports": []int{1, 2},
		"deep": []Object{{"a": 1}}, "many": []Object{{"a": "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.seal(v)
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := b.open(d)
	if err != nil {
		t.Fatal(err)
	}
	want := Object{"id": "7", "n": 3.0, "on": nil, "tags": map[string]any{"k": "v"}, "ports": []any{1.0, 2.0},
		"deep": []any{map[string]any{"a": 1.0, "b": nil}}, "one": nil, "many": []any{map[string]any{"a": "x", "inner": []any{}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
	for sentence, o := range map[string]Object{
		"an attribute that the schema has not": {"x": 1},
		"a type that does not fit":             {"n": "three"},
		"a list where a string is":             {"id": []string{"a"}},
		"a block that is no object":            {"many": []string{"a"}},
		"a block that is no list":              {"many": "a"},
		"an object with another key":           {"deep": []Object{{"c": 1}}},
	} {
		if _, err := b.value(o); err == nil {
			t.Errorf("%s was taken", sentence)
		}
	}
	if _, err := b.value(Object{"many": []any{map[string]any{"inner": nil}}}); err != nil {
		t.Errorf("a block without a nested one: %v", err)
	}
}

func TestWhatIsUnknownIsOnlyWhatTheDeviceTells(t *testing.T) {
	s, err := parseSchema("provider\nresource x\n  id string optional computed\n  name string required new\n  mode string optional default=fast\n  rule set{}\n    id string computed\n    name string required\n")
	if err != nil {
		t.Fatal(err)
	}
	b := s.resources["x"]
	wanted, err := b.value(Object{"name": "a", "rule": []Object{{"name": "r"}}})
	if err != nil {
		t.Fatal(err)
	}
	null := tftypes.NewValue(b.ValueType(), nil)
	created, _, err := b.plan(null, wanted)
	if err != nil {
		t.Fatal(err)
	}
	unknown := 0
	_ = tftypes.Walk(created, func(_ *tftypes.AttributePath, v tftypes.Value) (bool, error) {
		if !v.IsKnown() {
			unknown++
		}
		return true, nil
	})
	if unknown != 2 {
		t.Errorf("%d values are unknown, want both ids: %s", unknown, created)
	}
	prior, err := b.value(Object{"id": "1", "name": "a", "mode": "fast", "rule": []Object{{"id": "2", "name": "r"}}})
	if err != nil {
		t.Fatal(err)
	}
	if same, replaces, err := b.plan(prior, prior); err != nil || !same.Equal(prior) || replaces != nil {
		t.Errorf("an unchanged object is planned as %s, replaced for %v: %v", same, replaces, err)
	}
	renamed, err := b.value(Object{"id": "1", "name": "b", "rule": []Object{{"id": "2", "name": "r"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, replaces, err := b.plan(prior, renamed); err != nil || len(replaces) != 1 {
		t.Errorf("a changed name replaces for %v: %v", replaces, err)
	}
	if out, _, err := b.plan(prior, null); err != nil || !out.IsNull() {
		t.Errorf("a destroyed object is planned as %s: %v", out, err)
	}
	if n := b.BlockTypes[0].Nesting; n != tfprotov5.SchemaNestedBlockNestingModeSet {
		t.Errorf("nesting = %v", n)
	}
}
