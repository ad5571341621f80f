package haproxy_test

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

// at makes an instance of web on 10.0.0.n.
func at(n int) moduletest.Instance {
	return moduletest.Instance{Name: "web", Address: fmt.Sprintf("10.0.0.%d", n), Port: 80, Status: "passing"}
}

// weigh gives an instance a meta weight.
func weigh(i moduletest.Instance, weight string) moduletest.Instance {
	return i.With(func(i *moduletest.Instance) { i.Meta = map[string]string{"weight": weight} })
}

// has fails unless the running worker has exactly these servers; those in maintenance
// are slots in spare, whose address does not matter.
func has(t *testing.T, h *haproxy.Server, want map[string]string) {
	t.Helper()
	got := h.Members(t)
	for name, state := range got {
		if _, wanted := want[name]; !wanted && strings.HasSuffix(state, " maint") {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("haproxy has (-want +got):\n%s", diff)
	}
}

func TestRuntimeAndFileHaveWeightsDrainAndMaint(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, "spare_slots = 0")
	state := func(n int, status, weight string) moduletest.Instance {
		return weigh(at(n), weight).With(func(i *moduletest.Instance) { i.Status = status })
	}
	none := at(8)
	s.Give(t, at(1), at(2), at(3), at(4), at(5), at(6), at(7), none)
	s.Apply(t)
	worker := h.Worker(t)
	s.Give(t, weigh(at(1), "7"), state(2, "maintenance", "9"), state(3, "critical", "9"), weigh(at(4), "0"), weigh(at(5), "-3"),
		weigh(at(6), "2.5"), weigh(at(7), "256"), none)
	s.Set(t, "instance_weights", map[string]any{moduletest.Key(0): 5, moduletest.Key(5): 6, moduletest.Key(7): 12, "gone": 9})
	s.Apply(t)

	want := map[string]string{
		"web/s1": "10.0.0.1:80 weight 7 ready",
		"web/s2": "10.0.0.2:80 weight 1 drain",
		"web/s3": "10.0.0.3:80 weight 1 maint",
		"web/s4": "10.0.0.4:80 weight 0 ready",
		"web/s5": "10.0.0.5:80 weight 0 ready",
		"web/s6": "10.0.0.6:80 weight 6 ready",
		"web/s7": "10.0.0.7:80 weight 256 ready",
		"web/s8": "10.0.0.8:80 weight 12 ready",
	}
	has(t, h, want)
	if got := h.Worker(t); got != worker {
		t.Errorf("haproxy was reloaded: worker %s, before %s", got, worker)
	}
	file := `# Backends from Consul. Written by Terraform: the next run overwrites changes.

backend web
  balance roundrobin
  server s1 10.0.0.1:80 weight 7
  server s2 10.0.0.2:80 weight 0
  server s3 10.0.0.3:80 weight 9 disabled
  server s4 10.0.0.4:80 weight 0
  server s5 10.0.0.5:80 weight 0
  server s6 10.0.0.6:80 weight 6
  server s7 10.0.0.7:80 weight 256
  server s8 10.0.0.8:80 weight 12
  server s9 127.0.0.1:1 disabled # spare
  server s10 127.0.0.1:1 disabled # spare
`
	if diff := cmp.Diff(file, h.Read(t, haproxy.Live)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	var skipped []map[string]string
	s.Output(t, "skipped", &skipped)
	if len(skipped) != 1 || skipped[0]["instance"] != moduletest.Key(5) {
		t.Errorf("skipped = %q, want the weight 2.5", skipped)
	}

	// The weight of the last two comes from the file alone after a reload by others.
	h.Reload(t)
	want["web/s2"], want["web/s3"] = "10.0.0.2:80 weight 0 ready", "10.0.0.3:80 weight 9 maint"
	has(t, h, want)
	s.Settled(t)
}

func TestChangesByHandAndOfOthersReloadsHeal(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	s.Give(t, at(1), at(2), at(3))
	s.Apply(t)
	h.Tell(t, "stats.sock", "set server web/s1 state maint;set server web/s2 addr 10.9.9.9 port 9;set server web/s3 weight 99;show version")
	h.Tell(t, "stats.sock", "set server web/s4 state ready;show version")
	worker := h.Worker(t)
	s.Give(t, at(1), at(2), at(3), at(5))
	s.Apply(t)
	has(t, h, map[string]string{
		"web/s1": "10.0.0.1:80 weight 1 ready", "web/s2": "10.0.0.2:80 weight 1 ready",
		"web/s3": "10.0.0.3:80 weight 1 ready", "web/s4": "10.0.0.5:80 weight 1 ready",
	})
	if got := h.Worker(t); got != worker {
		t.Errorf("haproxy was reloaded: worker %s, before %s", got, worker)
	}
}

func TestInstancesKeepTheirSlotsAndSpareOnesAreTakenWithoutReload(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, "spare_slots = 2")
	reloads := 0
	worker := h.Worker(t)
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     map[string]string
		reloads  int
	}{
		{"the first two get two slots more", []moduletest.Instance{at(1), at(2)}, map[string]string{"s1": "1", "s2": "2"}, 1},
		{"a first one in the order of keys moves nobody", []moduletest.Instance{at(9), at(1), at(2)}, map[string]string{"s1": "1", "s2": "2", "s3": "9"}, 1},
		{"a new one takes what was spare before", []moduletest.Instance{at(9), at(8), at(2)}, map[string]string{"s2": "2", "s3": "9", "s4": "8"}, 1},
		{"where none is in spare it takes what another left", []moduletest.Instance{at(7), at(6), at(8), at(2)}, map[string]string{"s1": "7", "s2": "2", "s3": "6", "s4": "8"}, 1},
		{"more than the slots need a reload, which moves nobody", []moduletest.Instance{at(1), at(7), at(6), at(8), at(2)}, map[string]string{"s1": "7", "s2": "2", "s3": "6", "s4": "8", "s5": "1"}, 2},
		{"two of one address are two", []moduletest.Instance{at(7), at(7), at(2)}, map[string]string{"s1": "7", "s2": "2", "s6": "7"}, 2},
		{"and stay two", []moduletest.Instance{at(7), at(7)}, map[string]string{"s1": "7", "s6": "7"}, 2},
		{"none leaves all in spare", nil, map[string]string{}, 3}, // the backend is gone, and refused
	} {
		if step.services == nil {
			s.Write(t, "main.tf", []byte(strings.Replace(read(t, s, "main.tf"), "source =", "service_names = [\"web\"]\n source =", 1)))
			step.reloads = 2
		}
		s.Give(t, step.services...)
		s.Apply(t)
		want := map[string]string{}
		for slot, n := range step.want {
			want["web/"+slot] = "10.0.0." + n + ":80 weight 1 ready"
		}
		has(t, h, want)
		if now := h.Worker(t); now != worker {
			worker = now
			reloads++
		}
		if reloads != step.reloads {
			t.Errorf("%s: %d reloads so far, want %d", step.sentence, reloads, step.reloads)
		}
		if t.Failed() {
			t.Fatalf("%s:\n%s", step.sentence, h.Read(t, haproxy.Live))
		}
	}
}

