package tasks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"patchbay/tasks/catalog"

	"pgregory.net/rapid"
)

func members(service string, n int) (out []catalog.Member) {
	for i := range n {
		out = append(out, catalog.Member{Key: fmt.Sprintf("%s-%d.n1.dc1", service, i), Service: service, Node: "n1", Address: "10.0.0.1", Port: 80 + i})
	}
	return out
}

func everything(string) bool { return true }

func departed(m catalog.Member, cause catalog.DepartureCause, confirmed int) []*catalog.View {
	v := catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: m.Service}, nil)
	v.Departures = []catalog.Departure{{Member: m, Cause: cause}}
	v.Verdict.Confirmed = confirmed
	return []*catalog.View{v}
}

func destroying(n int, kind string, action Action) Plan {
	var p Plan
	for i := range n {
		p.Changes = append(p.Changes, Change{Address: fmt.Sprintf("module.m.%s.x[%d]", kind, i), Type: kind, Action: action})
	}
	return p
}

func TestGuard(t *testing.T) {
	web1 := members("web", 1)
	guard := Guard{MaxDestroys: 10}
	tests := map[string]struct {
		guard Guard
		p     Proposal
		held  string // the rule that holds; "" when the plan may go
		says  string
	}{
		"a service that keeps a member goes on": {
			guard, Proposal{Applied: members("web", 5), Wanted: web1}, "", ""},
		"a service that loses several members at once is held": {
			guard, Proposal{Applied: members("web", 2), Wanted: members("api", 1)}, RuleAllMembersLost, "service web had 2 members and has none now"},
		"the last member without evidence is held": {
			guard, Proposal{Applied: web1}, RuleAllMembersLost, "had 1 member"},
		"the last member may go when it was deregistered and reads confirm it": {
			guard, Proposal{Applied: web1, Views: departed(web1[0], catalog.Deregistered, 2)}, "", "deregistered while its node lives"},
		"the last member is held when nothing was confirmed": {
			guard, Proposal{Applied: web1, Views: departed(web1[0], catalog.Deregistered, 0)}, RuleAllMembersLost, ""},
		"the last member is held when its node went along": {
			guard, Proposal{Applied: web1, Views: departed(web1[0], catalog.NodeGone, 2)}, RuleAllMembersLost, "left: node gone"},
		"several members are held even when each was deregistered": {
			guard, Proposal{Applied: members("web", 2), Views: departed(members("web", 2)[0], catalog.Deregistered, 2)}, RuleAllMembersLost, ""},
		"a service that the task selects no longer goes": {
			guard, Proposal{Applied: members("web", 3), Selected: func(string) bool { return false }}, "", "selects the service no longer"},
		"allow_empty lets a service be emptied": {
			Guard{MaxDestroys: 10, AllowEmpty: true}, Proposal{Applied: members("web", 3)}, "", "allow_empty"},
		"a first run without baseline has nothing to lose": {
			guard, Proposal{Wanted: web1}, "", ""},
		"destroys within the budget go": {
			guard, Proposal{Plan: destroying(10, "bigip_ltm_pool", Delete)}, "", "destroys 10 objects, 10 allowed"},
		"destroys over the budget are held": {
			guard, Proposal{Plan: destroying(11, "bigip_ltm_pool", Delete)}, RuleDestroyBudget, "destroys 11 objects, 10 allowed"},
		"a replaced object counts as destroyed": {
			Guard{}, Proposal{Plan: destroying(1, "bigip_ltm_pool", Replace)}, RuleDestroyBudget, ""},
		"a replaced terraform_data destroys nothing": {
			Guard{}, Proposal{Plan: destroying(50, "terraform_data", Replace)}, "", ""},
		"a deleted terraform_data is destroyed": {
			Guard{}, Proposal{Plan: destroying(1, "terraform_data", Delete)}, RuleDestroyBudget, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.p.Selected == nil {
				tc.p.Selected = everything
			}
			v := tc.guard.Review(tc.p)
			if v.Held() != (tc.held != "") {
				t.Fatalf("held = %v, want %v: %+v", v.Held(), tc.held != "", v.Findings)
			}
			var text strings.Builder
			for _, f := range v.Findings {
				text.WriteString(strings.Join(f.Evidence, "\n"))
				if f.Decision != Hold {
					continue
				}
				if f.Rule != tc.held {
					t.Errorf("rule %s holds, want %s", f.Rule, tc.held)
				}
				if f.Release == "" {
					t.Errorf("rule %s holds without a way out", f.Rule)
				}
			}
			if !strings.Contains(text.String(), tc.says) {
				t.Errorf("evidence %q does not say %q", text.String(), tc.says)
			}
		})
	}
}

func TestApprovalBindsExactlyWhatWasHeld(t *testing.T) {
	digest := func(s string) catalog.Digest { return catalog.NewHasher().String(s).Sum() }
	p := Proposal{Applied: members("web", 2), Selected: everything, Input: digest("input"),
		Plan: Plan{Digest: digest("changes"), Serial: 7}}
	good := Approval{Input: p.Input, Changes: p.Plan.Digest, Serial: 7, By: "night shift"}
	tests := map[string]struct {
		change func(*Approval)
		held   bool
	}{
		"the same input, changes and state": {func(*Approval) {}, false},
		"another input":                     {func(a *Approval) { a.Input = digest("other") }, true},
		"other changes":                     {func(a *Approval) { a.Changes = digest("other") }, true},
		"another state":                     {func(a *Approval) { a.Serial++ }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			a := good
			tc.change(&a)
			p := p
			p.Approval = &a
			if v := (Guard{}).Review(p); v.Held() != tc.held {
				t.Errorf("held = %v, want %v: %+v", v.Held(), tc.held, v.Findings)
			}
		})
	}
}

func TestGuardRemembersSinceWhenItHolds(t *testing.T) {
	start := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	p := Proposal{Applied: members("web", 2), Selected: everything, Now: start}
	first := (Guard{}).Review(p)
	p.Now, p.Memory = start.Add(time.Hour), first.Memory
	if got := (Guard{}).Review(p).Findings[0].Since; !got.Equal(start) {
		t.Errorf("held since %v, want %v", got, start)
	}
	p.Wanted = members("web", 1)
	if m := (Guard{}).Review(p).Memory; len(m.HeldSince) != 0 {
		t.Errorf("memory after the service is back = %v, want none", m.HeldSince)
	}
}

// A guard never lets more through than it allows, whatever the plan and input.
func TestGuardLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Guard{MaxDestroys: rapid.IntRange(0, 20).Draw(t, "max")}
		p := Proposal{Selected: everything, Baseline: true}
		p.Applied = members("web", rapid.IntRange(0, 5).Draw(t, "web before"))
		p.Applied = append(p.Applied, members("api", rapid.IntRange(0, 5).Draw(t, "api before"))...)
		p.Wanted = members("web", rapid.IntRange(0, 5).Draw(t, "web after"))
		p.Plan = destroying(rapid.IntRange(0, 30).Draw(t, "destroys"), "x", rapid.SampledFrom([]Action{Delete, Replace, Update, Create}).Draw(t, "action"))
		v := g.Review(p)
		lost := false
		for service, had := range byService(p.Applied) {
			lost = lost || len(had) > 0 && len(byService(p.Wanted)[service]) == 0
		}
		if want := lost || p.Plan.Destroys() > g.MaxDestroys; v.Held() != want {
			t.Fatalf("held = %v, want %v (lost all of a service: %v, destroys %d of %d)", v.Held(), want, lost, p.Plan.Destroys(), g.MaxDestroys)
		}
	})
}
