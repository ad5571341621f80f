package config

import "testing"

func TestReadingKeepsTheContract(t *testing.T) { checkRows(t, readingRows()) }

func readingRows() map[string]row {
	files := func(paths, a, b string) string {
		return paths + "\n-- one.hcl --\n" + a + "\n-- two.hcl --\n" + b + "\n"
	}
	consul := func(line string) string { return block("consul", line) }
	required := func(line string) string { return block(`driver "terraform"`, block("required_providers", line)) }
	backend := func(line string) string { return block(`driver "terraform"`, block(`backend "consul"`, line)) }
	return map[string]row{
		"order of the command line":     {good: files("two.hcl one.hcl", "port = 1", "port = 2"), want: "Port = 1", bad: files("two.hcl one.hcl", "port = -1", "port = 2"), told: "one.hcl:1:1: port is out of range"},
		"files of other names":          {good: "x.txt a.hcl\n-- x.txt --\nport = 1\n-- a.hcl --\nport = 2\n", want: "Port = 2", bad: "x.txt\n-- x.txt --\nport = 1\n", told: "no configuration files found"},
		"empty files":                   {good: files("one.hcl two.hcl", "", "port = 2"), want: "Port = 2", bad: "-- one.hcl --\n\n", told: "no configuration files found"},
		"directories":                   {good: "conf\n-- conf/b.hcl --\nport = 2\n-- conf/a.hcl --\nport = 1\n-- conf/sub/c.hcl --\nport = 3\n", want: "Port = 2", bad: "conf\n-- conf/sub/c.hcl --\nport = x\n-- conf/b.hcl --\nport = -1\n", told: "conf/b.hcl:1:1: port is out of range"},
		"a missing path":                {good: files("one.hcl", "port = 1", ""), want: "Port = 1", bad: files("one.hcl none.hcl", "port = 1", ""), told: "none.hcl: cannot read configuration: no such file or directory"},
		"no configuration files":        {good: files("one.hcl", "port = 1", ""), want: "Port = 1", bad: "empty\n-- empty/x.txt --\n\n", told: "no configuration files found"},
		"relative paths":                {good: "conf\n-- conf/a.hcl --\nworking_dir = \"w\"\n", want: `WorkingDir = "$WORK/w"`, bad: "conf\n-- conf/in.pem --\nx\n-- conf/a.hcl --\n" + block("consul", block("tls", `ca_cert = "in.pem"`)) + "\n", told: "cannot read ca_cert"},
		"scalars of a later file win":   {good: files("", `id = "a"`, `id = "b"`), want: `ID = "b"`, bad: files("", `id = "a"`, `id = []`), told: "two.hcl:1:1: id must be a string"},
		"blocks merge field by field":   {good: files("", consul(`kv_path = "k"`), consul(`address = "c:1"`)), want: `Consul.KVPath = "k"`, bad: files("", consul(`kv_path = "k"`), "consul = 1"), told: "consul must be a block"},
		"required_providers by key":     {good: files("", required(`a = "1"`), required(`b = "2"`)), want: `Driver.RequiredProviders.a.Version = "1"`, bad: files("", required(`a = "1"`), required(`a = []`)), told: "two.hcl"},
		"backend attributes by key":     {good: files("", backend(`path = "p"`), backend("gzip = false")), want: `Driver.Backend.Attributes.path = "p"`, bad: files("", backend(`path = "p"`), block(`driver "terraform"`, `backend "swift" {}`)), told: `unsupported Terraform backend by Sync "swift"`},
		"repeated blocks are appended":  {good: files("", `terraform_provider "a" {}`, `terraform_provider "b" {}`), want: `Providers[1].Name = "b"`, bad: files("", `terraform_provider "a" {}`, `terraform_provider "a" {}`), told: "duplicate provider configuration: a"},
		"a block twice in one file":     {good: files("", "consul {}", "consul {}"), want: `Consul.Address = "localhost:8500"`, bad: "consul {}\nconsul {}", told: "only one 'consul' block can be configured"},
		"unknown keys":                  {good: "port = 1", want: "Port = 1", bad: "zz = 1", told: "'b.hcl' has invalid keys: zz"},
		"unknown keys in a task":        {good: inTask(""), want: `Tasks[0].Name = "t"`, bad: inTask("zz = 1"), told: "'b.hcl' has invalid keys: task[0].zz"},
		"unknown keys in a condition":   {good: inTask(block(`condition "services"`, `names = ["a"]`)), want: `Tasks[0].Condition.Services.Names = ["a"]`, bad: inTask(block(`condition "services"`, "names = [\"a\"]\n zz = 1")), told: "invalid keys: zz"},
		"the old provider":              {good: `terraform_provider "a" {}`, want: `Providers[0].Name = "a"`, bad: `provider "a" {}`, told: `write terraform_provider "<name>" { … }`},
		"key names in any case":         {good: "PORT = 1\nTask {\n Name = \"t\"\n MODULE = \"m/m/m\"\n}", want: `Tasks[0].Module = "m/m/m"`, bad: "PORTS = 1", told: "invalid keys: PORTS"},
		"numbers as texts":              {good: `port = "8502"`, want: "Port = 8502", bad: `port = "eight"`, told: "port must be a whole number"},
		"booleans as texts and numbers": {good: block(`driver "terraform"`, "log = \"true\"\n persist_log = 1"), want: "Driver.PersistLog = true", bad: block(`driver "terraform"`, `log = "yes"`), told: "log must be a boolean"},
		"strings as numbers":            {good: "id = 5", want: `ID = "5"`, bad: "id = [5]", told: "id must be a string"},
		"lists of one":                  {good: inTask(`providers = "aws"`), want: `Tasks[0].Providers = ["aws"]`, bad: inTask("providers = {}"), told: "providers must be a string"},
		"durations":                     {good: block("buffer_period", `min = "1m30s"`), want: "Buffer.Min = 90000000000", bad: block("buffer_period", `min = "90"`), told: "min must be a duration"},
		"durations of zero":             {good: block("buffer_period", `min = "0"`), want: "Buffer.Enabled = true", bad: block("buffer_period", `min = ""`), told: "min must be a duration"},
		"the environment":               {good: consul(`address = "f:1"`), env: "CONSUL_HTTP_ADDR=e:1 CONSUL_TLS_SERVER_NAME=s", want: `Consul.TLS.ServerName = "s"`, bad: consul("address = []"), told: "address must be a string"},
		"empty variables":               {good: "consul {}", env: "CONSUL_HTTP_ADDR=", want: `Consul.Address = "localhost:8500"`, bad: consul("address = {}"), told: "address must be a string"},
		"automatic enabled":             {good: consul(block("tls", "verify = false")), want: "Consul.TLS.Enabled = true", bad: consul(block("tls", `enabled = ""`)), told: "enabled must be a boolean"},
		"automatic enabled without env": {good: "consul {}", env: "CONSUL_CACERT=ca.pem", want: "Consul.TLS.Enabled = false", bad: consul(block("auth", `enabled = "x"`)), told: "enabled must be a boolean"},
	}
}

