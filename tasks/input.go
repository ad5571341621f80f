package tasks

import (
	"cmp"
	"slices"

	"patchbay/tasks/catalog"
)

// Service is one entry of a module's services variable: the instance and the
// task's own data for it.
type Service struct {
	catalog.Instance
	UserMeta map[string]string
}

// Input is everything from Consul that a module is given, and what of it starts a
// run.
type Input struct {
	// Services are in the order of key.
	Services []Service
	// Condition identifies what starts a run, Digest all the module is given.
	Condition, Digest catalog.Digest
}

// NewInput projects a snapshot on a task. match compiles the filters of the
// condition and of the input; see [Services.Select].
func NewInput(t Task, snapshot catalog.Snapshot, match func(filter string) Matcher) Input {
	var in Input
	if c := t.Condition.Services; c != nil {
		in.Condition = digestServices(c.Services, c.Select(snapshot, match(c.Filter)))
	}
	if s, ok := t.InputServices(); ok {
		instances := s.Select(snapshot, match(s.Filter))
		in.Digest = digestServices(s, instances)
		for _, i := range instances {
			in.Services = append(in.Services, Service{Instance: i, UserMeta: s.UserMeta})
		}
	}
	slices.SortStableFunc(in.Services, func(a, b Service) int { return cmp.Compare(a.Key(), b.Key()) })
	return in
}

// Members lists what a device gets of the input, in the order of key.
func (in Input) Members() []catalog.Member {
	out := make([]catalog.Member, 0, len(in.Services))
	for _, s := range in.Services {
		out = append(out, s.Member())
	}
	return out
}

// Instances lists the instances of the input.
func (in Input) Instances() []catalog.Instance {
	out := make([]catalog.Instance, 0, len(in.Services))
	for _, s := range in.Services {
		out = append(out, s.Instance)
	}
	return out
}

// digestServices covers the contract's attributes of a service and the weights;
// check output, tagged addresses and check names start no run.
func digestServices(s Services, instances []catalog.Instance) catalog.Digest {
	sorted := slices.Clone(instances)
	slices.SortStableFunc(sorted, func(a, b catalog.Instance) int { return cmp.Compare(a.Key(), b.Key()) })
	h := catalog.NewHasher().Map(s.UserMeta).Int(len(sorted))
	for _, i := range sorted {
		h.String(i.ID, i.Name, i.Kind, i.Host(), i.Namespace, i.Status()).Int(i.Port).Map(i.Meta).Strings(i.Tags)
		h.Int(i.Weights.Passing).Int(i.Weights.Warning)
		h.String(i.Node.Name, i.Node.ID, i.Node.Address, i.Node.Datacenter)
		h.Map(i.Node.TaggedAddresses).Map(i.Node.Meta)
	}
	return h.Sum()
}
