package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// item is one setting of a generated configuration: a scalar, list or map in
// Value, or the block in Body.
type item struct {
	Name, Label string
	Value       any
	Body        []item
}

// asHCL and asJSON write the same settings in either syntax.
func asHCL(items []item) string {
	var b strings.Builder
	for _, it := range items {
		switch {
		case it.Body == nil:
			fmt.Fprintf(&b, "%s = %s\n", it.Name, quoteJSON(it.Value))
		case it.Label == "":
			fmt.Fprintf(&b, "%s {\n%s}\n", it.Name, asHCL(it.Body))
		default:
			fmt.Fprintf(&b, "%s %q {\n%s}\n", it.Name, it.Label, asHCL(it.Body))
		}
	}
	return b.String()
}

func asJSON(items []item) map[string]any {
	out := map[string]any{}
	for _, it := range items {
		if it.Body == nil {
			out[it.Name] = it.Value
			continue
		}
		var v any = asJSON(it.Body)
		if it.Label != "" {
			v = map[string]any{it.Label: v}
		}
		if !many[it.Name] && it.Name != "nested" {
			out[it.Name] = v
			continue
		}
		list, _ := out[it.Name].([]any)
		out[it.Name] = append(list, v)
	}
	return out
}

// quoteJSON writes a value so that HCL reads it too: JSON's \/ and \b are not
// made by the encoder for the texts generated here.
func quoteJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // texts, numbers, booleans and lists of them always encode
	return strings.TrimSpace(b.String())
}

var texts = rapid.OneOf(rapid.StringMatching(`[ -~äßé]{0,12}`).Filter(func(s string) bool { return !dynamic.MatchString(s) }),
	rapid.SampledFrom([]string{`${x}`, `a${"b"}`, `%{if}`, "line\nline", `\\d`, `"`, `$${`, "e\u0301"}))

