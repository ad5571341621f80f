package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// dump gives a configuration as sorted lines of path = value. Secrets are hidden
// unless reveal is true; of a provider's arguments then only the type is shown.
func dump(t failer, cfg Config, reveal bool) []string {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	tree["Driver"].(map[string]any)["Backend"].(map[string]any)["Attributes"] = values(t, cfg.Driver.Backend.Attributes)
	for i, task := range cfg.Tasks {
		tree["Tasks"].([]any)[i].(map[string]any)["Variables"] = values(t, task.Variables)
	}
	for i, p := range cfg.Providers {
		shown := map[string]any{"Name": p.Name, "Alias": p.Alias, "Arguments": typeexpr.TypeString(p.Arguments.Reveal().Type()), "Env": hidden(p.Env, reveal)}
		if reveal {
			shown["Arguments"] = values(t, p.Arguments.Reveal().AsValueMap())
		}
		tree["Providers"].([]any)[i] = shown
	}
	if reveal {
		tree["Secrets"] = []any{cfg.Consul.Token.Reveal(), cfg.Consul.Auth.Password.Reveal(), cfg.Vault.Token.Reveal(), cfg.API.Token.Reveal()}
	}
	var lines []string
	flatten("", tree, &lines)
	slices.Sort(lines)
	return lines
}

func hidden(env map[string]tasks.Secret, reveal bool) map[string]any {
	out := map[string]any{}
	for k, v := range env {
		out[k] = v.String()
		if reveal {
			out[k] = v.Reveal()
		}
	}
	return out
}

func values(t failer, m map[string]cty.Value) map[string]any {
	t.Helper()
	out := map[string]any{}
	for k, v := range m {
		text, err := ctyjson.SimpleJSONValue{Value: v}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		out[k] = json.RawMessage(text)
	}
	return out
}

func flatten(path string, v any, lines *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			flatten(strings.TrimPrefix(path+"."+k, "."), v[k], lines)
		}
	case []any:
		if len(v) > 0 && strings.HasPrefix(fmt.Sprintf("%T", v[0]), "map") {
			for i, item := range v {
				flatten(fmt.Sprintf("%s[%d]", path, i), item, lines)
			}
			return
		}
		text, _ := json.Marshal(v)
		*lines = append(*lines, path+" = "+string(text))
	case nil, string:
		if v == nil || v == "" {
			return
		}
		*lines = append(*lines, fmt.Sprintf("%s = %q", path, v))
	case json.RawMessage:
		*lines = append(*lines, path+" = "+string(v))
	default:
		*lines = append(*lines, fmt.Sprintf("%s = %v", path, v))
	}
}

// failer is what dump needs of a test, of testing or of rapid.
type failer interface {
	Helper()
	Fatal(args ...any)
}
