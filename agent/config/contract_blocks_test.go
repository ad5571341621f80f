package config

import "testing"

const certAndKey = "cert = \"cert.pem\"\n key = \"key.pem\"\n"

func TestTheTopLevelKeepsTheContract(t *testing.T) { checkRows(t, topLevelRows()) }

func topLevelRows() map[string]row {
	return map[string]row{
		"log_level":                    {good: `log_level = "trace"`, want: `LogLevel = "TRACE"`, bad: `log_level = "X"`, told: "Invalid log level: X. Valid log levels are: [TRACE DEBUG INFO WARN ERR]"},
		"port":                         {good: `port = "8502"`, want: `Port = 8502`, bad: `port = "http"`, told: "port must be a whole number"},
		"port default":                 {want: `Port = 8558`, good: `client_type = "x"`, bad: `port = 65536`, told: "port is out of range"},
		"working_dir":                  {good: `working_dir = "w"`, want: `WorkingDir = "$WORK/w"`, bad: `working_dir = {}`, told: "working_dir must be a string"},
		"id":                           {good: `id = "cts-1"`, want: `ID = "cts-1"`, bad: `id = ""`, told: "id is empty"},
		"client_type":                  {good: `client_type = "development"`, want: `Port = 8558`, bad: `clienttype = "x"`, told: "invalid keys: clienttype"},
		"syslog facility":              {good: block("syslog", `facility = "local3"`), want: `Syslog.Facility = "LOCAL3"`, bad: block("syslog", `facility = "LOCAL9"`), told: "facility is none of the known ones"},
		"syslog enabled":               {good: "syslog {\n enabled = false\n name = \"n\"\n}", want: `LogFormat = "text"`, bad: block("syslog", `level = "x"`), told: "invalid keys: syslog.level"},
		"buffer_period min":            {good: block("buffer_period", `min = "7s"`), want: "Buffer.Max = 20000000000", bad: block("buffer_period", `min = "-1s"`), told: "buffer_period: cannot be negative"},
		"buffer_period min beyond max": {good: block("buffer_period", `min = "40s"`), want: "Buffer.Max = 40000000000", bad: block("buffer_period", `max = "40"`), told: "max must be a duration"},
		"buffer_period enabled":        {good: block("buffer_period", `enabled = false`), want: "Buffer.Enabled = false", bad: block("buffer_period", `enabled = "no"`), told: "enabled must be a boolean"},
		"tls cert and key":             {good: block("tls", certAndKey), want: `API.TLS.Enabled = true`, bad: block("tls", `cert = "cert.pem"`), told: "key and cert are required if TLS is enabled on the CTS API"},
		"tls key that fits":            {good: block("tls", certAndKey), want: `API.TLS.Key = "$WORK/key.pem"`, bad: block("tls", "cert = \"key.pem\"\n key = \"key.pem\""), told: "cannot use cert and key"},
		"tls files":                    {good: block("tls", "enabled = false\n cert = \"no.pem\""), want: `API.TLS.Cert = "$WORK/no.pem"`, bad: block("tls", "cert = \"no.pem\"\n key = \"key.pem\""), told: "cannot read cert: no such file or directory"},
		"tls enabled":                  {good: block("tls", `enabled = false`), want: `API.TLS.Enabled = false`, bad: block("tls", `enabled = true`), told: "key and cert are required if TLS is enabled on the CTS API"},
		"tls verify_incoming":          {good: block("tls", certAndKey+"verify_incoming = true\n ca_cert = \"ca.pem\""), want: `API.TLS.VerifyIncoming = true`, bad: block("tls", certAndKey+"verify_incoming = true"), told: "either ca_cert or ca_path is required if verify_incoming is enabled on the CTS API"},
		"tls ca_path":                  {good: block("tls", certAndKey+`ca_path = "cas"`), want: `API.TLS.CAPath = "$WORK/cas"`, bad: block("tls", certAndKey+`ca_path = "none"`), told: "cannot read ca_path"},
		"tls ca_cert":                  {good: block("tls", certAndKey+`ca_cert = "ca.pem"`), want: `API.TLS.CACert = "$WORK/ca.pem"`, bad: block("tls", certAndKey+`ca_cert = "vars.tfvars"`), told: "ca_cert holds no certificate"},
		"tls with both CAs":            {good: block("tls", certAndKey+"ca_cert = \"ca.pem\"\n ca_path = \"cas\""), want: "Warnings: ca_cert counts", bad: "tls {}\ntls {}", told: "only one 'tls' block can be configured"},
		"api token":                    {good: block("api", "token = \"x\"\n address = \"0.0.0.0\""), want: "Warnings: the API's token is sent in clear text", bad: block("api", `token = []`), told: "token must be a string"},
		"api allow_remote_writes":      {good: block("api", `allow_remote_writes = true`), want: "API.AllowRemoteWrites = true", bad: block("api", `allow_remote_writes = "all"`), told: "allow_remote_writes must be a boolean"},
		"license":                      {good: "license {\n path = \"x\"\n auto_retrieval {\n enabled = true\n }\n}", want: "Warnings: Patchbay needs no license; it is ignored", bad: block("license", `paths = "x"`), told: "invalid keys: license.paths"},
		"license_path":                 {good: `license_path = "x"`, want: "Warnings: Patchbay needs no license; it is ignored", bad: `license_path = []`, told: "license_path must be a string"},
		"CONSUL_LICENSE":               {good: `port = 1`, env: "CONSUL_LICENSE=abc", want: "Warnings: Patchbay needs no license; it is ignored", bad: "high_availability {}", told: "'high_availability' is not supported yet"},
	}
}

