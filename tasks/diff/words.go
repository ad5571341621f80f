package diff

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/diff/lists"
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"
)

// words is what is known of a type of resource.
type words struct {
	// word is what the device calls it, unit what it holds.
	word, unit string
	// name is the attribute that names it. When item is set too, the resource is one
	// item of the object that name names, and item tells which.
	name, item string
	// lists maps the path of a list, with [] for a name within, to what it holds.
	lists map[string]string
	// inner is what the device calls the part that a list within lists belongs to.
	inner string
}

// resources are the types whose words are known; the rest is told by its address.
var resources = map[string]words{
	"bigip_event_service_discovery": {word: "pool", unit: "members", name: "taskid"},
	"bigip_ltm_pool":                {word: "pool", unit: "members", name: "name", lists: map[string]string{"monitors": "monitors"}},
	"bigip_ltm_pool_attachment":     {word: "pool", unit: "members", name: "pool", item: "node"},
	"bigip_ltm_node":                {word: "node", name: "name"},
	"bigip_ltm_datagroup":           {word: "data group", unit: "records", name: "name"},
	"bigip_as3":                     {word: "AS3 declaration", name: "tenant_name"},

	"azurerm_ip_group":      {word: "IP group", unit: "addresses", name: "name"},
	"azurerm_ip_group_cidr": {word: "IP group", unit: "addresses", name: "ip_group_id", item: "cidr"},
	"azurerm_network_security_rule": {word: "security rule", unit: "values", name: "name", lists: map[string]string{
		"source_address_prefixes": "source addresses", "destination_address_prefixes": "destination addresses",
		"source_port_ranges": "source ports", "destination_port_ranges": "destination ports"}},
	"azurerm_lb_backend_address_pool_address": {word: "backend pool", unit: "addresses", name: "backend_address_pool_id", item: "ip_address"},
	"azurerm_application_gateway": {word: "application gateway", unit: "values", name: "name", inner: "backend pool", lists: map[string]string{
		"backend_address_pool[].ip_addresses": "addresses", "backend_address_pool[].fqdns": "names"}},
	"azurerm_private_dns_a_record": {word: "DNS record", unit: "addresses", name: "name"},
	"azurerm_dns_a_record":         {word: "DNS record", unit: "addresses", name: "name"},
}

// shipped are the words of the modules that come with Patchbay and write all of a
// configuration at once, by terraform_data that shows digests or as one text.
var shipped = map[string]words{
	"azure-nginx":       {word: "upstream", unit: "servers"},
	"nginx":             {word: "upstream", unit: "servers"},
	"nginx-plus":        {word: "upstream", unit: "servers"},
	"haproxy":           {word: "backend", unit: "servers"},
	"firewall-nftables": {word: "set", unit: "addresses"},
}

// written are the types of resources by which those modules write.
var written = []string{"terraform_data", "azurerm_nginx_configuration"}

// hosts are the shipped modules that take addresses without ports.
var hosts = []string{"firewall-nftables"}

// Names picks the attributes of an object by which its device or its owner knows it;
// nil when it has none. Sensitive ones and those that only applying tells are left out.
func Names(typ string, before, after map[string]lists.Leaf) map[string]string {
	w := resources[typ]
	out := map[string]string{}
	for _, attr := range []string{"name", w.name, w.item} {
		for _, side := range []map[string]lists.Leaf{after, before} {
			if l := side[attr]; attr != "" && l.Kind == lists.Plain && l.Text != "" {
				out[attr] = l.Text
				break
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// object names what a change is about in the device's words; "" when they are not known.
func (w words) object(c tasks.Change) string {
	name := c.Names[w.name]
	if w.word == "" || name == "" {
		return ""
	}
	return w.word + " " + text.Clean(plainName(name), text.MaxName)
}

// plainName gives a name without what all names of the device begin with.
func plainName(name string) string {
	switch {
	case strings.HasPrefix(name, "~"): // a task of service discovery: ~tenant~app~pool
		name = strings.ReplaceAll(name, "~", "/")
	case strings.HasPrefix(name, "/subscriptions/"):
		name = name[strings.LastIndex(name, "/")+1:]
	}
	return strings.TrimPrefix(name, "/Common/")
}

// within finds the names in the path of a list, which are quoted.
var within = regexp.MustCompile(`\["((?:[^"\\]|\\.)*)"\]`)

// list gives the object and the unit of one list of a resource.
func (w words) list(c tasks.Change, l tasks.List, task string) (object, unit string) {
	if l.Object != "" {
		return text.Clean(l.Object, text.MaxName), l.Unit
	}
	object = w.object(c)
	if object == "" {
		return generic(task, c.Address) + " " + text.Clean(l.Path, text.MaxName), ""
	}
	unit, known := w.lists[within.ReplaceAllString(l.Path, "[]")]
	if !known {
		unit = w.unit
		if w.lists != nil { // a list beside the known ones is told by its own name
			return object + " " + text.Clean(l.Path, text.MaxName), ""
		}
	}
	if m := within.FindStringSubmatch(l.Path); m != nil && w.inner != "" {
		object = w.inner + " " + text.Clean(m[1], text.MaxName) + " of " + object
	}
	return object, unit
}

// generic is Terraform's address without the task's own module.
func generic(task, address string) string {
	return text.Clean(strings.TrimPrefix(address, "module."+task+"."), text.MaxName)
}

// itemOf tells an element as an item, and what else it says. Values with one item are
// one thing that changes.
func itemOf(e tasks.Element) (item string, rest tasks.Element) {
	rest = maps.Clone(e)
	take := func(names ...string) string {
		for _, n := range names {
			if v := rest[n]; v != "" {
				delete(rest, n)
				return v
			}
		}
		return ""
	}
	item = take("", "ip", "ip_address", "address")
	if item != "" && rest["port"] != "" {
		item = reason.HostPort(item, take("port"))
	}
	if item == "" {
		item = take("name", "key", "virtual_path")
	}
	if item == "" {
		var parts []string
		for _, n := range slices.Sorted(maps.Keys(rest)) {
			parts = append(parts, n+" "+rest[n])
		}
		return strings.Join(parts, ", "), nil
	}
	delete(rest, "id")
	return plainName(item), rest
}
