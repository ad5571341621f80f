package templates

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

const (
	// cloud is the type that Terraform has a block of its own for.
	cloud = "cloud"
	// httpBackend is the type that knows no workspaces.
	httpBackend = "http"
	// taskMark stands for the name of the task in the addresses of httpBackend.
	taskMark = "{task}"
)

// httpAddresses are the attributes of httpBackend that differ from task to task;
// the first is required.
var httpAddresses = []string{"address", "lock_address", "unlock_address"}

// backendBlocks are the names that are nested blocks, by type of backend, in
// Terraform 1.11 and OpenTofu 1.12. All other attributes are values, also those
// that are objects, such as assume_role of s3. Backends are a part of Terraform,
// so that their schemas can be known here.
var backendBlocks = map[string][]string{
	cloud:        {"workspaces"},
	"cos":        {"assume_role"},
	"kubernetes": {"exec"},
	"remote":     {"workspaces"},
}

// checkBackend tells whether the backend can be written and used by the task. No
// error shows a value.
func (r *root) checkBackend() error {
	b := r.in.Backend
	if err := checkText("backend type", b.Type); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		what, v := fmt.Sprintf("backend %s: attribute %s", quote(b.Type), quote(name)), b.Attributes[name]
		if err := checkArgument(what, name, v); err != nil {
			return err
		}
		for _, block := range b.blocks(name) {
			attributes := block.AsValueMap()
			for _, inner := range slices.Sorted(maps.Keys(attributes)) {
				if err := checkArgument(what+": attribute "+quote(inner), inner, attributes[inner]); err != nil {
					return err
				}
			}
		}
	}
	if b.Type == httpBackend {
		return b.checkAddresses()
	}
	return r.checkWorkspaces()
}

// checkAddresses makes sure that no two tasks share a state, which each of them
// would empty of the other's objects.
func (b Backend) checkAddresses() error {
	for _, name := range httpAddresses {
		v, ok := b.Attributes[name]
		if !ok && name != httpAddresses[0] {
			continue
		}
		if !ok || v.IsNull() || v.Type() != cty.String || !strings.Contains(v.AsString(), taskMark) {
			return fmt.Errorf("backend %s: it has no workspaces, so all tasks would share one state; write %s where the name of the task belongs in %s",
				quote(b.Type), taskMark, name)
		}
	}
	return nil
}

// of gives the backend of one task, and the workspace in it that holds the task's
// state.
func (b Backend) of(task string) (own Backend, workspace string) {
	if b.Type != httpBackend {
		return b, task
	}
	own = Backend{Type: b.Type, Attributes: maps.Clone(b.Attributes)}
	for _, name := range httpAddresses {
		if v, ok := own.Attributes[name]; ok {
			own.Attributes[name] = cty.StringVal(strings.ReplaceAll(v.AsString(), taskMark, task))
		}
	}
	return own, "default"
}

func checkArgument(what, name string, v cty.Value) error {
	if !hclsyntax.ValidIdentifier(name) {
		return fmt.Errorf("%s: not a name that Terraform allows", what)
	}
	return checkValue(what, v)
}

// checkWorkspaces refuses the one form of workspaces that cannot work: a name
// stands for one workspace, and each task has its own.
func (r *root) checkWorkspaces() error {
	b := r.in.Backend
	for _, block := range b.blocks("workspaces") {
		name, ok := block.AsValueMap()["name"]
		switch {
		case !ok || name.IsNull():
		case b.Type == "remote":
			return fmt.Errorf("backend %s: workspaces has a name, but every task needs a workspace of its own; use prefix instead", quote(b.Type))
		case name.Type() != cty.String || name.AsString() != r.task.Name:
			return fmt.Errorf("backend %s: workspaces has a name, but every task needs the workspace of its own name; use tags instead", quote(b.Type))
		}
	}
	return nil
}

// blocks are the nested blocks that an attribute stands for; none when it is a value.
func (b Backend) blocks(name string) []cty.Value {
	v := b.Attributes[name]
	switch {
	case !slices.Contains(backendBlocks[b.Type], name) || v == cty.NilVal || !v.IsKnown() || v.IsMarked():
		return nil
	case isObject(v):
		return []cty.Value{v}
	case isBlockList(v):
		return v.AsValueSlice()
	}
	return nil
}

// write appends the backend's block, or the cloud block, with literal values:
// Terraform allows no variables here.
func (b Backend) write(terraform *hclwrite.Body) {
	var body *hclwrite.Body
	switch b.Type {
	case "":
		return
	case cloud:
		body = terraform.AppendNewBlock(cloud, nil).Body()
	default:
		body = terraform.AppendNewBlock("backend", []string{b.Type}).Body()
	}
	var nested []string
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		if len(b.blocks(name)) > 0 {
			nested = append(nested, name)
			continue
		}
		body.SetAttributeRaw(name, literal(b.Attributes[name]))
	}
	for _, name := range nested {
		for _, block := range b.blocks(name) {
			inner, attributes := body.AppendNewBlock(name, nil).Body(), block.AsValueMap()
			for _, key := range slices.Sorted(maps.Keys(attributes)) {
				inner.SetAttributeRaw(key, literal(attributes[key]))
			}
		}
	}
}

// isSecret tells whether main.tf may hold a credential: the local backend has
// none, Consul's two attributes for one, the others too many to list.
func (b Backend) isSecret() bool {
	switch b.Type {
	case "", "local":
		return false
	case "consul":
		_, token := b.Attributes["access_token"]
		_, auth := b.Attributes["http_auth"]
		return token || auth
	}
	return true
}
