package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// row is one line of the reference of Consul-Terraform-Sync: a text, or a txtar of
// several files, with a right value, a line that the dump then has, a text with a wrong value, and a part of
// what is told of it. env are variables for the right one, as NAME=value.
type row struct{ good, want, bad, told, env string }

// checkRows loads both texts of every row. A want that begins with "Warnings: " is
// part of a warning.
func checkRows(t *testing.T, rows map[string]row) {
	t.Helper()
	cert, key := certificate(t)
	for name, r := range rows {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"ca.pem": cert, "cert.pem": cert, "key.pem": key, "cas/ca.pem": cert, "mod/main.tf": "",
				"vars.tfvars": "a = 1\n", ".vault-token": "from-home\n"} {
				write(t, dir, name, text)
			}
			env := map[string]string{}
			for _, line := range strings.Fields(r.env) {
				k, v, _ := strings.Cut(line, "=")
				env[k] = strings.ReplaceAll(v, "$WORK", dir)
			}
			cfg, err := Load(sources(t, dir, "a.hcl", r.good), testOptions(dir, env))
			if err != nil {
				t.Fatal(err)
			}
			lines := dump(t, cfg, true)
			if part, ok := strings.CutPrefix(r.want, "Warnings: "); ok {
				if !strings.Contains(strings.Join(cfg.Warnings, "\n"), part) {
					t.Errorf("warnings %q lack %q", cfg.Warnings, part)
				}
			} else if !slices.Contains(lines, strings.ReplaceAll(r.want, "$WORK", dir)) {
				t.Errorf("%s\nlacks %s", strings.Join(lines, "\n"), r.want)
			}
			_, err = Load(sources(t, dir, "b.hcl", r.bad), testOptions(dir, nil))
			var list *Error
			if !errors.As(err, &list) || !strings.Contains(err.Error(), r.told) {
				t.Errorf("error = %v, want one with %q", err, r.told)
			}
		})
	}
}

// sources writes a text as the file of that name, or a txtar as its files, and gives
// the paths to read: those that its comment names, else all of its files.
func sources(t *testing.T, dir, name, text string) (paths []string) {
	t.Helper()
	archive := txtar.Parse([]byte(text))
	if len(archive.Files) == 0 {
		write(t, dir, name, text+"\n")
		return []string{name}
	}
	for _, f := range archive.Files {
		write(t, dir, f.Name, string(f.Data))
		paths = append(paths, f.Name)
	}
	if named := strings.Fields(string(archive.Comment)); len(named) > 0 {
		return named
	}
	return paths
}

// inTask puts lines into a task that lacks only its condition.
func inTask(lines string) string {
	return "task {\n  name   = \"t\"\n  module = \"m/m/m\"\n" + lines + "\n}"
}

// block writes a block of one line.
func block(head, line string) string { return head + " {\n  " + line + "\n}" }

func TestConditionsAndInputsKeepTheContract(t *testing.T) { checkRows(t, conditionRows()) }

