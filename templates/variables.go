package templates

import (
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// declarations declares what Consul and the providers fill.
func (r *root) declarations() []byte {
	f := hclwrite.NewEmptyFile()
	for _, v := range servicesFirst(r.consul) {
		block := variableBlock(f, v.name)
		block.SetAttributeValue("description", cty.StringVal(v.description))
		block.SetAttributeRaw("type", v.constraint)
	}
	for _, p := range r.providers {
		block := variableBlock(f, p.name)
		block.SetAttributeRaw("default", literal(cty.NullVal(cty.DynamicPseudoType)))
		block.SetAttributeValue("description", cty.StringVal("Configuration of provider "+p.name))
		block.SetAttributeValue("sensitive", cty.True)
		block.SetAttributeRaw("type", typeTokens(cty.ObjectVal(p.arguments).Type()))
	}
	return f.Bytes()
}

// moduleDeclarations declares the user's variables with the exact type of their value.
func (r *root) moduleDeclarations() []byte {
	f := hclwrite.NewEmptyFile()
	for _, name := range r.variables {
		block := variableBlock(f, name)
		block.SetAttributeRaw("default", literal(cty.NullVal(cty.DynamicPseudoType)))
		block.SetAttributeRaw("type", typeTokens(r.task.Variables[name].Type()))
	}
	return f.Bytes()
}

func (r *root) moduleValues() []byte {
	f := hclwrite.NewEmptyFile()
	for _, name := range r.variables {
		f.Body().AppendNewline()
		f.Body().SetAttributeRaw(name, literal(r.task.Variables[name]))
	}
	return f.Bytes()
}

func variableBlock(f *hclwrite.File, name string) *hclwrite.Body {
	f.Body().AppendNewline()
	return f.Body().AppendNewBlock("variable", []string{name}).Body()
}

// servicesConstraint is the type of the services variable: the contract of every
// module, in the contract's order.
func servicesConstraint() hclwrite.Tokens {
	texts := cty.Map(cty.String)
	return objectsConstraint(serviceAttributes, map[string]cty.Type{
		"port": cty.Number, "tags": cty.List(cty.String), "meta": texts,
		"node_tagged_addresses": texts, "node_meta": texts, "cts_user_defined_meta": texts,
	})
}

// objectsConstraint is a map of objects with the attributes in this order; those
// without a type are texts.
func objectsConstraint(names []string, types map[string]cty.Type) hclwrite.Tokens {
	var attrs []hclwrite.ObjectAttrTokens
	for _, name := range names {
		ty, ok := types[name]
		if !ok {
			ty = cty.String
		}
		attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForIdentifier(name), Value: typeTokens(ty)})
	}
	return hclwrite.TokensForFunctionCall("map",
		hclwrite.TokensForFunctionCall("object", hclwrite.TokensForObject(attrs)))
}
