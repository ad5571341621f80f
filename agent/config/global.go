package config

import (
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"patchbay/tasks"
)

const maxPort = 65535

// Defaults of the top level; those that CTS has too are CTS's.
const (
	defaultPort       = 8558
	defaultAddress    = "127.0.0.1"
	defaultWorkingDir = "sync-tasks"
	defaultParallel   = 10
	defaultGrace      = 5 * time.Minute
	defaultRuns       = 1000
	defaultAge        = 2160 * time.Hour
)

var logLevels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERR"}

// parts are the blocks that are decoded after the scalars, in an order of their
// own: tasks need the global buffer, the backend needs Consul.
type parts struct {
	consul, buffer, guard field
	driver, vault         field
	license, licensePath  field
	// services are deprecated blocks.
	providers, services, tasks []field
	mesh                       meshBlocks
}

// config decodes a whole configuration.
func (d *decoder) config(top node) Config {
	d.cfg = Config{LogLevel: "INFO", LogFormat: "text", Port: defaultPort, API: API{Address: d.pick(defaultAddress, "")},
		Syslog:     Syslog{Facility: "LOCAL0", Name: d.pick("patchbay", "consul-terraform-sync")},
		WorkingDir: absolute(d.WorkDir, defaultWorkingDir), ID: d.defaultID(), MaxParallelTasks: defaultParallel,
		ShutdownGrace: defaultGrace, History: History{Runs: defaultRuns, Age: defaultAge}}
	p := d.global(top)
	d.checkAPI()
	d.license(p)
	d.cfg.Buffer = d.buffer(p.buffer, "", globalBuffer)
	d.cfg.Guard = d.guard(p.guard, "", tasks.Guard{MaxDestroys: tasks.DefaultMaxDestroys})
	d.consul(p.consul)
	d.vault(p.vault)
	d.driver(p.driver)
	for _, f := range p.providers {
		d.providers(f)
	}
	for _, f := range p.services {
		d.service(f)
	}
	for _, f := range p.tasks {
		d.task(f, d.cfg.Guard)
	}
	d.mesh(p.mesh)
	d.polls()
	return d.cfg
}

func (d *decoder) global(top node) (p parts) {
	keep := func(dst *field) setter { return func(f field) { *dst = f } }
	add := func(dst *[]field) setter { return func(f field) { *dst = append(*dst, f) } }
	d.block(top, "", map[string]setter{
		"log_level":          d.logLevel,
		"log_format":         d.oneOf(&d.cfg.LogFormat, "text", "json"),
		"port":               d.integer(&d.cfg.Port, 0, maxPort),
		"working_dir":        d.path(&d.cfg.WorkingDir),
		"id":                 d.id,
		"client_type":        func(field) {}, // as CTS: accepted and ignored
		"max_parallel_tasks": d.integer(&d.cfg.MaxParallelTasks, 1, math.MaxInt32),
		"shutdown_grace":     d.duration(&d.cfg.ShutdownGrace),
		"api":                d.api,
		"tls":                d.serverTLS("", "the CTS API", &d.cfg.API.TLS),
		"syslog":             d.syslog,
		"history": d.nested("", map[string]setter{
			"runs": d.integer(&d.cfg.History.Runs, 1, math.MaxInt32), "age": d.duration(&d.cfg.History.Age)}),
		"buffer_period": keep(&p.buffer), "guard": keep(&p.guard), "consul": keep(&p.consul), "driver": keep(&p.driver), "vault": keep(&p.vault),
		"license": keep(&p.license), "license_path": keep(&p.licensePath),
		"terraform_provider": add(&p.providers), "task": add(&p.tasks), "service": add(&p.services),
		"xds": keep(&p.mesh.xds), "observe": keep(&p.mesh.observe), "routes": add(&p.mesh.routes), "sidecar": add(&p.mesh.sidecars), "gateway": add(&p.mesh.gateways),
		"canary": add(&p.mesh.canaries),
	})
	return p
}

func (d *decoder) defaultID() string {
	host := d.Hostname
	if host == "" {
		host, _ = os.Hostname() // without a name the ID is still valid
	}
	return d.pick("patchbay-", "cts-") + host
}

// pick gives a default of Patchbay, or the one of Consul-Terraform-Sync.
func (d *decoder) pick(own, legacy string) string {
	if d.Legacy {
		return legacy
	}
	return own
}

func (d *decoder) id(f field) {
	s, ok := d.text(f)
	if ok && s == "" {
		d.problem(f.pos, "write a name that no other agent has, or leave id out", "id is empty")
		return
	}
	if ok {
		d.cfg.ID = s
	}
}

func (d *decoder) logLevel(f field) {
	s, ok := d.text(f)
	if !ok {
		return
	}
	level := strings.ToUpper(s)
	if level == "ERROR" {
		level = "ERR"
	}
	if !slices.Contains(logLevels, level) {
		d.problem(f.pos, "write one of them", "Invalid log level: %s. Valid log levels are: %v", s, logLevels)
		return
	}
	d.cfg.LogLevel = level
}

func (d *decoder) oneOf(dst *string, allowed ...string) setter {
	return func(f field) {
		s, ok := d.text(f)
		if ok && !slices.Contains(allowed, s) {
			d.problem(f.pos, "write "+strings.Join(allowed, " or "), "%s is none of the known ones", f.name)
			return
		}
		if ok {
			*dst = s
		}
	}
}
