package config

import (
	"maps"
	"testing"
)

func TestTheRestOfTheTopLevelKeepsTheContract(t *testing.T) { checkRows(t, topLevelMoreRows()) }

func topLevelMoreRows() map[string]row {
	ca := "verify_incoming = true\n ca_cert = \"ca.pem\"\n"
	return map[string]row{
		"log_level ERR":            {good: `log_level = "ERR"`, want: `LogLevel = "ERR"`, bad: `log_level = "FATAL"`, told: "Invalid log level: FATAL"},
		"log_format":               {good: `log_format = "json"`, want: `LogFormat = "json"`, bad: `log_format = "xml"`, told: "log_format"},
		"max_parallel_tasks":       {good: `max_parallel_tasks = "4"`, want: `MaxParallelTasks = 4`, bad: `max_parallel_tasks = 0`, told: "max_parallel_tasks is out of range"},
		"shutdown_grace":           {good: `shutdown_grace = "90s"`, want: `ShutdownGrace = 90000000000`, bad: `shutdown_grace = "90"`, told: "shutdown_grace must be a duration"},
		"syslog enabled by itself": {good: "port = 1", want: `Port = 1`, bad: block("syslog", `enabled = "maybe"`), told: "enabled must be a boolean"},
		"syslog name":              {good: block("syslog", "enabled = false\n name = \"n\""), want: `LogLevel = "INFO"`, bad: block("syslog", `name = []`), told: "name must be a string"},
		"buffer_period max":        {good: block("buffer_period", `max = "1m"`), want: "Buffer.Max = 60000000000", bad: block("buffer_period", `max = "-1m"`), told: "buffer_period: cannot be negative"},
		"tls enabled by itself":    {good: block("tls", certAndKey), want: `API.TLS.Cert = "$WORK/cert.pem"`, bad: block("tls", `enabled = "x"`), told: "enabled must be a boolean"},
		"tls key":                  {good: block("tls", certAndKey), want: `API.TLS.Key = "$WORK/key.pem"`, bad: block("tls", "cert = \"cert.pem\"\n key = \"no.pem\""), told: "cannot read key"},
		"tls verify_incoming off":  {good: block("tls", certAndKey), want: `API.TLS.VerifyIncoming = false`, bad: block("tls", certAndKey+`verify_incoming = "x"`), told: "verify_incoming must be a boolean"},
		"tls ca_cert wins":         {good: block("tls", certAndKey+ca+`ca_path = "cas"`), want: `API.TLS.CACert = "$WORK/ca.pem"`, bad: block("tls", certAndKey+"verify_incoming = true\n ca_cert = \"\""), told: "either ca_cert or ca_path is required"},
		"CONSUL_LICENSE_PATH":      {good: `port = 1`, env: "CONSUL_LICENSE_PATH=/x", want: "Warnings: Patchbay needs no license; it is ignored", bad: "license { path = [] }", told: "path must be a string"},
		"high_availability":        {good: `port = 1`, want: `Port = 1`, bad: "high_availability {\n cluster {\n name = \"n\"\n }\n}", told: "'high_availability' is not supported yet"},
		"api address":              {good: block("api", `address = "::1"`), want: `API.Address = "::1"`, bad: block("api", `address = "0.0.0.0:80"`), told: "address is not an address to listen on"},
		"history runs":             {good: block("history", `runs = 5`), want: `History.Runs = 5`, bad: block("history", `runs = 0`), told: "runs is out of range"},
		"history age":              {good: block("history", `age = "1h"`), want: `History.Age = 3600000000000`, bad: block("history", `age = "old"`), told: "age must be a duration"},
		"guard max_destroys":       {good: block("guard", `max_destroys = 0`), want: `Guard.MaxDestroys = 0`, bad: block("guard", `max_destroys = -1`), told: "max_destroys is out of range"},
		"guard allow_empty":        {good: block("guard", `allow_empty = true`), want: `Guard.AllowEmpty = true`, bad: block("guard", `allow_empty = "x"`), told: "allow_empty must be a boolean"},
		"api block":                {good: "api {}", want: `API.Address = "127.0.0.1"`, bad: "api = 1", told: "api must be a block"},
		"tls block":                {good: "tls {}", want: `API.TLS.Enabled = false`, bad: "tls = []", told: "tls must be a block"},
		"history block":            {good: "history {}", want: `History.Runs = 1000`, bad: "history {}\nhistory {}", told: "only one 'history' block can be configured"},
		"guard block":              {good: "guard {}", want: `Guard.MaxDestroys = 10`, bad: "guard {}\nguard {}", told: "only one 'guard' block can be configured"},
		"buffer_period block":      {good: "buffer_period {}", want: `Buffer.Min = 5000000000`, bad: "buffer_period {}\nbuffer_period {}", told: "only one 'buffer_period' block can be configured"},
		"consul block":             {good: "consul {}", want: `Consul.Address = "localhost:8500"`, bad: "consul {}\nconsul {}", told: "only one 'consul' block can be configured"},
		"vault block":              {good: "vault {}", want: `Vault.Enabled = false`, bad: "vault {}\nvault {}", told: "only one 'vault' block can be configured"},
		"syslog block":             {good: "syslog {}", want: `Port = 8558`, bad: "syslog {}\nsyslog {}", told: "only one 'syslog' block can be configured"},
		"driver":                   {good: `driver "terraform" {}`, want: `Driver.Backend.Type = "consul"`, bad: "driver {}", told: "driver needs a label"},
		"terraform_provider":       {good: "terraform_provider \"a\" {}\nterraform_provider \"b\" {}", want: `Providers[1].Name = "b"`, bad: "terraform_provider = 1", told: "terraform_provider must be a block"},
		"task":                     {good: inTask(""), want: `Tasks[0].Name = "t"`, bad: "task = 1", told: "task must be a block"},
	}
}

