package provider

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"

	"patchbay/templates/internal/standin"
)

// checks are what the provider refuses of arguments before it plans. Values that are not
// known yet are missing here, so nothing is refused for being absent.
var checks = map[string]func(standin.Object) error{
	"azurerm_network_security_rule": checkRule,
	"azurerm_private_dns_a_record": func(o standin.Object) error {
		if n := len(o.Strings("records")); n > 20 {
			return fmt.Errorf("too many list items: records supports %d item maximum, but config has %d declared", 20, n)
		}
		return nil
	},
	"azurerm_lb_backend_address_pool_address": func(o standin.Object) error {
		if _, err := netip.ParseAddr(o.String("ip_address")); o["ip_address"] != nil && err != nil {
			return fmt.Errorf("expected ip_address to contain a valid IP, got: %s", o.String("ip_address"))
		}
		return nil
	},
	"azurerm_application_gateway": checkGateway,
	"azurerm_nginx_configuration": func(o standin.Object) error {
		for _, block := range []string{"config_file", "protected_file"} {
			for _, f := range o.Objects(block) {
				if _, err := base64.StdEncoding.DecodeString(f.String("content")); err != nil || f["content"] != nil && f.String("content") == "" {
					return fmt.Errorf("expected content of %s to be a base64 string", f.String("virtual_path"))
				}
			}
		}
		return nil
	},
}

func checkRule(o standin.Object) error {
	for _, side := range []string{"source", "destination"} {
		for of, plural := range map[string]string{"_address_prefix": "_address_prefixes", "_port_range": "_port_ranges"} {
			single, several := side+of, side+plural
			if o[single] != nil && o[several] != nil {
				return fmt.Errorf("only one of %q and %q can be specified", single, several)
			}
		}
	}
	if p := o.Int("priority"); o["priority"] != nil && (p < 100 || p > 4096) {
		return fmt.Errorf("expected priority to be in the range (100 - 4096), got %d", p)
	}
	if len(o.String("description")) > 140 {
		return fmt.Errorf("expected length of description to be in the range (0 - 140), got %s", o.String("description"))
	}
	if strings.ContainsAny(o.String("name"), `/\?%`) {
		return fmt.Errorf("expected value of name to not contain any of %q", `/\?%`)
	}
	return nil
}

func checkGateway(o standin.Object) error {
	for _, pool := range o.Objects("backend_address_pool") {
		for _, a := range pool.Strings("ip_addresses") {
			if addr, err := netip.ParseAddr(a); err != nil || !addr.Is4() {
				return fmt.Errorf("%q is not a valid IPv4 address", a)
			}
		}
	}
	for _, p := range o.Objects("probe") {
		if p["host"] != nil && p.Bool("pick_host_name_from_backend_http_settings") {
			return fmt.Errorf("exactly one of `host` or `pick_host_name_from_backend_http_settings` must be set for `probe` %q", p.String("name"))
		}
		if p.Int("timeout") > p.Int("interval") {
			return fmt.Errorf("`timeout` must not be greater than `interval` for `probe` %q", p.String("name"))
		}
	}
	return nil
}
