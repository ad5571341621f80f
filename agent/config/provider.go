package config

import (
	"slices"
	"strings"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

const writeProvider = `terraform_provider "<name>" { … }`

// providers decodes one terraform_provider block, or several where JSON puts them
// into one object.
func (d *decoder) providers(f field) {
	for _, b := range d.labels(f, writeProvider) {
		if !hclsyntax.ValidIdentifier(b.label) {
			d.problem(b.pos, "use letters, digits, _ and -", "%q is not a provider's name", b.label)
			continue
		}
		if len(b.body.fields) > 0 && b.body.fields[0].label {
			d.problem(b.pos, "write "+writeProvider, "terraform_provider takes exactly one label")
			continue
		}
		if what, ok := laterProviders[b.label]; ok {
			d.problem(b.pos, "remove it; "+what, "provider %q is not supported yet", b.label)
			continue
		}
		p := d.provider(b)
		if slices.ContainsFunc(d.cfg.Providers, func(q tasks.Provider) bool { return q.ID() == p.ID() }) {
			d.problem(b.pos, "give one of them another alias", "duplicate provider configuration: %s", p.ID())
			continue
		}
		d.cfg.Providers = append(d.cfg.Providers, p)
	}
}

func (d *decoder) provider(b labelled) tasks.Provider {
	p := tasks.Provider{Name: b.label}
	var arguments []field
	for _, f := range b.body.fields {
		switch strings.ToLower(f.name) {
		case "alias":
			d.alias(&p.Alias, f)
		case "task_env":
			d.taskEnv(&p, f)
		case "auto_commit":
			d.autoCommit(f)
		default:
			d.template(f.value)
			arguments = append(arguments, f)
		}
	}
	p.Arguments = tasks.NewSecretValue(nestedValue(node{kind: kindObject, fields: arguments}, d.report))
	return p
}

// nestedValue is value, except that it tells how an object was written: what can
// only be a block is a tuple of one, and a list with one object a list. An object
// of JSON, which may be either, is an object, as one with = is.
func nestedValue(n node, r *report) cty.Value {
	switch {
	case n.kind == kindObject:
		return cty.ObjectVal(gather(n.fields, r, func(f field) (cty.Value, bool) {
			return nestedValue(f.value, r), f.value.kind == kindObject && f.value.style == styleBlock
		}))
	case n.kind != kindList || len(n.list) == 0:
		return n.value(r)
	}
	items := make([]cty.Value, len(n.list))
	for i, item := range n.list {
		items[i] = nestedValue(item, r)
	}
	if len(items) == 1 && n.list[0].kind == kindObject {
		return cty.ListVal(items)
	}
	return cty.TupleVal(items)
}

func (d *decoder) alias(dst *string, f field) {
	s, ok := d.text(f)
	if ok && s != "" && !hclsyntax.ValidIdentifier(s) {
		d.problem(f.value.pos, "use letters, digits, _ and -", "alias is not a name that Terraform allows")
		return
	}
	*dst = s
}

func (d *decoder) taskEnv(p *tasks.Provider, f field) {
	p.Env = map[string]tasks.Secret{}
	d.template(f.value)
	d.pairs(f, d.anyText, func(name string, entry field, text string) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(text, 0) {
			d.problem(entry.pos, "use letters, digits and _", "not an environment variable")
			return
		}
		p.Env[name] = tasks.NewSecret(text)
	})
}

// autoCommit refuses what would have to be done after each apply.
func (d *decoder) autoCommit(f field) {
	commit := false
	d.boolean(&commit)(f)
	if commit {
		d.unknown(f, "terraform_provider", nil)
	}
}
