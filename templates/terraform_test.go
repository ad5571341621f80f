package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// terraform is the real terraform or tofu in a directory of its own.
type terraform struct{ binary, dir string }

func newTerraform(t *testing.T, root map[string]tasks.File) terraform {
	t.Helper()
	binary, err := exec.LookPath("terraform")
	if err != nil {
		binary, err = exec.LookPath("tofu")
	}
	if err != nil {
		t.Fatal("neither terraform nor tofu is on PATH: install one of them")
	}
	tf := terraform{binary, t.TempDir()}
	for path, f := range root {
		tf.write(t, path, f.Content)
	}
	return tf
}

func (tf terraform) write(t *testing.T, path string, content []byte) {
	t.Helper()
	full := filepath.Join(tf.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (tf terraform) run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(tf.binary, args...)
	cmd.Dir = tf.dir
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TF_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = string(exit.Stderr)
		}
		t.Fatalf("terraform %s: %v\n%s\n%s", strings.Join(args, " "), err, out, stderr)
	}
	return out
}

// withoutRegistry makes a root module that Terraform can check without any
// download: provider blocks become locals, so that their references are still
// checked, and the module becomes a local one with the variables that it is given.
func withoutRegistry(t *testing.T, root map[string]tasks.File) map[string]tasks.File {
	t.Helper()
	file, diags := hclwrite.ParseConfig(root[fileMain].Content, fileMain, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := map[string]tasks.File{}
	for path, f := range root {
		out[path] = f
	}
	locals := hclwrite.NewEmptyFile()
	stub := hclwrite.NewEmptyFile()
	for _, block := range file.Body().Blocks() {
		switch block.Type() {
		case "terraform":
			if required := block.Body().FirstMatchingBlock("required_providers", nil); required != nil {
				block.Body().RemoveBlock(required)
			}
		case "provider":
			file.Body().RemoveBlock(block)
			addLocals(locals.Body().AppendNewBlock("locals", nil).Body(), block.Labels()[0], block.Body())
		case "module":
			block.Body().RemoveAttribute("version")
			block.Body().SetAttributeValue("source", cty.StringVal("./stub"))
			for name := range block.Body().Attributes() {
				if name != "source" {
					stub.Body().AppendNewBlock("variable", []string{name})
				}
			}
		}
	}
	if content, ok := out[fileProviders]; ok {
		var written struct {
			Provider map[string]any `json:"provider"`
		}
		if err := json.Unmarshal(content.Content, &written); err != nil {
			t.Fatal(err)
		}
		asLocals, err := json.Marshal(map[string]any{"locals": written.Provider})
		if err != nil {
			t.Fatal(err)
		}
		delete(out, fileProviders)
		out["locals.tf.json"] = tasks.File{Content: asLocals}
	}
	out[fileMain] = tasks.File{Content: file.Bytes()}
	out["locals.tf"] = tasks.File{Content: locals.Bytes()}
	out["stub/main.tf"] = tasks.File{Content: stub.Bytes()}
	return out
}

func addLocals(to *hclwrite.Body, prefix string, from *hclwrite.Body) {
	for name, a := range from.Attributes() {
		to.SetAttributeRaw(prefix+"_"+name, a.Expr().BuildTokens(nil))
	}
	for n, block := range from.Blocks() {
		addLocals(to, fmt.Sprintf("%s_%s%d", prefix, block.Type(), n), block.Body())
	}
}

func TestTerraformAcceptsEveryRenderedRootModule(t *testing.T) {
	for sentence, e := range examples() {
		t.Run(sentence, func(t *testing.T) {
			files, err := render(e.task, e.inputs, shippedForTest)
			if err != nil {
				t.Fatal(err)
			}
			tf := newTerraform(t, withoutRegistry(t, files.Root))
			tf.run(t, "init", "-backend=false", "-input=false", "-no-color")
			tf.run(t, "validate", "-no-color")
			// Only a plan reads the values: the backend is left out, so that there
			// is one to plan with.
			main := string(withoutRegistry(t, files.Root)[fileMain].Content)
			tf.write(t, fileMain, []byte(withoutBackend(t, main)))
			tf.run(t, "init", "-input=false", "-no-color", "-reconfigure")
			tf.run(t, "plan", "-input=false", "-no-color", "-lock=false")
		})
	}
}

func withoutBackend(t *testing.T, main string) []byte {
	t.Helper()
	file, diags := hclwrite.ParseConfig([]byte(main), fileMain, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	body := file.Body().FirstMatchingBlock("terraform", nil).Body()
	for _, block := range body.Blocks() {
		if block.Type() == "backend" || block.Type() == "cloud" {
			body.RemoveBlock(block)
		}
	}
	return file.Bytes()
}

func TestTerraformReadsShippedModulesThatWereUnpacked(t *testing.T) {
	for _, name := range []string{"plain", "weighted"} {
		t.Run(name, func(t *testing.T) {
			unpacked := task(name)
			unpacked.Module = "builtin/" + name
			files, err := render(unpacked, Inputs{Input: input(web("1", "n1")), Backend: local()}, func(n string) (map[string][]byte, bool) {
				m, ok := shippedForTest(n)
				delete(m, "sub/no.tf")
				return m, ok
			})
			if err != nil {
				t.Fatal(err)
			}
			tf := newTerraform(t, files.Root)
			tf.run(t, "init", "-input=false", "-no-color")
			tf.run(t, "validate", "-no-color")
		})
	}
}

// TestTerraformDecodesHostileValuesAsTheyAre asks Terraform itself what it read.
func TestTerraformDecodesHostileValuesAsTheyAre(t *testing.T) {
	services := []tasks.Service{web("1", "n1"), web("2", "n2")}
	for n, s := range []string{hostile, "$${", "%%{", "$${$${}", "\\u0041\\n\\", "<<EOT\nx\nEOT\n", "e\u0301", "\u1100\u1161\u11a8", "\u2028\u2029\u0085", "\ufeffx", "\x7f\x1b[31m", "\U000e0001\uffff\U0010ffff", "~}${~x~}", "\u0344\u212b", "a\u0300\u0316$\u0301{"} {
		odd := fuzzed(fmt.Sprint(n, s), "web", s, s, s, s+s, s, s, n)
		services = append(services, odd[0], odd[1])
	}
	values := map[string]cty.Value{"text": cty.StringVal(hostile), "nested": object("for", hostile, "a.b", cty.TupleVal([]cty.Value{cty.NumberIntVal(-3), cty.StringVal("$${")})),
		"big": cty.MustParseNumberVal("123456789012345678901234567890.5")}
	hidden := object("host", hostile, "block", blocks(object("x", "%{"), object("x", 1)), "headers", object("${x}", hostile))
	e := task("decode")
	e.Module, e.Variables = "builtin/weighted", values
	in := entries("a\x00b\r\n\"${x}", hostile, "%{if true}")
	in.Services = services
	files, err := render(e, Inputs{Input: in, Backend: local(), Providers: []tasks.Provider{{Name: "dev", Arguments: tasks.NewSecretValue(hidden)}}}, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	root := withoutRegistry(t, files.Root)
	outputs := hclwrite.NewEmptyFile()
	for _, name := range []string{"services", "instance_weights", "consul_kv", "catalog_services", "nodes", "text", "nested", "big", "dev"} {
		block := outputs.Body().AppendNewBlock("output", []string{name}).Body()
		block.SetAttributeTraversal("value", hcl.Traversal{hcl.TraverseRoot{Name: "var"}, hcl.TraverseAttr{Name: name}})
		block.SetAttributeValue("sensitive", cty.True)
	}
	root["outputs.tf"] = tasks.File{Content: outputs.Bytes()}
	tf := newTerraform(t, root)
	tf.run(t, "init", "-input=false", "-no-color")
	tf.run(t, "apply", "-auto-approve", "-input=false", "-no-color")

	var got map[string]struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(tf.run(t, "output", "-json"), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]cty.Value{"services": wanted(services), "dev": hidden}
	maps.Copy(want, values)
	maps.Copy(want, wantedEntries(in))
	for name, v := range want {
		if diff := cmp.Diff(asJSON(t, v), decodeJSON(t, got[name].Value)); diff != "" {
			t.Errorf("Terraform read another %s (-want +got):\n%s", name, diff)
		}
	}
	keys := map[string]any{}
	for _, s := range services {
		keys[cty.NormalizeString(s.Key())] = json.Number(strconv.Itoa(weight(s.Instance)))
	}
	if diff := cmp.Diff(any(keys), decodeJSON(t, got["instance_weights"].Value)); diff != "" {
		t.Errorf("Terraform read other weights (-want +got):\n%s", diff)
	}
}

func asJSON(t *testing.T, v cty.Value) any {
	t.Helper()
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		t.Fatal(err)
	}
	return decodeJSON(t, raw)
}

func decodeJSON(t *testing.T, raw []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return v
}

// shippedVariables are those that a shipped module cannot do without.
var shippedVariables = map[string]map[string]cty.Value{
	"nginx-plus": {"api_urls": cty.ListVal([]cty.Value{cty.StringVal("https://plus-1:8443/api")})},
}

func TestTerraformAcceptsEveryShippedModuleAsRendered(t *testing.T) {
	for _, name := range BuiltinNames() {
		t.Run(name, func(t *testing.T) {
			e := task("shipped")
			e.Module = "builtin/" + name
			e.Variables = shippedVariables[name]
			files, err := Render(e, Inputs{Input: input(web("1", "n1")), Backend: local()})
			if err != nil {
				t.Fatal(err)
			}
			tf := newTerraform(t, files.Root)
			// Its provider is not here; with one it is planned by the tests of the module.
			if module, _ := Builtin(name); bytes.Contains(module["versions.tf"], []byte("required_providers")) {
				tf.run(t, "get", "-no-color")
				return
			}
			tf.run(t, "init", "-input=false", "-no-color")
			tf.run(t, "plan", "-input=false", "-no-color")
		})
	}
}
