package provider

import (
	"strings"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/azure/rules"
	"patchbay/templates/internal/standin"
)

// field is one argument of a block in a gateway: its name in a document and, where it
// names something, the collection of that; ref "id" is the id of another object.
type field struct{ argument, name, ref string }

// part is a kind of blocks of a gateway and the collection that holds them.
type part struct {
	block, collection string
	fields            []field
}

var parts = []part{
	{"backend_http_settings", "backendHttpSettingsCollection", []field{
		{"port", "port", ""}, {"protocol", "protocol", ""}, {"cookie_based_affinity", "cookieBasedAffinity", ""}, {"request_timeout", "requestTimeout", ""},
		{"host_name", "hostName", ""}, {"path", "path", ""}, {"pick_host_name_from_backend_address", "pickHostNameFromBackendAddress", ""}, {"probe_name", "probe", "probes"},
	}},
	{"frontend_ip_configuration", "frontendIPConfigurations", []field{
		{"private_ip_address", "privateIPAddress", ""}, {"private_ip_address_allocation", "privateIPAllocationMethod", ""}, {"public_ip_address_id", "publicIPAddress", "id"}, {"subnet_id", "subnet", "id"},
	}},
	{"frontend_port", "frontendPorts", []field{{"port", "port", ""}}},
	{"gateway_ip_configuration", "gatewayIPConfigurations", []field{{"subnet_id", "subnet", "id"}}},
	{"http_listener", "httpListeners", []field{
		{"frontend_ip_configuration_name", "frontendIPConfiguration", "frontendIPConfigurations"}, {"frontend_port_name", "frontendPort", "frontendPorts"},
		{"protocol", "protocol", ""}, {"host_name", "hostName", ""}, {"host_names", "hostNames", ""}, {"require_sni", "requireServerNameIndication", ""}, {"ssl_certificate_name", "sslCertificate", "sslCertificates"},
	}},
	{"probe", "probes", []field{
		{"protocol", "protocol", ""}, {"path", "path", ""}, {"interval", "interval", ""}, {"timeout", "timeout", ""}, {"unhealthy_threshold", "unhealthyThreshold", ""},
		{"host", "host", ""}, {"pick_host_name_from_backend_http_settings", "pickHostNameFromBackendHttpSettings", ""}, {"minimum_servers", "minServers", ""},
	}},
	{"request_routing_rule", "requestRoutingRules", []field{
		{"rule_type", "ruleType", ""}, {"priority", "priority", ""}, {"http_listener_name", "httpListener", "httpListeners"},
		{"backend_address_pool_name", "backendAddressPool", "backendAddressPools"}, {"backend_http_settings_name", "backendHttpSettings", "backendHttpSettingsCollection"},
	}},
	{"ssl_certificate", "sslCertificates", []field{{"key_vault_secret_id", "keyVaultSecretId", ""}}},
}

var gateway = resource{
	id: func(o standin.Object) string {
		return within(o, "Microsoft.Network/applicationGateways/"+o.String("name"))
	},
	expand:  expandGateway,
	flatten: flattenGateway,
}

func expandGateway(o standin.Object, _ azure.Body) azure.Body {
	id := within(o, "Microsoft.Network/applicationGateways/"+o.String("name"))
	p := azure.Body{"enableHttp2": o.Bool("http2_enabled")}
	for _, sku := range o.Objects("sku") {
		p["sku"] = azure.Body{"name": sku["name"], "tier": sku["tier"], "capacity": sku["capacity"]}
	}
	for _, a := range o.Objects("autoscale_configuration") {
		p["autoscaleConfiguration"] = azure.Body{"minCapacity": a["min_capacity"], "maxCapacity": a["max_capacity"]}
	}
	for _, a := range o.Objects("ssl_policy") {
		p["sslPolicy"] = azure.Body{"policyType": a["policy_type"], "policyName": a["policy_name"]}
	}
	if policy := o.String("firewall_policy_id"); policy != "" {
		p["firewallPolicy"] = azure.Body{"id": policy}
	}
	pools := []any{}
	for _, pool := range o.Objects("backend_address_pool") {
		targets := []any{}
		for _, a := range pool.Strings("ip_addresses") {
			targets = append(targets, azure.Body{"ipAddress": a})
		}
		for _, a := range pool.Strings("fqdns") {
			targets = append(targets, azure.Body{"fqdn": a})
		}
		pools = append(pools, azure.Body{"name": pool["name"], "properties": azure.Body{"backendAddresses": targets}})
	}
	p["backendAddressPools"] = pools
	for _, part := range parts {
		entries := []any{}
		for _, b := range o.Objects(part.block) {
			entries = append(entries, azure.Body{"name": b["name"], "properties": part.expand(b, id)})
		}
		p[part.collection] = entries
	}
	identity := azure.Body{"type": "None"}
	for _, i := range o.Objects("identity") {
		users := azure.Body{}
		for _, u := range i.Strings("identity_ids") {
			users[u] = azure.Body{}
		}
		identity = azure.Body{"type": i["type"], "userAssignedIdentities": users}
	}
	return azure.Body{"location": o["location"], "tags": o["tags"], "zones": o["zones"], "identity": identity, "properties": p}
}