func TestABackendWithFarTooManySlotsShrinks(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, "spare_slots = 1")
	s.Give(t, moduletest.Instances("web", 100)...)
	s.Apply(t)
	if got := len(h.Members(t)); got != 125 {
		t.Errorf("100 instances have %d slots, want a quarter more", got)
	}
	s.Give(t, at(1), at(2))
	s.Apply(t)
	if got := len(h.Members(t)); got != 3 {
		t.Errorf("2 instances have %d slots, want 3", got)
	}
	has(t, h, map[string]string{"web/s1": "10.0.0.1:80 weight 1 ready", "web/s2": "10.0.0.2:80 weight 1 ready"})
}

func TestWeightsBeyondHaproxysAreBroughtIntoItsRange(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	s.Give(t, weigh(at(1), "65535"), weigh(at(2), "32768"), weigh(at(3), "1"), weigh(at(4), "0"))
	s.Apply(t)
	has(t, h, map[string]string{
		"web/s1": "10.0.0.1:80 weight 256 ready", "web/s2": "10.0.0.2:80 weight 128 ready",
		"web/s3": "10.0.0.3:80 weight 1 ready", "web/s4": "10.0.0.4:80 weight 0 ready",
	})
}

func TestTrafficShiftsAsACanarySays(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, `canary_subsets = { "1" = "v1" }`)
	of := func(n int, version, weight string) moduletest.Instance {
		return at(n).With(func(i *moduletest.Instance) { i.Meta = map[string]string{"version": version, "weight": weight} })
	}
	sick := of(4, "1", "9").With(func(i *moduletest.Instance) { i.Status = "critical" })
	bare := weigh(at(5), "4")
	other := of(6, "1", "4").With(func(i *moduletest.Instance) { i.Name = "shop" })
	s.Give(t, of(1, "1", "1"), of(2, "1", "3"), of(3, "v2", "2"), sick, bare, other)
	s.Apply(t)
	worker := h.Worker(t)
	for _, step := range []struct {
		sentence string
		shares   map[string]any
		want     []int // of 10.0.0.1, .2, .3 and .5
	}{
		{"a step divides each share by weight", map[string]any{"v1": 95, "v2": 5}, []int{85, 256, 18, 0}},
		{"a small share is not lost", map[string]any{"v1": 99.999, "v2": 0.001}, []int{85, 256, 1, 0}},
		{"before the first step and after a rollback", map[string]any{"v1": 100, "v2": 0}, []int{85, 256, 0, 0}},
		{"at the end", map[string]any{"v1": 0, "v2": 100}, []int{0, 0, 256, 0}},
		{"a share of a subset without instances does not end all traffic", map[string]any{"v1": 0, "v3": 100}, []int{1, 3, 2, 4}},
	} {
		s.Set(t, "canary_weights", map[string]any{"web": step.shares, "absent": map[string]any{"v1": 100}})
		s.Apply(t)
		members, got := h.Members(t), []int(nil)
		for n, server := range []string{"web/s1", "web/s2", "web/s3", "web/s5"} {
			var address, state string
			var weight int
			if _, err := fmt.Sscanf(members[server], "%s weight %d %s", &address, &weight, &state); err != nil || state != "ready" {
				t.Errorf("%s: member %d is %q", step.sentence, n, members[server])
			}
			got = append(got, weight)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: weights (-want +got):\n%s", step.sentence, diff)
		}
		if got := members["shop/s1"]; got != "10.0.0.6:80 weight 4 ready" {
			t.Errorf("%s: a service without a canary has %q", step.sentence, got)
		}
	}
	if got := h.Worker(t); got != worker {
		t.Errorf("haproxy was reloaded for weights: worker %s, before %s", got, worker)
	}
	s.Settled(t)
	var skipped []map[string]string
	s.Output(t, "skipped", &skipped)
	if len(skipped) != 1 || skipped[0]["service"] != "web" || !strings.Contains(skipped[0]["reason"], "without the weights of its canary") {
		t.Errorf("skipped = %q, want the weights that were left aside", skipped)
	}
}

