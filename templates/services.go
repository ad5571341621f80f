package templates

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"patchbay/tasks"

	"github.com/zclconf/go-cty/cty"
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
	c := cleaner{instance: s.Key()}
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

// cleaner cleans the texts of one instance and keeps the first fault.
type cleaner struct {
	instance string
	err      error
}

func (c *cleaner) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("services: instance %s: %s; nothing was rendered, correct its registration in Consul",
			quote(c.instance), fmt.Sprintf(format, args...))
	}
}

func (c *cleaner) text(field, s string) string {
	if isASCII(s) {
		return s
	}
	if !utf8.ValidString(s) {
		c.fail("%s %s is not valid UTF-8", field, quote(s))
		return ""
	}
	return cty.NormalizeString(s)
}

func (c *cleaner) list(field string, list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, c.text("an entry of "+field, s))
	}
	slices.Sort(out)
	return out
}

func (c *cleaner) pairs(field string, m map[string]string) []pair {
	out := make([]pair, 0, len(m))
	for k, v := range m {
		out = append(out, pair{k, v})
	}
	// Sorted before cleaning too, so that of several faults always the same is told.
	byKey := func(a, b pair) int { return cmp.Compare(a.key, b.key) }
	slices.SortFunc(out, byKey)
	for n, p := range out {
		if !isASCII(p.key) {
			out[n].key = c.text("a key of "+field, p.key)
		}
		if !isASCII(p.value) {
			out[n].value = c.text(field+" "+quote(p.key), p.value)
		}
	}
	if !slices.IsSortedFunc(out, byKey) {
		slices.SortFunc(out, byKey)
	}
	for n := 1; n < len(out); n++ {
		if out[n].key == out[n-1].key {
			c.fail("two keys of %s are both %s in Unicode form NFC", field, quote(out[n].key))
		}
	}
	return out
}

func isASCII(s string) bool {
	for n := range len(s) {
		if s[n] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
