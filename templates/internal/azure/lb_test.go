package azure_test

import (
	"sort"
	"strings"
	"testing"
	"time"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/moduletest"
)

const pools = "Microsoft.Network/loadBalancers/edge/backendAddressPools/"

var onBalancer = []string{
	`virtual_network_id = "` + azure.ID("Microsoft.Network/virtualNetworks/hub") + `"`,
	`backend_address_pool_ids = { web = "` + azure.ID(pools+"web") + `", api = "` + azure.ID(pools+"api") + `" }`,
}

// entries of a backend pool: "name address".
func (r *rig) entries(tb testing.TB, pool string) []string {
	tb.Helper()
	out := []string{}
	for _, x := range r.properties(tb, pools+pool)["loadBalancerBackendAddresses"].([]any) {
		entry := x.(azure.Body)
		out = append(out, entry["name"].(string)+" "+entry["properties"].(azure.Body)["ipAddress"].(string))
	}
	sort.Strings(out)
	return out
}

func TestLBPoolsHoldTheAddressesOfTheirServices(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-lb", onBalancer...)
	r.arm.Change(t, azure.ID(pools+"web"), func(p azure.Body) {
		p["loadBalancerBackendAddresses"] = []any{azure.Body{"name": "by-hand", "properties": azure.Body{"ipAddress": "10.9.9.9", "virtualNetwork": azure.Body{"id": azure.ID("Microsoft.Network/virtualNetworks/hub")}}}}
	})
	sick := instance("web", "10.0.0.3", 80).With(func(i *moduletest.Instance) { i.Status = "critical" })
	drained := instance("web", "10.0.0.4", 80).With(func(i *moduletest.Instance) { i.Meta = map[string]string{"weight": "0"} })
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		web, api []string
		calls    int
	}{
		{"no instance", nil, []string{"by-hand 10.9.9.9"}, []string{}, 0},
		{"of each service one, of which one weighs nothing, one is critical and one has no pool", []moduletest.Instance{
			instance("web", "10.0.0.1", 80), instance("web", "10.0.0.1", 81), sick, drained, instance("api", "10.0.1.1", 80), instance("other", "10.0.2.1", 80),
		}, []string{"by-hand 10.9.9.9", "patchbay-10-0-0-1 10.0.0.1"}, []string{"patchbay-10-0-1-1 10.0.1.1"}, 2},
		{"one moves: one entry less and one more, none is changed", []moduletest.Instance{instance("web", "10.0.0.2", 80), instance("api", "10.0.1.1", 80)},
			[]string{"by-hand 10.9.9.9", "patchbay-10-0-0-2 10.0.0.2"}, []string{"patchbay-10-0-1-1 10.0.1.1"}, 2},
		{"one is emptied: it keeps what it has", []moduletest.Instance{instance("api", "10.0.1.2", 80)},
			[]string{"by-hand 10.9.9.9", "patchbay-10-0-0-2 10.0.0.2"}, []string{"patchbay-10-0-1-2 10.0.1.2"}, 2},
		{"it is filled again", []moduletest.Instance{instance("web", "10.0.0.9", 80), instance("api", "10.0.1.2", 80)},
			[]string{"by-hand 10.9.9.9", "patchbay-10-0-0-9 10.0.0.9"}, []string{"patchbay-10-0-1-2 10.0.1.2"}, 2},
	} {
		r.arm.Forget()
		r.Give(t, step.services...)
		r.Apply(t)
		same(t, step.sentence+": web", step.web, r.entries(t, "web"))
		same(t, step.sentence+": api", step.api, r.entries(t, "api"))
		same(t, step.sentence+": writes", step.calls, r.arm.Count("PUT", "/backendAddressPools/"))
		r.Settled(t)
	}
	same(t, "updates, each of which takes the provider over a minute", 0, r.provider.Count("update", ""))
}

func TestLBOneWeightTakesOneInstanceOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-lb", onBalancer...)
	r.Give(t, instance("web", "10.0.0.1", 80), instance("web", "10.0.0.2", 80))
	r.Set(t, "instance_weights", map[string]any{moduletest.Key(1): 0})
	r.Apply(t)
	same(t, "pool", []string{"patchbay-10-0-0-1 10.0.0.1"}, r.entries(t, "web"))
	if notes := r.skipped(t); !strings.Contains(strings.Join(notes, "\n"), "skipped: its weight is 0") {
		t.Errorf("skipped = %q", notes)
	}
}

func TestLBTellsWhatEachEntryCosts(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-lb", onBalancer...)
	r.arm.Delay()
	r.Give(t, moduletest.Instances("web", 2)...)
	r.Apply(t)
	same(t, "time for two new entries", 20*time.Second, r.arm.Waited())
	r.Give(t, moduletest.Instances("web", 1)...)
	r.Apply(t)
	same(t, "time for one less", 20*time.Second+55*time.Second, r.arm.Waited())
}

func TestLBRefusesASenselessPlan(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		argument string
		services []moduletest.Instance
		want     string
	}{
		"too many addresses": {`max_addresses = 2`, moduletest.Instances("web", 3), `More than 2 addresses (max_addresses) for the pool of: "web" (3): nothing was changed.`},
		"no instance left":   {`on_empty = "refuse"`, moduletest.Instances("web", 1), `No instance that could take traffic is left of: "api", and on_empty is "refuse": nothing was changed.`},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := newRig(t, "azure-lb", append([]string{c.argument}, onBalancer...)...)
			r.Give(t, c.services...)
			if said := r.Refused(t); !strings.Contains(said, c.want) {
				t.Errorf("want %q:\n%s", c.want, said)
			}
			same(t, "writes", 0, r.arm.Count("PUT", ""))
		})
	}
}
