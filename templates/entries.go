package templates

import (
	"maps"
	"slices"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// kvVariables gives consul_kv: full keys and their values. Keys of Consul's KV are
// often secret in their value, so no error shows one.
func kvVariables(kv map[string]string) ([]consulVariable, error) {
	const of = "consul_kv: key"
	entries := make([]pair, 0, len(kv))
	for _, key := range slices.Sorted(maps.Keys(kv)) {
		c := cleaner{of: of, name: key, advice: "correct it in Consul"}
		entries = append(entries, pair{c.text("the key", key), c.hidden("its value", kv[key])})
		if c.err != nil {
			return nil, c.err
		}
	}
	if err := unique(entries, of, func(p pair) string { return p.key }); err != nil {
		return nil, err
	}
	return []consulVariable{{
		name:        kvVariable,
		description: "The keys of Consul's KV store that the task reads, with their values",
		constraint:  typeTokens(cty.Map(cty.String)),
		write: func(s *sheet) {
			s.open(kvVariable, bare)
			for _, p := range entries {
				s.key(p.key, quoted)
				s.quote(p.value, 1)
				s.newline()
			}
			s.close(false)
		},
	}}, nil
}

// tagged is one entry of catalog_services.
type tagged struct {
	name string
	tags []string
}

// catalogVariables gives catalog_services: names of services and their tags.
func catalogVariables(services map[string][]string) ([]consulVariable, error) {
	const of = "catalog_services: service"
	entries := make([]tagged, 0, len(services))
	for _, name := range slices.Sorted(maps.Keys(services)) {
		c := cleaner{of: of, name: name, advice: "correct its registration in Consul"}
		entries = append(entries, tagged{c.text("the name", name), c.list("its tags", services[name])})
		if c.err != nil {
			return nil, c.err
		}
	}
	if err := unique(entries, of, func(t tagged) string { return t.name }); err != nil {
		return nil, err
	}
	return []consulVariable{{
		name:        catalogVariable,
		description: "The Consul services that the task selects, with their tags",
		constraint:  typeTokens(cty.Map(cty.List(cty.String))),
		write: func(s *sheet) {
			s.open(catalogVariable, bare)
			for _, e := range entries {
				s.key(e.name, quoted)
				s.tuple(e.tags)
			}
			s.close(false)
		},
	}}, nil
}

// node is one entry of nodes, its texts cleaned.
type node struct {
	id, name, address, datacenter string
	taggedAddresses, meta         []pair
}

// nodeAttributes are the attributes of an entry of nodes in their order.
var nodeAttributes = []string{"id", "name", "address", "datacenter", "tagged_addresses", "meta"}

// nodesVariables gives nodes: the nodes of a datacenter by name.
func nodesVariables(nodes []catalog.Node) ([]consulVariable, error) {
	const of = "nodes: node"
	entries := make([]node, 0, len(nodes))
	for _, n := range nodes {
		c := cleaner{of: of, name: n.Name, advice: "correct its registration in Consul"}
		entries = append(entries, node{
			id: c.text("id", n.ID), name: c.text("the name", n.Name), address: c.text("address", n.Address),
			datacenter: c.text("datacenter", n.Datacenter), taggedAddresses: c.pairs("tagged_addresses", n.TaggedAddresses),
			meta: c.pairs("meta", n.Meta),
		})
		if c.err != nil {
			return nil, c.err
		}
	}
	if err := unique(entries, of, func(n node) string { return n.name }); err != nil {
		return nil, err
	}
	return []consulVariable{{
		name:        nodesVariable,
		description: "The nodes of Consul that the task selects, by name",
		constraint:  nodesConstraint(),
		write:       func(s *sheet) { writeNodes(s, entries) },
	}}, nil
}

func nodesConstraint() hclwrite.Tokens {
	return objectsConstraint(nodeAttributes, map[string]cty.Type{"tagged_addresses": cty.Map(cty.String), "meta": cty.Map(cty.String)})
}

func writeNodes(s *sheet, nodes []node) {
	s.open(nodesVariable, bare)
	for _, n := range nodes {
		s.open(n.name, quoted)
		s.text("id", n.id)
		s.text("name", n.name)
		s.text("address", n.address)
		s.text("datacenter", n.datacenter)
		s.pairs("tagged_addresses", n.taggedAddresses)
		s.pairs("meta", n.meta)
		s.close(true)
		s.flush()
	}
	s.close(false)
}
