package templates

import (
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/zclconf/go-cty/cty"
)

// example is one task with what it is rendered from.
type example struct {
	task   tasks.Task
	inputs Inputs
}

func web(n, node string) tasks.Service {
	return tasks.Service{Instance: catalog.Instance{
		ID: "web-" + n, Name: "web", Address: "10.0.0." + n, Port: 8080, Tags: []string{"v2", "blue"},
		Meta: map[string]string{"version": "2"}, Weights: catalog.Weights{Passing: 10, Warning: 1},
		Node: catalog.Node{
			ID: "39e5a7f5-2834-e16d-6925-78167c9f50d8", Name: node, Address: "192.168.0." + n, Datacenter: "dc1",
			TaggedAddresses: map[string]string{"lan": "192.168.0." + n, "lan_ipv4": "192.168.0." + n},
			Meta:            map[string]string{"consul-network-segment": ""},
		},
		Checks: []catalog.Check{{ID: "serfHealth", Status: catalog.Passing}},
	}}
}

func input(services ...tasks.Service) tasks.Input { return tasks.Input{Services: services} }

func task(name string) tasks.Task {
	return tasks.Task{Name: name, Module: "acme/rules/fw", WorkingDir: "/srv/tasks/" + name, Enabled: true}
}

func object(attrs ...any) cty.Value {
	m := map[string]cty.Value{}
	for n := 0; n < len(attrs); n += 2 {
		switch v := attrs[n+1].(type) {
		case string:
			m[attrs[n].(string)] = cty.StringVal(v)
		case int:
			m[attrs[n].(string)] = cty.NumberIntVal(int64(v))
		case bool:
			m[attrs[n].(string)] = cty.BoolVal(v)
		case cty.Value:
			m[attrs[n].(string)] = v
		}
	}
	return cty.ObjectVal(m)
}

// blocks is what the configuration makes of blocks.
func blocks(list ...cty.Value) cty.Value { return cty.TupleVal(list) }

func local() Backend { return Backend{Type: "local"} }

// shippedForTest stands for the shipped modules, so that goldens do not move
// when a module's text does.
func shippedForTest(name string) (map[string][]byte, bool) {
	services := `variable "services" { type = any }` + "\n"
	switch name {
	case "plain":
		return map[string][]byte{"main.tf": []byte(services), "scripts/run.sh": []byte("#!/bin/sh\n")}, true
	case "weighted":
		return map[string][]byte{
			"main.tf":    []byte(services),
			"weights.tf": []byte("variable \"instance_weights\" {\n  type = map(number)\n}\n"),
			"sub/no.tf":  []byte("not parsed {"),
		}, true
	case "broken":
		return map[string][]byte{"main.tf": []byte("variable {{{")}, true
	}
	return nil, false
}

const hostile = "a\"b\\c\n${var.x}%{if true}\r\n\x00\u2028\ufeff$${$$$${e\u0301 <<EOT\n}"

