package trial

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// Set is one input that a module is tried with.
type Set struct {
	// Name is one word; About says what is awkward about it.
	Name, About string
	Services    []tasks.Service
	// KV, CatalogServices and Nodes are for modules that ask for them; nil makes them
	// from Services.
	KV              map[string]string
	CatalogServices map[string][]string
	Nodes           []catalog.Node
	// Canaries are for modules that take the weights of canaries; nil is none.
	Canaries map[string]map[string]float64
}

// Input gives what the module gets. Each of names is a variable that it asks for.
func (s Set) Input(names []string) tasks.Input {
	in := tasks.Input{Services: s.Services}
	if slices.Contains(names, tasks.VariableKV) {
		in.KV = map[string]string{}
		maps.Copy(in.KV, s.KV)
	}
	if slices.Contains(names, tasks.VariableCatalogServices) {
		in.CatalogServices = s.names()
	}
	if slices.Contains(names, tasks.VariableNodes) {
		in.Nodes = s.nodes()
	}
	return in
}

// names gives the services with all tags of their instances.
func (s Set) names() map[string][]string {
	if s.CatalogServices != nil {
		return s.CatalogServices
	}
	out := map[string][]string{}
	for _, i := range s.Services {
		tags := append(slices.Clone(out[i.Name]), i.Tags...)
		slices.Sort(tags)
		out[i.Name] = slices.Compact(tags)
	}
	return out
}

func (s Set) nodes() []catalog.Node {
	if s.Nodes != nil {
		return s.Nodes
	}
	byName := map[string]catalog.Node{}
	for _, i := range s.Services {
		byName[i.Node.Name] = i.Node
	}
	out := []catalog.Node{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out
}

// instance makes the nth instance of a service: passing, on a node of its own.
func instance(service string, n int) tasks.Service {
	address := fmt.Sprintf("10.%d.%d.%d", n/62500, n/250%250, n%250+1)
	return tasks.Service{Instance: catalog.Instance{
		ID: fmt.Sprintf("%s-%d", service, n), Name: service, Address: address, Port: 8080,
		Tags: []string{"v1"}, Meta: map[string]string{"version": "v1"}, Weights: catalog.Weights{Passing: 1, Warning: 1},
		Node: catalog.Node{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Name: fmt.Sprintf("node-%d", n), Address: address, Datacenter: "dc1",
			TaggedAddresses: map[string]string{"lan_ipv4": address}, Meta: map[string]string{"consul-network-segment": ""}},
	}, UserMeta: map[string]string{}}
}

func instances(service string, count int) []tasks.Service {
	out := make([]tasks.Service, count)
	for n := range out {
		out[n] = instance(service, n)
	}
	return out
}

// with changes the instances of a service, one by one.
func with(count int, change func(n int, s *tasks.Service)) []tasks.Service {
	out := instances("web", count)
	for n := range out {
		change(n, &out[n])
	}
	return out
}

// Awkward gives the sets that every module should take. A module may refuse one with a
// message of its own, such as a pool that may not be empty; it must not fail.
func Awkward() []Set {
	return []Set{
		{Name: "none", About: "no instance"},
		{Name: "one", About: "one instance", Services: instances("web", 1)},
		{Name: "three", About: "three services, one of them with a warning", Services: three()},
		{Name: "hundred", About: "100 instances of one service", Services: instances("web", 100)},
		{Name: "names", About: "names that are no identifiers", Services: oddNames()},
		{Name: "ipv6", About: "IPv6 and host names as addresses", Services: with(4, func(n int, s *tasks.Service) {
			s.Address = []string{"2001:db8::1", "::ffff:10.0.0.9", "FE80::1", "web.example.com"}[n]
		})},
		{Name: "duplicate", About: "one address and port twice, in one service and in two", Services: duplicates()},
		{Name: "empty", About: "no tags, no meta, the node's address alone", Services: with(2, func(_ int, s *tasks.Service) {
			s.Address, s.Tags, s.Meta, s.Node.Meta, s.Node.TaggedAddresses = "", nil, nil, nil, nil
		})},
		{Name: "garbage", About: "tags and meta that nobody expects, ports at the ends of their range", Services: garbage()},
		{Name: "unhealthy", About: "warning, critical and maintenance, as a filter on Checks.Status gives them", Services: unhealthy()},
		{Name: "canary", About: "a canary takes 5 percent", Services: with(4, func(n int, s *tasks.Service) {
			s.Meta["version"] = fmt.Sprintf("v%d", n/3+1)
		}), Canaries: map[string]map[string]float64{"web": {"v1": 95, "v2": 5}}},
	}
}

func three() []tasks.Service {
	out := slices.Concat(instances("api", 1), instances("db", 1), instances("web", 1))
	out[1].Checks = check(catalog.Warning)
	return out
}

func check(status string) []catalog.Check {
	return []catalog.Check{{ID: "recorded", Name: "recorded", Status: status}}
}

// maintenance is the check by which Consul keeps an instance in maintenance.
const maintenance = "_service_maintenance:"

func unhealthy() []tasks.Service {
	return with(4, func(n int, s *tasks.Service) {
		s.Checks = check([]string{catalog.Passing, catalog.Warning, catalog.Critical, catalog.Critical}[n])
		if n == 3 {
			s.Checks[0].ID = maintenance + s.ID
		}
	})
}

func oddNames() (out []tasks.Service) {
	for n, name := range []string{"Web.API", "web_api", "web api/v2", `a"b\c`, "${terraform}", "%{ if }", "größe-日本", "-", strings.Repeat("long", 40)} {
		s := instance(name, n)
		s.ID, s.Node.Name = fmt.Sprintf("%s %d", name, n), fmt.Sprintf("node.%d ünï", n)
		out = append(out, s)
	}
	return out
}

func duplicates() []tasks.Service {
	out := append(instances("web", 2), instance("api", 0))
	for n := range out {
		out[n].Address, out[n].Port = "10.0.0.1", 8080
	}
	return out
}

func garbage() []tasks.Service {
	return with(4, func(n int, s *tasks.Service) {
		s.Port = []int{0, 1, 65535, 8080}[n]
		s.Tags = []string{"", "$(reboot)", "a=b,c", "a\nb", "\x00", "'; DROP", `"`, strings.Repeat("x", 5000)}
		s.Meta = map[string]string{"": "", "weight": []string{"-1", "1e9", "heavy", "99999999999999999999"}[n], "version": "$(reboot)\n\x00\"'",
			"`id`": "}{", "enabled": "perhaps", "priority": "0x10", "vip": "999.1.1.1"}
		s.UserMeta = map[string]string{"weight": "", "method": "; rm -rf /", "${x}": "%{ for }"}
	})
}
