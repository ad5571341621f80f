package rollout

import (
	"strconv"
	"time"

	"patchbay/tasks/catalog"
)

// Plan is what a canary block declares. Start from [DefaultPlan]; the zero Plan is
// not valid. [Step] expects one in which [Plan.Validate] found no mistake.
type Plan struct {
	// Service is the service whose traffic is split.
	Service string
	// Stable has all traffic before the first step and after a rollback;
	// Candidate gets the steps' weights.
	Stable, Candidate Subset
	// Steps are the candidate's weights in ascending order. The last one is where
	// the canary ends: a canary that ends below 100 % leaves the rest on stable.
	Steps []Stage
	// Interval is how long a step is held at least. It counts from when every
	// task that uses the weights has applied them, and is at least CheckEvery.
	Interval time.Duration
	// CheckEvery is how often a step is judged, 1 s or longer. The last judgement
	// of a step falls on the end of its hold, so two are less than twice as far apart.
	CheckEvery time.Duration
	// Threshold is how many failed judgements in a row roll back, 1 or more. A
	// judgement that lacks data is neither failed nor passed.
	Threshold int
	// MinHealthy is the share of the candidate's instances that must pass their
	// Consul checks; 0 asks for one passing instance only.
	MinHealthy Share
	// MaxEjected is the share of the candidate's hosts that Envoy's outlier
	// detection may have ejected; Whole judges none of it.
	MaxEjected Share
	// Metrics are judged after the first step only: before, the candidate has no
	// traffic to measure.
	Metrics []Metric
	// Manual are the steps that wait for a person's promote.
	Manual Manual
	// Deadline is how long a step may be unable to go on, for tasks that have not
	// applied, data that is missing or judgements that fail, before it rolls back;
	// 0 waits for ever. Waiting for a person or for a trusted view does not count.
	Deadline time.Duration
	// Cohort are requests that always go to the candidate while it is exposed
	// (A/B): those that meet any of the matches.
	Cohort []Match
	// Sticky keeps a caller on its subset through all steps.
	Sticky Sticky
}

// Subset is a part of a service's instances.
type Subset struct {
	Name string `json:"name"`
	// Definition identifies what the subset selects, so that another version under
	// the same name counts as another candidate; zero when only the name is known.
	Definition catalog.Digest `json:"definition,omitzero"`
}

// same tells whether both select the same instances, as far as is known.
func (s Subset) same(other Subset) bool {
	if s.Definition != (catalog.Digest{}) && other.Definition != (catalog.Digest{}) {
		return s.Definition == other.Definition
	}
	return s.Name == other.Name
}

// Stage is one step.
type Stage struct {
	// Weight is the candidate's share. Only the first may be 0: it serves the
	// cohort alone.
	Weight Share
	// Hold is how long the step is held at least; 0 takes the plan's Interval.
	Hold time.Duration
}

// Metric is a number that must stay within limits.
type Metric struct {
	// Name is unique in the plan.
	Name string
	// Query is PromQL that gives one number.
	Query string
	// Min and Max are the limits, both inclusive; nil limits nothing. One is set.
	Min, Max *float64
}

// Manual says where a person must promote.
type Manual struct {
	// First waits before the first step, Last before the last one.
	First, Last bool
}

// Place is where in a request a [Match] looks.
type Place string

// The places.
const (
	Header Place = "header"
	Cookie Place = "cookie"
	Query  Place = "query"
)

// Match selects requests.
type Match struct {
	In Place
	// Name of the header, cookie or query parameter.
	Name string
	// Value is compared exactly, or as an RE2 expression over the whole value
	// with Regexp; "" matches any value.
	Value  string
	Regexp bool
}

// Sticky names the cookie that keeps a caller on its subset.
type Sticky struct {
	// Cookie is the name; "" keeps nobody.
	Cookie string
	// TTL is how long the cookie lives; 0 is until the browser is closed.
	TTL time.Duration
}

// Defaults of a plan. The health that is asked for by default is the share under
// which Envoy would begin to send traffic to failing instances too.
const (
	DefaultInterval   = time.Minute
	DefaultCheckEvery = 10 * time.Second
	DefaultThreshold  = 2
	DefaultMinHealthy = Whole / 2
	DefaultMaxEjected = Whole
)

// DefaultPlan has every default and lacks what has none: service, subsets, steps.
func DefaultPlan() Plan {
	return Plan{Interval: DefaultInterval, CheckEvery: DefaultCheckEvery, Threshold: DefaultThreshold,
		MinHealthy: DefaultMinHealthy, MaxEjected: DefaultMaxEjected}
}

// Digest identifies the plan. Only what is set is written, each with its name: a
// field that a later Patchbay adds leaves the digest of plans that do not use it,
// so an upgrade never looks like a changed plan.
func (p Plan) Digest() catalog.Digest {
	h := catalog.NewHasher().String("canary 1")
	field := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				h.String(name).Strings(values)
				return
			}
		}
	}
	field("service", p.Service)
	field("stable", p.Stable.Name, p.Stable.Definition.String())
	field("candidate", p.Candidate.Name, p.Candidate.Definition.String())
	for _, s := range p.Steps {
		field("step", s.Weight.String(), whole(s.Hold))
	}
	field("interval", whole(p.Interval))
	field("check_every", whole(p.CheckEvery))
	field("threshold", whole(p.Threshold))
	field("min_healthy", whole(p.MinHealthy))
	field("max_ejected", whole(p.MaxEjected))
	for _, m := range p.Metrics {
		field("metric", m.Name, m.Query, limit(m.Min), limit(m.Max))
	}
	field("manual_first", yes(p.Manual.First))
	field("manual_last", yes(p.Manual.Last))
	field("deadline", whole(p.Deadline))
	for _, m := range p.Cohort {
		field("cohort", string(m.In), m.Name, m.Value, yes(m.Regexp))
	}
	field("sticky", p.Sticky.Cookie, whole(p.Sticky.TTL))
	return h.Sum()
}

func whole[N ~int | ~int64 | ~uint32](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func limit(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'g', -1, 64)
}

// highest is the weight at which the canary ends.
func (p Plan) highest() Share {
	if len(p.Steps) == 0 {
		return 0
	}
	return p.Steps[len(p.Steps)-1].Weight
}

// reached is the last step, counted from 1, that a weight has reached; 0 when it
// is below the first.
func (p Plan) reached(weight Share) int {
	n := 0
	for n < len(p.Steps) && p.Steps[n].Weight <= weight {
		n++
	}
	return n
}

// hold is how long a step, counted from 1, is held at least; 0 is the time before
// the first.
func (p Plan) hold(step int) time.Duration {
	if step >= 1 && step <= len(p.Steps) && p.Steps[step-1].Hold > 0 {
		return p.Steps[step-1].Hold
	}
	return p.Interval
}
