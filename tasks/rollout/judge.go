package rollout

import (
	"fmt"
	"math"
	"time"
)

// Result of a judgement.
type Result string

// The results. Unknown means that nothing failed and something could not be read.
const (
	Passed  Result = "passed"
	Failed  Result = "failed"
	Unknown Result = "unknown"
)

// Judgement is what was found when a step was judged.
type Judgement struct {
	At     time.Time `json:"at,omitzero"`
	Result Result    `json:"result,omitempty"`
	// Evidence says what failed or was missing, one plain sentence per fact.
	Evidence []string `json:"evidence,omitempty"`
}

// due is when the step must be judged next. The last judgement of a hold falls on
// its end: one that would come less than CheckEvery before waits until then.
func (s State) due(p Plan) time.Time {
	due := s.Judged.Add(p.CheckEvery)
	if s.Settled.IsZero() {
		return due
	}
	if end := s.Settled.Add(p.hold(s.Step)); end.After(due) && end.Sub(due) < p.CheckEvery {
		return end
	}
	return due
}

// judge judges the step if that is due, and counts.
func (t *turn) judge() {
	s := &t.state
	if !s.Exposed() || t.now.Before(s.due(t.plan)) {
		return
	}
	var bad, missing []string
	t.judgeHealth(&bad, &missing)
	t.judgeEjected(&bad, &missing)
	for _, m := range t.plan.Metrics {
		t.judgeMetric(m, &bad, &missing)
	}
	s.Judged, s.Last = t.now, Judgement{At: t.now, Result: Passed}
	switch {
	case len(bad) > 0:
		s.Last.Result, s.Last.Evidence = Failed, bad
		s.Failures++
		t.tell(JudgedBad, "", append([]string{fmt.Sprintf("failed judgement %d in a row, %d roll back", s.Failures, t.plan.Threshold)}, bad...)...)
	case len(missing) > 0:
		s.Last.Result, s.Last.Evidence = Unknown, missing
	default:
		s.Failures = 0
	}
}

func (t *turn) judgeHealth(bad, missing *[]string) {
	c := t.obs.Candidate
	if !c.Trusted {
		*missing = append(*missing, "the health of the candidate is not known: its view is not trusted")
		return
	}
	if uint64(max(c.Passing, 0))*uint64(Whole) < uint64(t.plan.MinHealthy)*uint64(max(c.Total, 0)) {
		*bad = append(*bad, fmt.Sprintf("%d of %d candidate instances pass their checks (%s), min_healthy is %s", c.Passing, c.Total, of(c.Passing, c.Total), t.plan.MinHealthy))
	}
}

func (t *turn) judgeEjected(bad, missing *[]string) {
	most, got := t.plan.MaxEjected, t.obs.Ejected
	switch {
	case most >= Whole:
	case got == nil:
		*missing = append(*missing, "Envoy has not told how many candidate hosts it ejected")
	case *got > most:
		*bad = append(*bad, fmt.Sprintf("Envoy ejected %s of the candidate's hosts, max_ejected is %s", *got, most))
	}
}

func (t *turn) judgeMetric(m Metric, bad, missing *[]string) {
	value, doubt := t.measured(m.Name)
	switch {
	case doubt != "":
		*missing = append(*missing, fmt.Sprintf("metric %s: %s", m.Name, doubt))
	case m.Max != nil && value > *m.Max:
		*bad = append(*bad, fmt.Sprintf("metric %s is %s, max is %s", m.Name, number(value), number(*m.Max)))
	case m.Min != nil && value < *m.Min:
		*bad = append(*bad, fmt.Sprintf("metric %s is %s, min is %s", m.Name, number(value), number(*m.Min)))
	}
}

// measured gives the newest measurement since the last judgement, or why there
// is none.
func (t *turn) measured(metric string) (value float64, doubt string) {
	var newest *Measurement
	for n, m := range t.obs.Measurements {
		fresh := m.At.After(t.state.Judged) && !m.At.After(t.now)
		if m.Metric == metric && fresh && (newest == nil || m.At.After(newest.At)) {
			newest = &t.obs.Measurements[n]
		}
	}
	switch {
	case newest == nil:
		return 0, "not measured since the last judgement"
	case newest.Error != "":
		return 0, "not readable: " + quote(newest.Error)
	case math.IsNaN(newest.Value):
		return 0, "no number came back, as when there was no traffic"
	}
	return newest.Value, ""
}
