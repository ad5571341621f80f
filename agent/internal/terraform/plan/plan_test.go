package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/msgpack"
	"google.golang.org/protobuf/encoding/protowire"
)

func shown(t *testing.T, text string) tasks.Plan {
	t.Helper()
	var p tfjson.Plan
	p.UseJSONNumber(true)
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	c, err := FromShow(&p)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.Plan(State{Serial: 7, Lineage: "l"}, func(s string) string { return strings.ReplaceAll(s, "password1", "<secret>") })
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func showJSON(changes ...string) string {
	return `{"format_version":"1.2","resource_changes":[` + strings.Join(changes, ",") + `]}`
}

func change(address, actions, rest string) string {
	return fmt.Sprintf(`{"address":%q,"mode":"managed","type":"x_y","provider_name":"p","change":{"actions":[%s]%s}}`, address, actions, rest)
}

func TestShowIsReadWithEveryKindOfChange(t *testing.T) {
	got := shown(t, showJSON(
		change("x_y.z", `"delete","create"`, `,"before":{"a":1,"pw":"hush"},"after":{"a":1.0,"pw":"hush2"},"after_unknown":{"id":true},"before_sensitive":{"pw":true},"after_sensitive":{"pw":true}`),
		change("x_y.same", `"no-op"`, `,"before":{"a":1},"after":{"a":1}`),
		change("x_y.forgotten", `"forget"`, `,"before":{"a":"x"}`),
		change("x_y.leak", `"create"`, `,"after":{"echo":"hush","within":"say hush, hush2!","own":"my password1"}`),
		`{"address":"data.x_y.d","mode":"data","type":"x_y","provider_name":"p","change":{"actions":["read"],"after":{}}}`,
		`{"address":"data.x_y.gone","mode":"data","type":"x_y","provider_name":"p","change":{"actions":["delete"],"before":{}}}`,
		`{"address":"x_y.old","deposed":"ab12","mode":"managed","type":"x_y","provider_name":"p","change":{"actions":["delete"],"before":{"a":null}}}`,
		`{"address":"x_y.imported","mode":"managed","type":"x_y","provider_name":"p","change":{"actions":["no-op"],"before":{},"after":{},"importing":{"id":"i-1"}}}`,
	))
	want := []tasks.Change{
		{Address: "data.x_y.d", Action: tasks.Read},
		{Address: "x_y.forgotten", Action: tasks.Forget, Fields: []tasks.Field{{Path: "a", Before: "x"}}},
		{Address: "x_y.imported", Action: tasks.NoOp, Fields: []tasks.Field{{Path: "(import)", After: "i-1"}}},
		{Address: "x_y.leak", Action: tasks.Create, Fields: []tasks.Field{
			{Path: "echo", After: "<sensitive>"}, {Path: "own", After: "my <secret>"}, {Path: "within", After: "say hush, hush2!"},
		}},
		{Address: "x_y.old (deposed object ab12)", Action: tasks.Delete},
		{Address: "x_y.z", Action: tasks.Replace, Fields: []tasks.Field{
			{Path: "id", After: "(known after apply)"}, {Path: "pw", Before: "<sensitive>", After: "<sensitive>"},
		}},
	}
	for i := range want {
		want[i].Type, want[i].Provider = "x_y", "p"
	}
	want[0].Fields = []tasks.Field{{Path: "", After: "{}"}}
	if diff := cmp.Diff(want, got.Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Serial != 7 || got.Lineage != "l" || got.Outputs {
		t.Errorf("state %d %q, outputs %v", got.Serial, got.Lineage, got.Outputs)
	}
}

func TestAPlanTellsNamesAndWhichValuesOfListsComeAndGo(t *testing.T) {
	p := shown(t, showJSON(
		change("x_y.a", `"update"`, `,"before":{"name":"n","c":["1","2"],"pw":["hushhush"]},"after":{"name":"n","c":["2","3 password1"],"pw":["hushhush","other"],"s":["say hushhush"]},
			"before_sensitive":{"pw":true},"after_sensitive":{"pw":true}`),
		`{"address":"p.m","mode":"managed","type":"bigip_ltm_pool_attachment","provider_name":"p","change":{"actions":["delete"],"before":{"pool":"/Common/web","node":"10.0.0.1:80"}}}`))
	want := []tasks.Change{
		{Address: "p.m", Names: map[string]string{"pool": "/Common/web", "node": "10.0.0.1:80"}},
		{Address: "x_y.a", Names: map[string]string{"name": "n"}, Lists: []tasks.List{
			{Path: "c", Before: 2, After: 2, Removed: []tasks.Element{{"": "1"}}, Added: []tasks.Element{{"": "3 <secret>"}}},
			{Path: "pw", Before: 1, After: 2, Added: []tasks.Element{{"": "<sensitive>"}}},
			{Path: "s", After: 1, Added: []tasks.Element{{"": "<sensitive>"}}},
		}},
	}
	for n, c := range p.Changes {
		if diff := cmp.Diff(want[n], tasks.Change{Address: c.Address, Names: c.Names, Lists: c.Lists}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if len(p.Changes) != 2 || p.Brief().Changes[1].Lists != nil || p.Changes[1].Lists == nil {
		t.Errorf("%d changes; a brief plan has no lists, and leaves them in the plan", len(p.Changes))
	}
}

func TestOrderOfChangesIsNoPartOfTheDigest(t *testing.T) {
	a, b := change("x_y.a", `"create"`, `,"after":{"v":1}`), change("x_y.b", `"create"`, `,"after":{"v":2}`)
	one, other := shown(t, showJSON(a, b)), shown(t, showJSON(b, a))
	if one.Digest != other.Digest {
		t.Error("order counts")
	}
	seen := map[string]string{one.Digest.String(): "two changes"}
	for name, text := range map[string]string{
		"one change":      showJSON(a),
		"another value":   showJSON(a, change("x_y.b", `"create"`, `,"after":{"v":3}`)),
		"a text":          showJSON(a, change("x_y.b", `"create"`, `,"after":{"v":"2"}`)),
		"another action":  showJSON(a, change("x_y.b", `"update"`, `,"after":{"v":2}`)),
		"unknown":         showJSON(a, change("x_y.b", `"create"`, `,"after":{},"after_unknown":{"v":true}`)),
		"null":            showJSON(a, change("x_y.b", `"create"`, `,"after":{"v":null}`)),
		"sensitive":       showJSON(a, change("x_y.b", `"create"`, `,"after":{"v":2},"after_sensitive":{"v":true}`)),
		"with an output":  strings.TrimSuffix(showJSON(a, b), "}") + `,"output_changes":{"o":{"actions":["create"],"after":1}}}`,
		"another address": showJSON(a, change("x_y.c", `"create"`, `,"after":{"v":2}`)),
	} {
		d := shown(t, text).Digest.String()
		if seen[d] != "" {
			t.Errorf("%s has the digest of %s", name, seen[d])
		}
		seen[d] = name
	}
}

func TestFieldsAreBoundedAndSafeToPrint(t *testing.T) {
	var attrs []string
	for i := range 2 * maxFields {
		attrs = append(attrs, fmt.Sprintf(`"a%04d":"x\u001b[2J%s"`, i, strings.Repeat("ü", 2*maxFieldText)))
	}
	fields := shown(t, showJSON(change("x_y.z", `"create"`, `,"after":{`+strings.Join(attrs, ",")+`}`))).Changes[0].Fields
	if len(fields) != maxFields+1 {
		t.Errorf("%d fields", len(fields))
	}
	for _, f := range fields {
		if len([]rune(f.After)) > maxFieldText || strings.Contains(f.After, "\x1b") {
			t.Errorf("field %q", f.After)
		}
	}
	long := strings.Repeat("a", 5000)
	fields = shown(t, showJSON(change("x_y.z", `"update"`, `,"before":{"c":"`+long+`1"},"after":{"c":"`+long+`2"}`))).Changes[0].Fields
	if len(fields) != 1 || !strings.HasSuffix(fields[0].Before, "a1") || !strings.HasSuffix(fields[0].After, "a2") {
		t.Errorf("a change at the end is not shown: %q", fields)
	}
}

func TestAnUnknownActionIsAnError(t *testing.T) {
	c := Contents{objects: []object{{address: "x_y.z", actions: "explode"}}}
	if _, err := c.Plan(State{}, strings.TrimSpace); err == nil || !strings.Contains(err.Error(), `unknown action "explode"`) {
		t.Errorf("error is %v", err)
	}
}

// tfplan makes a plan file with one new terraform_data.
func tfplan(t testing.TB, provider string, extra ...byte) File {
	t.Helper()
	value, err := msgpack.Marshal(cty.ObjectVal(map[string]cty.Value{
		"id": cty.UnknownVal(cty.String), "input": cty.StringVal("v"), "output": cty.UnknownVal(cty.String),
		"triggers_replace": cty.NullVal(cty.DynamicPseudoType),
	}), builtinValue)
	if err != nil {
		t.Fatal(err)
	}
	field := func(to []byte, n protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, n, protowire.BytesType), b)
	}
	values := field([]byte{0x08, 1}, 2, field(nil, 1, value))
	res := field(field(field(nil, 13, []byte("terraform_data.a")), 8, []byte(provider)), 9, values)
	return File{plan: append(field([]byte{0x08, planVersion}, 3, res), extra...)}
}

const builtin = `provider["terraform.io/builtin/terraform"]`

func announce(t *testing.T, action string) *Messages {
	t.Helper()
	m := &Messages{Print: func(string) {}}
	text := `{"type":"version","ui":"1.2"}` + "\n" +
		`{"type":"planned_change","change":{"resource":{"addr":"terraform_data.a","resource_type":"terraform_data"},"action":"` + action + `"}}` + "\n"
	if _, err := m.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestThePlanFileIsBelievedOnlyWhenItAgrees(t *testing.T) {
	odd := announce(t, "create")
	odd.odd = true
	for name, c := range map[string]struct {
		file File
		m    *Messages
		ok   bool
	}{
		"they agree":                     {tfplan(t, builtin), announce(t, "create"), true},
		"another action was announced":   {tfplan(t, builtin), announce(t, "update"), false},
		"nothing was announced":          {tfplan(t, builtin), &Messages{ui: "1.2"}, false},
		"the messages are of the future": {tfplan(t, builtin), &Messages{ui: "2.0", planned: odd.planned}, false},
		"a message was not understood":   {tfplan(t, builtin), odd, false},
		"another provider":               {tfplan(t, `provider["example.com/x/terraform"]`), announce(t, "create"), false},
		"a field that is not known":      {tfplan(t, builtin, 0xfa, 0x01, 0), announce(t, "create"), false},
		"it is cut":                      {File{plan: tfplan(t, builtin).plan[:40]}, announce(t, "create"), false},
		"it is empty":                    {File{}, announce(t, "create"), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.file.Contents(c.m)
			if c.ok != (err == nil) || err != nil && !errors.Is(err, ErrUnknown) {
				t.Fatalf("error is %v", err)
			}
			if c.ok && (len(got.objects) != 1 || got.objects[0].after["input"].text != "v") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAVariableThatTheModuleLacksIsToldAsCTSDoes(t *testing.T) {
	const line = `{"type":"diagnostic","@message":"x","diagnostic":{"severity":"error","summary":%q,"detail":%q,` +
		`"range":{"filename":%q,"start":{"line":9}},"snippet":{"context":%q}}}` + "\n"
	expects := func(name string) string { return fmt.Sprintf("An argument named %q is not expected here.", name) }
	const summary, context = "Unsupported argument", `module "fw-web"`
	cases := map[string]struct{ summary, detail, file, context, want string }{
		"no services": {summary, expects("services"), "main.tf", context,
			`module for task "fw-web" is missing the "services" variable`},
		"no catalog_services": {summary, expects("catalog_services"), "main.tf", context,
			`module for task "fw-web" is missing the "catalog_services" variable, add to module or set "use_as_module_input" to false`},
		"no consul_kv": {summary, expects("consul_kv"), "main.tf", context,
			`module for task "fw-web" is missing the "consul_kv" variable, add to module, remove the module_input or set "use_as_module_input" of the condition to false`},
		"no nodes": {summary, expects("nodes"), "main.tf", context,
			`module for task "fw-web" is missing the "nodes" variable, add to module, remove the module_input or set "use_as_module_input" of the condition to false`},
		"a variable of the user": {summary, expects("zone"), "main.tf", context,
			`Unsupported argument (main.tf:9): An argument named "zone" is not expected here.`},
		"a module within the module": {summary, expects("services"), "modules/x/main.tf", context,
			`Unsupported argument (modules/x/main.tf:9): An argument named "services" is not expected here.`},
		"a provider's argument": {summary, expects("services"), "main.tf", `provider "fw"`,
			`Unsupported argument (main.tf:9): An argument named "services" is not expected here.`},
		"another complaint": {"Missing required argument", expects("services"), "main.tf", context,
			`Missing required argument (main.tf:9): An argument named "services" is not expected here.`},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			m := Messages{Print: func(string) {}}
			fmt.Fprintf(&m, line, c.summary, c.detail, c.file, c.context)
			if diff := cmp.Diff([]string{c.want}, m.Errors); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMessagesSurviveAnyOutput(t *testing.T) {
	var printed []string
	m := &Messages{Print: func(s string) { printed = append(printed, s) }}
	for _, part := range []string{"{\"@message\":\"he", "llo\",\"type\":\"log\"}\nnot json\n", strings.Repeat("x", maxLine+1), "tail\n",
		`{"type":"diagnostic","@message":"Error: e","diagnostic":{"severity":"error","summary":"Bad","detail":"why","address":"a.b","range":{"filename":"main.tf","start":{"line":3}}}}` + "\n"} {
		if n, err := m.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if diff := cmp.Diff([]string{"hello", "not json", "Error: e"}, printed); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Bad (a.b, main.tf:3): why"}, m.Errors); diff != "" || !m.odd {
		t.Errorf("odd %v, errors (-want +got):\n%s", m.odd, diff)
	}
}

func FuzzAPlanFileIsReadWhollyOrRefused(f *testing.F) {
	f.Add(tfplan(f, builtin).plan)
	f.Add([]byte{0x08, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		objects, err := decodePlan(b)
		for _, o := range objects {
			if err == nil && (o.address == "" || o.provider != builtinProvider || o.typ != builtinType) {
				t.Errorf("read %+v", o)
			}
		}
	})
}
