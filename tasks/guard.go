package tasks

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"patchbay/tasks/catalog"
)

// DefaultMaxDestroys is how many objects one plan may destroy without approval.
const DefaultMaxDestroys = 10

// Guard is what a task allows without asking a person.
type Guard struct {
	// MaxDestroys is the most objects that one plan may destroy; 0 allows none.
	MaxDestroys int
	// AllowEmpty lets a service lose all of its members, and a variable all of its
	// entries, at once.
	AllowEmpty bool
}

// Approval is a person's word for exactly one held plan.
type Approval struct {
	Input   catalog.Digest `json:"input"`
	Changes catalog.Digest `json:"changes"`
	Serial  uint64         `json:"serial"`
	By      string         `json:"by,omitempty"`
	Reason  string         `json:"reason,omitempty"`
}

// Proposal is everything that a guard judges.
type Proposal struct {
	// Applied are the members of the last applied input; Baseline is false when
	// nothing is known of one.
	Applied  []catalog.Member
	Baseline bool
	// Wanted are the members of the new input.
	Wanted []catalog.Member
	// AppliedSets and WantedSets are what the module was and is given besides
	// services, in the form of [Input.Sets]; nil when nothing is known.
	AppliedSets, WantedSets map[string][]string
	// Selected tells whether the task still selects a service at all.
	Selected func(service string) bool
	// Views are those of the snapshot, with their verdicts.
	Views []*catalog.View
	// Input is the digest of the new input.
	Input catalog.Digest
	Plan  Plan
	// Approval is nil when nobody approved anything.
	Approval *Approval
	Memory   Memory
	Now      time.Time
}

// Memory is what a guard remembers of a task between reviews.
type Memory struct {
	// HeldSince maps a rule to when it began to hold.
	HeldSince map[string]time.Time `json:"held_since,omitempty"`
}

// Decision of one rule.
type Decision string

// A plan is applied when no finding holds it.
const (
	Allow Decision = "allow"
	Hold  Decision = "hold"
)

// The rules of a guard.
const (
	RuleAllMembersLost = "all-members-lost"
	RuleAllEntriesLost = "all-entries-lost"
	RuleDestroyBudget  = "destroy-budget"
	RuleApproval       = "approval"
	RuleDestroy        = "destroy-asked"
)

// Finding is what one rule says of a proposal.
type Finding struct {
	Rule     string   `json:"rule"`
	Decision Decision `json:"decision"`
	// Evidence are plain sentences.
	Evidence []string `json:"evidence"`
	// Release says what would let the plan through; "" when it is allowed.
	Release string `json:"release,omitempty"`
	// Since is when the rule began to hold; zero when it is allowed.
	Since time.Time `json:"since,omitzero"`
}

// Verdict is a guard's answer.
type Verdict struct {
	Findings []Finding
	Memory   Memory
}

// Held tells whether any finding holds the plan.
func (v Verdict) Held() bool {
	return slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.Decision == Hold })
}

// Review judges a proposal. An approval that names exactly this input, these
// changes and this state lets everything through and says so; an approval of
// something else counts for nothing.
func (g Guard) Review(p Proposal) Verdict {
	findings := slices.Concat(g.lostMembers(p), g.lostEntries(p), g.destroyBudget(p))
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Decision == Hold }) && p.Approval != nil {
		findings = approve(findings, p)
	}
	memory := Memory{HeldSince: map[string]time.Time{}}
	for n, f := range findings {
		if f.Decision != Hold {
			continue
		}
		since, ok := p.Memory.HeldSince[f.Rule]
		if !ok {
			since = p.Now
		}
		memory.HeldSince[f.Rule], findings[n].Since = since, since
	}
	return Verdict{Findings: findings, Memory: memory}
}

