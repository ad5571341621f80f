package azure_test

import (
	"strings"
	"testing"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/moduletest"
)

const ipGroups = "Microsoft.Network/ipGroups/"

func TestIPGroupHoldsTheAddressesOfAService(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-ip-group", append(at, `service_names = ["web"]`, `tags = { team = "net" }`)...)
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     []any
		notes    int
		calls    int
	}{
		{"no instance yet: a placeholder, which keeps rules in force", nil, []any{"192.0.2.1"}, 1, 1},
		{"one instance", []moduletest.Instance{instance("web", "10.0.0.1", 80)}, []any{"10.0.0.1"}, 0, 1},
		{"two, one of them twice and one of the node's address", []moduletest.Instance{
			instance("web", "10.0.0.1", 80), instance("web", "10.0.0.1", 81), {Name: "web", Node: "10.0.0.2"},
		}, []any{"10.0.0.1", "10.0.0.2"}, 0, 1},
		{"emptied: it holds what it has", nil, []any{"10.0.0.1", "10.0.0.2"}, 1, 0},
		{"still emptied", nil, []any{"10.0.0.1", "10.0.0.2"}, 1, 0},
		{"filled again", []moduletest.Instance{instance("web", "10.0.0.3", 80)}, []any{"10.0.0.3"}, 0, 1},
	} {
		r.arm.Forget()
		r.Give(t, step.services...)
		r.Apply(t)
		same(t, step.sentence, step.want, r.properties(t, ipGroups+"patchbay-web")["ipAddresses"])
		same(t, step.sentence+": writes", step.calls, r.arm.Count("PUT", "/ipGroups/"))
		r.Settled(t)
		if notes := r.skipped(t); len(notes) != step.notes {
			t.Errorf("%s: skipped = %q, want %d", step.sentence, notes, step.notes)
		}
	}
}

func TestIPGroupsOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-ip-group", at...)
	foreign := azure.Body{"location": "westeurope", "properties": azure.Body{"ipAddresses": []any{"10.9.9.9"}}}
	r.arm.Seed(t, azure.ID(ipGroups+"others"), foreign)
	r.arm.Seed(t, azure.ID(ipGroups+"patchbay-api"), foreign)
	r.Give(t, instance("web", "10.0.0.1", 80))
	r.Apply(t)
	r.Give(t, instance("web", "10.0.0.1", 80), instance("api", "10.0.0.2", 80))
	if said := r.Refused(t); !strings.Contains(said, "already exists") {
		t.Errorf("a group that the module did not make was taken over:\n%s", said)
	}
	r.Give(t)
	r.Apply(t)
	same(t, "groups after all services are gone", []string{"others", "patchbay-api"}, r.arm.Names(azure.ID("Microsoft.Network/ipGroups")))
	same(t, "a foreign group", []any{"10.9.9.9"}, r.properties(t, ipGroups+"patchbay-api")["ipAddresses"])
}

func TestIPGroupNeverTakesWhatIsNoIPv4Address(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-ip-group", at...)
	bad := []string{"10.0.0.256", "10.0.0.1/8", "0.0.0.0", "0.0.0.0/0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "2001:db8::1",
		"10.0.0.1\n10.0.0.2", "10.0.0.1-10.0.0.9", "010.0.0.1", "host", "${x}", "", " ", "１0.0.0.1", strings.Repeat("1", 100000)}
	var all []moduletest.Instance
	for _, a := range bad {
		all = append(all, instance("web", a, 80))
	}
	r.Give(t, append(all, instance("web", "10.1.1.1", 80), instance("", "10.1.1.2", 80))...)
	r.Apply(t)
	same(t, "group", []any{"10.1.1.1"}, r.properties(t, ipGroups+"patchbay-web")["ipAddresses"])
	if notes := r.skipped(t); len(notes) != len(bad)+1 {
		t.Errorf("skipped has %d notes, want %d: %q", len(notes), len(bad)+1, notes)
	}
}

func TestIPGroupRefusesASenselessPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-ip-group", append(at, `max_addresses = 3`, `on_empty = "refuse"`, `service_names = ["web"]`)...)
	r.Give(t, moduletest.Instances("web", 3)...)
	r.Apply(t)
	for sentence, step := range map[string]struct {
		count int
		want  string
	}{
		"too many addresses": {4, `Service "web" has 4 addresses and an IP group takes 3 (max_addresses): nothing was changed.`},
		"no address left":    {0, `Service "web" has no instance with an IPv4 address left, and on_empty is "refuse": nothing was changed.`},
	} {
		r.arm.Forget()
		r.Give(t, moduletest.Instances("web", step.count)...)
		if said := r.Refused(t); !strings.Contains(said, step.want) {
			t.Errorf("%s: want %q:\n%s", sentence, step.want, said)
		}
		same(t, sentence+": writes", 0, r.arm.Count("PUT", ""))
	}
}
