package config

import "testing"

func TestTheRestOfDriverAndTaskKeepsTheContract(t *testing.T) { checkRows(t, driverAndTaskMoreRows()) }

func driverAndTaskMoreRows() map[string]row {
	driver := func(line string) string { return block(`driver "terraform"`, line) }
	tls := func(line string) string { return block("consul", block("tls", line)) }
	own := func(line string) string { return driver(block(`backend "consul"`, line)) }
	condition := block(`condition "services"`, `names = ["a"]`)
	return map[string]row{
		"binary":                      {good: driver(`binary = "tofu"`), want: `Driver.Binary = "tofu"`, bad: driver(`binary = []`), told: "binary must be a string"},
		"version text":                {good: driver(`version = "1.5.7"`), want: `Driver.Version = "1.5.7"`, bad: driver(`version = ">= 1.0"`), told: "provide the exact Terraform version to install"},
		"log default":                 {good: driver(""), want: "Driver.Log = false", bad: driver("log = []"), told: "log must be a boolean"},
		"persist_log default":         {good: driver(""), want: "Driver.PersistLog = false", bad: driver(`persist_log = "x"`), told: "persist_log must be a boolean"},
		"required_providers source":   {good: driver("required_providers {\n a = { source = \"x/a\", version = \"1\" }\n}"), want: `Driver.RequiredProviders.a.Source = "x/a"`, bad: driver("required_providers {\n a = { source = [] }\n}"), told: "source must be a string"},
		"required_providers version":  {good: driver("required_providers {\n a = { source = \"x/a\", version = \"1\" }\n}"), want: `Driver.RequiredProviders.a.Version = "1"`, bad: driver("required_providers {\n a = { version = {} }\n}"), told: "version must be a string"},
		"required_providers as list":  {good: driver("required_providers {}"), want: `Driver.Backend.Type = "consul"`, bad: driver("required_providers = 1"), told: "required_providers must be a block"},
		"backend":                     {good: driver(`backend "local" {}`), want: `Driver.Backend.Type = "local"`, bad: driver("backend \"local\" {}\n backend \"s3\" {}"), told: "backend"},
		"backend of the file":         {good: driver(block(`backend "s3"`, `bucket = "b"`)), want: `Driver.Backend.Attributes.bucket = "b"`, bad: driver(`backend "swift" {}`), told: `unsupported Terraform backend by Sync "swift"`},
		"default backend address":     {good: block("consul", `address = "c:1"`), want: `Driver.Backend.Attributes.address = "c:1"`, bad: own("address"), told: "Argument or block definition required"},
		"default backend gzip":        {good: "port = 1", want: `Driver.Backend.Attributes.gzip = true`, bad: driver(`backend = 1`), told: "backend must be a block"},
		"default backend gzip over":   {good: own("gzip = false"), want: `Driver.Backend.Attributes.gzip = false`, bad: driver(`backend "consul" = 1`), told: "b.hcl"},
		"default backend scheme":      {good: tls("enabled = true"), want: `Driver.Backend.Attributes.scheme = "https"`, bad: tls(`enabled = "x"`), told: "enabled must be a boolean"},
		"default backend ca_file":     {good: tls(`ca_cert = "ca.pem"`), want: `Driver.Backend.Attributes.ca_file = "$WORK/ca.pem"`, bad: tls(`ca_cert = "no.pem"`), told: "cannot read ca_cert"},
		"default backend cert_file":   {good: tls(`cert = "cert.pem"`), want: `Driver.Backend.Attributes.cert_file = "$WORK/cert.pem"`, bad: tls(`cert = "no.pem"`), told: "cannot read cert"},
		"default backend key_file":    {good: tls("cert = \"cert.pem\"\n key = \"key.pem\""), want: `Driver.Backend.Attributes.key_file = "$WORK/key.pem"`, bad: tls(`key = "no.pem"`), told: "cannot read key"},
		"default backend path once":   {good: block("consul", `kv_path = "a/terraform"`), want: `Driver.Backend.Attributes.path = "a/terraform"`, bad: block("consul", `kv_path = []`), told: "kv_path must be a string"},
		"task name length":            {good: "task {\n name = \"A_b-1\"\n module = \"m/m/m\"\n}", want: `Tasks[0].Name = "A_b-1"`, bad: "task {\n name = \"a b\"\n module = \"m/m/m\"\n}", told: "a task name must start with a letter or underscore"},
		"task name is required":       {good: inTask(""), want: `Tasks[0].Name = "t"`, bad: "task {\n module = \"m/m/m\"\n}", told: "unique name for the task is required"},
		"task enabled default":        {good: inTask(""), want: "Tasks[0].Enabled = true", bad: inTask("enabled = []"), told: "enabled must be a boolean"},
		"task module of a registry":   {good: inTask(""), want: `Tasks[0].Module = "m/m/m"`, bad: "task {\n name = \"t\"\n module = \"../none\"\n}", told: "cannot read module"},
		"task condition of one type":  {good: inTask(condition), want: `Tasks[0].Condition.Services.Names = ["a"]`, bad: inTask(condition + "\n" + condition), told: "only one 'condition' block can be configured"},
		"task module_input":           {good: inTask(block(`module_input "consul-kv"`, `path = "a"`)), want: `Tasks[0].ModuleInputs[0].ConsulKV.Path = "a"`, bad: inTask(block(`module_input "consul-kv"`, `path = "a"`) + "\n" + block(`module_input "consul-kv"`, `path = "b"`)), told: `more than one 'module_input' block for the "consul_kv" variable`},
		"task providers with alias":   {good: "terraform_provider \"aws\" {\n alias = \"a\"\n}\n" + inTask(`providers = ["aws.a"]`), want: `Tasks[0].Providers = ["aws.a"]`, bad: inTask(`providers = ["aws.b"]`), told: "no terraform_provider block is aws.b"},
		"task variable_files later":   {good: "-- vars2.tfvars --\na = 2\n-- a.hcl --\n" + inTask(`variable_files = ["vars.tfvars", "vars2.tfvars"]`), want: "Tasks[0].Variables.a = 2", bad: inTask("variable_files = [{}]"), told: "variable_files must be a string"},
		"task variables text":         {good: inTask(`variables = { a = "\"text\"" }`), want: `Tasks[0].Variables.a = "text"`, bad: inTask(`variables = { a = "[1" }`), told: "variable"},
		"task working_dir default":    {good: "working_dir = \"w\"\n" + inTask(""), want: `Tasks[0].WorkingDir = "$WORK/w/t"`, bad: inTask("working_dir = {}"), told: "working_dir must be a string"},
		"task guard":                  {good: inTask(block("guard", "max_destroys = 3")), want: "Tasks[0].Guard.MaxDestroys = 3", bad: inTask(block("guard", "max_destroy = 3")), told: `did you mean "max_destroys"?`},
		"task buffer_period inherits": {good: block("buffer_period", `min = "7s"`) + "\n" + inTask(""), want: "Tasks[0].Buffer.Min = 7000000000", bad: inTask("buffer_period = 1"), told: "buffer_period must be a block"},
	}
}