// lostMembers holds when a service that had members has none any more. It judges
// the input, because a plan of terraform_data shows only hashes. The last single
// member may go when reads confirmed that it was deregistered while its node
// lives: a stale address in a firewall is a danger too.
func (g Guard) lostMembers(p Proposal) []Finding {
	had, have := byService(p.Applied), byService(p.Wanted)
	var out []Finding
	for _, service := range slices.Sorted(maps.Keys(had)) {
		if len(have[service]) > 0 {
			continue
		}
		f := Finding{Rule: RuleAllMembersLost, Decision: Allow}
		f.Evidence = append(f.Evidence, fmt.Sprintf("service %s had %s and has none now", service, count(len(had[service]), "member")))
		switch {
		case !p.Selected(service):
			f.Evidence = append(f.Evidence, "the task's configuration selects the service no longer")
		case g.AllowEmpty:
			f.Evidence = append(f.Evidence, "the task's guard has allow_empty = true")
		case len(had[service]) == 1 && confirmedDeparture(had[service][0], p.Views):
			f.Evidence = append(f.Evidence, "its last instance was deregistered while its node lives, confirmed by consistent reads")
		default:
			f.Decision = Hold
			f.Evidence = append(f.Evidence, evidence(service, p.Views)...)
			f.Release = "the service gets a member again, or a person approves the plan"
		}
		out = append(out, f)
	}
	return out
}

func (g Guard) destroyBudget(p Proposal) []Finding {
	n := p.Plan.Destroys()
	if n == 0 {
		return nil
	}
	f := Finding{Rule: RuleDestroyBudget, Decision: Allow,
		Evidence: []string{fmt.Sprintf("the plan destroys %s, %d allowed", count(n, "object"), g.MaxDestroys)}}
	if n > g.MaxDestroys {
		f.Decision = Hold
		f.Release = "a person approves the plan, or guard { max_destroys } of the task is raised"
	}
	return []Finding{f}
}

func approve(findings []Finding, p Proposal) []Finding {
	a := p.Approval
	f := Finding{Rule: RuleApproval, Decision: Allow}
	switch {
	case a.Input != p.Input:
		f.Evidence = []string{"an approval was given for another input: look at the plan again"}
	case a.Changes != p.Plan.Digest:
		f.Evidence = []string{"an approval was given for other changes: look at the plan again"}
	case a.Serial != p.Plan.Serial:
		f.Evidence = []string{fmt.Sprintf("an approval was given for state serial %d, the state is at %d: look at the plan again", a.Serial, p.Plan.Serial)}
	default:
		for n := range findings {
			findings[n].Decision, findings[n].Release = Allow, ""
		}
		by := a.By
		if by == "" {
			by = "a person"
		}
		f.Evidence = []string{"approved by " + by}
		if a.Reason != "" {
			f.Evidence = append(f.Evidence, "reason: "+a.Reason)
		}
	}
	return append(findings, f)
}

func confirmedDeparture(m catalog.Member, views []*catalog.View) bool {
	for _, v := range views {
		for _, d := range v.Departures {
			if d.Member.Key == m.Key && d.Member.Service == m.Service && d.Cause == catalog.Deregistered {
				return v.Verdict.Trust == catalog.Trusted && v.Verdict.Confirmed > 0
			}
		}
	}
	return false
}

// evidence tells what the views know of a service.
func evidence(service string, views []*catalog.View) (out []string) {
	for _, v := range views {
		if v.Query.Kind != catalog.ServiceHealth || v.Query.Name != service {
			continue
		}
		out = append(out, fmt.Sprintf("Consul has %s registered (%s, %s)", count(len(v.Instances), "instance"), v.Query, v.Verdict.Trust))
		out = append(out, v.Verdict.Evidence...)
		for n, i := range v.Instances {
			if n == 3 {
				out = append(out, fmt.Sprintf("and %d more", len(v.Instances)-n))
				break
			}
			line := fmt.Sprintf("instance %s is %s", i.Key(), i.Status())
			if c, ok := i.WorstCheck(); ok && i.Status() != catalog.Passing {
				line += fmt.Sprintf(" by check %q", c.Name)
			}
			out = append(out, line)
		}
		for _, d := range v.Departures {
			out = append(out, fmt.Sprintf("instance %s left: %s", d.Member.Key, d.Cause))
		}
	}
	return out
}

func byService(members []catalog.Member) map[string][]catalog.Member {
	m := map[string][]catalog.Member{}
	for _, x := range members {
		m[x.Service] = append(m[x.Service], x)
	}
	return m
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
