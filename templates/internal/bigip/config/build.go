package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"patchbay/templates/internal/bigip/rules"
)

// Inhabited tells whether a tenant of a declaration has any object.
func Inhabited(tenant map[string]any) bool {
	for _, x := range tenant {
		app, _ := x.(map[string]any)
		for _, y := range app {
			if object, is := y.(map[string]any); is && object["class"] != nil {
				return true
			}
		}
	}
	return false
}

// Tenant makes the objects of a tenant anew from its declaration, those of any other
// staying as they are; without objects the tenant is removed. The receiver is not
// changed. It also gives the pools that ask for event-driven service discovery, by the
// id of that.
func (o Objects) Tenant(name string, tenant map[string]any) (Objects, map[string]string, error) {
	b := build{Objects: o.Clone(), tenant: name, events: map[string]string{}}
	b.clear()
	if Inhabited(tenant) {
		b.Put("auth/partition", "/"+name, nil)
		if err := b.applications(tenant); err != nil {
			return nil, nil, err
		}
	}
	b.sweep()
	return b.Objects, b.events, nil
}

// build makes the objects of one tenant.
type build struct {
	Objects
	tenant string
	// events are pools by the id of their service discovery.
	events map[string]string
}

const sharedNode = "made by AS3 for several tenants"

func (b *build) clear() {
	below := "/" + b.tenant + "/"
	for kind, all := range b.Objects {
		if strings.HasPrefix(kind, "ltm/pool/members "+below) {
			delete(b.Objects, kind)
			continue
		}
		for path := range all {
			if strings.HasPrefix(path, below) {
				delete(all, path)
			}
		}
	}
	b.Remove("auth/partition", "/"+b.tenant)
}

// sweep removes the nodes in Common that AS3 made and no pool needs any more.
func (b *build) sweep() {
	for path, node := range b.Objects["ltm/node"] {
		if node["description"] == sharedNode && !b.used(path) {
			b.Remove("ltm/node", path)
		}
	}
}

func (b *build) used(node string) bool {
	for kind, members := range b.Objects {
		if !strings.HasPrefix(kind, "ltm/pool/members ") {
			continue
		}
		for _, m := range members {
			if m["node"] == node {
				return true
			}
		}
	}
	return false
}

func (b *build) applications(tenant map[string]any) error {
	for _, app := range slices.Sorted(maps.Keys(tenant)) {
		objects, _ := tenant[app].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(objects)) {
			object, is := objects[name].(map[string]any)
			if !is {
				continue
			}
			if err := b.one("/"+b.tenant+"/"+app+"/"+name, object); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *build) one(path string, object map[string]any) error {
	named, _ := object["class"].(string)
	switch {
	case named == "Pool":
		return b.pool(path, object)
	case strings.HasPrefix(named, "Service_"):
		return b.virtual(path, named, object)
	case named == "Firewall_Address_List":
		var entries []any
		for _, a := range list(object["addresses"]) {
			entries = append(entries, map[string]any{"name": a})
		}
		b.Put("security/firewall/address-list", path, map[string]any{"addresses": entries})
	case named == "Data_Group":
		group := map[string]any{"type": object["keyDataType"]}
		for _, x := range list(object["records"]) {
			r := x.(map[string]any)
			group["records"] = append(list(group["records"]), map[string]any{"name": r["key"], "data": r["value"]})
		}
		if wrong := sortRecords(group); wrong != "" {
			return errors.New(wrong)
		}
		b.Put("ltm/data-group/internal", path, group)
	}
	return nil
}

func list(v any) []any {
	out, _ := v.([]any)
	return out
}

func (b *build) virtual(path, named string, object map[string]any) error {
	port := 80.0
	if named == "Service_HTTPS" {
		port = 443
	}
	if p, set := object["virtualPort"].(float64); set {
		port = p
	}
	protocol := "tcp"
	if named == "Service_UDP" {
		protocol = "udp"
	}
	var destinations []string
	for _, x := range list(object["virtualAddresses"]) {
		address := x.(string)
		for at := range b.Objects["ltm/virtual-address"] {
			if strings.HasSuffix(at, "/"+address) && Partition(at) != b.tenant {
				return fmt.Errorf("0107176c:3: Invalid Virtual Address, the IP address %s already exists", address)
			}
		}
		b.Put("ltm/virtual-address", "/"+b.tenant+"/"+address, map[string]any{"address": address})
		destinations = append(destinations, address+" "+strconv.Itoa(int(port)))
	}
	if named == "Service_HTTPS" && object["redirect80"] != false {
		return fmt.Errorf("01070333:3: Virtual Server %s-Redirect- needs port 80 too", path)
	}
	for other, v := range b.Objects["ltm/virtual"] {
		for _, have := range list(v["destinations"]) {
			if slices.Contains(destinations, have.(string)) && v["ipProtocol"] == protocol {
				return fmt.Errorf("01070333:3: Virtual Server %s illegally shares destination address, source address, service port, and ip-protocol with Virtual Server %s", path, other)
			}
		}
	}
	made := map[string]any{"ipProtocol": protocol, "class": named, "persist": object["persistenceMethods"], "snat": object["snat"]}
	for _, d := range destinations {
		made["destinations"] = append(list(made["destinations"]), d)
	}
	if pool, set := object["pool"].(string); set {
		made["pool"] = path[:strings.LastIndexByte(path, '/')+1] + pool
	}
	b.Put("ltm/virtual", path, made)
	return nil
}

func (b *build) pool(path string, object map[string]any) error {
	made := maps.Clone(rules.Defaults["ltm/pool"])
	if mode := object["loadBalancingMode"]; mode != nil {
		made["loadBalancingMode"] = mode
	}
	made["monitors"] = object["monitors"]
	b.Put("ltm/pool", path, made)
	for _, x := range list(object["members"]) {
		m := x.(map[string]any)
		if m["addressDiscovery"] == "event" {
			b.events[strings.ReplaceAll(path, "/", "~")] = path
			continue
		}
		for _, address := range list(m["serverAddresses"]) {
			if err := b.member(path, address.(string), m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *build) member(pool, address string, m map[string]any) error {
	folder := "/" + b.tenant + "/"
	if m["shareNodes"] == true {
		folder = "/Common/"
	}
	for path, node := range b.Objects["ltm/node"] {
		if node["address"] == address && !strings.HasPrefix(path, folder) && Partition(path) != "Common" {
			return fmt.Errorf("0107003a:3: Pool member node (%s%s) and existing node (%s) cannot use the same IP Address (%s)", folder, address, path, address)
		}
	}
	if b.Get("ltm/node", folder+address) == nil {
		node := maps.Clone(rules.Defaults["ltm/node"])
		node["address"] = address
		if m["shareNodes"] == true {
			node["description"] = sharedNode
		}
		b.Put("ltm/node", folder+address, node)
	}
	separator := ":"
	if netip.MustParseAddr(address).Is6() {
		separator = "."
	}
	name := folder + address + separator + strconv.Itoa(int(m["servicePort"].(float64)))
	if b.Get(MembersOf(pool), name) != nil {
		return fmt.Errorf("01020066:3: The requested Pool Member (%s %s) already exists", pool, name)
	}
	made := maps.Clone(rules.Defaults["ltm/pool/members"])
	made["address"], made["node"] = address, folder+address
	if ratio, set := m["ratio"].(float64); set {
		made["ratio"] = ratio
	}
	switch m["adminState"] {
	case "disable":
		made["session"] = "user-disabled"
	case "offline":
		made["session"], made["state"] = "user-disabled", "user-down"
	}
	b.Put(MembersOf(pool), name, made)
	return nil
}