func TestTheRestOfConditionsAndInputsKeepsTheContract(t *testing.T) {
	checkRows(t, conditionMoreRows())
}

func conditionMoreRows() map[string]row {
	frame := func(keyword, kind string) func(line string) string {
		return func(line string) string { return inTask(block(keyword+" \""+kind+"\"", line)) }
	}
	out := map[string]row{}
	// place adds what all types take.
	place := func(name, under, least string, in func(line string) string, attributes ...string) {
		for attribute, field := range map[string]string{"datacenter": "Datacenter", "namespace": "Namespace"} {
			if len(attributes) > 0 && attribute != attributes[0] {
				continue
			}
			out[name+" "+attribute+" of its own"] = row{good: in(least + "\n " + attribute + ` = "x"`), want: under + "." + field + ` = "x"`,
				bad: in(least + "\n " + attribute + ` = []`), told: attribute + " must be a string"}
		}
	}
	condition := "Tasks[0].Condition."
	for kind, in := range map[string]struct{ field, least string }{
		"services": {"Services", `regexp = ""`}, "catalog-services": {"CatalogServices", `regexp = ""`}, "consul-kv": {"ConsulKV", `path = "a"`},
	} {
		of := frame("condition", kind)
		place(kind, condition+in.field, in.least, of)
		out[kind+" use_as_module_input off"] = row{good: of(in.least + "\n use_as_module_input = \"false\""), want: condition + "UseAsModuleInput = false",
			bad: of(in.least + "\n use_as_module_input = \"x\""), told: "use_as_module_input must be a boolean"}
		out[kind+" use_as_module_input default"] = row{good: of(in.least), want: condition + "UseAsModuleInput = true",
			bad: of(in.least + "\n use_as_module_input = []"), told: "use_as_module_input must be a boolean"}
	}
	for kind, in := range map[string]struct{ field, least string }{"services": {"Services", `regexp = ""`}, "consul-kv": {"ConsulKV", `path = "a"`}} {
		of := frame("module_input", kind)
		place("input "+kind, "Tasks[0].ModuleInputs[0]."+in.field, in.least, of)
		out["input "+kind+" use_as_module_input is none"] = row{good: of(in.least), want: condition + "UseAsModuleInput = false",
			bad: of(in.least + "\n use_as_module_input = true"), told: "invalid keys: use_as_module_input"}
	}
	nodes := frame("condition", "nodes")
	place("nodes", condition+"Nodes", "", nodes, "datacenter")
	schedule, cron := frame("condition", "schedule"), `cron = "@daily"`
	input, kv := frame("module_input", "services"), frame("module_input", "consul-kv")
	services := "Tasks[0].ModuleInputs[0].Services."
	for name, r := range map[string]row{
		"services regexp for all":              {good: frame("condition", "services")(`regexp = ""`), want: condition + "UseAsModuleInput = true", bad: frame("condition", "services")(`names = []`), told: "either the regexp or names field must be configured"},
		"services regexp and names":            {good: frame("condition", "services")(`names = "a"`), want: condition + `Services.Names = ["a"]`, bad: frame("condition", "services")("names = [\"a\"]\n regexp = \"a\""), told: "regexp and names fields cannot both be configured"},
		"catalog-services regexp required":     {good: frame("condition", "catalog-services")(`regexp = "a=b"`), want: condition + `CatalogServices.Regexp = "a=b"`, bad: frame("condition", "catalog-services")(`regexp = "("`), told: "unable to compile catalog-services regexp"},
		"consul-kv path without slash":         {good: frame("condition", "consul-kv")(`path = "/a"`), want: condition + `ConsulKV.Path = "a"`, bad: frame("condition", "consul-kv")(`path = []`), told: "path must be a string"},
		"consul-kv recurse default":            {good: frame("condition", "consul-kv")(`path = "a"`), want: condition + `ConsulKV.Recurse = false`, bad: frame("condition", "consul-kv")("path = \"/\""), told: "path is required for consul-kv condition"},
		"nodes regexp":                         {good: nodes(`regexp = "^a"`), want: condition + `Nodes.Regexp = "^a"`, bad: nodes(`regexp = "("`), told: "unable to compile nodes regexp"},
		"nodes node_meta":                      {good: nodes(`node_meta { a = "b" }`), want: condition + `Nodes.NodeMeta.a = "b"`, bad: nodes(`node_meta = 1`), told: "node_meta must be a block"},
		"nodes use_as_module_input":            {good: nodes("use_as_module_input = false"), want: condition + "UseAsModuleInput = false", bad: nodes(`use_as_module_input = "x"`), told: "use_as_module_input must be a boolean"},
		"schedule cron with a year":            {good: schedule(`cron = "0 0 1 1 * 2099"`), want: condition + `Schedule.Cron = "0 0 1 1 * 2099"`, bad: schedule(`cron = "0 0 0 0 0 0 0 0"`), told: "unable to parse cron"},
		"schedule namespace is none":           {good: schedule(cron), want: condition + `Schedule.Cron = "@daily"`, bad: schedule(cron + "\n namespace = \"n\""), told: "invalid keys: namespace"},
		"schedule use_as_module_input none":    {good: schedule(cron), want: condition + "UseAsModuleInput = false", bad: schedule(cron + "\n use_as_module_input = true"), told: "invalid keys: use_as_module_input"},
		"input services names":                 {good: input(`names = ["a"]`), want: services + `Names = ["a"]`, bad: input(`names = [""]`), told: "names field includes empty string(s)"},
		"input services regexp":                {good: input(`regexp = "^a"`), want: services + `Regexp = "^a"`, bad: input(`regexp = "("`), told: "unable to compile services regexp"},
		"input services names or regexp":       {good: input(`regexp = "a"`), want: services + `Regexp = "a"`, bad: input(""), told: "either the regexp or names field must be configured"},
		"input services filter":                {good: input("regexp = \"\"\n filter = \"Service.Port == 1\""), want: services + `Filter = "Service.Port == 1"`, bad: input("regexp = \"\"\n filter = \"Nope == 1\""), told: "unable to use the services filter"},
		"input services cts_user_defined_meta": {good: input("regexp = \"\"\n cts_user_defined_meta { k = 1 }"), want: services + `UserMeta.k = "1"`, bad: input("regexp = \"\"\n cts_user_defined_meta { k = {} }"), told: "k must be a string"},
		"input consul-kv path":                 {good: kv(`path = "/a"`), want: `Tasks[0].ModuleInputs[0].ConsulKV.Path = "a"`, bad: kv(""), told: "path is required for consul-kv module_input"},
		"input consul-kv recurse":              {good: kv("path = \"a\"\n recurse = true"), want: "Tasks[0].ModuleInputs[0].ConsulKV.Recurse = true", bad: kv("path = \"a\"\n recurse = []"), told: "recurse must be a boolean"},
		"input schedule":                       {good: input(`names = ["a"]`), want: services + `Names = ["a"]`, bad: frame("module_input", "schedule")(cron), told: "unsupported module_input type: schedule"},
		"condition beside input of its type":   {good: inTask(block(`condition "schedule"`, cron) + "\n" + block(`module_input "services"`, `names = ["a"]`)), want: services + `Names = ["a"]`, bad: inTask(block(`condition "services"`, `names = ["a"]`) + "\n" + block(`module_input "services"`, `names = ["b"]`)), told: `task's condition block and module_input block both monitor "services" variable type`},
	} {
		out[name] = r
	}
	return out
}