// tlsRows are the attributes of a client's tls block below a name in the dump.
func tlsRows(under string, frame func(line string) string) map[string]row {
	tls := func(line string) string { return frame(block("tls", line)) }
	path := func(name string) string { return name + ` = "cert.pem"` }
	return map[string]row{
		"tls enabled":          {good: tls(`enabled = false`), want: under + `.TLS.Enabled = false`, bad: tls(`enabled = "x"`), told: "enabled must be a boolean"},
		"tls ca_cert path":     {good: tls(path("ca_cert")), want: under + `.TLS.CACert = "$WORK/cert.pem"`, bad: tls(`ca_cert = "no.pem"`), told: "cannot read ca_cert"},
		"tls ca_path path":     {good: tls(`ca_path = "cas"`), want: under + `.TLS.CAPath = "$WORK/cas"`, bad: tls(`ca_path = "no"`), told: "cannot read ca_path"},
		"tls cert path":        {good: tls(path("cert")), want: under + `.TLS.Cert = "$WORK/cert.pem"`, bad: tls(`cert = "no.pem"`), told: "cannot read cert"},
		"tls cert without key": {good: tls(path("cert")), want: under + `.TLS.Key = "$WORK/cert.pem"`, bad: tls(`cert = []`), told: "cert must be a string"},
		"tls key path":         {good: tls(path("key")), want: under + `.TLS.Key = "$WORK/cert.pem"`, bad: tls(`key = "no.pem"`), told: "cannot read key"},
		"tls server_name text": {good: tls(`server_name = "s"`), want: under + `.TLS.ServerName = "s"`, bad: tls(`server_name = {}`), told: "server_name must be a string"},
		"tls verify off":       {good: tls(`verify = "false"`), want: under + `.TLS.Verify = false`, bad: tls(`verify = "x"`), told: "verify must be a boolean"},
		"tls verify default":   {good: tls(`server_name = "s"`), want: under + `.TLS.Verify = true`, bad: tls(`verify = []`), told: "verify must be a boolean"},
		"tls":                  {good: frame("tls {}"), want: under + `.TLS.Verify = true`, bad: frame("tls {}\n tls {}"), told: "only one 'tls' block can be configured"},
	}
}

// transportRows are the attributes of a transport block with their defaults.
func transportRows(under string, frame func(line string) string) map[string]row {
	transport := func(line string) string { return frame(block("transport", line)) }
	out := map[string]row{"transport": {good: frame("transport {}"), want: under + ".Transport.MaxIdleConns = 0", bad: frame("transport = 1"), told: "transport must be a block"}}
	for name, in := range map[string]struct{ field, standing string }{
		"dial_keep_alive": {"DialKeepAlive", "30000000000"}, "dial_timeout": {"DialTimeout", "30000000000"},
		"idle_conn_timeout": {"IdleConnTimeout", "5000000000"}, "tls_handshake_timeout": {"TLSHandshakeTimeout", "10000000000"},
	} {
		at := under + ".Transport." + in.field
		out["transport "+name] = row{good: transport(name + ` = "2s"`), want: at + " = 2000000000", bad: transport(name + ` = "2"`), told: name + " must be a duration"}
		out["transport "+name+" default"] = row{good: transport(""), want: at + " = " + in.standing, bad: transport(name + ` = "-2s"`), told: name + " cannot be negative"}
	}
	for name, in := range map[string]struct{ field, standing string }{
		"max_idle_conns": {"MaxIdleConns", "0"}, "max_idle_conns_per_host": {"MaxIdleConnsPerHost", "100"},
	} {
		at := under + ".Transport." + in.field
		out["transport "+name] = row{good: transport(name + ` = "7"`), want: at + " = 7", bad: transport(name + ` = 1.5`), told: name + " must be a whole number"}
		out["transport "+name+" default"] = row{good: transport(""), want: at + " = " + in.standing, bad: transport(name + ` = -1`), told: name + " is out of range"}
	}
	out["transport disable_keep_alives"] = row{good: transport(`disable_keep_alives = 1`), want: under + ".Transport.DisableKeepAlives = true", bad: transport(`disable_keep_alives = "x"`), told: "disable_keep_alives must be a boolean"}
	out["transport disable_keep_alives default"] = row{good: transport(""), want: under + ".Transport.DisableKeepAlives = false", bad: transport(`keep_alives = false`), told: "transport.keep_alives"}
	return out
}

