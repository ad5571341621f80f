package tasks

import (
	"slices"
	"strings"

	"patchbay/tasks/catalog"
)

// Services selects instances for a condition or a module input.
type Services struct {
	catalog.Selector
	// Filter is a Consul filter expression; "" matches all.
	Filter string
	// UserMeta is given with every selected instance.
	UserMeta map[string]string
	// Others are read beside it, each with attributes of its own and without
	// others. Only the old service blocks make some: several services of one task
	// that differ in datacenter, namespace, filter or metadata.
	Others []Services
}

// Each lists the selections that s consists of, itself first, without others.
func (s Services) Each() []Services {
	others := s.Others
	s.Others = nil
	return append([]Services{s}, others...)
}

// Selects tells whether any of the selections reads the service of that name.
func (s Services) Selects(name string) bool {
	return slices.ContainsFunc(s.Each(), func(one Services) bool { return one.Selector.Selects(name) })
}

// Matcher tells whether an instance matches a filter expression.
type Matcher func(catalog.Instance) bool

// Select lists the instances of s that a module may see: the passing ones that
// match the filter, or, when the filter speaks of Checks.Status, all that match.
// match compiles a filter; a nil Matcher matches all. An instance that several
// selections have is listed once, as the last of them gives it.
func (s Services) Select(snapshot catalog.Snapshot, match func(filter string) Matcher) []Service {
	var out []Service
	for _, one := range s.Each() {
		instances := one.instances(snapshot, match(one.Filter))
		list := make([]Service, len(instances))
		for n, i := range instances {
			list[n] = Service{Instance: i, UserMeta: one.UserMeta}
		}
		if len(s.Others) == 0 { // as nearly always
			return list
		}
		out = append(without(out, list), list...)
	}
	return out
}

func (s Services) instances(snapshot catalog.Snapshot, match Matcher) []catalog.Instance {
	anyHealth := strings.Contains(s.Filter, "Checks.Status")
	var out []catalog.Instance
	for _, i := range snapshot.Instances(s.Selector) {
		if (anyHealth || i.Status() == catalog.Passing) && (match == nil || match(i)) {
			out = append(out, i)
		}
	}
	return out
}

// without leaves out of list the instances that are in later too. Two instances
// that only share their key stay: the module cannot be given both, and is told so.
func without(list, later []Service) []Service {
	type identity struct{ service, id, node, namespace, datacenter string }
	of := func(s Service) identity {
		return identity{s.Name, s.ID, s.Node.Name, s.Namespace, s.Node.Datacenter}
	}
	again := map[identity]bool{}
	for _, s := range later {
		again[of(s)] = true
	}
	return slices.DeleteFunc(list, func(s Service) bool { return again[of(s)] })
}
