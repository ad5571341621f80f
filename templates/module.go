package templates

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// builtinPrefix begins the source of a module that Patchbay ships.
const builtinPrefix = "builtin/"

// module is what the task's module block calls.
type module struct {
	source string
	// files are those of a shipped module, by path in the task's directory.
	files map[string][]byte
	// weighted: the module declares instance_weights.
	weighted bool
}

func newModule(t tasks.Task, shipped builtins) (module, error) {
	if err := checkText("module source", t.Module); err != nil {
		return module{}, err
	}
	name, ok := strings.CutPrefix(t.Module, builtinPrefix)
	if !ok {
		return module{source: t.Module}, nil
	}
	content, ok := shipped(name)
	if !ok {
		return module{}, fmt.Errorf("no module %s is shipped; templates/README.md lists those that are", quote(t.Module))
	}
	if t.Version != "" {
		return module{}, fmt.Errorf("module %s is shipped with Patchbay and has no version to choose; remove version", quote(t.Module))
	}
	m := module{source: "./modules/" + name, files: make(map[string][]byte, len(content))}
	for _, file := range slices.Sorted(maps.Keys(content)) {
		m.files[path.Join("modules", name, file)] = content[file]
		if strings.Contains(file, "/") || path.Ext(file) != ".tf" {
			continue
		}
		declares, err := declaresVariable(file, content[file], weightsVariable)
		if err != nil {
			return module{}, err
		}
		m.weighted = m.weighted || declares
	}
	return m, nil
}

func declaresVariable(file string, content []byte, name string) (bool, error) {
	parsed, diags := hclsyntax.ParseConfig(content, file, hcl.InitialPos)
	if diags.HasErrors() {
		return false, fmt.Errorf("read shipped module: %w", diags)
	}
	body, _ := parsed.Body.(*hclsyntax.Body)
	return slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool {
		return b.Type == "variable" && slices.Equal(b.Labels, []string{name})
	}), nil
}
