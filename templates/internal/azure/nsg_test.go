package azure_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/moduletest"
)

var onEdge = []string{`resource_group_name = "network"`, `network_security_group_name = "edge"`}

const rules = group + "/securityRules/"

// priorities are those of all rules of the group, by name.
func (r *rig) priorities(tb testing.TB) map[string]int {
	tb.Helper()
	out := map[string]int{}
	for _, name := range r.arm.Names(azure.ID(group + "/securityRules")) {
		out[name] = int(r.properties(tb, rules+name)["priority"].(float64))
	}
	return out
}

func TestNSGRuleLetsPeersReachTheInstancesOfAService(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nsg", append(onEdge, `service_names = ["web"]`)...)
	for _, step := range []struct {
		sentence  string
		services  []moduletest.Instance
		addresses []any
		ports     []any
		notes     int
		calls     int
	}{
		{"no instance yet: no rule, which would be one for nobody or all", nil, nil, nil, 1, 0},
		{"one instance", []moduletest.Instance{instance("web", "10.0.0.1", 8080)}, []any{"10.0.0.1"}, []any{"8080"}, 0, 1},
		{"two ports, an address twice, one of the node and one of IPv6", []moduletest.Instance{
			instance("web", "10.0.0.1", 8080), instance("web", "10.0.0.1", 8081), {Name: "web", Node: "10.0.0.2", Port: 8080}, instance("web", "2001:db8::1", 1),
		}, []any{"10.0.0.1", "10.0.0.2"}, []any{"8080", "8081"}, 1, 1},
		{"emptied: it keeps what it has", nil, []any{"10.0.0.1", "10.0.0.2"}, []any{"8080", "8081"}, 1, 0},
		{"filled again", []moduletest.Instance{instance("web", "10.0.0.3", 80)}, []any{"10.0.0.3"}, []any{"80"}, 0, 1},
	} {
		r.arm.Forget()
		r.Give(t, step.services...)
		r.Apply(t)
		p, ok := r.arm.Has(azure.ID(rules + "patchbay-web"))
		if ok != (step.addresses != nil) {
			t.Errorf("%s: there is a rule: %t", step.sentence, ok)
		} else if ok {
			same(t, step.sentence, []any{step.addresses, step.ports, "VirtualNetwork", "*", float64(2000), "Inbound", "Allow", "Tcp"}, []any{
				p["destinationAddressPrefixes"], p["destinationPortRanges"], p["sourceAddressPrefix"], p["sourcePortRange"], p["priority"], p["direction"], p["access"], p["protocol"]})
		}
		same(t, step.sentence+": writes", step.calls, r.arm.Count("PUT", "/securityRules/"))
		r.Settled(t)
		if notes := r.skipped(t); len(notes) != step.notes {
			t.Errorf("%s: skipped = %q, want %d", step.sentence, notes, step.notes)
		}
	}
}