// byEnv are variables that count where no file sets the attribute, each with the
// line of a file that wins.
func byEnv(list map[string][3]string, frame func(line string) string, empty string) map[string]row {
	out := map[string]row{}
	for name, in := range list {
		out[name] = row{good: empty, env: in[0], want: in[1], bad: frame(in[2]), told: "must be a"}
	}
	return out
}

func TestTheRestOfTheConsulBlockKeepsTheContract(t *testing.T) { checkRows(t, consulMoreRows()) }

func consulMoreRows() map[string]row {
	consul := func(line string) string { return block("consul", line) }
	out := with(tlsRows("Consul", consul), transportRows("Consul", consul))
	maps.Copy(out, byEnv(map[string][3]string{
		"CONSUL_HTTP_ADDR":       {"CONSUL_HTTP_ADDR=unix:///run/c.sock", `Consul.Address = "unix:///run/c.sock"`, `address = []`},
		"CONSUL_TOKEN":           {"CONSUL_TOKEN=a CONSUL_HTTP_TOKEN=b", `Secrets = ["a","","",""]`, `token = []`},
		"CONSUL_HTTP_TOKEN":      {"CONSUL_HTTP_TOKEN=b", `Secrets = ["b","","",""]`, `token = {}`},
		"CONSUL_HTTP_TOKEN_FILE": {"CONSUL_HTTP_TOKEN_FILE=.vault-token CONSUL_TOKEN=a", `Secrets = ["from-home","","",""]`, `token = []`},
		"CONSUL_CACERT":          {"CONSUL_CACERT=ca.pem", `Consul.TLS.CACert = "$WORK/ca.pem"`, block("tls", "ca_cert = []")},
		"CONSUL_CAPATH":          {"CONSUL_CAPATH=cas", `Consul.TLS.CAPath = "$WORK/cas"`, block("tls", "ca_path = []")},
		"CONSUL_CLIENT_CERT":     {"CONSUL_CLIENT_CERT=cert.pem", `Consul.TLS.Cert = "$WORK/cert.pem"`, block("tls", "cert = []")},
		"CONSUL_CLIENT_KEY":      {"CONSUL_CLIENT_KEY=key.pem", `Consul.TLS.Key = "$WORK/key.pem"`, block("tls", "key = []")},
		"CONSUL_TLS_SERVER_NAME": {"CONSUL_TLS_SERVER_NAME=s", `Consul.TLS.ServerName = "s"`, block("tls", "server_name = []")},
		"CONSUL_HTTP_SSL":        {"CONSUL_HTTP_SSL=true", `Consul.TLS.Enabled = true`, block("tls", `enabled = []`)},
		"CONSUL_HTTP_SSL_VERIFY": {"CONSUL_HTTP_SSL_VERIFY=false", `Consul.TLS.Verify = false`, block("tls", `verify = []`)},
		"CONSUL_HTTP_AUTH":       {"CONSUL_HTTP_AUTH=u:p:q", `Secrets = ["","p:q","",""]`, block("auth", "password = []")},
		"CONSUL_NAMESPACE":       {"CONSUL_NAMESPACE=n", `Consul.Namespace = "n"`, "address = {}"},
		"CONSUL_PARTITION":       {"CONSUL_PARTITION=p", `Consul.Partition = "p"`, "address = {}"},
	}, consul, "consul {}"))
	maps.Copy(out, map[string]row{
		"address default":                    {good: "port = 1", want: `Consul.Address = "localhost:8500"`, bad: "consul = 1", told: "consul must be a block"},
		"address wins over env":              {good: consul(`address = "f:1"`), env: "CONSUL_HTTP_ADDR=e:1", want: `Consul.Address = "f:1"`, bad: consul(`address = {}`), told: "address must be a string"},
		"kv_path default":                    {good: "consul {}", want: `Driver.Backend.Attributes.path = "consul-terraform-sync/terraform"`, bad: consul("kv_path = {}"), told: "kv_path must be a string"},
		"max_polls":                          {good: consul("max_polls = 7"), want: "Consul.MaxPolls = 7", bad: consul("max_polls = 0"), told: "max_polls is out of range"},
		"auth":                               {good: consul("auth {}"), want: "Consul.Auth.Enabled = false", bad: consul("auth = 1"), told: "auth must be a block"},
		"auth enabled":                       {good: consul(block("auth", "enabled = false\n username = \"u\"")), want: "Consul.Auth.Enabled = false", bad: consul(block("auth", `enabled = "x"`)), told: "enabled must be a boolean"},
		"auth password":                      {good: consul(block("auth", `password = "p"`)), want: `Secrets = ["","p","",""]`, bad: consul(block("auth", "password = []")), told: "password must be a string"},
		"tls enabled by another one":         {good: consul(block("tls", "verify = false")), want: "Consul.TLS.Enabled = true", bad: consul("tls = 1"), told: "tls must be a block"},
		"tls enabled by no empty text":       {good: consul(block("tls", `server_name = ""`)), want: "Consul.TLS.Enabled = false", bad: consul(block("tls", "enabled = {}")), told: "enabled must be a boolean"},
		"service_registration":               {good: "consul {}", want: "Consul.Registration.Enabled = true", bad: consul("service_registration {}\n service_registration {}"), told: "only one 'service_registration' block can be configured"},
		"service_registration default_check": {good: "consul {}", want: "Consul.Registration.Check = true", bad: consul(block("service_registration", "default_check = 1")), told: "default_check must be a block"},
	})
	return out
}

