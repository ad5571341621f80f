package rules

import (
	"net/netip"
	"regexp"
	"strings"
)

func judgePool(s World, o *Object) *Refusal {
	sku, _ := s.Find(o.Parent).Body["sku"].(Body)
	p := o.Properties()
	entries := List(p, "loadBalancerBackendAddresses")
	if len(entries) > 0 && !oneOf(Text(sku, "name"), "Standard") {
		return invalid("BackendAddressesNotSupported", "IP based backends need a load balancer of the Standard SKU.")
	}
	if len(entries) > 0 && len(List(p, "backendIPConfigurations")) > 0 {
		return invalid("BackendPoolMixesNicAndIp", "Backend pool %s holds network interfaces and cannot hold IP addresses too.", o.Name)
	}
	seen := map[string]bool{}
	var addresses []string
	for _, x := range entries {
		entry, _ := x.(Body)
		name, inner := Text(entry, "name"), Body{}
		if b, ok := entry["properties"].(Body); ok {
			inner = b
		}
		network, _ := inner["virtualNetwork"].(Body)
		switch {
		case !networkName.MatchString(name) || seen[strings.ToLower(name)]:
			return invalid("InvalidBackendAddressName", "Backend pool %s has an address with the name '%s', which is invalid or there twice.", o.Name, name)
		case !strings.HasPrefix(strings.ToLower(Text(network, "id")), strings.ToLower(ID("Microsoft.Network/virtualNetworks/"))):
			return invalid("BackendAddressNeedsVirtualNetwork", "Address '%s' of backend pool %s has no virtual network.", name, o.Name)
		}
		if _, err := netip.ParseAddr(Text(inner, "ipAddress")); err != nil {
			return invalid("InvalidIPAddress", "Address '%s' of backend pool %s has the invalid IP address '%s'.", name, o.Name, Text(inner, "ipAddress"))
		}
		seen[strings.ToLower(name)] = true
		addresses = append(addresses, Text(inner, "ipAddress"))
	}
	return judgeAddresses(addresses)
}

func showPool(_ *Object, p Body) {
	if p["loadBalancerBackendAddresses"] == nil {
		p["loadBalancerBackendAddresses"] = []any{}
	}
}

var label = regexp.MustCompile(`^(@|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)$`)

func judgeRecord(_ World, o *Object) *Refusal {
	p := o.Properties()
	if !label.MatchString(strings.ToLower(o.Name)) {
		return invalid("InvalidRecordSetName", "The record set name '%s' is invalid.", o.Name)
	}
	if ttl, err := whole(p, "ttl"); err != nil || ttl < 1 || ttl > 1<<31-1 {
		return invalid("InvalidTtl", "The TTL of record set '%s' is not from 1 to 2147483647.", o.Name)
	}
	records := List(p, "aRecords")
	if len(records) == 0 || len(records) > maxRecords {
		return invalid("RecordSetSizeLimit", "The record set '%s' has %d records; 1 to %d are allowed.", o.Name, len(records), maxRecords)
	}
	var addresses []string
	for _, x := range records {
		record, _ := x.(Body)
		a, err := netip.ParseAddr(Text(record, "ipv4Address"))
		if err != nil || !a.Is4() {
			return invalid("InvalidARecord", "The record set '%s' has the invalid IPv4 address '%s'.", o.Name, Text(record, "ipv4Address"))
		}
		addresses = append(addresses, a.String())
	}
	return judgeAddresses(addresses)
}

func showRecord(o *Object, p Body) {
	p["fqdn"] = strings.ToLower(o.Name) + "." + o.Parent[strings.LastIndex(o.Parent, "/")+1:] + "."
	p["isAutoRegistered"] = false
}
