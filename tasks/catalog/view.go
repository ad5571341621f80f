package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Kind tells what a [Query] asks Consul for.
type Kind uint8

const (
	// ServiceHealth asks for every instance of one service with its checks.
	ServiceHealth Kind = iota + 1
	// ServiceNames asks for the names of all services with their tags.
	ServiceNames
	// KVKey asks for the value of one key, KVPrefix for all keys that begin with
	// a text.
	KVKey
	KVPrefix
	// NodeNames asks for all nodes of a datacenter.
	NodeNames
	// DiscoveryChain asks for what Consul compiled of a service's configuration
	// entries; the one pair is the service's name and the answer, "" when Consul
	// compiles none.
	DiscoveryChain
	// ServiceConnect asks for every instance at which a service is reached through
	// Consul Connect: its sidecar proxies, or itself where it speaks Connect.
	ServiceConnect
	// ConnectProxies asks how the sidecar proxies of a service are registered; the
	// pairs are those of [ProxyKey].
	ConnectProxies
)

// Instances tells whether an answer lists instances of one service.
func (k Kind) Instances() bool { return k == ServiceHealth || k == ServiceConnect }

// Query names one thing watched in Consul. It is comparable: tasks that ask the
// same share one blocking query and one view.
type Query struct {
	Kind Kind
	// Name is the service, the key or the prefix; "" for lists of names.
	Name string
	// Datacenter and Namespace are "" for the agent's own.
	Datacenter, Namespace string
	// NodeMeta restricts lists to nodes with these metadata, in the form of
	// [EncodeMeta].
	NodeMeta string
}

// String names the query in logs and errors, such as "health of web in dc2".
func (q Query) String() string {
	s := map[Kind]string{ServiceHealth: "health of " + q.Name, ServiceNames: "list of services", KVKey: "key " + q.Name,
		KVPrefix: "keys below " + q.Name, NodeNames: "list of nodes", DiscoveryChain: "discovery chain of " + q.Name,
		ServiceConnect: "connect proxies of " + q.Name, ConnectProxies: "registrations of proxies of " + q.Name}[q.Kind]
	if q.NodeMeta != "" {
		s += " on nodes with " + q.NodeMeta
	}
	if q.Datacenter != "" {
		s += " in " + q.Datacenter
	}
	if q.Namespace != "" {
		s += " (namespace " + q.Namespace + ")"
	}
	return s
}

// Compare orders queries by kind, name, datacenter, namespace and node metadata.
func (q Query) Compare(other Query) int { return compareQuery(q, other) }

func compareQuery(a, b Query) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.NodeMeta, b.NodeMeta))
}

// EncodeMeta gives node metadata as a text that is equal for equal maps.
func EncodeMeta(meta map[string]string) string {
	if len(meta) == 0 {
		return ""
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return "" // not reached: a map of texts always marshals
	}
	return string(text)
}

// DecodeMeta reverses [EncodeMeta].
func DecodeMeta(text string) (meta map[string]string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		return nil, fmt.Errorf("decode node metadata: %w", err)
	}
	return meta, nil
}

// Trust tells how far a view may be acted upon.
type Trust string

const (
	// Trusted content answers the query, after confirming reads where [Judge] asked for them.
	Trusted Trust = "trusted"
	// Suspicious means that a newer answer is being confirmed; the content is
	// the last good one.
	Suspicious Trust = "suspicious"
	// Refused means that the newer answer was contradicted or cannot be
	// believed, or that Consul stopped answering; the content is the last good one.
	Refused Trust = "refused"
)

// Verdict is what Patchbay thinks of a view and why.
type Verdict struct {
	Trust Trust `json:"trust"`
	// Confirmed counts the consistent reads that agreed with a shrink.
	Confirmed int `json:"confirmed,omitempty"`
	// Evidence is one plain sentence per fact.
	Evidence []string `json:"evidence,omitempty"`
}

// DepartureCause tells how an instance left a view.
type DepartureCause string

const (
	// Deregistered means that the instance is gone while its node lives:
	// somebody's decision.
	Deregistered DepartureCause = "deregistered"
	// NodeGone means that the node left the catalog or its agent is dead.
	NodeGone DepartureCause = "node gone"
	// Unexplained means that the node's state could not be read.
	Unexplained DepartureCause = "unexplained"
)

// Departure is an instance that a view no longer holds, with what confirming
// reads told about its node.
type Departure struct {
	Member Member
	Cause  DepartureCause
}

