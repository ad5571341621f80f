package config

import (
	"net/url"
	"strings"
)

// Names in the catalog when the configuration gives none.
const (
	defaultService = "patchbay"
	legacyService  = "consul-terraform-sync"
)

// registration decodes how the agent registers itself.
func (d *decoder) registration(f field) {
	r := &d.cfg.Consul.Registration
	d.nested("consul", map[string]setter{
		"enabled": d.boolean(&r.Enabled), "service_name": d.serviceName, "address": d.str(&r.Address), "namespace": d.str(&r.Namespace),
		"default_check": d.nested("consul.service_registration", map[string]setter{"enabled": d.boolean(&r.Check), "address": d.checkAddress}),
	})(f)
}

func (d *decoder) serviceName(f field) {
	s, ok := d.text(f)
	if ok && s == "" {
		d.problem(f.pos, "write a name, or leave service_name out", "service_name is empty")
		return
	}
	if ok {
		d.cfg.Consul.Registration.Name = s
	}
}

func (d *decoder) checkAddress(f field) {
	s, ok := d.text(f)
	if !ok || s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		d.problem(f.pos, "write http://host:port or https://host:port", "default check address must include scheme (http or https)")
		return
	}
	d.cfg.Consul.Registration.CheckAddress = strings.TrimRight(s, "/")
}
