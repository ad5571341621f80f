package tasks

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks/catalog"
)

// shipped begins the source of a module that comes with Patchbay: no other one is
// given the weights of instances.
const shipped = "builtin/"

// Service is one entry of a module's services variable: the instance and the
// task's own data for it.
type Service struct {
	catalog.Instance
	UserMeta map[string]string
}

// Input is everything from Consul that a module is given, and what of it starts a
// run. A nil map or list means that the module is not given that variable.
type Input struct {
	// Services are in the order of key.
	Services []Service
	// CatalogServices maps a service to its sorted tags.
	CatalogServices map[string][]string
	// KV maps a full key to its value.
	KV map[string]string
	// Nodes are in the order of name.
	Nodes []catalog.Node
	// Condition identifies what starts a run, Digest all the module is given.
	Condition, Digest catalog.Digest
}

// NewInput projects a snapshot on a task. match compiles the filters of the
// condition and of the input; see [Services.Select].
func NewInput(t Task, snapshot catalog.Snapshot, match func(filter string) Matcher) Input {
	weights := strings.HasPrefix(t.Module, shipped)
	in := Input{Condition: digestCondition(t.Condition, snapshot, match, weights)}
	h := catalog.NewHasher()
	if c := t.Condition.CatalogServices; c != nil && t.Condition.UseAsModuleInput {
		in.CatalogServices = c.Select(snapshot)
		h.String("catalog_services").Digest(digestNames(in.CatalogServices, true))
	}
	for _, given := range t.Given() {
		if s := given.Services; s != nil {
			list := s.Select(snapshot, match)
			h.String("services").Digest(digestServices(*s, list, weights))
			in.Services = append(in.Services, list...)
		}
		if given.ConsulKV != nil {
			in.KV = given.ConsulKV.Select(snapshot)
			h.String("consul_kv").Map(in.KV)
		}
		if given.Nodes != nil {
			in.Nodes = append([]catalog.Node{}, given.Nodes.Select(snapshot)...)
			h.String("nodes").Digest(digestNodes(in.Nodes))
		}
	}
	in.Digest = h.Sum()
	slices.SortStableFunc(in.Services, func(a, b Service) int { return cmp.Compare(a.Key(), b.Key()) })
	return in
}

// digestCondition identifies what starts a run: of catalog-services the names
// alone, of a schedule nothing.
func digestCondition(c Condition, snapshot catalog.Snapshot, match func(string) Matcher, weights bool) catalog.Digest {
	switch {
	case c.Services != nil:
		return digestServices(*c.Services, c.Services.Select(snapshot, match), weights)
	case c.CatalogServices != nil:
		return digestNames(c.CatalogServices.Select(snapshot), false)
	case c.ConsulKV != nil:
		return catalog.NewHasher().Map(c.ConsulKV.Select(snapshot)).Sum()
	case c.Nodes != nil:
		return digestNodes(c.Nodes.Select(snapshot))
	}
	return catalog.Digest{}
}

func digestNames(names map[string][]string, tags bool) catalog.Digest {
	h := catalog.NewHasher().Int(len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		h.String(name)
		if tags {
			h.Strings(names[name])
		}
	}
	return h.Sum()
}

func digestNodes(nodes []catalog.Node) catalog.Digest {
	h := catalog.NewHasher().Int(len(nodes))
	for _, n := range nodes {
		n.Write(h)
	}
	return h.Sum()
}

// Members lists what a device gets of the input, in the order of key.
func (in Input) Members() []catalog.Member {
	out := make([]catalog.Member, 0, len(in.Services))
	for _, s := range in.Services {
		out = append(out, s.Member())
	}
	return out
}

// Sets names what the module is given besides services: for each variable its
// sorted keys, services or nodes. A variable that the module is not given is not
// in the map; one without entries is, with none.
func (in Input) Sets() map[string][]string {
	out := map[string][]string{}
	if in.KV != nil {
		out[VariableKV] = sortedNames(maps.Keys(in.KV))
	}
	if in.CatalogServices != nil {
		out[VariableCatalogServices] = sortedNames(maps.Keys(in.CatalogServices))
	}
	if in.Nodes != nil {
		names := make([]string, 0, len(in.Nodes))
		for _, n := range in.Nodes {
			names = append(names, n.Name)
		}
		out[VariableNodes] = sortedNames(slices.Values(names))
	}
	return out
}

// sortedNames is never nil, so that "none" and "not given" differ.
func sortedNames(names iter.Seq[string]) []string { return append([]string{}, slices.Sorted(names)...) }

// Instances lists the instances of the input.
func (in Input) Instances() []catalog.Instance {
	out := make([]catalog.Instance, 0, len(in.Services))
	for _, s := range in.Services {
		out = append(out, s.Instance)
	}
	return out
}

// digestServices covers the contract's attributes of a service and, where the
// module may be given them, the weights; check output, tagged addresses and check
// names start no run.
func digestServices(s Services, list []Service, weights bool) catalog.Digest {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Service) int { return cmp.Compare(a.Key(), b.Key()) })
	h := catalog.NewHasher()
	if len(s.Others) == 0 { // one and the same for all
		h.Map(s.UserMeta)
	}
	h.Int(len(sorted))
	for _, i := range sorted {
		if len(s.Others) > 0 {
			h.Map(i.UserMeta)
		}
		h.String(i.ID, i.Name, i.Kind, i.Host(), i.Namespace, i.Status()).Int(i.Port).Map(i.Meta).Strings(i.Tags)
		if weights {
			h.Int(i.Weights.Passing).Int(i.Weights.Warning)
		}
		h.String(i.Node.Name, i.Node.ID, i.Node.Address, i.Node.Datacenter)
		h.Map(i.Node.TaggedAddresses).Map(i.Node.Meta)
	}
	return h.Sum()
}
