package lint_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"patchbay/templates"
	"patchbay/templates/lint"
	"patchbay/templates/source"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func read(t *testing.T, files map[string]string) *source.Module {
	t.Helper()
	dir := fstest.MapFS{}
	for name, content := range files {
		dir[name] = &fstest.MapFile{Data: []byte(content)}
	}
	m, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func places(m *source.Module) (out []string) {
	for _, f := range lint.Findings(m) {
		out = append(out, fmt.Sprintf("%s:%d:%d %s %s", f.File, f.Line, f.Column, f.Severity, f.Rule))
	}
	return out
}

func TestShippedModulesHaveNoFinding(t *testing.T) {
	for _, name := range templates.BuiltinNames() {
		t.Run(name, func(t *testing.T) {
			files, _ := templates.Builtin(name)
			dir := fstest.MapFS{}
			for path, content := range files {
				dir[path] = &fstest.MapFile{Data: content}
			}
			m, err := source.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range lint.Findings(m) {
				t.Errorf("%s", f)
			}
		})
	}
}

// head makes a module that nothing is wrong with; what follows begins in line 1 of
// main.tf.
var head = map[string]string{"variables.tf": `
variable "services" {
  type = map(object({ name = string, address = string, port = number, meta = map(string), cts_user_defined_meta = optional(map(string)) }))
}
terraform {
  required_version = ">= 1.4.0"
  required_providers {
    fw = { source = "acme/fw", version = ">= 1.0" }
  }
}
`}

// rules gives the rules that are broken in main.tf with their lines.
func rules(t *testing.T, main string) (out []string) {
	t.Helper()
	files := map[string]string{"main.tf": main}
	for name, content := range head {
		files[name] = content
	}
	for _, f := range lint.Findings(read(t, files)) {
		if f.What == "" || f.Why == "" || f.Do == "" || f.Column < 1 {
			t.Errorf("a finding is not whole: %+v", f)
		}
		if f.File != "main.tf" {
			t.Errorf("a finding is elsewhere: %s", f)
		}
		out = append(out, fmt.Sprintf("%d %s", f.Line, f.Rule))
	}
	return out
}

func TestObjectsPerInstanceAreFound(t *testing.T) {
	found, none := []string{"1 per-instance"}, []string(nil)
	each := func(expression string) string { return `resource "fw_a" "x" { for_each = ` + expression + ` }` }
	tests := map[string]struct {
		main string
		want []string
	}{
		"the services themselves":                {each(`var.services`), found},
		"a selection of them":                    {each(`{ for k, s in var.services : k => s if s.port > 0 }`), found},
		"their keys":                             {each(`toset(keys(var.services))`), found},
		"their addresses":                        {each(`toset([for s in var.services : s.address])`), found},
		"addresses by splat":                     {each(`toset(values(var.services)[*].address)`), found},
		"through locals":                         {each(`local.b`) + "\nlocals {\n a = { for k, s in var.services : k => s }\n b = merge(local.a, {})\n}", found},
		"a choice between them and nothing":      {each(`var.on ? var.services : {}`), found},
		"flattened groups":                       {each(`toset(flatten([for n, list in local.by : [for s in list : s.address]]))`) + "\nlocals { by = { for k, s in var.services : s.name => s... } }", found},
		"the members of one group":               {each(`{ for n, s in local.by["web"] : n => s }`) + "\nlocals { by = { for k, s in var.services : s.name => s... } }", found},
		"a group by address":                     {each(`{ for k, s in var.services : s.address => s... }`), found},
		"merged groups":                          {each(`merge([for n, list in local.by : { for s in list : s.address => s }]...)`) + "\nlocals { by = { for k, s in var.services : s.name => s... } }", found},
		"a count":                                {`resource "fw_a" "x" { count = length(var.services) }`, found},
		"a count through a local":                {"resource \"fw_a\" \"x\" { count = local.n }\nlocals { n = length(keys(var.services)) }", found},
		"a module":                               {"module \"m\" {\n source = \"./m\"\n for_each = var.services\n}", []string{"3 per-instance"}},
		"names of services are one each":         {each(`toset([for s in var.services : s.name])`), none},
		"names by splat are one each":            {each(`distinct(values(var.services)[*].name)`), none},
		"groups by name are one each":            {each(`{ for k, s in var.services : s.name => s... }`), none},
		"groups by name and port are one each":   {each("{ for k, s in var.services : \"${s.name}-${s.port}\" => s... }"), none},
		"groups by meta are one each":            {each(`{ for k, s in var.services : lookup(s.meta, "vip", "") => s... }`), none},
		"names beside fixed ones are one each":   {each(`toset(concat(var.more, [for s in var.services : s.name]))`), none},
		"transposed names are one each":          {each(`transpose({ for id, s in var.services : id => [s.name] })`), none},
		"names of distinct instances":            {each(`distinct([for s in local.all : s.name])`) + "\nlocals { all = distinct([for s in values(var.services) : s if s.status == \"passing\"]) }", none},
		"transposed addresses":                   {each(`transpose({ for id, s in var.services : id => [s.address] })`), found},
		"the members of transposed names":        {each(`toset(flatten(values(transpose({ for id, s in var.services : id => [s.name] }))))`), found},
		"groups of groups are one each":          {each(`{ for n, list in local.by : n => [for s in list : s.address] }`) + "\nlocals { by = { for k, s in var.services : s.name => s... } }", none},
		"whether there are some is no count":     {`resource "fw_a" "x" { count = length(var.services) > 0 ? 1 : 0 }`, none},
		"a list of all in one object":            {`resource "fw_a" "x" { members = [for s in var.services : s.address] }`, none},
		"a block per instance within one object": {"resource \"fw_a\" \"x\" {\n dynamic \"node\" {\n for_each = var.services\n content {}\n }\n}", none},
		"a count that refers to itself":          {"resource \"fw_a\" \"x\" { count = local.n }\nlocals { n = local.n }", none},
		"locals that refer to each other":        {each(`local.a`) + "\nlocals {\n a = local.b\n b = local.a\n}", none},
		"other variables":                        {each(`var.pools`), none},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rules(t, tt.main)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProvisionersAreJudged(t *testing.T) {
	exec := func(lines string) string {
		return "resource \"terraform_data\" \"x\" {\n input = var.services\n provisioner \"local-exec\" {\n" + lines + "\n }\n}\n"
	}
	const bound = "# patchbay:allow no-timeout: tested apart\n"
	tests := map[string]struct {
		main string
		want []string
	}{
		"without any bound":                        {exec(`command = "curl http://lb/reload"`), []string{"3 no-timeout"}},
		"bounded by the command":                   {exec(`command = "timeout 60 curl http://lb/reload"`), nil},
		"bounded by a variable's name":             {exec("command = \"reload\"\nenvironment = { RELOAD_TIMEOUT = 3 }"), nil},
		"bounded by its script":                    {exec(`interpreter = ["/bin/sh", "${path.module}/bounded.sh"]` + "\ncommand = \"x\""), nil},
		"not bounded by its script":                {exec(`interpreter = ["/bin/sh", "${path.module}/endless.sh"]` + "\ncommand = \"x\""), []string{"3 no-timeout"}},
		"a script that is outside is not read":     {exec(`interpreter = ["/bin/sh", "${path.module}/../bounded.sh"]` + "\ncommand = \"x\""), []string{"3 no-timeout"}},
		"values in shell text":                     {exec("command = \"timeout 9 set ${join(\" \", [for s in var.services : s.address])}\""), []string{"4 shell-text"}},
		"values in shell text through self":        {exec("command = \"timeout 9 set ${self.input}\""), []string{"4 shell-text"}},
		"values in the text of bash -c":            {exec("interpreter = [\"bash\", \"-c\"]\ncommand = \"timeout 9 ${jsonencode(var.services)}\""), []string{"4 not-sh", "5 shell-text"}},
		"values as an argument":                    {exec("interpreter = [\"timeout\", \"9\", \"put\"]\ncommand = jsonencode(var.services)"), []string{"5 content-in-argv"}},
		"the name of a service as an argument":     {"resource \"terraform_data\" \"x\" {\n for_each = { for k, s in var.services : s.name => s... }\n provisioner \"local-exec\" {\n interpreter = [\"timeout\", \"9\"]\n command = each.key\n }\n}", nil},
		"the name of a service in shell text":      {"resource \"terraform_data\" \"x\" {\n for_each = { for k, s in var.services : s.name => s... }\n provisioner \"local-exec\" {\n command = \"timeout 9 set ${each.key}\"\n }\n}", []string{"4 shell-text"}},
		"a digest as an argument":                  {exec("interpreter = [\"timeout\", \"9\", \"put\"]\ncommand = sha256(jsonencode(var.services))"), nil},
		"values in one variable":                   {exec("command = \"timeout 9 x\"\nenvironment = { ALL = jsonencode(var.services) }"), []string{"5 large-environment"}},
		"values in pieces":                         {exec("command = \"timeout 9 x\"\nenvironment = { for n in range(ceil(length(local.all) / 9)) : \"P${n}\" => substr(local.all, n * 9, 9) }") + "locals { all = jsonencode(var.services) }", nil},
		"how many there are":                       {exec("command = \"timeout 9 x\"\nenvironment = { N = length(var.services) }"), nil},
		"a secret on a command line":               {exec("command = \"timeout 9 login ${var.admin_password}\""), []string{"4 secret-in-argv"}},
		"a sensitive variable on a command line":   {exec("command = \"timeout 9 login ${var.pin}\"") + "variable \"pin\" {\n default = \"\"\n sensitive = true\n}", []string{"4 secret-in-argv"}},
		"the file of a secret":                     {exec("command = \"timeout 9 login ${var.token_file}\""), nil},
		"a secret by environment":                  {exec("command = \"timeout 9 login\"\nenvironment = { TOKEN = var.token }"), nil},
		"sudo that may ask":                        {exec(`command = "timeout 9 sudo nginx -s reload"`), []string{"3 asks"}},
		"sudo that does not ask":                   {exec(`command = "timeout 9 sudo -n nginx -s reload"`), nil},
		"ssh that may ask":                         {exec(`command = "timeout 9 ssh lb reload"`), []string{"3 asks"}},
		"ssh that does not ask":                    {exec(`command = "timeout 9 ssh -o BatchMode=yes lb reload"`), nil},
		"reading standard input":                   {exec(`command = "timeout 9 true; read -r x"`), []string{"4 asks"}},
		"a failure that is not seen":               {exec("command = \"timeout 9 x\"\non_failure = continue"), []string{"5 hidden-failure"}},
		"a rule that is allowed in the line above": {"resource \"terraform_data\" \"x\" {\n" + bound + "provisioner \"local-exec\" {\n command = \"x\"\n }\n}", nil},
		"remote shell text":                        {"resource \"terraform_data\" \"x\" {\nprovisioner \"remote-exec\" {\n inline = [\"timeout 9 x ${join(\"\", keys(var.services))}\"]\n }\n}", []string{"3 shell-text"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"main.tf": tt.main, "bounded.sh": "curl --max-time 3 http://lb", "endless.sh": "curl http://lb"}
			for name, content := range head {
				files[name] = content
			}
			var got []string
			for _, f := range lint.Findings(read(t, files)) {
				got = append(got, fmt.Sprintf("%d %s", f.Line, f.Rule))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatChangesAtEachPlanIsFound(t *testing.T) {
	tests := map[string]struct {
		main string
		want []string
	}{
		"a time as a trigger":          {"resource \"terraform_data\" \"x\" {\n triggers_replace = { now = timestamp() }\n}", []string{"2 never-idempotent"}},
		"a uuid through a local":       {"locals {\n id = uuid()\n}", []string{"2 never-idempotent"}},
		"the time of the plan":         {"output \"at\" {\n value = plantimestamp()\n}", []string{"2 never-idempotent"}},
		"within a block of a resource": {"resource \"fw_a\" \"x\" {\n tag {\n v = formatdate(\"YYYY\", timestamp())\n }\n}", []string{"3 never-idempotent"}},
		"one that is ignored":          {"resource \"fw_a\" \"x\" {\n at = timestamp()\n lifecycle { ignore_changes = [at] }\n}", nil},
		"all is ignored":               {"resource \"fw_a\" \"x\" {\n at = timestamp()\n lifecycle { ignore_changes = all }\n}", nil},
		"a program asked at each plan": {"data \"external\" \"x\" {}", []string{"1 asks-at-each-plan", "1 no-pin"}},
		"a digest":                     {"resource \"fw_a\" \"x\" {\n at = sha256(jsonencode(var.services))\n}", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rules(t, tt.main)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotPinnedIsFound(t *testing.T) {
	tests := map[string]struct {
		main string
		want []string
	}{
		"a provider that is not required":     {`resource "net_rule" "x" {}`, []string{"1 no-pin"}},
		"a provider that is named":            {"resource \"net_rule\" \"x\" {\n provider = fw.edge\n}", nil},
		"terraform's own resource":            {`resource "terraform_data" "x" {}`, nil},
		"a provider without version":          {"terraform {\n required_providers {\n net = { source = \"acme/net\" }\n }\n}", []string{"3 no-pin"}},
		"a provider without source":           {"terraform {\n required_providers {\n net = { version = \"1.0\" }\n }\n}", []string{"3 no-source"}},
		"the old form of a provider":          {"terraform {\n required_providers {\n net = \"1.0\"\n }\n}", []string{"3 no-source"}},
		"git without a ref":                   {"module \"m\" {\n source = \"git::https://example.com/m.git\"\n}", []string{"2 no-pin"}},
		"git by its short form":               {"module \"m\" {\n source = \"github.com/acme/m\"\n}", []string{"2 no-pin"}},
		"git with a ref":                      {"module \"m\" {\n source = \"git::https://example.com/m.git?ref=v1\"\n}", nil},
		"a registry's module without version": {"module \"m\" {\n source = \"acme/m/fw\"\n}", []string{"2 no-pin"}},
		"a registry's module with version":    {"module \"m\" {\n source = \"acme/m/fw\"\n version = \"1.0\"\n}", nil},
		"a module beside it":                  {"module \"m\" {\n source = \"./m\"\n}", nil},
		"a provider block":                    {`provider "fw" {}`, []string{"1 provider-block"}},
		"a backend":                           {"terraform {\n backend \"consul\" {}\n}", []string{"2 backend-block"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rules(t, tt.main)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVariablesAreJudgedByTheContract(t *testing.T) {
	const version = "terraform { required_version = \">= 1.4\" }\n"
	declare := func(constraint string) string {
		return "variable \"services\" {\n type = " + constraint + "\n}\n" + version
	}
	const ok = "variable \"services\" {}\n" + version
	tests := map[string]struct {
		main string
		want []string
	}{
		"none":                             {version, []string{"main.tf:0:0 error no-services"}},
		"without a type":                   {ok, nil},
		"any":                              {declare("any"), nil},
		"a map of anything":                {declare("map(any)"), nil},
		"the form of old modules":          {declare(`"map"`), nil},
		"fewer attributes":                 {declare("map(object({ name = string }))"), nil},
		"a set of tags":                    {declare("map(object({ tags = set(string) }))"), nil},
		"a port as text":                   {declare("map(object({ port = string }))"), nil},
		"a list":                           {declare("list(object({ name = string }))"), []string{"main.tf:2:9 error wrong-type"}},
		"a map of texts":                   {declare("map(string)"), []string{"main.tf:2:9 error wrong-type"}},
		"an address that is a number":      {declare("map(object({ address = number }))"), []string{"main.tf:2:22 error wrong-type"}},
		"tags that are a text":             {declare("map(object({\n tags = string\n }))"), []string{"main.tf:3:2 error wrong-type"}},
		"an unknown attribute":             {declare("map(object({\n name = string\n ttl = number\n }))"), []string{"main.tf:4:2 error unknown-attribute"}},
		"an unknown optional attribute":    {declare("map(object({\n ttl = optional(number)\n }))"), []string{"main.tf:3:2 warning unknown-attribute"}},
		"no type at all":                   {declare("map(objekt({}))"), []string{"main.tf:2:9 error syntax"}},
		"weights that nobody gives":        {ok + `variable "instance_weights" {}`, []string{"main.tf:3:1 error not-given"}},
		"weights with a default":           {ok + "variable \"instance_weights\" {\n default = {}\n}", nil},
		"canary weights without a default": {ok + `variable "canary_weights" {}`, []string{"main.tf:3:1 warning not-given"}},
		"canary weights of another type":   {ok + "variable \"canary_weights\" {\n type = map(number)\n default = {}\n}", []string{"main.tf:4:9 error wrong-type"}},
		"a KV of another type":             {ok + "variable \"consul_kv\" {\n type = list(string)\n}", []string{"main.tf:4:9 error wrong-type"}},
		"a name that Terraform refuses":    {ok + `variable "source" {}`, []string{"main.tf:3:1 error reserved-name"}},
		"the name of a provider": {ok + "terraform {\n required_providers {\n fw = { source = \"a/fw\", version = \"1\" }\n }\n}\nvariable \"fw\" {}",
			[]string{"main.tf:8:1 error not-given"}},
		"a file that is cut off":   {ok + "resource \"x\" {", []string{"main.tf:3:14 error syntax"}},
		"too many brackets":        {ok + strings.Repeat("(", 300), []string{"main.tf:1:1 error syntax"}},
		"too many signs":           {ok + "locals { a = " + strings.Repeat("!", 1<<20) + "true }", []string{"main.tf:1:1 error syntax"}},
		"too many conditions":      {ok + "locals { a = " + strings.Repeat("a ? b : ", 1<<17) + "c }", []string{"main.tf:1:1 error syntax"}},
		"which Terraform it needs": {"variable \"services\" {}\n", []string{"main.tf:0:0 warning no-pin"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, places(read(t, map[string]string{"main.tf": tt.main})), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