func (p part) expand(b standin.Object, gateway string) azure.Body {
	out := azure.Body{}
	for _, f := range p.fields {
		switch x := b[f.argument]; {
		case x == nil || x == "":
		case f.ref == "":
			out[f.name] = x
		case f.ref == "id":
			out[f.name] = azure.Body{"id": x}
		default:
			out[f.name] = azure.Body{"id": gateway + "/" + f.ref + "/" + b.String(f.argument)}
		}
	}
	for _, d := range b.Objects("connection_draining") {
		out["connectionDraining"] = azure.Body{"enabled": d["enabled"], "drainTimeoutInSec": d["drain_timeout_sec"]}
	}
	return out
}

func flattenGateway(state standin.Object, document azure.Body) standin.Object {
	p, _ := document["properties"].(azure.Body)
	out := state.With(standin.Object{"location": document["location"], "tags": document["tags"], "zones": document["zones"], "http2_enabled": p["enableHttp2"], "private_endpoint_connection": []any{}})
	single := func(block, name string, arguments map[string]string) {
		if inner, ok := p[name].(azure.Body); ok {
			b := map[string]any{}
			for argument, field := range arguments {
				b[argument] = inner[field]
			}
			out[block] = []any{b}
		}
	}
	single("sku", "sku", map[string]string{"name": "name", "tier": "tier", "capacity": "capacity"})
	single("autoscale_configuration", "autoscaleConfiguration", map[string]string{"min_capacity": "minCapacity", "max_capacity": "maxCapacity"})
	for _, i := range state.Objects("identity") {
		out["identity"] = []any{map[string]any(i.With(standin.Object{"principal_id": "", "tenant_id": ""}))}
	}
	pools := []any{}
	for _, x := range rules.List(p, "backendAddressPools") {
		entry, _ := x.(azure.Body)
		inner, _ := entry["properties"].(azure.Body)
		addresses, names := []any{}, []any{}
		for _, x := range rules.List(inner, "backendAddresses") {
			if target, _ := x.(azure.Body); rules.Text(target, "fqdn") != "" {
				names = append(names, rules.Text(target, "fqdn"))
			} else {
				addresses = append(addresses, rules.Text(target, "ipAddress"))
			}
		}
		pools = append(pools, like(state, "backend_address_pool", map[string]any{"id": entry["id"], "name": entry["name"], "ip_addresses": addresses, "fqdns": names}))
	}
	out["backend_address_pool"] = pools
	for _, part := range parts {
		blocks := []any{}
		for _, x := range rules.List(p, part.collection) {
			entry, _ := x.(azure.Body)
			blocks = append(blocks, like(state, part.block, part.flatten(entry)))
		}
		out[part.block] = blocks
	}
	return out
}

func (p part) flatten(entry azure.Body) map[string]any {
	inner, _ := entry["properties"].(azure.Body)
	out := map[string]any{"id": entry["id"], "name": entry["name"]}
	for _, f := range p.fields {
		reference, _ := inner[f.name].(azure.Body)
		id := rules.Text(reference, "id")
		switch f.ref {
		case "":
			out[f.argument] = inner[f.name]
		case "id":
			out[f.argument] = reference["id"]
		default:
			out[f.argument] = id[strings.LastIndex(id, "/")+1:]
			out[strings.TrimSuffix(f.argument, "_name")+"_id"] = id
		}
	}
	if d, ok := inner["connectionDraining"].(azure.Body); ok {
		out["connection_draining"] = []any{map[string]any{"enabled": d["enabled"], "drain_timeout_sec": d["drainTimeoutInSec"]}}
	}
	return out
}

// like gives a block of a set with what is nothing as the state has it: to the SDK of the
// real provider null and the zero value are one, but elements of a set are compared whole.
func like(state standin.Object, block string, got map[string]any) map[string]any {
	for _, has := range state.Objects(block) {
		if has["name"] != got["name"] {
			continue
		}
		for argument, x := range has {
			if empty(got[argument]) && empty(x) {
				got[argument] = x
			}
		}
	}
	for _, name := range computed[block] {
		got[name] = rules.Text(got, name)
	}
	return got
}

// computed are strings that only the provider tells, "" where there is nothing to tell.
var computed = map[string][]string{
	"backend_http_settings":     {"probe_id"},
	"frontend_ip_configuration": {"private_link_configuration_id", "private_ip_address"},
	"http_listener":             {"ssl_certificate_id", "ssl_profile_id"},
	"request_routing_rule":      {"redirect_configuration_id", "rewrite_rule_set_id", "url_path_map_id"},
	"ssl_certificate":           {"public_cert_data"},
}

func empty(x any) bool {
	list, isList := x.([]any)
	return x == nil || x == "" || x == false || x == float64(0) || isList && len(list) == 0
}
