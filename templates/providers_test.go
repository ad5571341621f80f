package templates

import (
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// schema decodes the block of the one provider as Terraform does: by what the
// provider declares, with the values of providers.auto.tfvars.
func schema(t *testing.T, files tasks.Files, spec hcldec.Spec) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	native, diags := hclsyntax.ParseConfig(files.Root[fileMain].Content, fileMain, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	bodies := []*hcl.File{native}
	if f, ok := files.Root[fileProviders]; ok {
		file, diags := hcljson.Parse(f.Content, fileProviders)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		bodies = append(bodies, file)
	}
	content, _, diags := hcl.MergeFiles(bodies).PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "provider", LabelNames: []string{"name"}}}})
	if diags.HasErrors() || len(content.Blocks) != 1 {
		t.Fatalf("%d provider blocks: %v", len(content.Blocks), diags)
	}
	values := cty.ObjectVal(decode(t, files.Root[fileProviderValues].Content))
	return hcldec.Decode(content.Blocks[0].Body, spec, &hcl.EvalContext{Variables: map[string]cty.Value{"var": values}})
}

func attribute(name string, ty cty.Type) hcldec.Spec {
	return &hcldec.AttrSpec{Name: name, Type: ty}
}

func TestObjectsBecomeWhatTheProvidersSchemaSays(t *testing.T) {
	words := cty.Map(cty.String)
	strings := func(pairs ...string) cty.Value {
		out := map[string]cty.Value{}
		for n := 0; n < len(pairs); n += 2 {
			out[pairs[n]] = cty.StringVal(pairs[n+1])
		}
		return cty.MapVal(out)
	}
	block := func(name string, nested hcldec.Spec) hcldec.Spec {
		return &hcldec.BlockSpec{TypeName: name, Nested: nested}
	}
	list := func(name string, nested hcldec.Spec) hcldec.Spec {
		return &hcldec.BlockListSpec{TypeName: name, Nested: nested}
	}
	user := hcldec.ObjectSpec{"user": attribute("user", cty.String)}
	cases := map[string]struct {
		arguments cty.Value
		spec      hcldec.Spec
		want      cty.Value
		inMain    bool
	}{
		"a block is a block":                            {object("x", blocks(object("user", "u"))), block("x", user), object("user", "u"), true},
		"an object is a block where the schema has one": {object("x", object("user", "u")), block("x", user), object("user", "u"), false},
		"an object is a map where the schema has one":   {object("x", object("user", "u")), attribute("x", words), strings("user", "u"), false},
		"names that are none are a map's":               {object("x", object("X-A b", "u", "${x}", "v")), attribute("x", words), strings("X-A b", "u", "${x}", "v"), false},
		"two blocks are two blocks": {object("x", blocks(object("user", "u"), object("user", "v"))), list("x", user),
			cty.ListVal([]cty.Value{object("user", "u"), object("user", "v")}), false},
		"two objects are a list where the schema has one": {object("x", cty.TupleVal([]cty.Value{object("user", "u"), object("user", "v")})),
			attribute("x", cty.List(words)), cty.ListVal([]cty.Value{strings("user", "u"), strings("user", "v")}), false},
		"one block may be one of several": {object("x", blocks(object("user", "u"))), list("x", user), cty.ListVal([]cty.Value{object("user", "u")}), true},
		"a block may be empty":            {object("x", blocks(cty.EmptyObjectVal)), list("x", hcldec.ObjectSpec{}), cty.ListVal([]cty.Value{cty.EmptyObjectVal}), true},
		"a map in a block": {object("x", blocks(object("tags", object("team", hostile)))), block("x", hcldec.ObjectSpec{"tags": attribute("tags", words)}),
			object("tags", strings("team", hostile)), false},
		"a map that was written as a block in a block": {object("x", blocks(object("tags", blocks(object("team", "net"))))),
			block("x", hcldec.ObjectSpec{"tags": attribute("tags", words)}), object("tags", strings("team", "net")), false},
		"a block in a block": {object("x", blocks(object("y", blocks(object("user", "u"))))), block("x", hcldec.ObjectSpec{"y": block("y", user)}),
			object("y", object("user", "u")), false},
		"blocks in blocks": {object("x", blocks(object("y", blocks(object("user", "u"), object("user", "v"))), object("y", blocks(object("user", "w"))))),
			list("x", hcldec.ObjectSpec{"y": list("y", user)}), cty.ListVal([]cty.Value{
				object("y", cty.ListVal([]cty.Value{object("user", "u"), object("user", "v")})), object("y", cty.ListVal([]cty.Value{object("user", "w")}))}), false},
		"a list of objects is a list where the schema has one": {object("x", object("y", cty.TupleVal([]cty.Value{object("user", "u"), object("user", "v")}))),
			attribute("x", cty.Object(map[string]cty.Type{"y": cty.List(cty.Object(map[string]cty.Type{"user": cty.String}))})),
			object("y", cty.ListVal([]cty.Value{object("user", "u"), object("user", "v")})), false},
		"a list with one object is a list where the schema has one": {object("x", cty.ListVal([]cty.Value{object("user", "u")})),
			attribute("x", cty.List(words)), cty.ListVal([]cty.Value{strings("user", "u")}), false},
		"a list with one object is a block where the schema has one": {object("x", cty.ListVal([]cty.Value{object("user", "u")})),
			list("x", user), cty.ListVal([]cty.Value{object("user", "u")}), false},
		"a list with one object in a block": {object("x", blocks(object("y", cty.ListVal([]cty.Value{object("user", hostile)})))),
			block("x", hcldec.ObjectSpec{"y": attribute("y", cty.List(words))}), object("y", cty.ListVal([]cty.Value{strings("user", hostile)})), false},
		"a list with one object whose names are none": {object("x", cty.ListVal([]cty.Value{object("X-A b", "u")})),
			attribute("x", cty.List(words)), cty.ListVal([]cty.Value{strings("X-A b", "u")}), false},
		"a list of texts is an argument": {object("x", object("y", cty.TupleVal([]cty.Value{cty.StringVal(hostile)}))),
			block("x", hcldec.ObjectSpec{"y": attribute("y", cty.List(cty.String))}), object("y", cty.ListVal([]cty.Value{cty.StringVal(hostile)})), false},
		"a value that is null is none": {object("x", cty.NullVal(cty.DynamicPseudoType), "y", object("user", "u")),
			attribute("x", cty.String), cty.NullVal(cty.String), false},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			files, err := render(task("schema"), Inputs{Providers: []tasks.Provider{{Name: "fw", Arguments: tasks.NewSecretValue(c.arguments)}}}, shippedForTest)
			if err != nil {
				t.Fatal(err)
			}
			got, diags := schema(t, files, hcldec.ObjectSpec{"x": c.spec, "y": attribute("y", cty.DynamicPseudoType)})
			if diags.HasErrors() {
				t.Fatalf("the provider would refuse it: %v\n%s\n%s", diags, files.Root[fileMain].Content, files.Root[fileProviders].Content)
			}
			if want := c.want; !got.GetAttr("x").RawEquals(want) {
				t.Errorf("the provider would get %#v, want %#v", got.GetAttr("x"), want)
			}
			if _, elsewhere := files.Root[fileProviders]; elsewhere == c.inMain {
				t.Errorf("the block is in %s: %v, want %v", fileProviders, elsewhere, !c.inMain)
			}
		})
	}
}

func TestABlockThatStandsAloneIsReferredToAsInCTS(t *testing.T) {
	files, err := render(task("one"), Inputs{Providers: []tasks.Provider{{Name: "fw", Arguments: tasks.NewSecretValue(object("login", blocks(object("user", "u"))))}}}, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]cty.Value{"fw": object("login", object("user", "u"))}
	if diff := cmp.Diff(want, decode(t, files.Root[fileProviderValues].Content), cmp.Comparer(cty.Value.RawEquals)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}
