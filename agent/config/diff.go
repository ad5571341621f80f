package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"patchbay/tasks"

	"github.com/zclconf/go-cty/cty"
)

// Diff tells in plain sentences what a changed configuration changes, and which of
// it only a restart takes over: settings first, then the mesh, providers and tasks. Of
// what may hold a secret it gives the name alone. nil means that nothing changes;
// warnings and places in files do not count.
func Diff(before, after Config) []string {
	out := settings(before, after)
	out = append(out, meshChanges(before, after)...)
	out = append(out, changes("terraform_provider", before.Providers, after.Providers, tasks.Provider.ID, providerChanges, "")...)
	return append(out, changes("task", before.Tasks, after.Tasks, func(t tasks.Task) string { return t.Name }, taskChanges,
		"; what it made stays")...)
}

// setting is one setting before and after.
type setting struct {
	name          string
	before, after any
	// shown is true for values that hold no secret; live for what needs no restart.
	shown, live bool
}

func (s setting) sentence() string {
	out := s.name + " changes"
	if s.shown {
		out = fmt.Sprintf("%s changes from %v to %v", s.name, s.before, s.after)
	}
	if !s.live {
		out += "; restart the agent for it"
	}
	return out
}

// Restarts names the settings that differ between the configuration that a process
// was started with and the newest one, and of which only a restart takes over the
// new value. It shows no value.
func Restarts(started, newest Config) (out []string) {
	for _, s := range differing(started, newest) {
		if !s.live {
			out = append(out, s.name)
		}
	}
	return out
}

func settings(a, b Config) (out []string) {
	for _, s := range differing(a, b) {
		out = append(out, s.sentence())
	}
	return out
}

func differing(a, b Config) []setting {
	all := slices.Concat(topSettings(a, b), consulSettings(a.Consul, b.Consul), otherSettings(a, b), xdsSettings(a, b))
	return slices.DeleteFunc(all, func(s setting) bool { return reflect.DeepEqual(s.before, s.after) })
}

// SameButToken tells whether both speak to the same Consul in the same way, so that
// a token of the one may be sent to the other.
func (c Consul) SameButToken(other Consul) bool {
	c.Token, c.TokenFile = other.Token, other.TokenFile
	return c == other
}

// BackendStays tells whether a reload leaves the backend of before in force: the
// backend consul has its address and its token by the consul block, of which only a
// restart takes over more than the token.
func BackendStays(before, after Config) bool {
	return after.Driver.Backend.Type == "consul" && !before.Consul.SameButToken(after.Consul)
}

func topSettings(a, b Config) []setting {
	return []setting{
		{name: "log_level", before: a.LogLevel, after: b.LogLevel, shown: true},
		{name: "log_format", before: a.LogFormat, after: b.LogFormat, shown: true},
		{name: "port", before: a.Port, after: b.Port, shown: true},
		{name: "working_dir", before: a.WorkingDir, after: b.WorkingDir, shown: true},
		{name: "id", before: a.ID, after: b.ID, shown: true},
		{name: "max_parallel_tasks", before: a.MaxParallelTasks, after: b.MaxParallelTasks, shown: true},
		{name: "shutdown_grace", before: a.ShutdownGrace, after: b.ShutdownGrace, shown: true},
		{name: "history.runs", before: a.History.Runs, after: b.History.Runs, shown: true},
		{name: "history.age", before: a.History.Age, after: b.History.Age, shown: true},
		{name: "buffer_period", before: a.Buffer, after: b.Buffer, live: true},
		{name: "guard", before: a.Guard, after: b.Guard, live: true},
		{name: "api.address", before: a.API.Address, after: b.API.Address, shown: true},
		{name: "api.token", before: a.API.Token, after: b.API.Token},
		{name: "api.allow_remote_writes", before: a.API.AllowRemoteWrites, after: b.API.AllowRemoteWrites, shown: true},
		{name: "tls", before: a.API.TLS, after: b.API.TLS},
		{name: "syslog", before: a.Syslog, after: b.Syslog},
	}
}