func TestTheConsulBlockKeepsTheContract(t *testing.T) { checkRows(t, consulRows()) }

func consulRows() map[string]row {
	consul := func(line string) string { return block("consul", line) }
	tls := func(line string) string { return consul(block("tls", line)) }
	registration := func(line string) string { return consul(block("service_registration", line)) }
	return map[string]row{
		"address":                           {good: consul(`address = "https://c:8501/x"`), want: `Consul.TLS.Enabled = true`, bad: consul(`address = []`), told: "address must be a string"},
		"address by env":                    {good: "consul {}", env: "CONSUL_HTTP_ADDR=c:1", want: `Consul.Address = "c:1"`, bad: consul(`adress = "x"`), told: `did you mean "address"?`},
		"token":                             {good: consul(`token = "t"`), want: `Secrets = ["t","","",""]`, bad: consul(`token = {}`), told: "token must be a string"},
		"token by env":                      {good: "consul {}", env: "CONSUL_TOKEN=a CONSUL_HTTP_TOKEN=b", want: `Secrets = ["a","","",""]`, bad: consul(`token = "{{ env \"X\" }}"`), told: "dynamic configuration using template syntax is only supported for terraform_provider blocks"},
		"auth username":                     {good: consul(block("auth", `username = "u"`)), want: `Consul.Auth.Enabled = true`, bad: consul(block("auth", `user = "u"`)), told: "invalid keys: consul.auth.user"},
		"tls ca_cert":                       {good: tls(`ca_cert = "ca.pem"`), want: `Consul.TLS.CACert = "$WORK/ca.pem"`, bad: tls(`ca_cert = "no.pem"`), told: "cannot read ca_cert"},
		"tls ca_path":                       {good: tls(`ca_path = "cas"`), want: `Consul.TLS.CAPath = "$WORK/cas"`, bad: tls(`ca_path = "no"`), told: "cannot read ca_path"},
		"tls cert alone":                    {good: tls(`cert = "cert.pem"`), want: `Consul.TLS.Key = "$WORK/cert.pem"`, bad: tls(`cert = "no.pem"`), told: "cannot read cert"},
		"tls key":                           {good: tls(`key = "key.pem"`), want: `Consul.TLS.Key = "$WORK/key.pem"`, bad: tls(`key = "no.pem"`), told: "cannot read key"},
		"tls server_name":                   {good: tls(`server_name = "s"`), want: `Consul.TLS.ServerName = "s"`, bad: tls(`server = "s"`), told: "invalid keys: consul.tls.server"},
		"tls verify":                        {good: tls(`verify = false`), want: `Consul.TLS.Verify = false`, bad: tls(`verify = "maybe"`), told: "verify must be a boolean"},
		"tls by env":                        {good: "consul {}", env: "CONSUL_HTTP_SSL=1 CONSUL_CACERT=ca.pem", want: `Driver.Backend.Attributes.ca_file = "$WORK/ca.pem"`, bad: tls(`enabled = 2`), told: "enabled must be a boolean"},
		"transport dial_timeout":            {good: consul(block("transport", `dial_timeout = "1s"`)), want: `Consul.Transport.DialTimeout = 1000000000`, bad: consul(block("transport", `dial_timeout = "1"`)), told: "dial_timeout must be a duration"},
		"transport max_idle_conns":          {good: consul(block("transport", `max_idle_conns = 3`)), want: `Consul.Transport.MaxIdleConns = 3`, bad: consul(block("transport", `max_idle_conns_per_host = -1`)), told: "max_idle_conns_per_host is out of range"},
		"kv_path":                           {good: consul(`kv_path = "a/terraform"`), want: `Driver.Backend.Attributes.path = "a/terraform"`, bad: consul(`kv_path = []`), told: "kv_path must be a string"},
		"kv_namespace":                      {good: consul(`kv_namespace = "n"`), want: `Consul.KVPath = "consul-terraform-sync/"`, bad: consul(`kv_namespaces = "n"`), told: "invalid keys: consul.kv_namespaces"},
		"service_registration enabled":      {good: registration(`enabled = false`), want: "Consul.Registration.Enabled = false", bad: registration(`enabled = "x"`), told: "enabled must be a boolean"},
		"service_registration default":      {good: "consul {}", want: `Consul.Registration.Name = "patchbay"`, bad: registration(`name = "x"`), told: "invalid keys: consul.service_registration.name"},
		"service_registration service_name": {good: registration(`service_name = "n"`), want: `Consul.Registration.Name = "n"`, bad: registration(`service_name = ""`), told: "service_name is empty"},
		"service_registration address":      {good: registration(`address = "a"`), want: `Consul.Registration.Address = "a"`, bad: registration(`address = {}`), told: "address must be a string"},
		"service_registration namespace":    {good: registration(`namespace = "n"`), want: `Consul.Registration.Namespace = "n"`, bad: registration(`namespace = []`), told: "namespace must be a string"},
		"service_registration default_check enabled": {good: registration(block("default_check", `enabled = false`)), want: "Consul.Registration.Check = false", bad: registration(block("default_check", `enable = false`)), told: "invalid keys: consul.service_registration.default_check.enable"},
		"service_registration default_check address": {good: registration(block("default_check", `address = "https://h:1/"`)), want: `Consul.Registration.CheckAddress = "https://h:1"`, bad: registration(block("default_check", `address = "h:1"`)), told: "default check address must include scheme (http or https)"},
	}
}