func TestAServiceMoreMovesNoOtherRule(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nsg", append(onEdge, `base_priority = 300`, `slots = 8`, `rules = { vpn = { priority = 302, peers = ["10.9.0.0/16", "10.8.0.0/16"], ports = ["*"] } }`)...)
	foreign := azure.Body{"properties": azure.Body{"priority": 301, "direction": "Inbound", "access": "Deny", "protocol": "*", "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "*"}}
	r.arm.Seed(t, azure.ID(rules+"deny-all"), foreign)
	has := map[string]moduletest.Instance{}
	last := map[string]int{"deny-all": 301}
	give := func(names ...string) {
		for n, name := range names {
			has[name] = instance(name, fmt.Sprintf("10.0.%d.%d", len(has), n+1), 80)
		}
		r.Give(t, slices.SortedFunc(maps.Values(has), func(a, b moduletest.Instance) int { return strings.Compare(a.Name, b.Name) })...)
	}
	apply := func(sentence string, changed int) {
		t.Helper()
		if got := r.changes(t); len(got) != changed {
			t.Errorf("%s: plan changes %v, want %d", sentence, got, changed)
		}
		r.Apply(t)
		r.Settled(t)
		now := r.priorities(t)
		for name, priority := range last {
			if now[name] != 0 && now[name] != priority {
				t.Errorf("%s: rule %s moved from %d to %d", sentence, name, priority, now[name])
			}
		}
		last = now
	}
	give("m", "vpn")
	apply("two services", 2)
	give("a", "z")
	apply("one before and one after them", 2)
	same(t, "priorities", map[string]int{"deny-all": 301, "patchbay-m": 300, "patchbay-vpn": 302, "patchbay-a": 303, "patchbay-z": 304}, last)

	delete(has, "a")
	give("b")
	apply("one goes and one comes: the new one waits for no old place", 2)
	give("c")
	apply("a place that is free again is taken", 1)
	same(t, "priorities", map[string]int{"deny-all": 301, "patchbay-m": 300, "patchbay-vpn": 302, "patchbay-z": 304, "patchbay-b": 305, "patchbay-c": 303}, last)

	give("d", "e", "f", "g")
	if said := r.Refused(t); !strings.Contains(said, "No priority from 300 to 307 is free for the rule of service") {
		t.Errorf("more services than slots:\n%s", said)
	}
	same(t, "priorities after the refusal", last, r.priorities(t))
}

func TestNSGRulesOfAServiceAsSource(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nsg", append(onEdge, `rule_prefix = "out-"`, `members = "source"`, `direction = "Outbound"`, `peers = ["Sql"]`, `ports = ["1433", "5000-5010"]`, `ip_family = "IPv6"`)...)
	r.Give(t, instance("app", "2001:DB8:0:0::1", 80), instance("app", "::1", 80), instance("app", "fe80::1", 80), instance("app", "10.0.0.1", 80))
	r.Apply(t)
	r.Settled(t)
	p := r.properties(t, rules+"out-app")
	same(t, "rule", []any{[]any{"2001:db8::1"}, "Sql", []any{"1433", "5000-5010"}, "Outbound"}, []any{p["sourceAddressPrefixes"], p["destinationAddressPrefix"], p["destinationPortRanges"], p["direction"]})
	same(t, "notes", 3, len(r.skipped(t)))
}

func TestNSGRefusesASenselessPlan(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		arguments []string
		services  []moduletest.Instance
		want      string
	}{
		"too many addresses":            {[]string{`max_addresses = 2`}, moduletest.Instances("web", 3), `Service "web" has 3 addresses and a rule takes 2 (max_addresses): nothing was changed.`},
		"no address left":               {[]string{`on_empty = "refuse"`, `service_names = ["web"]`}, nil, `Service "web" has no instance with an IPv4 address left, and on_empty is "refuse": nothing was changed.`},
		"instances as source, no ports": {[]string{`members = "source"`}, moduletest.Instances("web", 1), `No destination port is known for the rule of service "web"`},
		"ports that are none":           {nil, []moduletest.Instance{instance("web", "10.0.0.1", 0)}, `No destination port is known for the rule of service "web"`},
		"a priority of somebody else":   {[]string{`rules = { web = { priority = 301 } }`}, moduletest.Instances("web", 1), `Priority 301, given for service "web", belongs to rule "deny-all" of the network security group`},
		"a priority that is given twice": {[]string{`rules = { web = { priority = 400 }, api = { priority = 400 } }`}, moduletest.Instances("web", 1),
			`Priority 400, given for service "web", belongs to rule "of another service"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := newRig(t, "azure-nsg", append(c.arguments, onEdge...)...)
			r.arm.Seed(t, azure.ID(rules+"deny-all"), azure.Body{"properties": azure.Body{"priority": 301, "direction": "Inbound"}})
			r.Give(t, c.services...)
			if said := r.Refused(t); !strings.Contains(said, c.want) {
				t.Errorf("want %q:\n%s", c.want, said)
			}
			same(t, "writes", 0, r.arm.Count("PUT", ""))
		})
	}
}

func TestNSGRulesHaveSafeNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nsg", onEdge...)
	names := []string{"web", "Web", "web.api", "web-", "-web", "a b", "a/b", "a%b", "é", strings.Repeat("x", 40), strings.Repeat("x", 41), "\x00", "${x}", "\"", " "}
	var all []moduletest.Instance
	for n, name := range names {
		all = append(all, instance(name, fmt.Sprintf("10.0.0.%d", n+1), 80))
	}
	r.Give(t, all...)
	r.Apply(t)
	r.Settled(t)
	has := r.arm.Names(azure.ID(group + "/securityRules"))
	if len(has) != len(names) || !slices.Contains(has, "patchbay-web") || !slices.Contains(has, "patchbay-"+strings.Repeat("x", 40)) {
		t.Errorf("%d services have the rules %q", len(names), has)
	}
}