func TestTheOlderDialectKeepsTheContract(t *testing.T) { checkRows(t, dialectRows()) }

func dialectRows() map[string]row {
	provider := func(line string) string { return block(`terraform_provider "p"`, line) }
	return map[string]row{
		"quoted keys":                       {good: provider(`task_env { "TOKEN" = "x" }`), want: `Providers[0].Env.TOKEN = "x"`, bad: `"prot" = 1`, told: "prot"},
		"one line without commas":           {good: `port = 1 id = "x"`, want: "Port = 1", bad: `port = 1 id =`, told: "b.hcl:1"},
		"one line with commas":              {good: `consul { address = "c:1", kv_path = "k" }`, want: `Consul.KVPath = "k"`, bad: `consul { address = "c:1", kv_pat = "k" }`, told: "invalid keys: consul.kv_pat"},
		"one line with several blocks":      {good: "consul { address = \"c:1\" } vault { enabled = false }", want: `Consul.Address = "c:1"`, bad: "consul { } vault { enable = false }", told: "invalid keys: vault.enable"},
		"block with an equals sign":         {good: `buffer_period = { min = "2s" }`, want: "Buffer.Min = 2000000000", bad: "buffer_period = {}\nbuffer_period = {}", told: "buffer_period"},
		"plain text in strings":             {good: `id = "${a} %{b}"`, want: `ID = "${a} %{b}"`, bad: "id = \"${a}\" +", told: "b.hcl:1"},
		"odd keys":                          {good: provider(`task_env { a.b = "x", c-d = "y" }`), want: `Providers[0].Env.c-d = "y"`, bad: provider("a.b = \"x\"\n c. = "), told: "b.hcl"},
		"octal numbers":                     {good: "port = 010", want: "Port = 8", bad: "port = 089", told: "b.hcl:1"},
		"octal numbers are told":            {good: "port = 010", want: "Warnings: a number with a leading 0 is octal", bad: "port = -010", told: "port is out of range"},
		"an attribute twice":                {good: "port = 1\nport = 2\n", want: "Port = 2", bad: "port = 1\nport = -2", told: "port is out of range"},
		"an attribute twice is told":        {good: "port = 1\nport = 2\n", want: "Warnings: port is set twice; the last one counts", bad: "port = -1\nport = -2", told: "port is out of range"},
		"a JSON object as file":             {good: `{"port": 7}`, want: "Port = 7", bad: `{"port": }`, told: "invalid JSON"},
		"comments":                          {good: "# a\n// b\n/* c\n */ port = 3 # d", want: "Port = 3", bad: "/* port = 3", told: "b.hcl"},
		"heredocs":                          {good: "id = <<E\na ${b}\nE\n", want: `ID = "a ${b}\n"`, bad: "id = <<E\na", told: "b.hcl"},
		"heredocs with indentation":         {good: "id = <<-E\n  a\n  E\n", want: `ID = "a\n"`, bad: "id = <<-E\n  a", told: "b.hcl"},
		"bare words are refused":            {good: `id = "x"`, want: `ID = "x"`, bad: "id = x", told: "expressions are not supported here"},
		"null is refused":                   {good: "port = 1", want: "Port = 1", bad: "port = null", told: "null is not supported"},
		"functions are refused":             {good: "port = 1", want: "Port = 1", bad: `id = upper("x")`, told: "expressions are not supported here"},
		"unknown escapes are refused":       {good: `id = "\\w"`, want: `ID = "\\w"`, bad: `id = "\w"`, told: "b.hcl:1"},
		"escapes that only this one knows":  {good: `id = "\x41"`, want: `ID = "A"`, bad: `id = "\xzz"`, told: "b.hcl:1"},
		"one line with hexadecimal numbers": {good: "port = 0x10", want: "Port = 16", bad: "port = 0xzz", told: "b.hcl:1"},
	}
}