func TestTheVaultBlockKeepsTheContract(t *testing.T) { checkRows(t, vaultRows()) }

func vaultRows() map[string]row {
	vault := func(line string) string { return block("vault", "address = \"https://v:8200\"\n"+line) }
	return map[string]row{
		"address":                             {good: vault(""), want: "Vault.Enabled = true", bad: block("vault", `address = "v:8200"`), told: "the address of Vault has no scheme"},
		"address by env":                      {good: "vault {}", env: "VAULT_ADDR=http://v", want: `Vault.Address = "http://v"`, bad: vault(`addr = "x"`), told: "invalid keys: vault.addr"},
		"enabled":                             {good: vault("enabled = false"), want: "Vault.Enabled = false", bad: block("vault", "enabled = true"), told: "vault is enabled without an address"},
		"namespace":                           {good: "vault {}", env: "VAULT_NAMESPACE=n", want: `Vault.Namespace = "n"`, bad: vault("namespace = []"), told: "namespace must be a string"},
		"token":                               {good: vault(`token = "t"`), env: "VAULT_TOKEN=e", want: `Secrets = ["","","t",""]`, bad: vault(`token = []`), told: "token must be a string"},
		"token by env":                        {good: vault(""), env: "VAULT_TOKEN=e HOME=$WORK", want: `Secrets = ["","","e",""]`, bad: vault(`token = "{{ env \"X\" }}"`), told: "dynamic configuration using template syntax is only supported"},
		"token by ~/.vault-token":             {good: vault(""), env: "HOME=$WORK", want: `Secrets = ["","","from-home",""]`, bad: vault(`tokens = "x"`), told: "invalid keys: vault.tokens"},
		"vault_agent_token_file":              {good: vault(`vault_agent_token_file = "f"`), env: "HOME=$WORK", want: `Vault.TokenFile = "$WORK/f"`, bad: vault(`vault_agent_token_file = []`), told: "vault_agent_token_file must be a string"},
		"renew_token":                         {good: vault(`token = "t"`), want: `Vault.RenewToken = true`, bad: vault(`renew_token = "x"`), told: "renew_token must be a boolean"},
		"renew_token without token":           {good: vault(""), want: `Vault.RenewToken = false`, bad: vault(`renew_token = []`), told: "renew_token must be a boolean"},
		"renew_token with an agent's file":    {good: vault("token = \"t\"\n vault_agent_token_file = \"f\""), want: `Vault.RenewToken = false`, bad: vault(`renew = true`), told: "invalid keys: vault.renew"},
		"renew_token by env":                  {good: vault(""), env: "VAULT_RENEW_TOKEN=true", want: `Vault.RenewToken = true`, bad: vault(`renew_token = {}`), told: "renew_token must be a boolean"},
		"unwrap_token":                        {good: vault(""), env: "VAULT_UNWRAP_TOKEN=1", want: `Vault.UnwrapToken = true`, bad: vault(`unwrap_token = "x"`), told: "unwrap_token must be a boolean"},
		"tls":                                 {good: vault(block("tls", `ca_cert = "ca.pem"`)), want: `Vault.TLS.CACert = "$WORK/ca.pem"`, bad: vault(block("tls", `ca_cert = "no.pem"`)), told: "cannot read ca_cert"},
		"tls enabled":                         {good: "vault {}", want: `Vault.TLS.Enabled = true`, bad: vault(block("tls", `enabled = "x"`)), told: "enabled must be a boolean"},
		"tls by env":                          {good: "vault {}", env: "VAULT_CACERT=ca.pem VAULT_CAPATH=cas VAULT_CLIENT_CERT=cert.pem VAULT_CLIENT_KEY=key.pem VAULT_TLS_SERVER_NAME=s", want: `Vault.TLS.ServerName = "s"`, bad: vault(block("tls", `cert = "no.pem"`)), told: "cannot read cert"},
		"a variable that is no boolean":       {good: vault(`token = "t"`), env: "VAULT_RENEW_TOKEN=often", want: "Warnings: environment variable VAULT_RENEW_TOKEN: not a boolean", bad: vault(`renew_token = "often"`), told: "renew_token must be a boolean"},
		"an odd VAULT_ADDR that nobody wants": {good: "port = 1", env: "VAULT_ADDR=v:8200", want: `Vault.Address = "v:8200"`, bad: block("vault", `address = "v:8200"`), told: "has no scheme"},
		"VAULT_SKIP_VERIFY":                   {good: "vault {}", env: "VAULT_SKIP_VERIFY=true", want: `Vault.TLS.Verify = false`, bad: vault(block("tls", `verify = "x"`)), told: "verify must be a boolean"},
		"transport":                           {good: vault(block("transport", `max_idle_conns = 2`)), want: `Vault.Transport.MaxIdleConns = 2`, bad: vault(block("transport", `x = 2`)), told: "invalid keys: vault.transport.x"},
	}
}

