package catalog

import (
	"slices"
	"strings"
)

// Check states as Consul names them; Maintenance is derived from the two
// reserved check IDs, as Consul's own client library does.
const (
	Passing     = "passing"
	Warning     = "warning"
	Critical    = "critical"
	Maintenance = "maintenance"
)

// SerfHealth is the check by which Consul itself tells whether a node's agent is
// alive.
const SerfHealth = "serfHealth"

const (
	nodeMaintenance    = "_node_maintenance"
	serviceMaintenance = "_service_maintenance:"
)

// Check is one health check of an instance or of its node.
type Check struct {
	ID, Name, Status string
	// Type is ttl, http, tcp, grpc, …; "" for checks registered in the catalog.
	Type string
	// Output is what the check printed last; free text of any origin.
	Output, Notes string
	// ServiceID is "" for a check of the node.
	ServiceID   string
	ServiceTags []string
}

// Node is the machine on which an instance runs, as Consul knows it.
type Node struct {
	ID, Name, Address, Datacenter string
	TaggedAddresses, Meta         map[string]string
}

// Write adds the node to a digest.
func (n Node) Write(h *Hasher) {
	h.String(n.ID, n.Name, n.Address, n.Datacenter).Map(n.TaggedAddresses).Map(n.Meta)
}

// Weights are Consul's DNS weights of an instance; both default to 1.
type Weights struct{ Passing, Warning int }

// Endpoint is an address under a tag, such as lan_ipv4.
type Endpoint struct {
	Address string
	Port    int
}

// Instance is one instance of a service with its node and all of its checks.
type Instance struct {
	// ID is unique on its node only.
	ID, Name, Kind string
	// Address is what the service registered; "" means the node's address.
	Address string
	// Port is 0 to 65535; 0 means none registered.
	Port int
	// Tags are sorted.
	Tags            []string
	Meta            map[string]string
	Namespace       string
	Weights         Weights
	TaggedAddresses map[string]Endpoint
	Node            Node
	Checks          []Check
}

// Key is the instance's key in a module's services map: id.node[.namespace].datacenter
// with empty parts left out.
func (i Instance) Key() string {
	parts := []string{i.ID, i.Node.Name, i.Namespace, i.Node.Datacenter}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ".")
}

// Host is the address at which the instance answers: its own, else its node's.
func (i Instance) Host() string {
	if i.Address != "" {
		return i.Address
	}
	return i.Node.Address
}

// Status is the worst state of all checks: maintenance, critical, warning or
// passing. An instance without checks is passing, as in Consul.
func (i Instance) Status() string {
	worst := Passing
	for _, c := range i.Checks {
		switch {
		case c.ID == nodeMaintenance || strings.HasPrefix(c.ID, serviceMaintenance):
			return Maintenance
		case c.Status == Critical:
			worst = Critical
		case c.Status == Warning && worst == Passing:
			worst = Warning
		}
	}
	return worst
}

// WorstCheck is the first check that has the instance's worst state; ok is false
// when the instance has no check.
func (i Instance) WorstCheck() (c Check, ok bool) {
	rank := func(c Check) int {
		switch {
		case c.ID == nodeMaintenance || strings.HasPrefix(c.ID, serviceMaintenance):
			return 3
		case c.Status == Critical:
			return 2
		case c.Status == Warning:
			return 1
		}
		return 0
	}
	for n, next := range i.Checks {
		if n == 0 || rank(next) > rank(c) {
			c, ok = next, true
		}
	}
	return c, ok
}

// Member is what a device gets of an instance: who it is and where it answers.
type Member struct {
	Key     string `json:"key"`
	Service string `json:"service"`
	Node    string `json:"node"`
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// Member gives the instance as a [Member].
func (i Instance) Member() Member {
	return Member{Key: i.Key(), Service: i.Name, Node: i.Node.Name, Address: i.Host(), Port: i.Port}
}

// write adds everything that a consumer may act on. A check's output and notes
// are left out: they change at every probe without meaning anything.
func (i Instance) write(h *Hasher) {
	h.String(i.ID, i.Name, i.Kind, i.Address, i.Namespace).Int(i.Port).Strings(i.Tags).Map(i.Meta)
	h.Int(i.Weights.Passing).Int(i.Weights.Warning)
	h.Int(len(i.TaggedAddresses))
	for _, tag := range sortedKeys(i.TaggedAddresses) {
		h.String(tag, i.TaggedAddresses[tag].Address).Int(i.TaggedAddresses[tag].Port)
	}
	i.Node.Write(h)
	h.Int(len(i.Checks))
	for _, c := range i.Checks {
		h.String(c.ID, c.Name, c.Status, c.ServiceID)
	}
}
