package templates

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"
)

// decode evaluates a rendered file of values with the parser, not with the writer.
func decode(t testing.TB, content []byte) map[string]cty.Value {
	t.Helper()
	file, diags := hclsyntax.ParseConfig(content, "values", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("rendered file does not parse: %v\n%s", diags, content)
	}
	attributes, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		t.Fatalf("rendered file is no list of attributes: %v", diags)
	}
	out := map[string]cty.Value{}
	for name, a := range attributes {
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatalf("%s does not evaluate: %v", name, diags)
		}
		out[name] = v
	}
	return out
}

func texts(m map[string]string) cty.Value {
	out := map[string]cty.Value{}
	for k, v := range m {
		out[k] = cty.StringVal(v)
	}
	return cty.ObjectVal(out)
}

// wanted is what a module must get: the input as it is, but for cty's NFC.
func wanted(services []tasks.Service) cty.Value {
	out := map[string]cty.Value{}
	for _, s := range services {
		tags := []cty.Value{}
		for _, tag := range s.Tags {
			tags = append(tags, cty.StringVal(tag))
		}
		slices.SortFunc(tags, func(a, b cty.Value) int { return strings.Compare(a.AsString(), b.AsString()) })
		out[s.Key()] = object("id", s.ID, "name", s.Name, "kind", s.Kind, "address", s.Host(), "port", s.Port,
			"meta", texts(s.Meta), "tags", cty.TupleVal(tags), "namespace", s.Namespace, "status", s.Status(),
			"node", s.Node.Name, "node_id", s.Node.ID, "node_address", s.Node.Address, "node_datacenter", s.Node.Datacenter,
			"node_tagged_addresses", texts(s.Node.TaggedAddresses), "node_meta", texts(s.Node.Meta),
			"cts_user_defined_meta", texts(s.UserMeta))
	}
	return cty.ObjectVal(out)
}

// fuzzed makes two instances that share their texts in different places.
func fuzzed(id, name, address, tag, key, value, node, kind string, port int) []tasks.Service {
	a := tasks.Service{
		Instance: catalog.Instance{ID: id, Name: name, Kind: kind, Address: address, Port: port, Tags: []string{tag, value, ""},
			Meta: map[string]string{key: value, tag: "", "k": key},
			Node: catalog.Node{ID: kind, Name: node, Address: value, Datacenter: "dc1",
				TaggedAddresses: map[string]string{node: address}, Meta: map[string]string{value: key}}},
		UserMeta: map[string]string{name: id},
	}
	b := a
	b.ID, b.Name, b.Kind, b.Namespace = value, kind, "", tag
	b.Meta, b.UserMeta, b.Tags = nil, map[string]string{address: node, id: tag}, nil
	b.Node.Meta = map[string]string{id: id, key: name}
	return []tasks.Service{a, b}
}

// collides tells, independent of the code under test, whether two keys of m are one in NFC.
func collides(m map[string]string) bool {
	seen := map[string]bool{}
	for k := range m {
		seen[cty.NormalizeString(k)] = true
	}
	return len(seen) < len(m)
}

// expressible tells whether the services can be rendered at all.
func expressible(services []tasks.Service) bool {
	keys := map[string]bool{}
	for _, s := range services {
		all := append([]string{s.ID, s.Name, s.Kind, s.Address, s.Namespace, s.Node.ID, s.Node.Name, s.Node.Address}, s.Tags...)
		for _, m := range []map[string]string{s.Meta, s.UserMeta, s.Node.Meta, s.Node.TaggedAddresses} {
			for k, v := range m {
				all = append(all, k, v)
			}
			if collides(m) {
				return false
			}
		}
		if slices.ContainsFunc(all, func(s string) bool { return !utf8.ValidString(s) }) {
			return false
		}
		keys[cty.NormalizeString(s.Key())] = true
	}
	return len(keys) == len(services)
}

func checkRoundTrip(t testing.TB, services []tasks.Service) {
	t.Helper()
	files, err := render(task("fuzz"), Inputs{Input: input(services...), Backend: local()}, shippedForTest)
	if !expressible(services) {
		if err == nil {
			t.Fatalf("rendered what Terraform cannot read again: %#v", services)
		}
		if !utf8.ValidString(err.Error()) {
			t.Fatalf("the error is not valid UTF-8: %q", err.Error())
		}
		return
	}
	if err != nil {
		t.Fatalf("render refused what can be written: %v", err)
	}
	content := files.Root[fileConsulValues].Content
	got, want := decode(t, content)["services"], wanted(services)
	if !got.RawEquals(want) {
		t.Fatalf("Terraform would read other values:\nwant %#v\ngot  %#v\nfile\n%s", want, got, content)
	}
	if diff := cmp.Diff(string(hclwrite.Format(content)), string(content)); diff != "" {
		t.Fatalf("not in canonical form (-want +got):\n%s", diff)
	}
	checkBaseline(t, content, services)
}

