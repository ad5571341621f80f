package templates

import (
	"cmp"
	"fmt"
	"slices"

	"patchbay/tasks"
)

// service is one entry of the services variable, its texts in the form that cty
// gives them.
type service struct {
	key, id, name, kind, address              string
	port                                      int
	meta                                      []pair
	tags                                      []string
	namespace, status                         string
	node, nodeID, nodeAddress, nodeDatacenter string
	nodeTaggedAddresses, nodeMeta, userMeta   []pair
	weight                                    int
}

// pair is one entry of a map.
type pair struct{ key, value string }

// cleanServices brings the instances to one order and their texts to Unicode NFC,
// as cty does when it decodes them. A text that is not UTF-8 is an error, and so
// are two keys of one map that this makes one.
func cleanServices(in []tasks.Service) ([]service, error) {
	out := make([]service, 0, len(in))
	for _, s := range in {
		clean, err := cleanService(s)
		if err != nil {
			return nil, err
		}
		out = append(out, clean)
	}
	slices.SortFunc(out, func(a, b service) int { return cmp.Compare(a.key, b.key) })
	for n := 1; n < len(out); n++ {
		if a, b := out[n-1], out[n]; a.key == b.key {
			return nil, fmt.Errorf("services: two instances have the key %s: id %s of service %s on node %s and id %s of service %s on node %s; nothing was rendered, give one of them another id",
				quote(a.key), quote(a.id), quote(a.name), quote(a.node), quote(b.id), quote(b.name), quote(b.node))
		}
	}
	return out, nil
}

func cleanService(s tasks.Service) (service, error) {
	c := cleaner{of: "services: instance", name: s.Key(), advice: "correct its registration in Consul"}
	out := service{
		id: c.text("id", s.ID), name: c.text("name", s.Name), kind: c.text("kind", s.Kind),
		address: c.text("address", s.Host()), port: s.Port,
		meta: c.pairs("meta", s.Meta), tags: c.list("tags", s.Tags),
		namespace: c.text("namespace", s.Namespace), status: s.Status(),
		node: c.text("node", s.Node.Name), nodeID: c.text("node_id", s.Node.ID),
		nodeAddress: c.text("node_address", s.Node.Address), nodeDatacenter: c.text("node_datacenter", s.Node.Datacenter),
		nodeTaggedAddresses: c.pairs("node_tagged_addresses", s.Node.TaggedAddresses),
		nodeMeta:            c.pairs("node_meta", s.Node.Meta),
		userMeta:            c.pairs("cts_user_defined_meta", s.UserMeta),
		weight:              weight(s.Instance),
	}
	// The key is cleaned last: its parts tell better which of them is at fault.
	out.key = c.text("key", s.Key())
	return out, c.err
}
