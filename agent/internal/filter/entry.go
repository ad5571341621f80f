package filter

import "patchbay/tasks/catalog"

// entry has the field names of one element of Consul's /v1/health/service/:name,
// which are what an expression speaks of.
type entry struct {
	Node    node
	Service service
	Checks  []check
}

type node struct {
	ID, Node, Address, Datacenter string
	TaggedAddresses, Meta         map[string]string
}

type service struct {
	ID, Service, Kind string
	Tags              []string
	Address           string
	Port              int
	Meta              map[string]string
	Weights           weights
	TaggedAddresses   map[string]endpoint
	Namespace         string
}

type weights struct{ Passing, Warning int }

type endpoint struct {
	Address string
	Port    int
}

type check struct {
	Node, CheckID, Name, Status, Notes, Output string
	ServiceID, ServiceName                     string
	ServiceTags                                []string
	Type                                       string
}

func toEntry(i catalog.Instance) entry {
	e := entry{
		Node: node{ID: i.Node.ID, Node: i.Node.Name, Address: i.Node.Address, Datacenter: i.Node.Datacenter,
			TaggedAddresses: i.Node.TaggedAddresses, Meta: i.Node.Meta},
		Service: service{ID: i.ID, Service: i.Name, Kind: i.Kind, Tags: i.Tags, Address: i.Address, Port: i.Port,
			Meta: i.Meta, Weights: weights(i.Weights), Namespace: i.Namespace,
			TaggedAddresses: make(map[string]endpoint, len(i.TaggedAddresses))},
		Checks: make([]check, len(i.Checks)),
	}
	for tag, a := range i.TaggedAddresses {
		e.Service.TaggedAddresses[tag] = endpoint(a)
	}
	for n, c := range i.Checks {
		e.Checks[n] = check{Node: i.Node.Name, CheckID: c.ID, Name: c.Name, Status: c.Status, Notes: c.Notes,
			Output: c.Output, ServiceID: c.ServiceID, ServiceTags: c.ServiceTags, Type: c.Type}
		if c.ServiceID != "" {
			e.Checks[n].ServiceName = i.Name
		}
	}
	return e
}
