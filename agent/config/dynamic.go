package config

import (
	"regexp"
	"strings"
)

// Template calls of Consul-Terraform-Sync. In provider blocks they are kept as
// they are, for a run to fill in; elsewhere they are refused, because taking them
// as plain text would send a template where a password is meant. Other braces are
// plain text.
var (
	dynamic      = callsOf("env", "envOrDefault", "mustEnv", "key", "keyOrDefault", "keyExists", "keyExistsGet", "secret", "secrets")
	dynamicVault = callsOf("secret", "secrets")
)

// callsOf finds a call of one of the functions between double braces.
func callsOf(functions ...string) *regexp.Regexp {
	return regexp.MustCompile("(?s)\\{\\{-?(?:.*?[\\s(|=])?(?:" + strings.Join(functions, "|") + ")(?:\\s+[\"`(.$].*?|\\s*-?)\\}\\}")
}

// template looks at every text of a value that may hold template calls.
func (d *decoder) template(n node) {
	if n.kind == kindString && !d.cfg.Vault.Enabled && dynamicVault.MatchString(n.text) {
		d.problem(n.pos, "write vault { address = \"…\" }, or set VAULT_ADDR",
			"detected dynamic configuration using Vault: missing Vault configuration")
	}
	for _, item := range n.list {
		d.template(item)
	}
	for _, f := range n.fields {
		d.template(f.value)
	}
}
