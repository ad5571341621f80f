package templates

import (
	"maps"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/zclconf/go-cty/cty"
)

// known is what Consul has for the examples of conditions and inputs.
func known() catalog.Snapshot {
	names := catalog.Query{Kind: catalog.ServiceNames}
	return catalog.NewSnapshot(
		catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, []catalog.Instance{web("1", "n1").Instance}),
		catalog.NewNamesView(names, map[string][]string{"consul": {}, "web": {"blue", "v2"}}),
		catalog.NewPairsView(catalog.Query{Kind: catalog.KVKey, Name: "fw/web"}, map[string]string{"fw/web": "80"}),
		catalog.NewPairsView(catalog.Query{Kind: catalog.KVPrefix, Name: "fw/"}, map[string]string{"fw/": "", "fw/web": "80"}),
		catalog.NewNodesView(catalog.Query{Kind: catalog.NodeNames}, []catalog.Node{web("1", "n1").Node}))
}

// of makes a task with a condition and inputs and what it is given of known.
func of(condition tasks.Condition, inputs ...tasks.ModuleInput) example {
	t := task("matrix")
	t.Condition, t.ModuleInputs = condition, inputs
	return example{t, Inputs{Backend: local(), Input: tasks.NewInput(t, known(), func(string) tasks.Matcher { return nil })}}
}

// matrix has every condition, used as module input and not, and every input.
func matrix() map[string]example {
	webs := &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}, UserMeta: map[string]string{"owner": "net"}}
	services := tasks.ModuleInput{Services: webs}
	key := tasks.ModuleInput{ConsulKV: &tasks.ConsulKV{Path: "fw/web"}}
	keys := tasks.ModuleInput{ConsulKV: &tasks.ConsulKV{Path: "fw/", Recurse: true}}
	nodes := tasks.ModuleInput{Nodes: &tasks.Nodes{}}
	clock := tasks.Condition{Schedule: &tasks.Schedule{Cron: "@daily"}}
	out := map[string]example{
		"condition schedule without input":                of(clock),
		"condition schedule with input services":          of(clock, services),
		"condition schedule with input consul-kv":         of(clock, key),
		"condition schedule with input consul-kv recurse": of(clock, keys),
		"condition schedule with input nodes":             of(clock, nodes),
		"condition schedule with all inputs":              of(clock, keys, nodes, services),
		"no condition and all inputs":                     of(tasks.Condition{}, services, key, nodes),
	}
	old := of(tasks.Condition{ConsulKV: key.ConsulKV, UseAsModuleInput: true}, nodes, services)
	old.task.OldServices = []string{"web"}
	out["services of the old list come first"] = old
	for name, c := range map[string]struct {
		condition tasks.Condition
		others    []tasks.ModuleInput
	}{
		"services":         {tasks.Condition{Services: webs}, []tasks.ModuleInput{key, nodes}},
		"catalog-services": {tasks.Condition{CatalogServices: &tasks.CatalogServices{Regexp: "^web$"}}, []tasks.ModuleInput{services, key, nodes}},
		"consul-kv":        {tasks.Condition{ConsulKV: key.ConsulKV}, []tasks.ModuleInput{nodes, services}},
		"nodes":            {tasks.Condition{Nodes: nodes.Nodes}, []tasks.ModuleInput{services, keys}},
	} {
		out["condition "+name+" that only starts runs"] = of(c.condition)
		c.condition.UseAsModuleInput = true
		out["condition "+name] = of(c.condition)
		out["condition "+name+" with all other inputs"] = of(c.condition, c.others...)
	}
	maps.Copy(out, variablesOfEveryKind())
	return out
}

// variablesOfEveryKind has what files of variables may hold besides what
// the configuration makes.
func variablesOfEveryKind() map[string]example {
	texts := []cty.Value{cty.StringVal("b"), cty.StringVal("a")}
	t := task("kinds")
	t.Variables = map[string]cty.Value{
		"set": cty.SetVal(texts), "list": cty.ListVal(texts), "map": cty.MapVal(map[string]cty.Value{"k": cty.NumberIntVal(1)}),
		"no_set": cty.SetValEmpty(cty.String), "no_list": cty.ListValEmpty(cty.Bool), "no_map": cty.MapValEmpty(cty.Number),
		"no_tuple": cty.EmptyTupleVal, "no_object": cty.EmptyObjectVal, "null_text": cty.NullVal(cty.String),
		"deep": cty.ListVal([]cty.Value{object("names", cty.SetVal(texts), "on", true)}), "empty": cty.StringVal(""),
		"large": cty.MustParseNumberVal("123456789012345678901234567890"), "small": cty.MustParseNumberVal("-0.000001"),
		"lines": cty.StringVal("a\nb\n"), "template": cty.StringVal("${a} %{b}"),
	}
	return map[string]example{"variables of every kind": {t, Inputs{Backend: local()}}}
}