func TestDriverAndTaskKeepTheContract(t *testing.T) { checkRows(t, driverAndTaskRows()) }

func driverAndTaskRows() map[string]row {
	driver := func(line string) string { return block(`driver "terraform"`, line) }
	backend := func(kind string) row {
		return row{good: driver("backend \"" + kind + "\" {}"), want: `Driver.Backend.Type = "` + kind + `"`, bad: driver(`backend "swift" {}`), told: `unsupported Terraform backend by Sync "swift"`}
	}
	rows := map[string]row{
		"version":              {good: driver(`version = "1.2.3"`), want: `Driver.Version = "1.2.3"`, bad: driver(`version = "1.2"`), told: "provide the exact Terraform version to install: 1.2"},
		"path":                 {good: driver(`path = "bin"`), want: `Driver.Path = "$WORK/bin"`, bad: driver(`path = []`), told: "path must be a string"},
		"log":                  {good: driver(`log = 1`), want: `Driver.Log = true`, bad: driver(`log = "x"`), told: "log must be a boolean"},
		"persist_log":          {good: driver(`persist_log = "true"`), want: `Driver.PersistLog = true`, bad: driver(`persist_logs = true`), told: "invalid keys: driver.terraform.persist_logs"},
		"required_providers":   {good: driver(`required_providers { a = "1.2" }`), want: `Driver.RequiredProviders.a.Version = "1.2"`, bad: driver(`required_providers { a = { src = "x" } }`), told: "invalid keys: driver.terraform.required_providers.a.src"},
		"default backend path": {good: block("consul", `kv_path = "k"`), want: `Driver.Backend.Attributes.path = "k/terraform"`, bad: `driver "other" {}`, told: `unsupported driver "other"`},
		"backend by key":       {good: driver(block(`backend "consul"`, `path = "p"`)), want: `Driver.Backend.Attributes.gzip = true`, bad: driver("backend {}"), told: "backend needs a label"},
		"a label as a key":     {good: "driver {\n terraform {\n log = true\n backend {\n local {}\n }\n }\n}", want: `Driver.Backend.Type = "local"`, bad: "driver {\n terraform = 1\n}", told: "driver needs a label"},
		"terraform-cloud":      {good: driver(""), want: `Driver.Backend.Type = "consul"`, bad: `driver "terraform-cloud" {}`, told: `driver "terraform-cloud" is not supported yet`},

		"task name":           {good: "task {\n name = \"_a-1\"\n module = \"m/m/m\"\n}", want: `Tasks[0].Name = "_a-1"`, bad: "task {\n name = \"1a\"\n module = \"m/m/m\"\n}", told: "a task name must start with a letter or underscore"},
		"task name is unique": {good: inTask(""), want: `Tasks[0].WorkingDir = "$WORK/sync-tasks/t"`, bad: inTask("") + "\n" + inTask(""), told: "duplicate task name: t"},
		"task enabled":        {good: inTask(`enabled = false`), want: `Tasks[0].Enabled = false`, bad: inTask(`enabled = "x"`), told: "enabled must be a boolean"},
		"task module":         {good: "task {\n name = \"t\"\n module = \"./mod\"\n}", want: `Tasks[0].Module = "$WORK/mod"`, bad: "task {\n name = \"t\"\n}", told: "module for the task is required"},
		"task description":    {good: inTask(`description = 5`), want: `Tasks[0].Description = "5"`, bad: inTask(`description = []`), told: "description must be a string"},
		"task version":        {good: inTask(`version = "1.0"`), want: `Tasks[0].Version = "1.0"`, bad: inTask(`version = {}`), told: "version must be a string"},
		"task providers":      {good: inTask(`providers = "aws"`), want: `Tasks[0].Providers = ["aws"]`, bad: inTask(`providers = ["aws", "aws.a"]`), told: "only one provider instance per task"},
		"task condition":      {good: inTask(""), want: "Warnings: task t has no condition", bad: inTask(block(`condition "services"`, `regexp = ""`) + "\n" + block(`condition "schedule"`, `cron = "@daily"`)), told: "only one 'condition' block can be configured"},
		"task variable_files": {good: inTask(`variable_files = ["vars.tfvars"]`), want: `Tasks[0].Variables.a = 1`, bad: inTask(`variable_files = ["no.tfvars"]`), told: "cannot read variable file"},
		"task variables":      {good: inTask(`variables = { a = "[1]" }`), want: `Tasks[0].Variables.a = [1]`, bad: inTask(`variables = { a = "x" }`), told: "only literal values are read"},
		"task variables and files that win over them": {good: inTask("variables = { a = 2 }\n variable_files = [\"vars.tfvars\"]"), want: `Tasks[0].Variables.a = 1`, bad: inTask(`variables = "x"`), told: "variables must be a block"},
		"task buffer_period":                          {good: inTask(block("buffer_period", `min = "2s"`)), want: `Tasks[0].Buffer.Max = 8000000000`, bad: inTask(block("buffer_period", `min = "x"`)), told: "min must be a duration"},
		"task buffer_period max":                      {good: inTask(block("buffer_period", `max = "2s"`)), want: `Tasks[0].Buffer.Min = 5000000000`, bad: inTask(block("buffer_period", `max = "-2s"`)), told: "buffer_period: cannot be negative"},
		"task working_dir":                            {good: inTask(`working_dir = "w"`), want: `Tasks[0].WorkingDir = "$WORK/w"`, bad: inTask(`working_dir = []`), told: "working_dir must be a string"},
		"task terraform_version":                      {good: inTask(""), want: `Tasks[0].Enabled = true`, bad: inTask(`terraform_version = "1.0.0"`), told: "'terraform_version' is not supported yet"},
		"task terraform_cloud_workspace":              {good: inTask(""), want: `Tasks[0].Buffer.Enabled = true`, bad: inTask(block("terraform_cloud_workspace", `execution_mode = "agent"`)), told: "'terraform_cloud_workspace' is not supported yet"},
	}
	rows["backend http"] = row{good: driver(block(`backend "http"`, `address = "http://s/{task}"`)), want: `Driver.Backend.Type = "http"`,
		bad: driver(block(`backend "http"`, `address = "http://s/all"`)), told: "with one address all tasks would share a state"}
	for kind := range backends {
		if kind == "http" {
			continue
		}
		rows["backend "+kind] = backend(kind)
	}
	return rows
}

