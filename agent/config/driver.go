package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"patchbay/templates"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

const writeDriver = `driver "terraform" { … }`

// driver decodes the driver block, or gives its defaults when f is the zero field.
func (d *decoder) driver(f field) {
	d.cfg.Driver = Driver{RequiredProviders: map[string]templates.RequiredProvider{},
		Backend: templates.Backend{Type: "consul", Attributes: d.consulBackend()}}
	if f.name == "" {
		return
	}
	blocks := d.labels(f, writeDriver)
	for i, b := range blocks {
		switch {
		case laterDrivers[b.label]:
			d.problem(b.pos, "write "+writeDriver, "driver %q is not supported yet", b.label)
		case b.label != "terraform":
			d.problem(b.pos, "write "+writeDriver, "unsupported driver %q", b.label)
		case i > 0:
			d.problem(b.pos, "put all into one", "only one 'driver' block can be configured")
		default:
			d.terraform(b.body)
		}
	}
}

func (d *decoder) terraform(n node) {
	v := &d.cfg.Driver
	d.block(n, "driver.terraform", map[string]setter{
		"binary": d.binary, "path": d.path(&v.Path), "version": d.version,
		"log": d.boolean(&v.Log), "persist_log": d.boolean(&v.PersistLog),
		"backend": d.backend, "required_providers": d.requiredProviders,
	})
}

// binary keeps a bare name, which is searched on PATH, and makes a path absolute.
func (d *decoder) binary(f field) {
	s, ok := d.text(f)
	if !ok {
		return
	}
	if strings.ContainsRune(s, filepath.Separator) {
		s = absolute(d.WorkDir, s)
	}
	d.cfg.Driver.Binary = s
}

func (d *decoder) version(f field) {
	s, ok := d.text(f)
	if !ok || s == "" {
		return
	}
	if _, err := version.NewSemver(s); err != nil || strings.Count(s, ".") < 2 {
		d.problem(f.pos, "write all three numbers, such as \"1.11.4\"", "provide the exact Terraform version to install: %s", s)
		return
	}
	d.cfg.Driver.Version = s
}

// consulBackend is the backend that CTS has by default, so that its state is found.
func (d *decoder) consulBackend() map[string]cty.Value {
	c := d.cfg.Consul
	attributes := map[string]cty.Value{
		"address": cty.StringVal(c.Address),
		"path":    cty.StringVal(backendPathOf(c.KVPath)),
		"gzip":    cty.True,
	}
	if !c.TLS.Enabled {
		return attributes
	}
	attributes["scheme"] = cty.StringVal("https")
	for name, value := range map[string]string{"ca_file": c.TLS.CACert, "cert_file": c.TLS.Cert, "key_file": c.TLS.Key} {
		if value != "" {
			attributes[name] = cty.StringVal(value)
		}
	}
	return attributes
}

// backendPathOf is <kv_path>/terraform, with terraform not doubled.
func backendPathOf(kvPath string) string {
	base := strings.TrimRight(kvPath, "/")
	if base == "terraform" || strings.HasSuffix(base, "/terraform") {
		return base
	}
	return strings.TrimLeft(base+"/terraform", "/")
}

func (d *decoder) backend(f field) {
	blocks := d.labels(f, `backend "consul" { … }`)
	if len(blocks) > 1 {
		d.problem(blocks[1].pos, "keep one", "only one 'backend' block can be configured")
	}
	for _, b := range blocks {
		if !backends[b.label] {
			d.problem(b.pos, "use one of "+strings.Join(slices.Sorted(maps.Keys(backends)), ", "), "unsupported Terraform backend by Sync %q", b.label)
			continue
		}
		attributes := map[string]cty.Value{}
		if b.label == "consul" {
			attributes = d.consulBackend()
		}
		for name, v := range gather(b.body.fields, d.report, func(f field) (cty.Value, bool) { return f.value.value(d.report), false }) {
			attributes[name] = v
		}
		if b.label == "http" {
			d.httpBackend(b)
		}
		d.cfg.Driver.Backend = templates.Backend{Type: b.label, Attributes: attributes}
	}
}

// httpBackend makes sure that no two tasks share a state.
func (d *decoder) httpBackend(b labelled) {
	set := false
	for _, f := range b.body.fields {
		set = set || f.name == "address"
		if slices.Contains([]string{"address", "lock_address", "unlock_address"}, f.name) && !strings.Contains(f.value.text, "{task}") {
			d.problem(f.pos, "write {task} where the name of the task belongs in it", "the http backend has no workspaces: with one %s all tasks would share a state", f.name)
		}
	}
	if !set {
		d.missing(b.pos, "write address = \"https://…/{task}\"", "the http backend needs an address")
	}
}

func (d *decoder) requiredProviders(f field) {
	n, ok := d.object(f)
	if !ok {
		return
	}
	for _, entry := range n.fields {
		var p templates.RequiredProvider
		known := map[string]setter{"source": d.str(&p.Source), "version": d.str(&p.Version)}
		switch value := entry.value.block(); {
		case !hclsyntax.ValidIdentifier(entry.name):
			d.problem(entry.pos, "use letters, digits, _ and -", "%q is not a provider's name", entry.name)
			continue
		case value.kind == kindObject:
			d.block(value, "driver.terraform.required_providers."+entry.name, known)
		default:
			d.str(&p.Version)(entry)
		}
		d.cfg.Driver.RequiredProviders[entry.name] = p
	}
}
