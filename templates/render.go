package templates

import (
	"fmt"
	"maps"
	"slices"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The files of a root module, named as Consul-Terraform-Sync names them.
const (
	fileMain            = "main.tf"
	fileVariables       = "variables.tf"
	fileProviders       = "providers.tf.json"
	fileProviderValues  = "providers.auto.tfvars"
	fileModuleVariables = "variables.module.tf"
	fileModuleValues    = "variables.auto.tfvars"
	fileConsulValues    = "terraform.tfvars"
	fileSubscription    = "terraform.tfvars.tmpl"
)

// builtins gives the files of a shipped module by relative path.
type builtins func(name string) (map[string][]byte, bool)

// Render makes the root module of a task. Equal tasks and inputs give equal
// bytes, in whatever order the instances come. What cannot be written so that
// Terraform reads the same again is an error that names the instance or variable
// and its field, and nothing is rendered; no error shows a provider's values.
func Render(t tasks.Task, in Inputs) (tasks.Files, error) {
	return render(t, in, Builtin)
}

func render(t tasks.Task, in Inputs, shipped builtins) (tasks.Files, error) {
	r, err := newRoot(t, in, shipped)
	if err != nil {
		return tasks.Files{}, fmt.Errorf("render task %s: %w", quote(t.Name), err)
	}
	files := tasks.Files{Dir: t.WorkingDir, Env: r.env(), Root: map[string]tasks.File{}}
	r.in.Backend, files.Workspace = r.in.Backend.of(t.Name)
	for path, content := range r.module.files {
		files.Root[path] = tasks.File{Content: content}
	}
	put := func(path string, secret bool, body []byte) {
		files.Root[path] = tasks.File{Content: slices.Concat(r.header(), body), Secret: secret}
	}
	put(fileMain, r.in.Backend.isSecret(), r.main())
	put(fileVariables, false, r.declarations())
	if blocks := r.providersJSON(); blocks != nil {
		files.Root[fileProviders] = tasks.File{Content: blocks}
	}
	put(fileProviderValues, true, r.providerValues())
	put(fileConsulValues, false, r.consulValues())
	put(fileSubscription, false, subscription())
	if len(t.Variables) > 0 {
		put(fileModuleVariables, false, r.moduleDeclarations())
		put(fileModuleValues, false, r.moduleValues())
	}
	return files, nil
}

// InputDigest identifies everything that was rendered: where, every file and the
// environment. Two renders with one digest leave nothing to do.
func InputDigest(f tasks.Files) catalog.Digest {
	h := catalog.NewHasher().String(f.Dir, f.Workspace).Int(len(f.Root))
	for _, path := range slices.Sorted(maps.Keys(f.Root)) {
		mode := "open"
		if f.Root[path].Secret {
			mode = "secret"
		}
		h.String(path, mode, string(f.Root[path].Content))
	}
	h.Int(len(f.Env))
	for _, name := range slices.Sorted(maps.Keys(f.Env)) {
		h.String(name, f.Env[name].Reveal())
	}
	return h.Sum()
}

// root is a task's root module, checked: whatever is made of it cannot fail.
type root struct {
	task      tasks.Task
	in        Inputs
	module    module
	providers []provider
	// consul are the variables that Consul's data fills, in the order of the file.
	consul []consulVariable
	// variables are the names of the user's variables, sorted.
	variables []string
}

func newRoot(t tasks.Task, in Inputs, shipped builtins) (*root, error) {
	if !hclsyntax.ValidIdentifier(t.Name) {
		return nil, fmt.Errorf("the name cannot be a module's label: use a letter or _, then letters, digits, _ and -")
	}
	r := &root{task: t, in: in, variables: slices.Sorted(maps.Keys(t.Variables))}
	var err error
	if r.module, err = newModule(t, shipped); err != nil {
		return nil, err
	}
	if r.providers, err = newProviders(in.Providers); err != nil {
		return nil, err
	}
	if r.consul, err = newConsulVariables(t, in.Input, r.module); err != nil {
		return nil, err
	}
	if in.CanaryWeights != nil {
		r.consul = append(r.consul, canaryVariable(in.CanaryWeights))
	}
	if err := r.checkNames(); err != nil {
		return nil, err
	}
	if err := r.checkValues(); err != nil {
		return nil, err
	}
	return r, nil
}

// reserved are the names that Terraform refuses for a variable.
var reserved = []string{"count", "depends_on", "for_each", "lifecycle", "locals", "providers", "source", "version"}

// checkNames makes sure that all variables of the root have names of their own:
// Consul's, one per provider and the user's.
func (r *root) checkNames() error {
	uses := map[string]string{}
	add := func(name, use string) error {
		if !hclsyntax.ValidIdentifier(name) || slices.Contains(reserved, name) {
			return fmt.Errorf("%s: Terraform does not allow a variable of this name; use another name", use)
		}
		if other, taken := uses[name]; taken {
			return fmt.Errorf("%s needs the root variable %s that %s has already; rename one of them", use, name, other)
		}
		uses[name] = use
		return nil
	}
	for _, v := range r.consul {
		if err := add(v.name, "Consul's variable "+v.name); err != nil {
			return err
		}
	}
	for _, p := range r.providers {
		if err := add(p.name, "provider "+quote(p.name)); err != nil {
			return err
		}
	}
	for _, name := range r.variables {
		if err := add(name, "variable "+quote(name)); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) checkValues() error {
	for _, name := range r.variables {
		if err := checkValue("variable "+quote(name), r.task.Variables[name]); err != nil {
			return err
		}
	}
	if err := r.checkBackend(); err != nil {
		return err
	}
	texts := map[string]string{"version of the module": r.task.Version, "required_version": r.in.RequiredVersion}
	for name, p := range r.in.RequiredProviders {
		texts["source of required provider "+quote(name)] = p.Source
		texts["version of required provider "+quote(name)] = p.Version
	}
	for _, what := range slices.Sorted(maps.Keys(texts)) {
		if err := checkText(what, texts[what]); err != nil {
			return err
		}
	}
	return nil
}

// env lays what the providers bring over what all tasks get.
func (r *root) env() map[string]tasks.Secret {
	env := map[string]tasks.Secret{}
	maps.Copy(env, r.in.Env)
	for _, p := range r.in.Providers {
		maps.Copy(env, p.Env)
	}
	return env
}

// header is the comment that begins every file.
func (r *root) header() []byte { return comment(r.headerLines()...) }

// headerLines are the text of the header; its first and last two lines are part
// of the contract.
func (r *root) headerLines() []string {
	return []string{
		"This file is generated by Consul-Terraform-Sync.",
		"",
		"Patchbay writes it from its configuration and from Consul's catalog, in the",
		"layout of Consul-Terraform-Sync. A change made by hand is overwritten.",
		"",
		"Task: " + r.task.Name,
		"Description: " + oneLine(r.task.Description),
	}
}

// subscription fills a file that CTS keeps for itself; its content is free.
func subscription() []byte {
	text := comment("Patchbay follows Consul by itself and reads no template. The file is here",
		"because tools written for Consul-Terraform-Sync look for it.")
	return append([]byte("\n"), text...)
}