// checkBaseline: a rendered file is the baseline of its own members.
func checkBaseline(t testing.TB, content []byte, services []tasks.Service) {
	t.Helper()
	var want []catalog.Member
	for _, s := range services {
		m := s.Member()
		for _, text := range []*string{&m.Key, &m.Service, &m.Node, &m.Address} {
			*text = cty.NormalizeString(*text)
		}
		if m.Service == "" {
			return
		}
		if m.Port < 0 || m.Port > 65535 {
			return
		}
		want = append(want, m)
	}
	slices.SortFunc(want, func(a, b catalog.Member) int { return strings.Compare(a.Key, b.Key) })
	got, err := Baseline(content)
	if err != nil {
		t.Fatalf("a rendered file is no baseline: %v\n%s", err, content)
	}
	if diff := cmp.Diff(want, got.Members); diff != "" || len(got.Sets) > 0 {
		t.Fatalf("sets %v, members of the baseline (-want +got):\n%s", got.Sets, diff)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("web-1", "web", "10.0.0.1", "v1", "k", "v", "n1", "", 80)
	f.Add(hostile, "a\x00b", "\r\n", "\"", "${x}", "%{if}", "e\u0301", "\ufeff", 0)
	f.Add("é", "e\u0301", "for", "null", "true", "<<EOT\nx\nEOT\n", "\u2028", "\U000e0001", 65535)
	f.Add("\xff", "$", "{", "$$", "%%{", "\\u0041", "\\", "~", 1)
	f.Add("\u1100\u1161", "가", "\u0344", "\u212b", "Å", "A\u030a", "\u0301", "$\u0301{", 1)
	f.Fuzz(func(t *testing.T, id, name, address, tag, key, value, node, kind string, port int) {
		checkRoundTrip(t, fuzzed(id, name, address, tag, key, value, node, kind, port))
	})
}

// FuzzEntries: keys, the catalog's names and nodes arrive as they are, or the
// error names the one that cannot.
func FuzzEntries(f *testing.F) {
	f.Add("fw/web", "80", "n1")
	f.Add(hostile, "a\x00b\r\n\"${x}%{if}", "for")
	f.Add("é", "e\u0301", "null")
	f.Add("e\u0301", "é", "é")
	f.Add("\xff", "", "$")
	f.Add("k", "\xc3(", "$${")
	f.Add("", "<<EOT\nx\nEOT\n", "\u2028\ufeff")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		in := entries(a, b, c)
		files, err := render(task("fuzz"), Inputs{Input: in, Backend: local()}, shippedForTest)
		valid := utf8.ValidString(a) && utf8.ValidString(b) && utf8.ValidString(c)
		if !valid || collides(in.KV) {
			if err == nil {
				t.Fatalf("rendered what Terraform cannot read again: %#v", in)
			}
			return
		}
		if err != nil {
			t.Fatalf("render refused what can be written: %v", err)
		}
		content := files.Root[fileConsulValues].Content
		got := decode(t, content)
		for name, want := range wantedEntries(in) {
			if !got[name].RawEquals(want) {
				t.Fatalf("Terraform would read another %s:\nwant %#v\ngot  %#v\nfile\n%s", name, want, got[name], content)
			}
		}
		if diff := cmp.Diff(string(hclwrite.Format(content)), string(content)); diff != "" {
			t.Fatalf("not in canonical form (-want +got):\n%s", diff)
		}
		given, err := Baseline(content)
		if err != nil {
			t.Fatalf("a rendered file is no baseline: %v", err)
		}
		sets := in.Sets()
		for _, set := range sets {
			for n := range set {
				set[n] = cty.NormalizeString(set[n])
			}
			slices.Sort(set)
		}
		if diff := cmp.Diff(sets, given.Sets); diff != "" {
			t.Fatalf("sets of the baseline (-want +got):\n%s", diff)
		}
	})
}

