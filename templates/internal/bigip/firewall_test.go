package bigip_test

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

// records are the names of a data group's records, or the addresses of an address list.
func records(d *bigip.Device, path string) []string {
	out := []string{}
	for kind, list := range map[string]string{"ltm/data-group/internal": "records", "security/firewall/address-list": "addresses"} {
		object := d.Object(kind, path)
		entries, _ := object[list].([]any)
		for _, r := range entries {
			out = append(out, fmt.Sprint(r.(map[string]any)["name"]))
		}
		if object != nil {
			return out
		}
	}
	return nil
}

const addressLists = `kind = "address-list"`

func TestF5FirewallListsFollowConsul(t *testing.T) {
	for kind, c := range map[string]struct {
		arguments []string
		web, api  string
		// has is how an address stands in the list, empty what an empty list has.
		has   func(string) string
		empty []string
	}{
		"data group": {nil, "/Common/consul_web", "/Common/consul_api", func(a string) string {
			if strings.Contains(a, ":") {
				return a + "/128"
			}
			return a + "/32"
		}, []string{}},
		"address list": {[]string{addressLists, `tenant = "edge"`}, "/edge/lists/consul_web", "/edge/lists/consul_api", func(a string) string { return a }, []string{"192.0.2.1"}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := bigip.New(t)
			s, _ := bigip.Stack(t, d, "f5-firewall", nil, append(c.arguments, `service_names = ["web"]`)...)
			api := moduletest.Instance{Name: "api", Address: "10.1.0.1", Port: 80}
			for _, step := range []struct {
				sentence string
				services []moduletest.Instance
				web, api []string
			}{
				{"no instance", nil, nil, nil},
				{"one instance", []moduletest.Instance{web("10.0.0.1", 80)}, []string{"10.0.0.1"}, nil},
				{"two services, one address on two ports", []moduletest.Instance{web("10.0.0.2", 80), web("10.0.0.1", 80), web("10.0.0.1", 81), api}, []string{"10.0.0.1", "10.0.0.2"}, []string{"10.1.0.1"}},
				{"one moved to IPv6, one service gone", []moduletest.Instance{web("FD00:0::1", 80)}, []string{"fd00::1"}, nil},
				{"the node's address stands for an empty one", []moduletest.Instance{web("", 80).With(func(i *moduletest.Instance) { i.Node = "10.0.0.9" })}, []string{"10.0.0.9"}, nil},
				{"emptied", nil, nil, nil},
				{"filled again", []moduletest.Instance{web("10.0.0.1", 80)}, []string{"10.0.0.1"}, nil},
			} {
				s.Give(t, step.services...)
				s.Apply(t)
				want := c.empty
				if step.web != nil {
					want = nil
					for _, a := range step.web {
						want = append(want, c.has(a))
					}
				}
				if diff := cmp.Diff(want, records(d, c.web)); diff != "" {
					t.Errorf("%s: list of web (-want +got):\n%s", step.sentence, diff)
				}
				want = nil
				for _, a := range step.api {
					want = append(want, c.has(a))
				}
				if diff := cmp.Diff(want, records(d, c.api)); diff != "" {
					t.Errorf("%s: list of api (-want +got):\n%s", step.sentence, diff)
				}
				s.Settled(t)
			}
		})
	}
}

func TestF5FirewallJoinsServicesInOneList(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-firewall", nil, `list_names = { web = "clients", api = "clients" }`)
	s.Give(t, web("10.0.0.1", 80), moduletest.Instance{Name: "api", Address: "10.0.0.2", Port: 80}, moduletest.Instance{Name: "Job.Runner-1", Address: "10.0.0.3", Port: 80})
	s.Apply(t)
	if diff := cmp.Diff([]string{"10.0.0.1/32", "10.0.0.2/32"}, records(d, "/Common/clients")); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	var lists map[string]struct {
		Path      string
		Addresses []string
	}
	s.Output(t, "lists", &lists)
	odd := lists["Job.Runner-1"].Path
	if !strings.HasPrefix(odd, "/Common/consul_s_Job_Runner_1_") || records(d, odd) == nil {
		t.Errorf("the list of Job.Runner-1 is %q", odd)
	}
}

func TestF5FirewallKeepsALastAddressWhereItIsTold(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-firewall", nil, `service_names = ["web"]`, `allow_empty = false`)
	s.Give(t, web("10.0.0.1", 80))
	s.Apply(t)
	s.Give(t)
	if said := s.Refused(t); !strings.Contains(said, "Lists would have no address, which allow_empty refuses; nothing was changed: web. ") {
		t.Errorf("the run says:\n%s", said)
	}
	if diff := cmp.Diff([]string{"10.0.0.1/32"}, records(d, "/Common/consul_web")); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestF5FirewallTakesGarbage(t *testing.T) {
	t.Parallel()
	for kind, arguments := range map[string][]string{"data group": nil, "address list": {addressLists, `tenant = "edge"`, `prefix = ""`}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := bigip.New(t)
			s, _ := bigip.Stack(t, d, "f5-firewall", nil, arguments...)
			keyed, names := map[string]moduletest.Instance{}, []string{"web", "Web", "a.b", "a b", "class", "label", "é", "\n", "\x00", "${x}", "1", strings.Repeat("x", 64), strings.Repeat("y", 5000)}
			for n, name := range names {
				keyed[moduletest.Key(n)] = moduletest.Instance{Name: name, Address: fmt.Sprintf("10.0.0.%d", n+1), Tags: []string{name}, Meta: map[string]string{name + "x": name}}
			}
			bad := []string{"host.example.com", "10.0.0.0/8", "10.0.0.256", "10.0.0.01", "0.0.0.0", "::", "10.0.0.1%1", "10.0.0.1 } evil", "\n", ""}
			for n, address := range bad {
				keyed[fmt.Sprint("bad ", n)] = web(address, 80)
			}
			s.Set(t, "services", keyed)
			s.Apply(t)
			s.Settled(t)
			var lists map[string]struct {
				Path      string
				Addresses []string
			}
			s.Output(t, "lists", &lists)
			paths := map[string]bool{}
			for service, l := range lists {
				paths[l.Path] = true
				if got := records(d, l.Path); len(got) != 1 || len(l.Addresses) != 1 {
					t.Errorf("%q has list %s with %q", service, l.Path, got)
				}
			}
			if len(paths) != len(names) {
				t.Errorf("%d lists for %d services", len(paths), len(names))
			}
			if got := notes(t, s); len(got) != len(bad) {
				t.Errorf("skipped has %d notes for %d addresses: %v", len(got), len(bad), got)
			}
		})
	}
}
