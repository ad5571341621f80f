package config

import (
	"path/filepath"
	"strconv"
	"strings"

	"patchbay/tasks"
)

// vault decodes the vault block over the environment; f is the zero field when
// there is no block.
func (d *decoder) vault(f field) {
	v := &d.cfg.Vault
	renewByEnv := d.vaultEnv(v)
	set := map[string]Position{}
	if f.name != "" {
		if n, ok := d.object(f); ok {
			d.block(n, "vault", d.vaultFields(v, set))
		}
	}
	if _, ok := set["enabled"]; !ok {
		v.Enabled = v.Address != ""
	}
	if v.TLS.Key == "" {
		v.TLS.Key = v.TLS.Cert // one file may hold both
	}
	if v.Enabled {
		d.vaultToken(v)
	}
	if v.Enabled && f.name != "" { // without the block nobody may want the environment's Vault
		d.checkVault(v, f.pos, set)
	}
	if _, ok := set["renew_token"]; !ok && !renewByEnv {
		v.RenewToken = v.TokenFile == "" && !v.Token.Empty()
	}
}

// vaultEnv sets what the environment gives where no file sets it, and tells whether
// it says that the token is to be renewed or not.
func (d *decoder) vaultEnv(v *Vault) (renew bool) {
	*v = Vault{Address: d.env("VAULT_ADDR"), Namespace: d.env("VAULT_NAMESPACE"), Token: tasks.NewSecret(d.env("VAULT_TOKEN")),
		Transport: defaultTransport(),
		TLS: TLS{Enabled: true, CACert: d.envPath("VAULT_CACERT"), CAPath: d.envPath("VAULT_CAPATH"),
			Cert: d.envPath("VAULT_CLIENT_CERT"), Key: d.envPath("VAULT_CLIENT_KEY"), ServerName: d.env("VAULT_TLS_SERVER_NAME")}}
	var skip bool
	d.envBool(&skip, "VAULT_SKIP_VERIFY")
	v.TLS.Verify = !skip
	d.envBool(&v.UnwrapToken, "VAULT_UNWRAP_TOKEN")
	return d.envBool(&v.RenewToken, "VAULT_RENEW_TOKEN")
}

// envBool sets dst when the variable holds a boolean and tells whether it does.
// Anything else counts as unset, with a warning.
func (d *decoder) envBool(dst *bool, name string) bool {
	text := d.env(name)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		d.warn(Position{File: "environment variable " + name}, "not a boolean; write true or false")
		return false
	}
	*dst = b
	return true
}

func (d *decoder) vaultFields(v *Vault, set map[string]Position) map[string]setter {
	at := func(name string, decode setter) setter {
		return func(f field) {
			set[name] = f.pos
			decode(f)
		}
	}
	return map[string]setter{
		"address": at("address", d.str(&v.Address)), "enabled": at("enabled", d.boolean(&v.Enabled)), "namespace": d.str(&v.Namespace),
		"token": d.secret(&v.Token), "vault_agent_token_file": d.path(&v.TokenFile),
		"renew_token": at("renew_token", d.boolean(&v.RenewToken)), "unwrap_token": d.boolean(&v.UnwrapToken),
		"tls":       d.nested("vault", with(d.tlsFields(&v.TLS), map[string]setter{"enabled": d.boolean(&v.TLS.Enabled)})),
		"transport": d.nested("vault", d.transportFields(&v.Transport)),
	}
}

func (d *decoder) checkVault(v *Vault, block Position, set map[string]Position) {
	at, ok := set["address"]
	if !ok {
		at = block
	}
	if at.File == "" {
		at = Position{File: "environment variable VAULT_ADDR"}
	}
	switch {
	case v.Address == "":
		d.missing(at, "write address = \"https://…\"", "vault is enabled without an address")
	case !strings.HasPrefix(v.Address, "http://") && !strings.HasPrefix(v.Address, "https://") && !strings.HasPrefix(v.Address, "unix://"):
		d.problem(at, "write http://… or https://…", "the address of Vault has no scheme")
	}
}

// vaultToken takes the token that Vault's own commands keep when nothing else gives
// one.
func (d *decoder) vaultToken(v *Vault) {
	home := d.envPath("HOME")
	if v.TokenFile != "" || !v.Token.Empty() || home == "" {
		return
	}
	if data, err := readBounded(filepath.Join(home, ".vault-token")); err == nil {
		v.Token = tasks.NewSecret(strings.TrimSpace(string(data)))
	}
}
