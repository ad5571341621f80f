package provider

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/azure/rules"
	"patchbay/templates/internal/standin"
)

var ipGroup = resource{
	looks: true,
	id:    func(o standin.Object) string { return within(o, "Microsoft.Network/ipGroups/"+o.String("name")) },
	expand: func(o standin.Object, before azure.Body) azure.Body {
		properties, _ := before["properties"].(azure.Body)
		if properties == nil {
			properties = azure.Body{}
		}
		properties["ipAddresses"] = o.Strings("cidrs")
		return azure.Body{"location": o["location"], "tags": o["tags"], "properties": properties}
	},
	flatten: func(state standin.Object, document azure.Body) standin.Object {
		p, _ := document["properties"].(azure.Body)
		return state.With(standin.Object{
			"cidrs": rules.List(p, "ipAddresses"), "location": document["location"], "tags": document["tags"],
			"firewall_ids": ids(p, "firewalls"), "firewall_policy_ids": ids(p, "firewallPolicies"),
		})
	},
}

// within makes the id of a path in the resource group that an object names.
func within(o standin.Object, path string) string {
	return "/subscriptions/" + azure.Subscription + "/resourceGroups/" + o.String("resource_group_name") + "/providers/" + path
}

func ids(p azure.Body, name string) []any {
	out := []any{}
	for _, x := range rules.List(p, name) {
		reference, _ := x.(azure.Body)
		out = append(out, rules.Text(reference, "id"))
	}
	return out
}

// sides are what a rule has twice: the argument, and its name in a document.
var sides = map[string]string{
	"address_prefix": "AddressPrefix", "address_prefixes": "AddressPrefixes", "port_range": "PortRange", "port_ranges": "PortRanges",
}

var rule = resource{
	id: func(o standin.Object) string {
		return within(o, "Microsoft.Network/networkSecurityGroups/"+o.String("network_security_group_name")+"/securityRules/"+o.String("name"))
	},
	expand: func(o standin.Object, _ azure.Body) azure.Body {
		p := azure.Body{"description": o["description"], "priority": o["priority"], "direction": o["direction"], "access": o["access"], "protocol": o["protocol"]}
		for _, side := range []string{"source", "destination"} {
			for argument, name := range sides {
				if list, ok := o[side+"_"+argument].([]any); ok && len(list) > 0 {
					p[side+name] = list
				} else if single := o.String(side + "_" + argument); !strings.HasSuffix(argument, "s") {
					p[side+name] = single
				}
			}
		}
		return azure.Body{"name": o["name"], "properties": p}
	},
	flatten: func(state standin.Object, document azure.Body) standin.Object {
		return state.With(flattenRule(document))
	},
}

func flattenRule(document azure.Body) standin.Object {
	p, _ := document["properties"].(azure.Body)
	out := standin.Object{"name": document["name"], "description": rules.Text(p, "description"), "priority": p["priority"], "direction": p["direction"], "access": p["access"], "protocol": p["protocol"]}
	for _, side := range []string{"source", "destination"} {
		for argument, name := range sides {
			if strings.HasSuffix(argument, "s") {
				out[side+"_"+argument] = append([]any{}, rules.List(p, side+name)...)
			} else {
				out[side+"_"+argument] = rules.Text(p, side+name)
			}
		}
		out[side+"_application_security_group_ids"] = []any{}
	}
	return out
}

func (c *client) readSecurityGroup(ctx context.Context, config standin.Object) (standin.Object, error) {
	id := within(config, "Microsoft.Network/networkSecurityGroups/"+config.String("name"))
	document, err := c.get(ctx, id)
	if err == nil && document == nil {
		err = fmt.Errorf("%s was not found", id)
	}
	if err != nil {
		return nil, err
	}
	p, _ := document["properties"].(azure.Body)
	found := []any{}
	for _, x := range rules.List(p, "securityRules") {
		r, _ := x.(azure.Body)
		found = append(found, map[string]any(flattenRule(r)))
	}
	return config.With(standin.Object{"id": id, "location": document["location"], "security_rule": found, "tags": document["tags"]}), nil
}

func (c *client) readIPGroups(ctx context.Context, config standin.Object) (standin.Object, error) {
	document, err := c.get(ctx, within(config, "Microsoft.Network/ipGroups"))
	if err != nil {
		return nil, err
	}
	names, found := []any{}, []any{}
	for _, x := range rules.List(document, "value") {
		group, _ := x.(azure.Body)
		if strings.Contains(rules.Text(group, "name"), config.String("name")) {
			names, found = append(names, rules.Text(group, "name")), append(found, rules.Text(group, "id"))
		}
	}
	return config.With(standin.Object{"id": "/subscriptions/" + azure.Subscription + "/resourceGroups/" + config.String("resource_group_name"), "names": names, "ids": found}), nil
}

var record = resource{
	direct: true,
	id:     func(o standin.Object) string { return o.String("private_dns_zone_id") + "/A/" + o.String("name") },
	expand: func(o standin.Object, _ azure.Body) azure.Body {
		records := []any{}
		for _, r := range o.Strings("records") {
			records = append(records, azure.Body{"ipv4Address": r})
		}
		return azure.Body{"name": o["name"], "properties": azure.Body{"ttl": o["ttl"], "aRecords": records, "metadata": o["tags"]}}
	},
	flatten: func(state standin.Object, document azure.Body) standin.Object {
		p, _ := document["properties"].(azure.Body)
		records := []any{}
		for _, x := range rules.List(p, "aRecords") {
			r, _ := x.(azure.Body)
			records = append(records, rules.Text(r, "ipv4Address"))
		}
		return state.With(standin.Object{"records": records, "ttl": p["ttl"], "fqdn": p["fqdn"], "tags": p["metadata"]})
	},
}

// recordData is a record as the data source names it.
var recordData = resource{
	id: func(o standin.Object) string {
		return within(o, "Microsoft.Network/privateDnsZones/"+o.String("zone_name")+"/A/"+o.String("name"))
	},
	flatten: record.flatten,
}

var nginx = resource{
	id: func(o standin.Object) string { return o.String("nginx_deployment_id") + "/configurations/default" },
	expand: func(o standin.Object, _ azure.Body) azure.Body {
		p := azure.Body{"rootFile": o["root_file"]}
		for block, name := range map[string]string{"config_file": "files", "protected_file": "protectedFiles"} {
			files := []any{}
			for _, f := range o.Objects(block) {
				files = append(files, azure.Body{"content": f["content"], "virtualPath": f["virtual_path"]})
			}
			p[name] = files
		}
		return azure.Body{"name": "default", "properties": p}
	},
	flatten: func(state standin.Object, document azure.Body) standin.Object {
		p, _ := document["properties"].(azure.Body)
		open, secret := []any{}, []any{}
		for _, x := range rules.List(p, "files") {
			f, _ := x.(azure.Body)
			open = append(open, map[string]any{"content": f["content"], "virtual_path": f["virtualPath"]})
		}
		for _, x := range rules.List(p, "protectedFiles") {
			f, _ := x.(azure.Body)
			file := map[string]any{"virtual_path": f["virtualPath"], "content_hash": f["contentHash"], "content": ""}
			for _, has := range state.Objects("protected_file") { // a GET does not show it
				if has.String("virtual_path") == rules.Text(f, "virtualPath") {
					file["content"] = has["content"]
				}
			}
			secret = append(secret, file)
		}
		return state.With(standin.Object{"root_file": cmp.Or(rules.Text(p, "rootFile"), state.String("root_file")), "config_file": open, "protected_file": secret})
	},
}