// plainText leaves out what HCL writes otherwise than JSON: inside ${ } HCL takes
// backslashes as they stand.
func plainText(t *rapid.T, label string) string {
	s := texts.Draw(t, label)
	if strings.Contains(s, "${") {
		return strings.NewReplacer(`"`, "", `\`, "", "\n", "").Replace(s)
	}
	return s
}

func some(t *rapid.T, items ...item) []item {
	out := []item{}
	for _, it := range items {
		if rapid.Bool().Draw(t, it.Name) {
			out = append(out, it)
		}
	}
	return out
}

func drawConfig(t *rapid.T) []item {
	out := some(t,
		item{Name: "log_level", Value: rapid.SampledFrom([]string{"trace", "ERR", "error"}).Draw(t, "level")},
		item{Name: "port", Value: rapid.SampledFrom([]any{0, 8558, "65535"}).Draw(t, "port")},
		item{Name: "id", Value: "x" + plainText(t, "id")},
		item{Name: "shutdown_grace", Value: rapid.SampledFrom([]any{"1m30s", "0", 5, 1.5}).Draw(t, "grace")},
		item{Name: "buffer_period", Body: some(t, item{Name: "enabled", Value: rapid.Bool().Draw(t, "on")}, item{Name: "min", Value: "3s"}, item{Name: "max", Value: "1m"})},
		item{Name: "consul", Body: some(t, item{Name: "token", Value: plainText(t, "token")}, item{Name: "kv_path", Value: plainText(t, "kv")},
			item{Name: "tls", Body: some(t, item{Name: "verify", Value: "false"}, item{Name: "server_name", Value: plainText(t, "server")})})},
		item{Name: "driver", Label: "terraform", Body: some(t, item{Name: "log", Value: 1},
			item{Name: "required_providers", Body: []item{{Name: "a", Value: "1.0"}, {Name: "b", Body: []item{{Name: "source", Value: "x/b"}}}}},
			item{Name: "backend", Label: "s3", Body: []item{{Name: "bucket", Value: plainText(t, "bucket")}, {Name: "n", Value: -1.5}}})})
	for n := range rapid.IntRange(0, 3).Draw(t, "providers") {
		out = append(out, item{Name: "terraform_provider", Label: fmt.Sprintf("p%d", n), Body: drawProvider(t)})
	}
	for n := range rapid.IntRange(0, 3).Draw(t, "tasks") {
		out = append(out, item{Name: "task", Body: drawTask(t, n)})
	}
	return out
}

func drawProvider(t *rapid.T) []item {
	out := some(t, item{Name: "alias", Value: "al"}, item{Name: "host", Value: plainText(t, "host")}, item{Name: "n", Value: 12},
		item{Name: "list", Value: []any{"a", 1, true}}, item{Name: "task_env", Body: []item{{Name: "K", Value: plainText(t, "env")}}})
	for range rapid.IntRange(0, 2).Draw(t, "nested") {
		out = append(out, item{Name: "nested", Body: []item{{Name: "user", Value: plainText(t, "user")}, {Name: "on", Value: true}}})
	}
	return out
}

func drawTask(t *rapid.T, n int) []item {
	out := append([]item{{Name: "name", Value: fmt.Sprintf("t%d", n)}, {Name: "module", Value: "a/b/c"}}, some(t,
		item{Name: "description", Value: plainText(t, "description")}, item{Name: "enabled", Value: "true"},
		item{Name: "providers", Value: rapid.SampledFrom([]any{"x", []any{"x", "y"}}).Draw(t, "uses")},
		item{Name: "buffer_period", Body: some(t, item{Name: "min", Value: "1s"})},
		item{Name: "guard", Body: some(t, item{Name: "allow_empty", Value: true})},
		item{Name: "variables", Body: []item{{Name: "v", Value: `"text"`}, {Name: "w", Value: 5}}})...)
	services := some(t, item{Name: "datacenter", Value: plainText(t, "dc")}, item{Name: "cts_user_defined_meta", Body: []item{{Name: "k", Value: plainText(t, "meta")}}})
	services = append(services, rapid.SampledFrom([]item{{Name: "names", Value: []any{"a", "b"}}, {Name: "regexp", Value: `^a\\d`}, {Name: "regexp", Value: ""}}).Draw(t, "what"))
	kind := rapid.SampledFrom([]string{"condition", "module_input"}).Draw(t, "kind")
	return append(out, item{Name: kind, Label: "services", Body: services})
}

func TestHCLAndEqualJSONGiveEqualConfigs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawConfig(t)
		jsonText := quoteJSON(asJSON(items))
		fromHCL := loadText(t, "a.hcl", asHCL(items))
		fromJSON := loadText(t, "a.json", jsonText)
		if d := cmp.Diff(fromHCL, fromJSON); d != "" {
			t.Fatalf("HCL (-) and JSON (+) differ:\n%s\n%s\n%s", d, asHCL(items), jsonText)
		}
	})
}

// loadText gives the revealed dump of one file, without positions.
func loadText(t *rapid.T, name, text string) []string {
	r := newReport()
	cfg := build([]source{{name, []byte(text)}}, testOptions("/work", nil), r)
	if err := r.err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for i := range cfg.Tasks {
		if cfg.Tasks[i].Position == "" {
			t.Fatal("a task without position")
		}
		cfg.Tasks[i].Position = ""
	}
	return dump(t, cfg, true)
}

func TestTheOrderOfFilesDecidesScalarsAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ports := rapid.SliceOfN(rapid.IntRange(0, 65535), 1, 5).Draw(t, "ports")
		var files []source
		for n, p := range ports {
			files = append(files, source{fmt.Sprintf("f%d.hcl", n), fmt.Appendf(nil,
				"port = %d\ntask {\n name = \"t%d\"\n module = \"a/b/c\"\n condition \"services\" { regexp = \"\" }\n}\n", p, n)})
		}
		r := newReport()
		cfg := build(files, testOptions("/work", nil), r)
		if r.err() != nil || cfg.Port != ports[len(ports)-1] || len(cfg.Tasks) != len(ports) {
			t.Fatalf("port %d, %d tasks, %v", cfg.Port, len(cfg.Tasks), r.err())
		}
		for n, task := range cfg.Tasks {
			if want := fmt.Sprintf("t%d", n); task.Name != want {
				t.Fatalf("task %d is %s, want %s", n, task.Name, want)
			}
		}
	})
}
