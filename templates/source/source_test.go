package source_test

import (
	"errors"
	"slices"
	"testing"
	"testing/fstest"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates"
	"patchbay/templates/source"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
)

func read(t *testing.T, files map[string]string) *source.Module {
	t.Helper()
	dir := fstest.MapFS{}
	for name, content := range files {
		dir[name] = &fstest.MapFile{Data: []byte(content)}
	}
	m, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const versions = `
variable "services" {
  type = map(object({ name = string }))
}
terraform {
  required_version = ">= 1.4.0"
  required_providers {
    fw = { source = "acme/fw", version = ">= 1.0" }
  }
}
`

const inJSON = `{
  "variable": {
    "services": { "type": "map(object({ name = string }))" },
    "pools": { "type": "map(string)", "default": { "a": "b" }, "description": "Pools by name." },
    "pin": { "type": "string", "sensitive": true }
  },
  "terraform": { "required_version": ">= 1.4.0", "required_providers": { "fw": { "source": "acme/fw", "version": ">= 1.0" } } },
  "locals": { "all": "${var.services}" },
  "resource": { "fw_member": { "m": {
    "members": [ "${length(local.all)}", "x" ],
    "lifecycle": { "ignore_changes": [ "at" ] }
  } } },
  "output": { "members": { "value": "${fw_member.m}", "description": "What exists." } }
}
`

func TestJSONSyntaxIsReadAsHCL(t *testing.T) {
	m := read(t, map[string]string{"main.tf.json": inJSON})
	if p := m.Problems(); len(p) > 0 {
		t.Fatalf("problems: %+v", p)
	}
	variables := []source.Variable{
		{Name: "services", Type: "map(object({ name = string }))", Required: true},
		{Name: "pin", Type: "string", Required: true, Sensitive: true},
		{Name: "pools", Type: "map(string)", Default: `{ "a": "b" }`, Description: "Pools by name."},
	}
	if diff := cmp.Diff(variables, m.Variables()); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]source.Output{{Name: "members", Description: "What exists."}}, m.Outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(needs, m.Needs()); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	resource := m.Of("resource")[0]
	if resource.Address() != "fw_member.m" || len(resource.Inner("lifecycle")) != 1 {
		t.Errorf("resource is %s with blocks %v", resource.Address(), resource.Blocks)
	}
	var roots []string
	for _, a := range resource.Arguments() {
		for _, r := range a.Expr.Variables() {
			roots = append(roots, a.Name+" "+r.RootName())
		}
	}
	if diff := cmp.Diff([]string{"members local"}, roots); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

var needs = source.Needs{Terraform: ">= 1.4.0", Providers: []source.Provider{{Name: "fw", Source: "acme/fw", Version: ">= 1.0"}}}

func TestAModuleTellsWhatItDeclares(t *testing.T) {
	m := read(t, map[string]string{"versions.tf": versions, "main.tf": `
variable "zone" {
  description = "Zone of the ${"$"}{name}."
  type        = object({ a = optional(string, "x") })
  default     = { a = "y" }
}
variable "token" {
  sensitive = true
}
output "skipped" { value = [] }
output "objects" {
  value       = {}
  description = "What exists."
}
`})
	got := m.Variables()
	if len(got) != 3 || got[0].Name != "services" || !got[0].Required {
		t.Fatalf("variables = %+v, want services first of 3", got)
	}
	want := []source.Variable{
		{Name: "token", Type: "any", Required: true, Sensitive: true},
		{Name: "zone", Type: `object({ a = optional(string, "x") })`, Default: `{ a = "y" }`, Description: "Zone of the ${name}."},
	}
	if diff := cmp.Diff(want, got[1:]); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]source.Output{{Name: "objects", Description: "What exists."}, {Name: "skipped"}}, m.Outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(needs, m.Needs()); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
}

func TestADirectoryWithoutAModuleIsRefused(t *testing.T) {
	if _, err := source.Read(fstest.MapFS{"README.md": {}, "tests/main.tf": {}, ".hidden.tf": {}}); !errors.Is(err, source.ErrNoModule) {
		t.Errorf("err = %v, want ErrNoModule", err)
	}
}

func TestWhatCannotBeParsedIsAProblemWithItsPlace(t *testing.T) {
	m := read(t, map[string]string{"a.tf": versions, "b.tf": "resource \"x\" {\n", "c.tf.json": "{"})
	var places []string
	for _, p := range m.Problems() {
		places = append(places, p.At.Filename)
		if p.What == "" || p.At.Start.Line == 0 {
			t.Errorf("problem %+v is not whole", p)
		}
	}
	if diff := cmp.Diff([]string{"b.tf", "c.tf.json"}, slices.Compact(places)); diff != "" {
		t.Errorf("problems in (-want +got):\n%s", diff)
	}
	if len(m.Variables()) != 1 {
		t.Errorf("variables of the other file: %+v", m.Variables())
	}
}

// TestTheContractIsWhatATaskGives compares with the root module that a task has.
func TestTheContractIsWhatATaskGives(t *testing.T) {
	in := tasks.Input{Services: []tasks.Service{}, KV: map[string]string{}, CatalogServices: map[string][]string{}, Nodes: []catalog.Node{}}
	files, err := templates.Render(tasks.Task{Name: "web", Module: "builtin/nginx"}, templates.Inputs{Input: in, CanaryWeights: map[string]map[string]float64{}})
	if err != nil {
		t.Fatal(err)
	}
	m := read(t, map[string]string{"variables.tf": string(files.Root["variables.tf"].Content)})
	got := map[string]cty.Type{}
	for _, b := range m.Of("variable") {
		ty, diags := typeexpr.TypeConstraint(b.Attrs["type"].Expr)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		got[b.Label(0)] = ty
	}
	if diff := cmp.Diff(source.Contract(), got, cmp.Comparer(cty.Type.Equals)); diff != "" {
		t.Errorf("variables (-contract +task):\n%s", diff)
	}
}

func FuzzReadNeverFails(f *testing.F) {
	f.Add([]byte(inJSON), true)
	f.Add([]byte(versions), false)
	f.Add([]byte(`terraform { required_providers { a = { 1 = 2, (b) = "c" } } }`), false)
	f.Add([]byte(`variable services { type = map(object({ "a" = string })) }`), false)
	f.Fuzz(func(t *testing.T, content []byte, asJSON bool) {
		name := "main.tf"
		if asJSON {
			name = "main.tf.json"
		}
		m, err := source.Read(fstest.MapFS{name: {Data: content}})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range m.Variables() {
			if v.Required != (v.Default == "") {
				t.Errorf("variable %+v", v)
			}
		}
		m.Outputs()
		m.Needs()
	})
}