func TestJSONKeepsTheContract(t *testing.T) { checkRows(t, jsonRows()) }

func jsonRows() map[string]row {
	file := func(text string) string { return "a.json\n-- a.json --\n" + text + "\n" }
	task := func(text string) string { return file(`{"task": {"name": "t", "module": "m/m/m", ` + text + `}}`) }
	return map[string]row{
		"condition":                  {good: task(`"condition": {"consul-kv": {"path": "a"}}`), want: `Tasks[0].Condition.ConsulKV.Path = "a"`, bad: task(`"condition": {"consul_kv": {"path": "a"}}`), told: "unsupported condition type: consul_kv"},
		"module_input as a list":     {good: task(`"module_input": [{"services": {"names": ["a"]}}, {"consul-kv": {"path": "a"}}]`), want: `Tasks[0].ModuleInputs[1].ConsulKV.Path = "a"`, bad: task(`"module_input": [{"services": {}}]`), told: "either the regexp or names field must be configured"},
		"module_input as an object":  {good: task(`"module_input": {"services": {"names": ["a"]}}`), want: `Tasks[0].ModuleInputs[0].Services.Names = ["a"]`, bad: task(`"module_input": "services"`), told: "module_input must be a block"},
		"module_input of two types":  {good: task(`"module_input": {"services": {"names": ["a"]}, "consul-kv": {"path": "a"}}`), want: `Tasks[0].ModuleInputs[1].ConsulKV.Path = "a"`, bad: task(`"module_input": {"services": 1}`), told: "must be a block"},
		"task as an object":          {good: task(`"enabled": false`), want: "Tasks[0].Enabled = false", bad: file(`{"task": 1}`), told: "task must be a block"},
		"task as a list":             {good: file(`{"task": [{"name": "a", "module": "m/m/m"}, {"name": "b", "module": "m/m/m"}]}`), want: `Tasks[1].Name = "b"`, bad: file(`{"task": [{"name": "a", "module": "m/m/m"}, {"name": "a", "module": "m/m/m"}]}`), told: "duplicate task name: a"},
		"terraform_provider":         {good: file(`{"terraform_provider": [{"aws": {"region": "x"}}]}`), want: `Providers[0].Arguments.region = "x"`, bad: file(`{"terraform_provider": ["aws"]}`), told: "terraform_provider must be a block"},
		"terraform_provider twice":   {good: file(`{"terraform_provider": {"aws": [{"alias": "a"}, {"alias": "b"}]}}`), want: `Providers[1].Alias = "b"`, bad: file(`{"terraform_provider": {"aws": [{}, {}]}}`), told: "duplicate provider configuration: aws"},
		"driver with its backend":    {good: file(`{"driver": {"terraform": {"backend": {"s3": {"bucket": "b"}}}}}`), want: `Driver.Backend.Attributes.bucket = "b"`, bad: file(`{"driver": {"terraform": {"backend": {"swift": {}}}}}`), told: `unsupported Terraform backend by Sync "swift"`},
		"durations are texts":        {good: file(`{"buffer_period": {"min": "2s"}}`), want: "Buffer.Min = 2000000000", bad: file(`{"buffer_period": {"min": [2]}}`), told: "min must be a duration"},
		"null is no value":           {good: file(`{"port": 1}`), want: "Port = 1", bad: file(`{"port": null}`), told: "null is not supported"},
		"weak types as in the other": {good: file(`{"port": "8502"}`), want: "Port = 8502", bad: file(`{"port": "x"}`), told: "port must be a whole number"},
	}
}

