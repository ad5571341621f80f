package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

// shares counts in percent who answers 100 requests of NGINX, which takes turns.
func (f *fleet) shares(want map[string]int) {
	f.t.Helper()
	c := knock(f.t, 0)
	c.url = strings.TrimSuffix(f.nginx.URL("web"), "/")
	f.must(rig.Until(f.t.Context(), limit, func() error {
		got := map[string]int{}
		for range 100 {
			id, err := c.served("GET /")
			if err != nil { // before the first run there is no server
				return err
			}
			got[id]++
		}
		for id, n := range want {
			if got[id] < n-2 || got[id] > n+2 { // old workers end their turn
				return fmt.Errorf("of 100 requests %v were answered, want %v", got, want)
			}
		}
		return nil
	}))
}

func TestNGINXShiftsWithTheSidecars(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.versions()
	var err error
	f.nginx, err = rig.StartNGINX(t.Context(), filepath.Join(f.dir, "nginx"), rig.Site{Upstream: "web", File: "web.conf"})
	f.must(err)
	t.Cleanup(func() { f.check(f.nginx.Quit()) })
	f.start(f.declares(f.gatewayTo("web"), f.nginxTask("lb", "web", "web.conf", `canary_subsets = { "1" = "v1", "2" = "v2" }`),
		twoVersions("", "steps = [20, 100]\n  manual = [\"last\"]")))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	f.stands("progressing", 20)
	f.shares(map[string]int{"one": 80, "two": 20})
	f.ask("canary", "promote", "web")
	s := f.stands("succeeded", 100)
	f.shares(map[string]int{"two": 100})
	f.eventually(c, "two")
	if why := s.told("succeeded"); len(why) != 1 {
		t.Errorf("it succeeded because of %q", why)
	}
	f.ask("canary", "abort", "web")
	f.shares(map[string]int{"one": 100})
	f.eventually(c, "one")
	var triggers []string
	for _, r := range f.runs("lb") {
		triggers = append(triggers, r.Trigger)
	}
	if !slices.Contains(triggers, "canary weights") {
		t.Errorf("the task was run by %q", triggers)
	}
}

// gated is a module that takes the weights once a file is there.
const gated = `
variable "canary_weights" {
  type = map(map(number))
}
resource "terraform_data" "weights" {
  input = jsonencode(var.canary_weights)
  lifecycle {
    precondition {
      condition     = fileexists(%s) || try(var.canary_weights["web"]["v2"], 0) == 0
      error_message = "the gate is shut"
    }
  }
}
`

func TestAStepWaitsForATaskAndARollbackDoesNot(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	_, v2 := f.versions()
	gate := filepath.Join(f.dir, "gate")
	module := f.module("gated", fmt.Sprintf(gated, rig.HCLString(gate)))
	idle := f.module("idle", "")
	task := func(name, module, service string) string {
		return fmt.Sprintf("task {\n  name = %q\n  module = %s\n  condition \"services\" {\n    names = [%q]\n  }\n}\n", name, rig.HCLString(module), service)
	}
	f.start(f.declares(task("gated", module, "web"), task("elsewhere", module, "shop"), task("idle", idle, "web"),
		twoVersions("", `steps = [20, 60, 100]`)))
	f.must(rig.Until(t.Context(), limit, func() error {
		s, err := f.canary()
		if err != nil {
			return err
		}
		for _, h := range s.Holds {
			if h.Rule == "tasks" && s.Weights["v2"] == 20 && strings.Contains(strings.Join(h.Evidence, ""), "1 of 1 tasks have not applied candidate v2 = 20%: gated") {
				return nil
			}
		}
		return fmt.Errorf("no task holds the first step: %+v", s)
	}))
	f.phase("gated", "retrying")
	if s, err := f.canary(); err != nil || s.Step != 1 {
		t.Errorf("the step did not wait for the task: %+v, %v", s, err)
	}
	f.must(os.WriteFile(gate, nil, 0o644))
	f.ask("task", "run", "-wait", "gated")
	f.must(rig.Until(t.Context(), limit, func() error {
		s, err := f.canary()
		if err == nil && s.Weights["v2"] < 60 {
			err = fmt.Errorf("the canary does not go on: %+v", s)
		}
		return err
	}))
	f.must(os.Remove(gate))
	v2.SetStatus(503)
	f.must(f.consul.SetHealth("two", "critical"))
	f.stands("rolled back", 0)
	f.must(rig.Until(t.Context(), limit, func() error {
		r := f.runs("gated")[0]
		for _, change := range r.Plan.Changes {
			for _, field := range change.Fields {
				if strings.Contains(field.After, `"v1":100,"v2":0`) && (r.Phase == "applied") {
					return nil
				}
			}
		}
		if r.Phase == "unchanged" {
			return nil
		}
		return fmt.Errorf("the task has not taken the rollback over: %+v", r)
	}))
	for _, r := range f.runs("idle") {
		if r.Trigger == "canary weights" {
			t.Error("a task whose module takes no weights was run for them")
		}
	}
	for _, r := range f.runs("elsewhere") {
		if r.Trigger == "canary weights" {
			t.Error("a task of another service was run for the weights")
		}
	}
}