// entries shares texts between all variables but services; a and b are keys.
func entries(a, b, c string) tasks.Input {
	in := tasks.Input{KV: map[string]string{a: b, b: c}, CatalogServices: map[string][]string{a: {c, b}, b: {}}}
	for name := range in.KV {
		in.Nodes = append(in.Nodes, catalog.Node{ID: b, Name: name, Address: c, Datacenter: a, Meta: map[string]string{c: b}, TaggedAddresses: map[string]string{b: c}})
	}
	return in
}

func wantedEntries(in tasks.Input) map[string]cty.Value {
	names, nodes := map[string]cty.Value{}, map[string]cty.Value{}
	for name, tags := range in.CatalogServices {
		list := []cty.Value{}
		for _, tag := range tags {
			list = append(list, cty.StringVal(tag))
		}
		slices.SortFunc(list, func(a, b cty.Value) int { return strings.Compare(a.AsString(), b.AsString()) })
		names[name] = cty.TupleVal(list)
	}
	for _, n := range in.Nodes {
		nodes[n.Name] = object("id", n.ID, "name", n.Name, "address", n.Address, "datacenter", n.Datacenter,
			"tagged_addresses", texts(n.TaggedAddresses), "meta", texts(n.Meta))
	}
	return map[string]cty.Value{"consul_kv": texts(in.KV), "catalog_services": cty.ObjectVal(names), "nodes": cty.ObjectVal(nodes)}
}

// FuzzLiteral: user and provider values keep their value and type.
func FuzzLiteral(f *testing.F) {
	f.Add("k", "v", 1.5)
	f.Add("for", hostile, math.Copysign(0, -1))
	f.Add("e\u0301", "é", 1e300)
	f.Add("", "\\", -1e-9)
	f.Fuzz(func(t *testing.T, key, text string, number float64) {
		if !utf8.ValidString(key) || !utf8.ValidString(text) || number != number || number-number != 0 {
			return // cty has no such value
		}
		n := cty.MustParseNumberVal(cty.NumberFloatVal(number).AsBigFloat().Text('f', -1))
		v := cty.ObjectVal(map[string]cty.Value{key: cty.StringVal(text), "list": cty.TupleVal([]cty.Value{n, cty.StringVal(text), cty.NullVal(cty.DynamicPseudoType)}),
			"in": cty.ObjectVal(map[string]cty.Value{text: n, "b": cty.False})})
		r := task("literal")
		r.Variables = map[string]cty.Value{"x": v}
		files, err := render(r, Inputs{Backend: local(), Providers: []tasks.Provider{{Name: "p", Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{"arg": v.GetAttr("list")}))}}}, shippedForTest)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, files.Root[fileModuleValues].Content)["x"]; !got.RawEquals(v) {
			t.Errorf("variable: want %#v, got %#v", v, got)
		}
		if got := decode(t, files.Root[fileProviderValues].Content)["p"].GetAttr("arg"); !got.RawEquals(v.GetAttr("list")) {
			t.Errorf("provider: want %#v, got %#v", v.GetAttr("list"), got)
		}
		for _, path := range []string{fileMain, fileVariables, fileModuleVariables} {
			if _, diags := hclsyntax.ParseConfig(files.Root[path].Content, path, hcl.InitialPos); diags.HasErrors() {
				t.Errorf("%s does not parse: %v", path, diags)
			}
		}
	})
}

func TestTheOrderOfInstancesDoesNotChangeBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("ab$%{}\"\\\n\u0301é")))
		services := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) tasks.Service {
			return tasks.Service{Instance: catalog.Instance{ID: text.Draw(t, "id"), Name: text.Draw(t, "name"), Port: rapid.IntRange(0, 65535).Draw(t, "port"),
				Tags: rapid.SliceOf(text).Draw(t, "tags"), Node: catalog.Node{Name: "n", Datacenter: "dc1"}}}
		}), 0, 8, func(s tasks.Service) string { return cty.NormalizeString(s.Key()) }).Draw(t, "services")
		shuffled := slices.Clone(services)
		for n := range shuffled {
			shuffled[n].Tags = slices.Clone(shuffled[n].Tags)
			slices.Reverse(shuffled[n].Tags)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		weighted := task("order")
		weighted.Module = "builtin/weighted"
		one, err := render(weighted, Inputs{Input: input(services...)}, shippedForTest)
		if err != nil {
			t.Fatal(err)
		}
		two, err := render(weighted, Inputs{Input: input(shuffled...)}, shippedForTest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(one, two, cmp.AllowUnexported(tasks.Secret{})); diff != "" {
			t.Fatalf("files differ by order:\n%s", diff)
		}
		if InputDigest(one) != InputDigest(two) {
			t.Fatal("digests differ by order")
		}
	})
}
