package bigip_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

const (
	ltm      = `mode = "ltm"`
	ltmPools = `pools = { web = "/Common/web_pool" }`
)

func newPools(tb testing.TB, arguments ...string) (*bigip.Device, *moduletest.Stack) {
	tb.Helper()
	d := bigip.New(tb)
	s, _ := bigip.Stack(tb, d, "f5-pool", nil, append(arguments, ltm, ltmPools)...)
	return d, s
}

// membersOf gives the members of a pool with their ratio, and - for one that is disabled.
func membersOf(d *bigip.Device, pool string) []string {
	out := []string{}
	all := d.Members(pool)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		line := fmt.Sprintf("%s %v", name, m["ratio"])
		if m["session"] == "user-disabled" {
			line += " -"
		}
		out = append(out, line)
	}
	return out
}

func TestPoolWithoutAS3DrainsAMemberBeforeItIsRemoved(t *testing.T) {
	t.Parallel()
	d, s := newPools(t)
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     []string
		moves    bool // a next run has something left to do
	}{
		{"one instance", []moduletest.Instance{at("10.0.0.1", 80)}, []string{"10.0.0.1:80 1"}, false},
		{"another, over IPv6", []moduletest.Instance{at("10.0.0.1", 80), at("2001:DB8::1", 80)}, []string{"10.0.0.1:80 1", "2001:db8::1.80 1"}, false},
		{"the first is gone: it drains", []moduletest.Instance{at("2001:db8::1", 80)}, []string{"10.0.0.1:80 1 -", "2001:db8::1.80 1"}, true},
		{"the next run removes it", []moduletest.Instance{at("2001:db8::1", 80)}, []string{"2001:db8::1.80 1"}, false},
		{"gone again", []moduletest.Instance{at("10.0.0.2", 80)}, []string{"10.0.0.2:80 1", "2001:db8::1.80 1 -"}, true},
		{"back before it was removed", []moduletest.Instance{at("10.0.0.2", 80), at("2001:db8::1", 80)}, []string{"10.0.0.2:80 1", "2001:db8::1.80 1"}, false},
		{"a critical one is disabled, its instance being there", []moduletest.Instance{
			at("10.0.0.2", 80).With(func(i *moduletest.Instance) { i.Status = "critical" }), at("2001:db8::1", 80),
		}, []string{"10.0.0.2:80 1 -", "2001:db8::1.80 1"}, false},
		{"what was disabled goes at once", []moduletest.Instance{at("2001:db8::1", 80)}, []string{"2001:db8::1.80 1"}, false},
	} {
		s.Give(t, step.services...)
		s.Apply(t)
		if diff := cmp.Diff(step.want, membersOf(d, "/Common/web_pool")); diff != "" {
			t.Errorf("%s: members (-want +got):\n%s", step.sentence, diff)
		}
		if !step.moves {
			s.Settled(t)
		}
	}
	p := d.Object("ltm/pool", "/Common/web_pool")
	if p["loadBalancingMode"] != "ratio-member" || p["monitor"] != "/Common/tcp" {
		t.Errorf("pool = %v", p)
	}
}

func TestPoolWithoutAS3ThatIsEmptied(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		arguments []string
		want      [][]string // after each of the runs that follow
	}{
		"keeps its members":                   {nil, [][]string{{"10.0.0.1:80 1"}, {"10.0.0.1:80 1"}}},
		"drains, then stays without a member": {[]string{`on_empty = "remove"`}, [][]string{{"10.0.0.1:80 1 -"}, {}, {}}},
		"loses its members at once":           {[]string{`on_empty = "remove"`, `drain = false`}, [][]string{{}, {}}},
	} {
		d, s := newPools(t, c.arguments...)
		s.Give(t, at("10.0.0.1", 80))
		s.Apply(t)
		s.Give(t)
		for n, want := range c.want {
			s.Apply(t)
			if diff := cmp.Diff(want, membersOf(d, "/Common/web_pool")); diff != "" {
				t.Errorf("%s: members after run %d (-want +got):\n%s", sentence, n+1, diff)
			}
		}
		if d.Object("ltm/pool", "/Common/web_pool") == nil {
			t.Errorf("%s: the pool is gone", sentence)
		}
		s.Settled(t)
		s.Give(t, at("10.0.0.5", 80))
		s.Apply(t)
		if got := membersOf(d, "/Common/web_pool"); !slices.Contains(got, "10.0.0.5:80 1") {
			t.Errorf("%s: refilled, it has %q", sentence, got)
		}
	}
}