func conditionRows() map[string]row {
	condition := func(kind, line string) string { return inTask(block("condition \""+kind+"\"", line)) }
	input := func(kind, line string) string { return inTask(block("module_input \""+kind+"\"", line)) }
	and := func(first, line string) string { return first + "\n  " + line }
	services, names, kv := `names = ["a"]`, `regexp = ""`, `path = "a"`
	rows := map[string]row{}
	for name, r := range map[string][4]string{
		"services names": {condition("services", services), `Tasks[0].Condition.Services.Names = ["a"]`,
			condition("services", `names = ["a", ""]`), "names field includes empty string(s)"},
		"services regexp": {condition("services", `regexp = "^a"`), `Tasks[0].Condition.Services.Regexp = "^a"`,
			condition("services", `regexp = "("`), "unable to compile services regexp: "},
		"services names or regexp": {condition("services", names), `Tasks[0].Condition.UseAsModuleInput = true`,
			condition("services", ""), "either the regexp or names field must be configured"},
		"services filter": {condition("services", and(services, `filter = "Service.Port == 1"`)), `Tasks[0].Condition.Services.Filter = "Service.Port == 1"`,
			condition("services", and(services, `filter = "Nope == 1"`)), "unable to use the services filter"},
		"services filter with backslashes in fours": {condition("services", and(services, `filter = "Service.Meta.a matches \"\\\\\\\\.x\""`)),
			`Tasks[0].Condition.Services.Filter = "Service.Meta.a matches \"\\\\.x\""`,
			condition("services", and(services, `filter = "Service.Port =="`)), "unable to use the services filter"},
		"services filter with backslashes in twos": {condition("services", and(services, `filter = "Service.Meta.a matches \"\\\\.x\""`)),
			`Tasks[0].Condition.Services.Filter = "Service.Meta.a matches \"\\\\.x\""`,
			condition("services", and(services, `filter = "\\"`)), "unable to use the services filter"},
		"services cts_user_defined_meta": {condition("services", and(services, `cts_user_defined_meta { k = "v" }`)), `Tasks[0].Condition.Services.UserMeta.k = "v"`,
			condition("services", and(services, `cts_user_defined_meta = "v"`)), "cts_user_defined_meta must be a block"},
		"services datacenter": {condition("services", and(services, `datacenter = "d"`)), `Tasks[0].Condition.Services.Datacenter = "d"`,
			condition("services", and(services, `datacenter = ["d"]`)), "datacenter must be a string"},
		"services namespace": {condition("services", and(services, `namespace = "n"`)), `Tasks[0].Condition.Services.Namespace = "n"`,
			condition("services", and(services, `namespaces = "n"`)), "invalid keys: namespaces"},
		"services use_as_module_input": {condition("services", and(services, `use_as_module_input = false`)), `Tasks[0].Condition.UseAsModuleInput = false`,
			input("services", and(services, `use_as_module_input = false`)), "invalid keys: use_as_module_input"},
		"catalog-services regexp": {condition("catalog-services", `regexp = "^a"`), `Tasks[0].Condition.CatalogServices.Regexp = "^a"`,
			condition("catalog-services", ""), "catalog-services 'regexp' field must be set"},
		"catalog-services node_meta": {condition("catalog-services", and(names, `node_meta { k = "v" }`)), `Tasks[0].Condition.CatalogServices.NodeMeta.k = "v"`,
			condition("catalog-services", and(names, `node_meta { k = ["v"] }`)), "k must be a string"},
		"input catalog-services": {condition("catalog-services", and(names, `use_as_module_input = false`)), `Tasks[0].Condition.UseAsModuleInput = false`,
			input("catalog-services", names), "unsupported module_input type: catalog-services"},
		"consul-kv path": {condition("consul-kv", `path = "/a/b"`), `Tasks[0].Condition.ConsulKV.Path = "a/b"`,
			condition("consul-kv", `path = ""`), "path is required for consul-kv condition"},
		"consul-kv recurse": {condition("consul-kv", and(kv, `recurse = 1`)), `Tasks[0].Condition.ConsulKV.Recurse = true`,
			condition("consul-kv", and(kv, `recurse = "deep"`)), "recurse must be a boolean"},
		"consul-kv as input": {input("consul-kv", and(kv, `datacenter = "d"`)), `Tasks[0].ModuleInputs[0].ConsulKV.Datacenter = "d"`,
			input("consul-kv", ""), "path is required for consul-kv module_input"},
		"schedule cron": {condition("schedule", `cron = "@daily"`), `Tasks[0].Condition.Schedule.Cron = "@daily"`,
			condition("schedule", ""), "cron config is required for schedule condition"},
		"schedule datacenter is none": {condition("schedule", `cron = "0 0 L * 5#2 2099"`), `Tasks[0].Buffer.Enabled = false`,
			condition("schedule", and(`cron = "@daily"`, `datacenter = "d"`)), "invalid keys: datacenter"},
		"schedule disables the buffer": {inTask("buffer_period { min = \"1s\" }\n" + block(`condition "schedule"`, `cron = "@daily"`)),
			"Warnings: its buffer_period is disabled", condition("schedule", `cron = "* * *"`), "unable to parse cron"},
		"unknown types": {input("nodes", `regexp = "^a"`), `Tasks[0].ModuleInputs[0].Nodes.Regexp = "^a"`,
			condition("intentions", ""), "unsupported condition type: intentions"},
		"one input for each variable": {inTask(block(`module_input "services"`, services) + "\n" + block(`module_input "consul-kv"`, kv)), `Tasks[0].ModuleInputs[1].ConsulKV.Path = "a"`,
			inTask(block(`module_input "services"`, services) + "\n" + block(`module_input "services"`, names)), "more than one 'module_input' block for the \"services\" variable"},
		"a condition whose label is a key": {inTask("condition {\n services {\n " + services + "\n }\n}"), `Tasks[0].Condition.Services.Names = ["a"]`,
			inTask("condition {\n " + services + "\n}"), "condition needs a label"},
		"a label that is a key is warned of": {inTask("condition {\n catalog-services {\n " + names + "\n }\n}"), `Warnings: condition has no label; what stands in it is taken for one, write condition "catalog-services" { … }`,
			inTask("condition {\n services {\n " + services + "\n }\n schedule {\n cron = \"@daily\"\n }\n}"), "only one 'condition' block can be configured"},
		"inputs whose labels are keys": {inTask("module_input {\n services { names = [\"a\"] }\n consul-kv { path = \"a\" }\n}"), `Tasks[0].ModuleInputs[1].ConsulKV.Path = "a"`,
			inTask("module_input {\n filter {}\n}"), "unsupported module_input type: filter"},
		"an input beside its condition": {inTask(block(`condition "services"`, services) + "\n" + block(`module_input "consul-kv"`, kv)), `Tasks[0].ModuleInputs[0].ConsulKV.Path = "a"`,
			inTask(block(`condition "consul-kv"`, kv) + "\n" + block(`module_input "consul-kv"`, kv)), "task's condition block and module_input block both monitor \"consul_kv\" variable type"},
	} {
		rows[name] = row{good: r[0], want: r[1], bad: r[2], told: r[3]}
	}
	return rows
}

func TestEveryCronThatIsReadHasAnEnd(t *testing.T) {
	for cron, ok := range map[string]bool{
		"@hourly": true, "@yearly": true, "*/10 * * * *": true, "0 12 * * 7": true, "0 0 30 2 *": true, "0 0 15W * *": true, "0 0 * * 5L": true,
		"0 0 * * 1#5 1999": true, "30 0 0 1 1 * 2099": true,
		"": false, "@never": false, "* * * *": false, "60 * * * *": false, "*/0 * * * *": false, "a b c d e": false, "* * * * * * * *": false,
		"0 0 * * " + strings.Repeat("1,", 200) + "1": false,
	} {
		if err := checkCron(cron); (err == nil) != ok {
			t.Errorf("cron %q: %v", cron, err)
		}
	}
}

func FuzzCron(f *testing.F) {
	for _, seed := range []string{"@hourly", "0 0 L * 5#2 2099", "*/5 1-3,7 15W jan mon"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cron string) {
		if err := checkCron(cron); err == nil && len(strings.Fields(cron)) > maxCronFields {
			t.Errorf("%q was taken", cron)
		}
	})
}