func TestBuffersKeepTheContract(t *testing.T) { checkRows(t, bufferRows()) }

func bufferRows() map[string]row {
	global := func(line string) string { return block("buffer_period", line) + "\n" }
	own := func(line string) string { return inTask(block("buffer_period", line)) }
	const at = "Tasks[0].Buffer."
	return map[string]row{
		"disabled":                          {good: global("enabled = false") + inTask(""), want: at + "Max = 0", bad: own(`enabled = "off"`), told: "enabled must be a boolean"},
		"nothing set":                       {good: global(`min = "7s"`) + inTask("buffer_period {}"), want: at + "Min = 7000000000", bad: inTask("buffer_period {}\n buffer_period {}"), told: "only one 'buffer_period' block can be configured"},
		"nothing set at all":                {good: inTask(""), want: at + "Max = 20000000000", bad: own("mini = \"1s\""), told: `did you mean "min"?`},
		"anything set enables":              {good: global("enabled = false") + own(`max = "9s"`), want: at + "Enabled = true", bad: own("max = {}"), told: "max must be a duration"},
		"min unset":                         {good: global(`min = "2s"`) + own(`max = "9s"`), want: at + "Min = 2000000000", bad: own(`max = "9"`), told: "max must be a duration"},
		"min unset under a disabled parent": {good: global("enabled = false") + own(`max = "9s"`), want: at + "Min = 5000000000", bad: own(`max = ""`), told: "max must be a duration"},
		"max unset":                         {good: own(`min = "3s"`), want: at + "Max = 12000000000", bad: own(`min = "x"`), told: "min must be a duration"},
		"a global min alone":                {good: global(`min = "3s"`), want: "Buffer.Max = 20000000000", bad: global(`min = "x"`), told: "min must be a duration"},
		"min beyond max":                    {good: own("min = \"9s\"\n max = \"1s\""), want: at + "Max = 9000000000", bad: own("min = \"9s\"\n max = \"one\""), told: "max must be a duration"},
		"negative":                          {good: own(`min = "0"`), want: at + "Min = 0", bad: own(`min = "-1s"`), told: "buffer_period: cannot be negative"},
		"scheduled tasks":                   {good: inTask(block(`condition "schedule"`, `cron = "@daily"`)), want: at + "Enabled = false", bad: inTask(block(`condition "schedule"`, "cron = \"@daily\"\n buffer_period {}")), told: "invalid keys: buffer_period"},
	}
}