func TestTheRestOfTheDeprecatedNamesKeepsTheContract(t *testing.T) {
	checkRows(t, deprecatedMoreRows())
}

func deprecatedMoreRows() map[string]row {
	service := func(line string) string { return block("service", "name = \"web\"\n"+line) + "\n" }
	uses := func(id string) string { return inTask(`services = ["` + id + `"]`) }
	const at = "Tasks[0].Condition.Services."
	return map[string]row{
		"service name":                  {good: service(`id = "w"`) + uses("w"), want: at + `Names = ["web"]`, bad: service("name = []") + uses("web"), told: "name must be a string"},
		"service id":                    {good: service("") + uses("web"), want: at + `Names = ["web"]`, bad: service("") + service(""), told: "unique service IDs are required: web"},
		"service description":           {good: service(`description = "d"`) + uses("web"), want: at + `Names = ["web"]`, bad: service("description = []"), told: "description must be a string"},
		"service datacenter text":       {good: service(`datacenter = "d"`) + uses("web"), want: at + `Datacenter = "d"`, bad: service("datacenter = []"), told: "datacenter must be a string"},
		"service namespace":             {good: service(`namespace = "n"`) + uses("web"), want: at + `Namespace = "n"`, bad: service("namespace = {}"), told: "namespace must be a string"},
		"service filter":                {good: service(`filter = "Service.Port == 1"`) + uses("web"), want: at + `Filter = "Service.Port == 1"`, bad: service(`filter = "Nope == 1"`), told: "unable to use the services filter"},
		"service cts_user_defined_meta": {good: service("cts_user_defined_meta { k = \"v\" }") + uses("web"), want: at + `UserMeta.k = "v"`, bad: service("cts_user_defined_meta = 1"), told: "cts_user_defined_meta must be a block"},
		"services that are no block's":  {good: service(`datacenter = "d"`) + uses("other"), want: at + `Names = ["other"]`, bad: uses(""), told: "services includes an empty name"},
	}
}