// View is one query's whole answer. It is immutable: share it, never change it.
type View struct {
	Query Query
	// Instances are sorted by key; nil unless the query lists instances.
	Instances []Instance
	// Names maps a service to its sorted tags; nil but for ServiceNames.
	Names map[string][]string
	// Lingering are services that Consul lists no more while their health must
	// still be read, sorted: they lost their last instance not long ago.
	Lingering []string
	// Pairs maps a full key to its value; nil but for KVKey, KVPrefix, DiscoveryChain
	// and ConnectProxies.
	Pairs map[string]string
	// Nodes are sorted by name; nil but for NodeNames.
	Nodes []Node
	// Departures are the instances whose absence was confirmed in the step that
	// led to this view.
	Departures []Departure
	// Digest identifies the content, without check output.
	Digest Digest
	// Index is Consul's index of the answer, for people: never compare it.
	Index uint64
	// Epoch counts how often Consul's index went backwards.
	Epoch int
	// Verdict tells whether the content may be acted upon.
	Verdict Verdict
	// Answered is when Consul last answered this query, changed or not.
	Answered time.Time
}

// Empty tells whether Consul listed nothing.
func (v *View) Empty() bool { return v.Len() == 0 }

// Len counts what Consul listed: instances, services, keys or nodes.
func (v *View) Len() int { return len(v.Instances) + len(v.Names) + len(v.Pairs) + len(v.Nodes) }

// Lists tells whether the view has a service, a key or a node of that name; it
// knows nothing of instances.
func (v *View) Lists(name string) bool { return v.entries()[name] }

// NewServiceView makes the trusted view of a query that lists instances. It sorts
// instances, their tags and checks in place and owns them from then on.
func NewServiceView(q Query, instances []Instance) *View {
	for n := range instances {
		slices.Sort(instances[n].Tags)
		slices.SortFunc(instances[n].Checks, compareCheck)
	}
	sortInstances(instances)
	h := NewHasher().Int(len(instances))
	for _, i := range instances {
		i.write(h)
	}
	return &View{Query: q, Instances: instances, Digest: h.Sum(), Verdict: Verdict{Trust: Trusted}}
}

// sortInstances sorts by key, which is made once per instance: a view may hold
// thousands. Two instances whose parts join to one key, such as a.b on c and a on
// b.c, still have an order of their own.
func sortInstances(instances []Instance) {
	type keyed struct {
		key string
		Instance
	}
	list := make([]keyed, len(instances))
	for n, i := range instances {
		list[n] = keyed{i.Key(), i}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Node.Name, b.Node.Name),
			cmp.Compare(a.Namespace, b.Namespace))
	})
	for n := range list {
		instances[n] = list[n].Instance
	}
}

func compareCheck(a, b Check) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.ServiceID, b.ServiceID),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Status, b.Status))
}

// NewNamesView makes the trusted view of a ServiceNames query. It sorts the tags
// in place and owns names from then on.
func NewNamesView(q Query, names map[string][]string) *View {
	h := NewHasher().Int(len(names))
	for _, name := range sortedKeys(names) {
		slices.Sort(names[name])
		h.String(name).Strings(names[name])
	}
	return &View{Query: q, Names: names, Digest: h.Sum(), Verdict: Verdict{Trust: Trusted}}
}

// Linger gives the view of a list with names that stay to be read. Names that are
// listed do not count.
func (v *View) Linger(names []string) *View {
	out := *v
	out.Lingering = slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool {
		_, listed := v.Names[name]
		return listed
	})
	if len(out.Lingering) == 0 {
		return v
	}
	out.Digest = NewHasher().Digest(v.Digest).Strings(out.Lingering).Sum()
	return &out
}

// NewPairsView makes the trusted view of a query that has pairs and owns pairs from
// then on.
func NewPairsView(q Query, pairs map[string]string) *View {
	return &View{Query: q, Pairs: pairs, Digest: NewHasher().Map(pairs).Sum(), Verdict: Verdict{Trust: Trusted}}
}

// ProxyKey names a proxy by its id, which is unique on its node alone.
func ProxyKey(id, node string) string { return url.QueryEscape(id) + "@" + url.QueryEscape(node) }

// SplitProxyKey reverses [ProxyKey].
func SplitProxyKey(key string) (id, node string) {
	id, node, _ = strings.Cut(key, "@")
	plain := func(s string) string {
		if out, err := url.QueryUnescape(s); err == nil {
			return out
		}
		return s
	}
	return plain(id), plain(node)
}

// NewNodesView makes the trusted view of a NodeNames query. It sorts nodes in
// place and owns them from then on.
func NewNodesView(q Query, nodes []Node) *View {
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	h := NewHasher().Int(len(nodes))
	for _, n := range nodes {
		n.Write(h)
	}
	return &View{Query: q, Nodes: nodes, Digest: h.Sum(), Verdict: Verdict{Trust: Trusted}}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