func TestABackendThatIsEmptiedServesAgain(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, `service_names = ["web"]`)
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	s.Give(t, a)
	s.Apply(t)
	h.Serves(t, "a")
	worker := h.Worker(t)
	for _, again := range []struct {
		instance moduletest.Instance
		name     string
	}{{a, "a"}, {b, "b"}} {
		s.Give(t)
		s.Apply(t)
		moduletest.Wait(t, "haproxy still answers from an instance that is gone", func() bool {
			status, _ := h.Ask()
			return status == 503
		})
		s.Settled(t)
		s.Give(t, again.instance)
		s.Apply(t)
		h.Serves(t, again.name)
	}
	if got := h.Worker(t); got != worker {
		t.Errorf("haproxy was reloaded: worker %s, before %s", got, worker)
	}
}

func TestWeightsThatTheBalancingCannotChangeAreReloaded(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, `backend_lines = ["balance static-rr"]`)
	s.Give(t, weigh(at(1), "3"), at(2))
	s.Apply(t)
	worker := h.Worker(t)
	s.Give(t, weigh(at(1), "5"), at(2))
	s.Apply(t)
	has(t, h, map[string]string{"web/s1": "10.0.0.1:80 weight 5 ready", "web/s2": "10.0.0.2:80 weight 1 ready"})
	if h.Worker(t) == worker {
		t.Error("haproxy was not reloaded, but cannot change this weight while it runs")
	}
	s.Settled(t)
}