func TestProviderBlocksKeepTheContract(t *testing.T) { checkRows(t, providerRows()) }

func providerRows() map[string]row {
	provider := func(line string) string { return block(`terraform_provider "p"`, line) }
	return map[string]row{
		"one label":        {good: provider(`a = 1`), want: `Providers[0].Arguments.a = 1`, bad: `terraform_provider "a" "b" {}`, told: "terraform_provider takes exactly one label"},
		"a label as a key": {good: "terraform_provider {\n p {\n a = 1\n }\n}", want: `Providers[0].Name = "p"`, bad: "terraform_provider {\n p {}\n a = 1\n}", told: "terraform_provider needs a label"},
		"alias":            {good: provider(`alias = "x"`), want: `Providers[0].Alias = "x"`, bad: provider(`alias = "x"`) + "\n" + provider(`alias = "x"`), told: "duplicate provider configuration: p.x"},
		"auto_commit":      {good: provider(`auto_commit = false`), want: `Providers[0].Name = "p"`, bad: provider(`auto_commit = "often"`), told: "auto_commit must be a boolean"},
		"task_env":         {good: provider(`task_env { A = "{{ env \"B\" }}" }`), want: `Providers[0].Env.A = "{{ env \"B\" }}"`, bad: provider(`task_env { A = ["x"] }`), told: "A must be a string"},
		"dynamic value":    {good: provider(`a = "x{{ key \"k\" }}y"`), want: `Providers[0].Arguments.a = "x{{ key \"k\" }}y"`, bad: inTask(`description = "{{ key \"k\" }}"`), told: "dynamic configuration using template syntax is only supported for terraform_provider blocks"},
		"dynamic value of Vault": {good: "vault { address = \"http://v\" }\n" + provider(`a = "{{ with secret \"s\" }}{{ .Data.x }}{{ end }}"`), want: `Vault.Enabled = true`,
			bad: provider(`b { c = ["{{ with secret \"s\" }}{{ .Data.x }}{{ end }}"] }`), told: "detected dynamic configuration using Vault: missing Vault configuration"},
		"panos username": {good: "terraform_provider \"panos\" {\n username = \"u\"\n}\n" + inTask(`providers = ["panos"]`), want: `Providers[0].Arguments.username = "u"`,
			bad: "terraform_provider \"panos\" {}\n" + inTask(`providers = ["panos"]`), told: "detected panos provider with missing username"},
		"panos auto_commit of one task": {good: "terraform_provider \"panos\" {\n username = \"u\"\n auto_commit = true\n}\n" + inTask(`providers = ["panos"]`), want: `Tasks[0].Providers = ["panos"]`,
			bad:  "terraform_provider \"panos\" {\n username = \"u\"\n auto_commit = true\n}\ntask {\n name = \"o\"\n module = \"m/m/m\"\n providers = [\"panos\"]\n}\n" + inTask(`providers = ["panos"]`),
			told: "cannot be used by more than one task"},
		"fake-sync": {good: `terraform_provider "fake-sync" { name = "x" }`, want: `Providers[0].Arguments.name = "x"`, bad: inTask(`providers = ["fake-sync"]`), told: "fake-sync provider with missing name"},
	}
}

