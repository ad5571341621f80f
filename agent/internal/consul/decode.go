package consul

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

const maxPort, maxWeight = 65535, 65535

var errNoList = errors.New("the answer holds no list")

// decodeService makes instances of a health answer. What no Consul says, such as
// a port out of range or one instance twice, is an error for the whole answer.
func decodeService(entries []*api.ServiceEntry) ([]catalog.Instance, error) {
	if entries == nil {
		return nil, errNoList
	}
	type identity struct{ id, node, namespace string }
	seen := make(map[identity]bool, len(entries))
	out := make([]catalog.Instance, 0, len(entries))
	for n, e := range entries {
		if e == nil || e.Node == nil || e.Service == nil {
			return nil, fmt.Errorf("entry %d has no node or no service", n)
		}
		i, err := decodeInstance(e)
		if err != nil {
			return nil, fmt.Errorf("instance %q on node %q: %w", e.Service.ID, e.Node.Node, err)
		}
		who := identity{i.ID, i.Node.Name, i.Namespace}
		if seen[who] {
			return nil, fmt.Errorf("instance %q on node %q is listed twice", i.ID, i.Node.Name)
		}
		seen[who] = true
		out = append(out, i)
	}
	return out, nil
}

func decodeInstance(e *api.ServiceEntry) (catalog.Instance, error) {
	s := e.Service
	weights, err := decodeWeights(s.Weights)
	if err == nil {
		err = checkPort(s.Port)
	}
	i := catalog.Instance{
		ID: s.ID, Name: s.Service, Kind: string(s.Kind), Address: s.Address, Port: s.Port,
		Tags: s.Tags, Meta: s.Meta, Namespace: s.Namespace, Weights: weights,
		Node: catalog.Node{ID: e.Node.ID, Name: e.Node.Node, Address: e.Node.Address, Datacenter: e.Node.Datacenter,
			TaggedAddresses: e.Node.TaggedAddresses, Meta: e.Node.Meta},
		Checks: make([]catalog.Check, 0, len(e.Checks)),
	}
	if len(s.TaggedAddresses) > 0 {
		i.TaggedAddresses = make(map[string]catalog.Endpoint, len(s.TaggedAddresses))
	}
	for tag, a := range s.TaggedAddresses {
		i.TaggedAddresses[tag] = catalog.Endpoint{Address: a.Address, Port: a.Port}
		err = cmp.Or(err, checkPort(a.Port))
	}
	for _, c := range e.Checks {
		if c == nil {
			return i, errors.New("a check is null")
		}
		i.Checks = append(i.Checks, catalog.Check{ID: c.CheckID, Name: c.Name, Status: c.Status, Type: c.Type,
			Output: c.Output, Notes: c.Notes, ServiceID: c.ServiceID, ServiceTags: c.ServiceTags})
	}
	return i, err
}

func checkPort(port int) error {
	if port < 0 || port > maxPort {
		return fmt.Errorf("port %d is not within 0 to %d", port, maxPort)
	}
	return nil
}

// decodeWeights gives 1 to what was not set; Consul itself allows no passing
// weight of 0.
func decodeWeights(w api.AgentWeights) (catalog.Weights, error) {
	if w.Passing < 0 || w.Passing > maxWeight || w.Warning < 0 || w.Warning > maxWeight {
		return catalog.Weights{}, fmt.Errorf("weights %d and %d are not within 0 to %d", w.Passing, w.Warning, maxWeight)
	}
	if w == (api.AgentWeights{}) {
		return catalog.Weights{Passing: 1, Warning: 1}, nil
	}
	return catalog.Weights{Passing: max(1, w.Passing), Warning: w.Warning}, nil
}

// decodeNames drops the names that no URL path can carry to Consul, so that one
// hostile registration does not stop every task that selects by regexp.
func decodeNames(names map[string][]string) (map[string][]string, error) {
	if names == nil {
		return nil, errNoList
	}
	for name := range names {
		if !readable(name) {
			delete(names, name)
		}
	}
	return names, nil
}

// readable tells whether Consul's HTTP server takes name as part of a path: it
// refuses what is not printable and redirects what a clean path would not keep.
func readable(name string) bool {
	unprintable := func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }
	p := "/" + name
	return name != "" && !strings.ContainsFunc(name, unprintable) && path.Clean(p) == strings.TrimSuffix(p, "/")
}