func TestTheRestOfTheVaultBlockKeepsTheContract(t *testing.T) { checkRows(t, vaultMoreRows()) }

func vaultMoreRows() map[string]row {
	vault := func(line string) string { return block("vault", "address = \"https://v:8200\"\n"+line) }
	out := with(tlsRows("Vault", vault), transportRows("Vault", vault))
	out["tls enabled default"] = row{good: vault(""), want: "Vault.TLS.Enabled = true", bad: vault("tls = 1"), told: "tls must be a block"}
	out["namespace text"] = row{good: vault(`namespace = "n"`), want: `Vault.Namespace = "n"`, bad: vault("namespace = {}"), told: "namespace must be a string"}
	out["unwrap_token on"] = row{good: vault("unwrap_token = true"), want: "Vault.UnwrapToken = true", bad: vault("unwrap_token = []"), told: "unwrap_token must be a boolean"}
	out["unwrap_token default"] = row{good: vault(""), want: "Vault.UnwrapToken = false", bad: vault("unwrap = true"), told: "invalid keys: vault.unwrap"}
	maps.Copy(out, byEnv(map[string][3]string{
		"VAULT_ADDR":            {"VAULT_ADDR=http://v", `Vault.Address = "http://v"`, "namespace = []"},
		"VAULT_NAMESPACE":       {"VAULT_NAMESPACE=n", `Vault.Namespace = "n"`, "namespace = []"},
		"VAULT_TOKEN":           {"VAULT_TOKEN=t", `Secrets = ["","","t",""]`, "token = []"},
		"VAULT_RENEW_TOKEN":     {"VAULT_RENEW_TOKEN=false VAULT_TOKEN=t", "Vault.RenewToken = false", "renew_token = []"},
		"VAULT_UNWRAP_TOKEN":    {"VAULT_UNWRAP_TOKEN=true", "Vault.UnwrapToken = true", "unwrap_token = []"},
		"VAULT_CACERT":          {"VAULT_CACERT=ca.pem", `Vault.TLS.CACert = "$WORK/ca.pem"`, block("tls", "ca_cert = []")},
		"VAULT_CAPATH":          {"VAULT_CAPATH=cas", `Vault.TLS.CAPath = "$WORK/cas"`, block("tls", "ca_path = []")},
		"VAULT_CLIENT_CERT":     {"VAULT_CLIENT_CERT=cert.pem", `Vault.TLS.Cert = "$WORK/cert.pem"`, block("tls", "cert = []")},
		"VAULT_CLIENT_KEY":      {"VAULT_CLIENT_KEY=key.pem", `Vault.TLS.Key = "$WORK/key.pem"`, block("tls", "key = []")},
		"VAULT_TLS_SERVER_NAME": {"VAULT_TLS_SERVER_NAME=s", `Vault.TLS.ServerName = "s"`, block("tls", "server_name = []")},
		"VAULT_SKIP_VERIFY":     {"VAULT_SKIP_VERIFY=1", "Vault.TLS.Verify = false", block("tls", "verify = []")},
	}, vault, "vault {}"))
	return out
}