func TestDeprecatedNamesKeepTheContract(t *testing.T) { checkRows(t, deprecatedRows()) }

func deprecatedRows() map[string]row {
	service := block("service", "name = \"web\"\n id = \"w\"\n datacenter = \"d\"")
	const task = "task {\n name = \"t\"\n"
	names := block(`condition "services"`, `names = ["a"]`)
	return map[string]row{
		"source":                            {good: task + "source = \"o\"\n}", want: `Tasks[0].Module = "o"`, bad: task + "source = \"\"\n}", told: "module for the task is required"},
		"source warns":                      {good: task + "source = \"o\"\n}", want: "Warnings: a.hcl:3:1: source is deprecated; write module = ", bad: task + "source = []\n}", told: "source must be a string"},
		"source and module":                 {good: inTask(`source = "o"`), want: `Tasks[0].Module = "m/m/m"`, bad: task + "sources = \"x\"\n}", told: "invalid keys: task[0].sources"},
		"source_input":                      {good: inTask(block(`source_input "services"`, `names = ["a"]`)), want: `Tasks[0].ModuleInputs[0].Services.Names = ["a"]`, bad: inTask(`source_input "schedule" {}`), told: "unsupported module_input type: schedule"},
		"source_input warns":                {good: inTask(block(`source_input "consul-kv"`, `path = "a"`)), want: "Warnings: a.hcl:4:1: source_input is deprecated; write module_input", bad: inTask(`source_input {}`), told: "source_input needs a label"},
		"source_includes_var":               {good: inTask(block(`condition "services"`, "names = [\"a\"]\n source_includes_var = false")), want: `Tasks[0].Condition.UseAsModuleInput = false`, bad: inTask(block(`condition "nodes"`, `source_includes_var = true`)), told: "invalid keys: source_includes_var"},
		"source_includes_var warns":         {good: inTask(block(`condition "consul-kv"`, "path = \"a\"\n source_includes_var = true")), want: "Warnings: a.hcl:6:2: source_includes_var is deprecated; write use_as_module_input", bad: inTask(block(`condition "consul-kv"`, "path = \"a\"\n source_includes_var = []")), told: "source_includes_var must be a boolean"},
		"the new name wins":                 {good: inTask(block(`condition "services"`, "names = [\"a\"]\n use_as_module_input = true\n source_includes_var = false")), want: `Tasks[0].Condition.UseAsModuleInput = true`, bad: inTask(block(`condition "schedule"`, "cron = \"@daily\"\n source_includes_var = false")), told: "invalid keys: source_includes_var"},
		"services":                          {good: inTask(`services = ["a", "b"]`), want: `Tasks[0].Condition.Services.Names = ["a","b"]`, bad: inTask("services = [\"a\"]\n" + names), told: "services and a \"services\" block cannot both be configured"},
		"services by name":                  {good: service + "\n" + inTask("services = [\"w\", \"a\"]\n"+block(`condition "schedule"`, `cron = "@daily"`)), want: `Tasks[0].OldServices = ["web","a"]`, bad: inTask(`services = [["a"]]`), told: "services must be a string"},
		"services are rendered":             {good: inTask(`services = "a"`), want: `Tasks[0].Condition.UseAsModuleInput = true`, bad: inTask("services = [\"a\"]\n" + block(`module_input "services"`, `regexp = ""`)), told: "cannot both be configured"},
		"services warn":                     {good: inTask(`services = ["a"]`), want: "Warnings: a.hcl:4:1: services is deprecated; write condition", bad: inTask(`services = [""]`), told: "services includes an empty name"},
		"services beside a condition":       {good: inTask("services = [\"a\"]\n" + block(`condition "schedule"`, `cron = "@daily"`)), want: `Tasks[0].ModuleInputs[0].Services.Names = ["a"]`, bad: inTask("services = {}"), told: "services must be a string"},
		"service datacenter":                {good: service + "\n" + inTask(`services = ["w"]`), want: `Tasks[0].Condition.Services.Datacenter = "d"`, bad: service + "\n" + service, told: "unique service IDs are required: w"},
		"service name of two":               {good: service + "\n" + inTask(`services = ["w", "web", "w"]`+"\n"+block(`condition "schedule"`, `cron = "@daily"`)), want: `Tasks[0].ModuleInputs[0].Services.Others[0].Names = ["web"]`, bad: block("service", `id = "x"`), told: "service name is required"},
		"service name warns":                {good: service, want: "Warnings: a.hcl:1:1: service blocks are deprecated; write names", bad: block("service", `tag = "x"`), told: "invalid keys: service[0].tag"},
		"services whose blocks differ":      {good: service + "\n" + inTask(`services = ["w", "other"]`), want: `Tasks[0].Condition.Services.Others[0].Names = ["other"]`, bad: inTask(block(`condition "services"`, "names = [\"a\"]\n others = []")), told: "invalid keys: others"},
		"services whose blocks differ warn": {good: service + "\n" + inTask(`services = ["w", "other"]`), want: "Warnings: their service blocks differ, so no other form says the same in one task", bad: service + "\n" + inTask("services = [\"w\", {}]"), told: "services must be a string"},
		"driver.terraform.working_dir":      {good: block(`driver "terraform"`, `log = true`), want: `Driver.Log = true`, bad: block(`driver "terraform"`, `working_dir = "x"`), told: "invalid keys: driver.terraform.working_dir"},
		"provider":                          {good: `terraform_provider "a" {}`, want: `Providers[0].Name = "a"`, bad: `provider "a" {}`, told: "invalid keys: provider"},
	}
}