func consulSettings(a, b Consul) []setting {
	if a.TokenFile != "" && a.TokenFile == b.TokenFile {
		a.Token = b.Token // followed already, by whoever uses it
	}
	return []setting{
		{name: "consul.address", before: a.Address, after: b.Address}, // may hold a password
		{name: "consul.token", before: a.Token, after: b.Token, live: a.SameButToken(b)},
		{name: "CONSUL_HTTP_TOKEN_FILE", before: a.TokenFile, after: b.TokenFile, live: a.SameButToken(b)},
		{name: "consul.auth", before: a.Auth, after: b.Auth},
		{name: "consul.tls", before: a.TLS, after: b.TLS},
		{name: "consul.transport", before: a.Transport, after: b.Transport},
		{name: "consul.kv_path", before: a.KVPath, after: b.KVPath, shown: true},
		{name: "consul.max_polls", before: a.MaxPolls, after: b.MaxPolls, shown: true},
		{name: "consul.service_registration", before: a.Registration, after: b.Registration},
		{name: "CONSUL_NAMESPACE", before: a.Namespace, after: b.Namespace, shown: true},
		{name: "CONSUL_PARTITION", before: a.Partition, after: b.Partition, shown: true},
	}
}

func otherSettings(a, b Config) []setting {
	return []setting{
		{name: "vault", before: a.Vault, after: b.Vault, live: true},
		{name: "driver.terraform.binary", before: a.Driver.Binary, after: b.Driver.Binary, shown: true},
		{name: "driver.terraform.path", before: a.Driver.Path, after: b.Driver.Path, shown: true},
		{name: "driver.terraform.version", before: a.Driver.Version, after: b.Driver.Version, shown: true},
		{name: "driver.terraform.log", before: a.Driver.Log, after: b.Driver.Log, shown: true},
		{name: "driver.terraform.persist_log", before: a.Driver.PersistLog, after: b.Driver.PersistLog, shown: true},
		{name: "driver.terraform.backend", before: a.Driver.Backend.Type, after: b.Driver.Backend.Type, shown: true, live: !BackendStays(a, b)},
		{name: "the attributes of driver.terraform.backend", before: true, live: !BackendStays(a, b),
			after: a.Driver.Backend.Type != b.Driver.Backend.Type || sameValues(a.Driver.Backend.Attributes, b.Driver.Backend.Attributes)},
		{name: "driver.terraform.required_providers", before: a.Driver.RequiredProviders, after: b.Driver.RequiredProviders, live: true},
	}
}

// sameValues treats nil as an empty map.
func sameValues(a, b map[string]cty.Value) bool { return maps.EqualFunc(a, b, cty.Value.RawEquals) }

// changes tells which things are new, changed and gone. differ names what differs
// between two of one name.
func changes[T any](what string, before, after []T, id func(T) string, differ func(a, b T) []string, stays string) (out []string) {
	find := func(list []T, name string) int {
		return slices.IndexFunc(list, func(t T) bool { return id(t) == name })
	}
	for _, b := range after {
		n := find(before, id(b))
		if n < 0 {
			out = append(out, fmt.Sprintf("%s %s is new", what, id(b)))
			continue
		}
		if list := differ(before[n], b); len(list) > 0 {
			out = append(out, fmt.Sprintf("%s %s changes: %s", what, id(b), strings.Join(list, ", ")))
		}
	}
	for _, a := range before {
		if find(after, id(a)) < 0 {
			out = append(out, fmt.Sprintf("%s %s is gone%s", what, id(a), stays))
		}
	}
	return out
}

func providerChanges(a, b tasks.Provider) (out []string) {
	if !a.Arguments.Reveal().RawEquals(b.Arguments.Reveal()) {
		out = append(out, "arguments")
	}
	if !maps.Equal(a.Env, b.Env) {
		out = append(out, "task_env")
	}
	return out
}

func taskChanges(a, b tasks.Task) []string {
	differs := map[string]bool{
		"description": a.Description != b.Description, "enabled": a.Enabled != b.Enabled, "module": a.Module != b.Module,
		"version": a.Version != b.Version, "providers": !slices.Equal(a.Providers, b.Providers),
		"condition":      !reflect.DeepEqual(a.Condition, b.Condition),
		"module_input":   !reflect.DeepEqual(a.ModuleInputs, b.ModuleInputs),
		"variable_files": !slices.Equal(a.VariableFiles, b.VariableFiles), "variables": !sameValues(a.Variables, b.Variables),
		"buffer_period": a.Buffer != b.Buffer, "working_dir": a.WorkingDir != b.WorkingDir, "guard": a.Guard != b.Guard,
	}
	var out []string
	for name, d := range differs {
		if d {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