func examples() map[string]example {
	all := matrix()

	all["no instance writes an empty map"] = example{task("empty"), Inputs{Backend: local()}}

	t := task("fw-web")
	t.Description, t.Version = "Firewall rules for web", "1.0.0"
	all["the contract's own example"] = example{t, Inputs{
		Input: input(web("1", "n1"), web("2", "n2")), RequiredVersion: ">= 0.13.0, <= 1.14.3",
		Providers:         []tasks.Provider{{Name: "fw", Arguments: tasks.NewSecretValue(object("host", "fw.example.com", "login", blocks(object("user", "net"))))}},
		RequiredProviders: map[string]RequiredProvider{"fw": {"acme/fw", "1.3.0"}, "unused": {"acme/unused", "1"}},
		Backend: Backend{Type: "consul", Attributes: map[string]cty.Value{
			"address": cty.StringVal("localhost:8500"), "path": cty.StringVal("consul-terraform-sync/terraform"), "gzip": cty.True}},
	}}
	t.Variables = map[string]cty.Value{
		"zone": cty.StringVal("dmz"), "limit": cty.NumberIntVal(5), "on": cty.True, "nothing": cty.NullVal(cty.DynamicPseudoType),
		"mixed":  cty.TupleVal([]cty.Value{cty.NumberIntVal(1), cty.StringVal("two"), cty.EmptyObjectVal}),
		"nested": object("for", "a keyword", "a.b", object("x", -1), "list", cty.ListVal([]cty.Value{cty.StringVal("x")})),
		"plain":  object("names", cty.MapVal(map[string]cty.Value{"a": cty.True}), "n", cty.NumberFloatVal(0.25)),
		"text":   cty.StringVal(hostile),
	}
	all["the user's variables have their exact type"] = example{t, Inputs{Input: input(web("1", "n1")), Backend: local()}}

	t = task("two_providers")
	t.Description = "Two lines\n  }\nresource \"x\" \"y\" {\r\n${env}\u2028# \x00"
	all["a hostile description stays a comment"] = example{t, Inputs{Input: input(web("1", "n1")), Backend: local()}}

	block := func(n int) cty.Value { return object("name", "x", "prio", n, "deep", object("key", hostile)) }
	all["providers are sorted and their arguments stay out of main.tf"] = example{task("two_providers"), Inputs{
		Backend: Backend{Type: "s3", Attributes: map[string]cty.Value{
			"bucket": cty.StringVal("b"), "assume_role": object("role_arn", "arn:x", "duration", "1h")}},
		Providers: []tasks.Provider{
			{Name: "zeta", Arguments: tasks.NewSecretValue(object("block", cty.TupleVal([]cty.Value{block(1), block(2)}),
				"empty", cty.EmptyTupleVal, "none", cty.NullVal(cty.DynamicPseudoType), "list", cty.TupleVal([]cty.Value{cty.StringVal("a"), cty.NumberIntVal(1)}),
				"headers", cty.MapVal(map[string]cty.Value{"X-A": cty.StringVal("b")})))},
			{Name: "alpha", Alias: "second", Arguments: tasks.NewSecretValue(object("alias", "second", "auto_commit", true, "token", "s3cr3t"))},
			{Name: "bare"},
		},
		RequiredProviders: map[string]RequiredProvider{"alpha": {Version: "~> 2.0"}, "zeta": {Source: "acme/zeta"}},
	}}

	all["a provider's blocks stay in main.tf and its objects are for its schema to tell"] = example{task("objects"), Inputs{
		Backend: local(),
		Providers: []tasks.Provider{
			{Name: "plain", Arguments: tasks.NewSecretValue(object("zone", blocks(object("id", 1)), "features", blocks(cty.EmptyObjectVal), "login", blocks(object("user", hostile, "roles", cty.TupleVal([]cty.Value{cty.StringVal("r")})))))},
			{Name: "schema", Arguments: tasks.NewSecretValue(object("host", "h", "zone", blocks(object("id", 1), object("id", 2)), "headers", object("X-A", hostile, "${x}", "y"),
				"labels", object("a", hostile), "single", cty.ListVal([]cty.Value{object("user", hostile)}), "default_tags", blocks(object("tags", object("team", "net"))),
				"rules", blocks(object("on", blocks(object("if", 1))), object("on", blocks(object("if", 2), object("if", 3))))))},
		},
	}}

	t = task("weighted")
	t.Module = "builtin/weighted"
	warned, down := web("2", "n2"), web("3", "n3")
	warned.Checks = []catalog.Check{{ID: "c", Status: catalog.Warning}}
	down.Checks = []catalog.Check{{ID: "c", Status: catalog.Critical}}
	all["a shipped module that asks for weights gets them"] = example{t, Inputs{Input: input(down, warned, web("1", "n1")), Backend: local()}}
	t = task("plain")
	t.Module = "builtin/plain"
	all["a shipped module that asks for no weights gets none"] = example{t, Inputs{Input: input(web("1", "n1")), Backend: local()}}

	t = task("canary")
	all["a module that takes canary weights gets them beside services"] = example{t, Inputs{Input: input(web("1", "n1")), Backend: local(),
		CanaryWeights: map[string]map[string]float64{"web": {"v1": 87.5, "v2": 12.5}, "shop \"${x}\"": {"old": 100, "a-longer-name": 0}}}}
	all["a module that takes canary weights gets an empty map without canaries"] = example{t, Inputs{Backend: local(), CanaryWeights: map[string]map[string]float64{}}}

	t = task("path")
	t.Module = "/srv/my \"modules\"/${web}"
	all["a local path is written as it is"] = example{t, Inputs{Input: input(web("1", "n1")), Backend: local()}}

	t = task("keys")
	t.Condition = tasks.Condition{ConsulKV: &tasks.ConsulKV{Path: "fw/", Recurse: true}, UseAsModuleInput: true}
	t.Variables = map[string]cty.Value{"zone": cty.StringVal("dmz")}
	all["keys of the condition come first and services last and empty"] = example{t, Inputs{Backend: local(), Input: tasks.Input{
		KV: map[string]string{"fw/": "", "fw/web": "80", "fw/long key": hostile, "fw/${x}\"": "a\r\nb", "fw/nul": "a\x00b", "fw/for": "é"}}}}

	t = task("names")
	t.Condition = tasks.Condition{CatalogServices: &tasks.CatalogServices{}, UseAsModuleInput: true}
	t.ModuleInputs = []tasks.ModuleInput{{Nodes: &tasks.Nodes{}}, {Services: &tasks.Services{}}, {ConsulKV: &tasks.ConsulKV{Path: "gone"}}}
	all["every variable of Consul comes in the task's order"] = example{t, Inputs{Backend: local(), Input: tasks.Input{
		CatalogServices: map[string][]string{"consul": {}, "web": {"v2", "blue"}, "a \"b\" ${c}": {hostile}},
		Nodes:           []catalog.Node{web("2", "n2").Node, web("1", "n1").Node, {Name: hostile, Meta: map[string]string{hostile: hostile}}},
		Services:        input(web("1", "n1")).Services, KV: map[string]string{}}}}

	t = task("unused")
	t.Module = "builtin/weighted"
	t.Condition = tasks.Condition{CatalogServices: &tasks.CatalogServices{}}
	t.ModuleInputs = []tasks.ModuleInput{{ConsulKV: &tasks.ConsulKV{Path: "fw"}}}
	all["a condition that is no module input is not rendered"] = example{t, Inputs{Backend: local(), Input: tasks.Input{
		KV: map[string]string{"fw": "1"}, Services: input(web("1", "n1")).Services}}}

	t = task("nothing")
	t.Condition = tasks.Condition{CatalogServices: &tasks.CatalogServices{}, UseAsModuleInput: true}
	t.ModuleInputs = []tasks.ModuleInput{{Nodes: &tasks.Nodes{}}}
	all["variables without entries are empty maps"] = example{t, Inputs{Backend: local(), Input: tasks.Input{
		CatalogServices: map[string][]string{}, Nodes: []catalog.Node{}}}}

	t = task("old_services")
	t.Condition = tasks.Condition{UseAsModuleInput: true, Services: &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}},
		Others: []tasks.Services{{Selector: catalog.Selector{Names: []string{"web"}, Datacenter: "dc2"}, UserMeta: map[string]string{"zone": "dmz"}}}}}
	far := web("1", "n1")
	far.Node.Datacenter = "dc2"
	query := catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}
	there := query
	there.Datacenter = "dc2"
	all["services that differ are rendered each with its own metadata"] = example{t, Inputs{Backend: local(), Input: tasks.NewInput(t, catalog.NewSnapshot(
		catalog.NewServiceView(query, []catalog.Instance{web("1", "n1").Instance}), catalog.NewServiceView(there, []catalog.Instance{far.Instance})),
		func(string) tasks.Matcher { return nil })}}

	odd := web("1", "n1")
	odd.ID, odd.Address, odd.Kind = hostile, "", hostile
	odd.Tags, odd.Meta = []string{"z", hostile, "", "a"}, map[string]string{hostile: hostile, "": "", "for": "x", "null": "y", "é": "z", "ключ": "w"}
	odd.Node.Meta, odd.Node.TaggedAddresses, odd.Namespace = nil, nil, "team"
	odd.UserMeta = map[string]string{"a b": hostile}
	all["hostile text is data"] = example{task("odd"), Inputs{Input: input(odd, web("2", "n2")), Backend: local()}}
	return all
}
