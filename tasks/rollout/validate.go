package rollout

import (
	"fmt"
	"math"
	"regexp"
	"time"

	"patchbay/tasks/catalog"
)

// Bounds of a plan.
const (
	// MaxSteps, MaxMetrics and MaxMatches are how many of each a plan may have.
	MaxSteps   = 100
	MaxMetrics = 20
	MaxMatches = 20
	// MaxTime is the longest time that a plan may name.
	MaxTime = 30 * 24 * time.Hour

	maxThreshold = 100
	maxQuery     = 4096
	maxValue     = 1024
)

// Mistake is one thing wrong with a plan.
type Mistake struct {
	// Field is the part of the plan, such as "steps[2]" or "metrics[0].query".
	Field string
	// What is wrong and what to Do about it.
	What, Do string
}

// Error implements [error].
func (m Mistake) Error() string { return fmt.Sprintf("%s: %s; %s", m.Field, m.What, m.Do) }

var (
	// A subset is part of cluster names and of TLS server names.
	subsetName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	metricName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`)
	// A token of RFC 9110: what header and cookie names are made of.
	token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$")
)

type review []Mistake

func (r *review) when(wrong bool, field, what, do string) {
	if wrong {
		*r = append(*r, Mistake{field, what, do})
	}
}

// Validate lists everything that is wrong with the plan; nil when nothing is. What
// depends on the catalog of the moment, such as a candidate without instances,
// is no mistake: it holds a step and is shown by [State.Holds].
func (p Plan) Validate() []Mistake {
	var r review
	r.when(p.Service == "" || len(p.Service) > 255, "service", "the name is empty or longer than 255 bytes", "name the service whose traffic is split")
	r.subsets(p)
	r.steps(p)
	r.times(p)
	r.limits(p)
	r.when(len(p.Metrics) > MaxMetrics, "metrics", fmt.Sprintf("%d metrics are too many", len(p.Metrics)), fmt.Sprintf("keep %d at most", MaxMetrics))
	seen := map[string]bool{}
	for n, m := range p.Metrics {
		field := fmt.Sprintf("metrics[%d]", n)
		r.when(seen[m.Name], field+".name", fmt.Sprintf("the name %s is there twice", quote(m.Name)), "give each metric a name of its own")
		seen[m.Name] = true
		r.metric(field, m)
	}
	r.when(len(p.Cohort) > MaxMatches, "cohort", fmt.Sprintf("%d matches are too many", len(p.Cohort)), fmt.Sprintf("keep %d at most", MaxMatches))
	for n, m := range p.Cohort {
		r.match(fmt.Sprintf("cohort[%d]", n), m)
	}
	r.sticky(p.Sticky)
	return r
}

func (r *review) subsets(p Plan) {
	for _, s := range []struct{ field, name string }{{"stable", p.Stable.Name}, {"candidate", p.Candidate.Name}} {
		r.when(!subsetName.MatchString(s.name), s.field, fmt.Sprintf("%s is no name of a subset", quote(s.name)),
			"use 1 to 63 letters, digits and hyphens, with a letter or digit at both ends")
	}
	r.when(p.Stable.Name != "" && p.Stable.Name == p.Candidate.Name, "candidate", fmt.Sprintf("%s is the stable subset too", quote(p.Candidate.Name)),
		"name two different subsets")
	r.when(p.Stable.Definition == p.Candidate.Definition && p.Stable.Definition != (catalog.Digest{}), "candidate", "it selects the same instances as the stable subset",
		"tell the two apart by a filter on instance meta or tags")
}

func (r *review) steps(p Plan) {
	r.when(len(p.Steps) == 0, "steps", "there is no step", "list the candidate's weights in percent, such as [5, 25, 50, 100]")
	r.when(len(p.Steps) > MaxSteps, "steps", fmt.Sprintf("%d steps are too many", len(p.Steps)), fmt.Sprintf("keep %d at most", MaxSteps))
	for n, s := range p.Steps {
		field := fmt.Sprintf("steps[%d]", n)
		r.when(s.Weight > Whole, field, fmt.Sprintf("the weight %s is more than all", s.Weight), "use 0 to 100 percent")
		r.when(n > 0 && s.Weight <= p.Steps[max(n-1, 0)].Weight, field, fmt.Sprintf("the weight %s is not above the step before", s.Weight), "list the weights in ascending order")
		r.when(n == 0 && s.Weight == 0 && len(p.Cohort) == 0, field, "a step of 0% without a cohort gives the candidate nothing", "begin above 0 or declare a cohort")
		r.when(s.Hold != 0 && (s.Hold < p.check() || s.Hold > MaxTime), field, fmt.Sprintf("the hold of %s is shorter than check_every or longer than %s", s.Hold, MaxTime),
			fmt.Sprintf("hold for %s or longer, so that the step is judged before the next", p.check()))
	}
}

func (r *review) times(p Plan) {
	r.when(p.CheckEvery < time.Second || p.CheckEvery > MaxTime, "check_every", fmt.Sprintf("%s is shorter than 1s or longer than %s", p.CheckEvery, MaxTime), "check every 10s, or at least every second")
	r.when(p.Interval < p.check() || p.Interval > MaxTime, "interval", fmt.Sprintf("%s is shorter than check_every or longer than %s", p.Interval, MaxTime),
		fmt.Sprintf("hold for %s or longer, so that each step is judged before the next", p.check()))
	r.when(p.Deadline != 0 && (p.Deadline < p.check() || p.Deadline > MaxTime), "deadline", fmt.Sprintf("%s is shorter than check_every or longer than %s", p.Deadline, MaxTime),
		fmt.Sprintf("use %s or longer, or 0 to wait for ever", p.check()))
}

// check is CheckEvery, or the shortest that it may be.
func (p Plan) check() time.Duration { return max(p.CheckEvery, time.Second) }

func (r *review) limits(p Plan) {
	r.when(p.Threshold < 1 || p.Threshold > maxThreshold, "threshold", fmt.Sprintf("%d failed judgements cannot be the limit", p.Threshold), fmt.Sprintf("use 1 to %d", maxThreshold))
	r.when(p.MinHealthy > Whole, "min_healthy", fmt.Sprintf("%s is more than all", p.MinHealthy), "use 0 to 100 percent")
	r.when(p.MaxEjected > Whole, "max_ejected", fmt.Sprintf("%s is more than all", p.MaxEjected), "use 0 to 100 percent")
}

func (r *review) metric(field string, m Metric) {
	r.when(!metricName.MatchString(m.Name), field+".name", fmt.Sprintf("%s is no name of a metric", quote(m.Name)), "use a letter first, then letters, digits, _ and -, 63 at most")
	r.when(m.Query == "" || len(m.Query) > maxQuery, field+".query", fmt.Sprintf("the query is empty or longer than %d bytes", maxQuery), "write PromQL that gives one number")
	r.when(m.Min == nil && m.Max == nil, field, "there is neither min nor max", "say what the metric must not fall below or exceed")
	for _, l := range []*float64{m.Min, m.Max} {
		r.when(l != nil && (math.IsNaN(*l) || math.IsInf(*l, 0)), field, "a limit is no finite number", "use a finite number")
	}
	r.when(m.Min != nil && m.Max != nil && *m.Min > *m.Max, field, "min is greater than max", "swap them")
}

func (r *review) match(field string, m Match) {
	r.when(m.In != Header && m.In != Cookie && m.In != Query, field, fmt.Sprintf("%s is no place in a request", quote(string(m.In))), "match on header, cookie or query")
	named := token.MatchString(m.Name) || m.In == Query && m.Name != "" && len(m.Name) <= 256
	r.when(!named, field+".name", fmt.Sprintf("%s is no name of a %s", quote(m.Name), m.In), "use the letters, digits and signs that HTTP allows in names")
	r.when(len(m.Value) > maxValue, field+".value", fmt.Sprintf("the value is longer than %d bytes", maxValue), "use a shorter one")
	r.when(m.Regexp && m.Value == "", field+".value", "the regular expression is empty", "write one, or match any value without regexp")
	if _, err := regexp.Compile(m.Value); m.Regexp && err != nil {
		r.when(true, field+".value", fmt.Sprintf("%s is no regular expression: %v", quote(m.Value), plain(err.Error())), "use the syntax of RE2")
	}
}

// maxCookie keeps the expression for a sticky cookie well within what Envoy takes.
const maxCookie = 64

func (r *review) sticky(s Sticky) {
	r.when(s.Cookie != "" && !token.MatchString(s.Cookie), "sticky.cookie", fmt.Sprintf("%s is no name of a cookie", quote(s.Cookie)), "use the letters, digits and signs that HTTP allows in names")
	r.when(len(s.Cookie) > maxCookie, "sticky.cookie", fmt.Sprintf("the name is longer than %d bytes, and Envoy finds a cookie by an expression of limited size", maxCookie), "use a shorter one")
	r.when(s.Cookie == "" && s.TTL != 0, "sticky.ttl", "there is a time to live without a cookie", "name the cookie")
	r.when(s.TTL < 0 || s.TTL > MaxTime, "sticky.ttl", fmt.Sprintf("%s is below 0 or above %s", s.TTL, MaxTime), "use a time in between, or 0 for the browser's session")
	r.when(s.TTL%time.Second != 0, "sticky.ttl", "cookies count whole seconds", "leave the fraction out")
}
