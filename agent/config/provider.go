package config

import (
	"fmt"
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
	commit := false
	for _, f := range b.body.fields {
		switch strings.ToLower(f.name) {
		case "alias":
			d.alias(&p.Alias, f)
		case "task_env":
			d.taskEnv(&p, f)
		case "auto_commit":
			d.autoCommit(&commit, p.Name, f)
		default:
			d.template(f.value)
			arguments = append(arguments, f)
		}
	}
	if commit { // no module sees it: templates leave it out
		arguments = append(arguments, field{name: "auto_commit", value: node{kind: kindBool, text: "true"}})
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

// autoCommit decodes what the agent itself does after each apply.
func (d *decoder) autoCommit(commit *bool, provider string, f field) {
	d.boolean(commit)(f)
	if *commit && provider != panos {
		d.warn(f.pos, "auto_commit does nothing here: it is for the provider panos")
	}
}

// The providers for which the agent does something after an apply.
const (
	panos    = "panos"
	fakeSync = "fake-sync"
)

// checkAfterApply looks at what the agent needs of a task's providers once
// Terraform has applied. Unused blocks may lack it, as in CTS.
func (d *decoder) checkAfterApply(t *taskBlock) {
	for _, id := range t.Providers {
		p := providerOf(d.cfg.Providers, id)
		var arguments map[string]cty.Value
		if v := p.Arguments.Reveal(); v != cty.NilVal {
			arguments = v.AsValueMap()
		}
		switch p.Name {
		case panos:
			if !isText(arguments["username"]) && d.env("PANOS_USERNAME") == "" {
				d.problem(t.at, "write username = \"…\" in terraform_provider \"panos\", or set PANOS_USERNAME: only the changes of this user are committed",
					"detected panos provider with missing username")
			}
		case fakeSync:
			if !isText(arguments["name"]) {
				d.problem(t.at, "write name = \"…\" in terraform_provider \"fake-sync\"", "fake-sync provider with missing name")
			}
			d.checkFlags(t, arguments, "err", "success_first")
		}
		if commits(p) {
			d.checkCommits(t, p.ID())
		}
	}
}

// checkFlags wants booleans.
func (d *decoder) checkFlags(t *taskBlock, arguments map[string]cty.Value, names ...string) {
	for _, name := range names {
		if v, ok := arguments[name]; ok && (v.IsNull() || v.Type() != cty.Bool) {
			d.problem(t.at, "write "+name+" = true or "+name+" = false in terraform_provider \"fake-sync\"", "%s must be a boolean", name)
		}
	}
}

// checkCommits keeps what a user changes to one task.
func (d *decoder) checkCommits(t *taskBlock, id string) {
	if other, shared := sharer(d.cfg.Providers, id, t.Name, d.cfg.Tasks); shared {
		d.problem(t.at, "give each task a terraform_provider block with an alias and a username of its own; the other is at "+other.Position,
			"provider with autocommit (%s) cannot be used by more than one task", id)
	}
}

// CheckCommits refuses a task that would commit the changes of a user together with
// one of others, which may be tasks that no file holds: a commit takes all that the
// user changed, also what another task is in the middle of.
func CheckCommits(c Config, t tasks.Task, others []tasks.Task) error {
	for _, id := range t.Providers {
		p := providerOf(c.Providers, id)
		if !commits(p) {
			continue
		}
		if other, shared := sharer(c.Providers, p.ID(), t.Name, others); shared {
			return fmt.Errorf("provider with autocommit (%s) cannot be used by more than one task, and task %s has it; "+
				"give each a terraform_provider block with an alias and a username of its own", p.ID(), other.Name)
		}
	}
	return nil
}

// sharer finds another task with the block of an ID.
func sharer(blocks []tasks.Provider, id, task string, others []tasks.Task) (tasks.Task, bool) {
	n := slices.IndexFunc(others, func(o tasks.Task) bool {
		return o.Name != task && slices.ContainsFunc(o.Providers, func(p string) bool { return providerOf(blocks, p).ID() == id })
	})
	if n < 0 {
		return tasks.Task{}, false
	}
	return others[n], true
}

func commits(p tasks.Provider) bool {
	return p.Name == panos && p.Arguments.Reveal().Type().HasAttribute("auto_commit")
}

// isText tells whether v is a string that says something.
func isText(v cty.Value) bool {
	return v != cty.NilVal && !v.IsNull() && v.Type() == cty.String && v.AsString() != ""
}

// providerOf gives the block that a task means by an ID: the one of exactly this ID,
// else the first of this name, else an empty one.
func providerOf(blocks []tasks.Provider, id string) tasks.Provider {
	name, _, _ := strings.Cut(id, ".")
	for _, same := range []func(tasks.Provider) string{tasks.Provider.ID, func(p tasks.Provider) string { return p.Name }} {
		if n := slices.IndexFunc(blocks, func(p tasks.Provider) bool { return same(p) == id }); n >= 0 {
			return blocks[n]
		}
	}
	return tasks.Provider{Name: name, Arguments: tasks.NewSecretValue(cty.EmptyObjectVal)}
}