func TestPoolWithoutAS3HasWeightsAndCanaries(t *testing.T) {
	t.Parallel()
	d, s := newPools(t, `canary_subsets = { "1" = "v1" }`)
	of := func(n int, version, weight string) moduletest.Instance {
		return at(fmt.Sprintf("10.0.0.%d", n), 80).With(func(i *moduletest.Instance) {
			i.Meta = map[string]string{"version": version, "weight": weight}
		})
	}
	bare := at("10.0.0.5", 80)
	s.Give(t, of(1, "1", "1"), of(2, "1", "3"), of(3, "v2", "2"), of(4, "1", "9").With(func(i *moduletest.Instance) { i.Status = "critical" }),
		bare, of(6, "", "2.5"), of(7, "1", "0"), of(8, "v2", "99999"))
	s.Set(t, "instance_weights", map[string]any{moduletest.Key(4): 4, moduletest.Key(5): 6, moduletest.Key(0): 50, "gone": 3})
	for _, step := range []struct {
		sentence string
		shares   map[string]any
		want     string
	}{
		{"without a canary: meta, else instance_weights, else 1", nil, "1, 3, 2, 1 -, 4, 6, 1 -, 65535"},
		{"a step divides each share by weight", map[string]any{"v1": 90, "v2": 10}, "14737, 44212, 1, 1 -, 1 -, 1 -, 1 -, 6549"},
		{"at the end", map[string]any{"v1": 0, "v2": 100}, "1 -, 1 -, 1, 1 -, 1 -, 1 -, 1 -, 65498"},
		{"a share of a subset without instances does not end all traffic", map[string]any{"v1": 0, "v3": 100}, "1, 3, 2, 1 -, 4, 6, 1 -, 65535"},
	} {
		canaries := map[string]any{}
		if step.shares != nil {
			canaries["web"] = step.shares
		}
		s.Set(t, "canary_weights", canaries)
		s.Apply(t)
		var got []string
		for _, line := range membersOf(d, "/Common/web_pool") {
			_, ratio, _ := strings.Cut(line, " ")
			got = append(got, ratio)
		}
		if diff := cmp.Diff(step.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%s: ratios (-want +got):\n%s", step.sentence, diff)
		}
		s.Settled(t)
	}
	want := []string{
		"web|" + moduletest.Key(5) + "|served with the weight of instance_weights or 1: its meta weight is not a whole number of up to 5 digits",
		"web||served without the weights of its canary: no instance is in a subset that has a share; see canary_meta and canary_subsets",
	}
	if diff := cmp.Diff(want, skippedOf(t, s)); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestPoolWithoutAS3TouchesOnlyWhatItMade(t *testing.T) {
	t.Parallel()
	d, s := newPools(t)
	ask(t, d, http.MethodPost, "/mgmt/tm/ltm/pool", `{"name":"other"}`)
	ask(t, d, http.MethodPost, "/mgmt/tm/ltm/pool/~Common~other/members", `{"name":"10.0.0.1:80"}`)
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
	s.Apply(t)
	ask(t, d, http.MethodPost, "/mgmt/tm/ltm/pool/~Common~web_pool/members", `{"name":"192.0.2.9:80"}`)
	s.Settled(t)

	// What it made and someone took away comes back.
	ask(t, d, http.MethodDelete, "/mgmt/tm/ltm/pool/~Common~web_pool/members/~Common~10.0.0.2:80", "")
	ask(t, d, http.MethodPatch, "/mgmt/tm/ltm/pool/~Common~web_pool", `{"loadBalancingMode":"round-robin"}`)
	s.Apply(t)
	if diff := cmp.Diff([]string{"10.0.0.1:80 1", "10.0.0.2:80 1", "192.0.2.9:80 1"}, membersOf(d, "/Common/web_pool")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if mode := d.Object("ltm/pool", "/Common/web_pool")["loadBalancingMode"]; mode != "ratio-member" {
		t.Errorf("balancing changed by hand stayed %v", mode)
	}
	s.Settled(t)
	s.Must(t, "destroy", "-auto-approve")
	if diff := cmp.Diff([]string{"/Common/other"}, d.Paths("ltm/pool")); diff != "" {
		t.Errorf("pools after destroy (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.1:80 1"}, membersOf(d, "/Common/other")); diff != "" {
		t.Errorf("members of the other pool (-want +got):\n%s", diff)
	}
}

func TestPoolWithoutAS3WarnsAboveFiftyMembers(t *testing.T) {
	t.Parallel()
	d, s := newPools(t)
	s.Give(t, moduletest.Instances("web", 51)...)
	s.Apply(t)
	var warnings []string
	s.Output(t, "warnings", &warnings)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "/Common/web_pool has 51 members") {
		t.Errorf("warnings = %q", warnings)
	}
	if got := len(d.Members("/Common/web_pool")); got != 51 {
		t.Errorf("the pool has %d members", got)
	}
	s.Give(t, moduletest.Instances("web", 50)...)
	s.Apply(t) // drains the last
	s.Apply(t)
	s.Output(t, "warnings", &warnings)
	if len(warnings) != 0 {
		t.Errorf("warnings = %q", warnings)
	}
}
