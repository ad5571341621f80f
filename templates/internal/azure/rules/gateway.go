package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// collections of an application gateway, and how many entries each may have.
var collections = map[string]int{
	"backendAddressPools": 100, "backendHttpSettingsCollection": 100, "frontendIPConfigurations": 4, "frontendPorts": 100,
	"gatewayIPConfigurations": 1, "httpListeners": 200, "probes": 100, "requestRoutingRules": 400, "sslCertificates": 100,
}

const maxTargets = 1200

// judgeGateway looks at the whole of a gateway, as a PUT replaces all of it.
func judgeGateway(_ World, o *Object) *Refusal {
	if refused := judgeName(o); refused != nil {
		return refused
	}
	named := map[string]bool{}
	for _, collection := range slices.Sorted(maps.Keys(collections)) {
		entries := List(o.Properties(), collection)
		if len(entries) > collections[collection] {
			return invalid("ApplicationGatewaySubResourceLimit", "Application gateway %s has %d %s; at most %d are allowed.", o.Name, len(entries), collection, collections[collection])
		}
		for _, x := range entries {
			entry, _ := x.(Body)
			id := strings.ToLower(o.ID + "/" + collection + "/" + Text(entry, "name"))
			if !networkName.MatchString(Text(entry, "name")) || named[id] {
				return invalid("ApplicationGatewayInvalidSubResourceName", "Application gateway %s has the name '%s' in %s, which is invalid or there twice.", o.Name, Text(entry, "name"), collection)
			}
			named[id] = true
		}
	}
	sku, _ := o.Properties()["sku"].(Body)
	if !oneOf(Text(sku, "name"), "Standard_v2", "WAF_v2", "Basic") {
		return invalid("ApplicationGatewayInvalidSku", "Application gateway %s has no valid SKU.", o.Name)
	}
	if dangling := reference(o.Properties(), strings.ToLower(o.ID)+"/", named); dangling != "" {
		return invalid("InvalidResourceReference", "Resource %s referenced by application gateway %s was not found.", dangling, o.Name)
	}
	for _, judge := range []func(*Object) error{judgeTargets, judgeListeners, judgeRoutes} {
		if err := judge(o); err != nil {
			return invalid("ApplicationGatewayInvalid", "Application gateway %s: %s.", o.Name, err)
		}
	}
	return nil
}

// reference finds a reference to a part of the gateway that it does not have.
func reference(x any, prefix string, named map[string]bool) string {
	switch x := x.(type) {
	case Body:
		id := strings.ToLower(Text(x, "id"))
		if Text(x, "name") == "" && strings.HasPrefix(id, prefix) && !named[id] {
			return id
		}
		for _, inner := range x {
			if found := reference(inner, prefix, named); found != "" {
				return found
			}
		}
	case []any:
		for _, inner := range x {
			if found := reference(inner, prefix, named); found != "" {
				return found
			}
		}
	}
	return ""
}

// entries gives the properties of what is in a collection.
func (o *Object) entries(collection string) (out []Body) {
	for _, x := range List(o.Properties(), collection) {
		entry, _ := x.(Body)
		inner, _ := entry["properties"].(Body)
		out = append(out, inner)
	}
	return out
}

func judgeTargets(o *Object) error {
	for _, pool := range o.entries("backendAddressPools") {
		targets := List(pool, "backendAddresses")
		if len(targets) > maxTargets {
			return fmt.Errorf("a pool has %d targets; at most %d are allowed", len(targets), maxTargets)
		}
		var addresses []string
		for _, x := range targets {
			target, _ := x.(Body)
			if a := Text(target, "ipAddress"); a != "" {
				addresses = append(addresses, a)
			}
		}
		if refused := judgeAddresses(addresses); refused != nil {
			return refused
		}
	}
	for _, settings := range o.entries("backendHttpSettingsCollection") {
		if port, err := whole(settings, "port"); err != nil || port < 1 || port > 65535 {
			return fmt.Errorf("the port %v of backend settings is invalid", settings["port"])
		}
	}
	return nil
}

func judgeListeners(o *Object) error {
	taken := map[string]bool{}
	for _, l := range o.entries("httpListeners") {
		port, _ := l["frontendPort"].(Body)
		address, _ := l["frontendIPConfiguration"].(Body)
		hosts, _ := texts(l, "hostNames")
		if len(hosts) == 0 {
			hosts = []string{Text(l, "hostName")}
		}
		for _, h := range hosts {
			key := strings.ToLower(Text(address, "id") + " " + Text(port, "id") + " " + h)
			if taken[key] {
				return fmt.Errorf("two listeners have the same frontend, port and host name '%s'", h)
			}
			taken[key] = true
		}
		if certificate, _ := l["sslCertificate"].(Body); oneOf(Text(l, "protocol"), "Https") == (Text(certificate, "id") == "") {
			return fmt.Errorf("a listener of protocol %s has or lacks a certificate", Text(l, "protocol"))
		}
	}
	return nil
}

func judgeRoutes(o *Object) error {
	priorities, listeners := map[int]bool{}, map[string]bool{}
	for _, r := range o.entries("requestRoutingRules") {
		priority, err := whole(r, "priority")
		listener, _ := r["httpListener"].(Body)
		switch id := strings.ToLower(Text(listener, "id")); {
		case err != nil || priority < 1 || priority > 20000 || priorities[priority]:
			return fmt.Errorf("the priority %v of a rule is not from 1 to 20000 or there twice", r["priority"])
		case id == "" || listeners[id]:
			return fmt.Errorf("a rule has no listener, or one that another rule has")
		default:
			priorities[priority], listeners[id] = true, true
		}
	}
	return nil
}

// showGateway gives each entry its id, by which the entries name each other.
func showGateway(o *Object, p Body) {
	for collection := range collections {
		for _, x := range List(p, collection) {
			if entry, ok := x.(Body); ok {
				entry["id"] = o.ID + "/" + collection + "/" + Text(entry, "name")
			}
		}
	}
	p["operationalState"] = "Running"
}
