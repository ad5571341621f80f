package agent

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// places are the attributes of backends that say where a state is and are no
// secret; ways those that only say how to get there.
var (
	places = []string{"path", "bucket", "key", "prefix", "workspace_dir", "workspace_key_prefix", "container_name", "schema_name"}
	ways   = map[string][]string{"consul": {"ca_file", "cert_file", "key_file", "scheme"}}
)

// backendOf tells where main.tf keeps the state.
func backendOf(main *hclsyntax.Body, text []byte) meaning {
	out := meaning{"backend": {"local", true}}
	for _, t := range main.Blocks {
		if t.Type != "terraform" {
			continue
		}
		for _, b := range t.Body.Blocks {
			if b.Type != "backend" && b.Type != "cloud" {
				continue
			}
			kind := b.Type
			if len(b.Labels) > 0 {
				kind = b.Labels[0]
			}
			out["backend"] = said{kind, true}
			out.body("backend "+kind+": ", b.Body, text, ways[kind])
		}
	}
	return out
}

// body adds the attributes of a block and of those in it.
func (m meaning) body(prefix string, body *hclsyntax.Body, text []byte, without []string) {
	for name, a := range body.Attributes {
		v, diags := a.Expr.Value(nil)
		switch {
		case slices.Contains(without, name), !diags.HasErrors() && v.IsNull():
		case diags.HasErrors():
			m[prefix+name] = said{value: plainText(a.Expr, text)}
		default:
			m[prefix+name] = said{words(v), slices.Contains(places, name)}
		}
	}
	for n, b := range body.Blocks {
		m.body(fmt.Sprintf("%s%s %d: ", prefix, b.Type, n+1), b.Body, text, nil)
	}
}

// words gives a literal value as text, a string in quotes.
func words(v cty.Value) string {
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		return strconv.Quote(v.AsString())
	}
	return fmt.Sprintf("%#v", v)
}

func plainText(e hclsyntax.Expression, text []byte) string {
	return strings.Join(strings.Fields(string(e.Range().SliceBytes(text))), " ")
}

// moduleOf tells what the block of the task's module calls and passes on.
func moduleOf(main *hclsyntax.Body, text []byte, t tasks.Task) meaning {
	out := meaning{}
	for _, b := range main.Blocks {
		if b.Type != "module" || !slices.Equal(b.Labels, []string{t.Name}) {
			continue
		}
		out["the module's block"] = said{}
		for name, a := range b.Body.Attributes {
			v, diags := a.Expr.Value(nil)
			switch literal := !diags.HasErrors() && v.Type() == cty.String && !v.IsNull(); {
			case literal && name == "source":
				out["source of the module"] = said{strconv.Quote(resolved(t.WorkingDir, v.AsString())), true}
			case literal && name == "version":
				out["version of the module"] = said{strconv.Quote(v.AsString()), true}
			default:
				out["argument "+name+" of the module"] = said{value: plainText(a.Expr, text)}
			}
		}
	}
	return out
}

// resolved makes the source of a local module absolute.
func resolved(dir, source string) string {
	if strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../") {
		return filepath.Join(dir, source)
	}
	if filepath.IsAbs(source) {
		return filepath.Clean(source)
	}
	return source
}
