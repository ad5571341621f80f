package templates

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// main gives the terraform, provider and module blocks.
func (r *root) main() []byte {
	f := hclwrite.NewEmptyFile()
	body := f.Body()
	body.AppendNewline()
	r.terraformBlock(body)
	for _, p := range r.providers {
		if !p.plain {
			continue
		}
		body.AppendNewline()
		block := body.AppendNewBlock("provider", []string{p.name}).Body()
		writeArguments(block, hcl.Traversal{hcl.TraverseRoot{Name: "var"}, hcl.TraverseAttr{Name: p.name}}, p.arguments)
	}
	body.AppendNewline()
	r.moduleBlock(body)
	return f.Bytes()
}

func (r *root) terraformBlock(body *hclwrite.Body) {
	block := body.AppendNewBlock("terraform", nil).Body()
	if r.in.RequiredVersion != "" {
		block.SetAttributeValue("required_version", cty.StringVal(r.in.RequiredVersion))
	}
	var required *hclwrite.Body
	for _, p := range r.providers {
		wanted, ok := r.in.RequiredProviders[p.name]
		if !ok {
			continue
		}
		if required == nil {
			required = block.AppendNewBlock("required_providers", nil).Body()
		}
		required.SetAttributeRaw(p.name, literal(wanted.value()))
	}
	r.in.Backend.write(block)
}

func (p RequiredProvider) value() cty.Value {
	attrs := map[string]cty.Value{}
	if p.Source != "" {
		attrs["source"] = cty.StringVal(p.Source)
	}
	if p.Version != "" {
		attrs["version"] = cty.StringVal(p.Version)
	}
	return cty.ObjectVal(attrs)
}

// moduleBlock calls the task's module; its label and the provider blocks' names
// bind existing state.
func (r *root) moduleBlock(body *hclwrite.Body) {
	if strings.TrimSpace(r.task.Description) != "" {
		for line := range strings.Lines(r.task.Description) {
			text := comment(oneLine(line))
			body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: text}})
		}
	}
	block := body.AppendNewBlock("module", []string{r.task.Name}).Body()
	block.SetAttributeValue("source", cty.StringVal(r.module.source))
	if r.task.Version != "" {
		block.SetAttributeValue("version", cty.StringVal(r.task.Version))
	}
	pass := func(name string) {
		block.SetAttributeTraversal(name, hcl.Traversal{hcl.TraverseRoot{Name: "var"}, hcl.TraverseAttr{Name: name}})
	}
	for _, v := range servicesFirst(r.consul) {
		pass(v.name)
	}
	if len(r.variables) > 0 {
		block.AppendNewline()
	}
	for _, name := range r.variables {
		pass(name)
	}
}
