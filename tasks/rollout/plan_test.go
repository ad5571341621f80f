package rollout

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestValidateNamesEveryMistake(t *testing.T) {
	tests := map[string]struct {
		change func(*Plan)
		want   []string // field: part of the text
	}{
		"a good plan": {func(*Plan) {}, nil},
		"a good plan with all there is": {func(p *Plan) {
			cohortFirst(p)
			p.Metrics = []Metric{errorRate(), {Name: "rate", Query: "y", Min: to(0), Max: to(0)}}
			p.Cohort = append(p.Cohort, Match{In: Query, Name: "a b", Value: "x.*", Regexp: true}, Match{In: Cookie, Name: "beta", Value: "yes"})
			p.Sticky, p.Deadline, p.MinHealthy, p.MaxEjected = Sticky{"leg", time.Hour}, time.Hour, Whole, 0
		}, nil},
		"nothing at all":                          {func(p *Plan) { *p = Plan{} }, []string{"service: ", "stable: ", "candidate: ", "steps: there is no step", "check_every: 0s", "interval: 0s", "threshold: 0"}},
		"one subset twice":                        {func(p *Plan) { p.Candidate.Name = "v1" }, []string{`candidate: "v1" is the stable subset too`}},
		"two names of the same instances":         {func(p *Plan) { p.Candidate.Definition = p.Stable.Definition }, []string{"candidate: it selects the same instances"}},
		"names that break what they are put into": {func(p *Plan) { p.Stable.Name, p.Candidate.Name = "a.b", "-" }, []string{`stable: "a.b"`, `candidate: "-"`}},
		"steps that fall, repeat and exceed all": {func(p *Plan) { p.Steps = []Stage{{Weight: 500}, {Weight: 500}, {Weight: 100}, {Weight: 10001}} },
			[]string{"steps[1]: the weight 5% is not above", "steps[2]: the weight 1% is not above", "steps[3]: the weight 100.01% is more than all"}},
		"a first step of nothing":   {func(p *Plan) { p.Steps[0].Weight = 0 }, []string{"steps[0]: a step of 0% without a cohort"}},
		"times shorter than checks": {func(p *Plan) { p.Interval, p.Deadline, p.Steps[1].Hold = time.Second, time.Second, time.Second }, []string{"steps[1]: the hold of 1s", "interval: 1s", "deadline: 1s"}},
		"times below zero": {func(p *Plan) {
			p.Interval, p.Deadline, p.Steps[1].Hold, p.CheckEvery, p.Sticky = -1, -1, -1, -1, Sticky{"c", -time.Second}
		}, []string{"steps[1]: ", "check_every: ", "interval: ", "deadline: ", "sticky.ttl: "}},
		"times without end": {func(p *Plan) { p.Interval, p.Deadline = math.MaxInt64, math.MaxInt64 }, []string{"interval: ", "deadline: "}},
		"too much of all": {func(p *Plan) {
			p.Steps = make([]Stage, MaxSteps+1)
			for n := range p.Steps {
				p.Steps[n].Weight = Share(n + 1)
			}
			p.Metrics, p.Cohort = nil, nil
			for n := range MaxMetrics + 1 {
				p.Metrics = append(p.Metrics, Metric{Name: fmt.Sprint("m", n), Query: "x", Max: to(1)})
				p.Cohort = append(p.Cohort, Match{In: Header, Name: "x"})
			}
			p.Threshold, p.MinHealthy, p.MaxEjected = 101, Whole+1, Whole+1
		}, []string{"steps: 101", "threshold: 101", "min_healthy: 100.01%", "max_ejected: 100.01%", "metrics: 21", "cohort: 21"}},
		"metrics that measure nothing": {func(p *Plan) {
			p.Metrics = []Metric{{Name: "a b", Query: "", Min: to(math.NaN())}, {Name: "x", Query: "x"}, {Name: "x", Query: "x", Min: to(2), Max: to(1)}}
		}, []string{`metrics[0].name: "a b"`, "metrics[0].query: ", "metrics[0]: a limit is no finite number", "metrics[1]: there is neither", `metrics[2].name: the name "x" is there twice`, "metrics[2]: min is greater"}},
		"matches that match nothing": {func(p *Plan) {
			p.Cohort = []Match{{In: "path", Name: "x"}, {In: Header, Name: ":authority"}, {In: Cookie, Name: "a;b"}, {In: Query}, {In: Header, Name: "x", Value: "(", Regexp: true},
				{In: Header, Name: "x", Regexp: true}, {In: Header, Name: "x", Value: strings.Repeat("x", 1025)}}
		}, []string{`cohort[0]: "path" is no place`, `cohort[1].name: ":authority"`, `cohort[2].name: "a;b"`, "cohort[3].name: ", `cohort[4].value: "(" is no regular expression`,
			"cohort[5].value: the regular expression is empty", "cohort[6].value: the value is longer"}},
		"a cookie that cannot be set": {func(p *Plan) { p.Sticky = Sticky{"a=b", time.Millisecond} }, []string{`sticky.cookie: "a=b"`, "sticky.ttl: cookies count whole seconds"}},
		"a cookie with a long name":   {func(p *Plan) { p.Sticky.Cookie = strings.Repeat("x", 65) }, []string{"sticky.cookie: the name is longer"}},
		"a lifetime without a cookie": {func(p *Plan) { p.Sticky.TTL = time.Second }, []string{"sticky.ttl: there is a time to live"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := webPlan()
			tc.change(&p)
			got := p.Validate()
			for n, m := range got {
				if n >= len(tc.want) {
					t.Errorf("unexpected: %s", m)
				} else if !strings.HasPrefix(m.Error(), tc.want[n]) {
					t.Errorf("mistake %d is %q, want %q", n, m, tc.want[n])
				}
				if m.What == "" || m.Do == "" {
					t.Errorf("mistake %q says not what is wrong or what to do", m)
				}
			}
			if len(got) < len(tc.want) {
				t.Errorf("%d mistakes, want %d: %v", len(got), len(tc.want), got)
			}
		})
	}
}

// Stored states are compared with this digest after an upgrade: if it changes,
// every canary begins anew. New fields must be left out of it when they are zero.
func TestTheDigestOfAPlanSurvivesUpgrades(t *testing.T) {
	const want = "abd58da7696572afdab987d3be1cf25f1d2a8da38f3a621ccb8b537d78ead3a9"
	if got := webPlan().Digest().String(); got != want {
		t.Errorf("digest = %s, want %s", got, want)
	}
}

func TestTheDigestKnowsEveryField(t *testing.T) {
	changes := map[string]func(*Plan){
		"nothing":              func(*Plan) {},
		"service":              func(p *Plan) { p.Service = "api" },
		"stable":               func(p *Plan) { p.Stable.Name = "x" },
		"stable definition":    func(p *Plan) { p.Stable.Definition = definition("x") },
		"candidate":            func(p *Plan) { p.Candidate.Name = "x" },
		"candidate definition": func(p *Plan) { p.Candidate.Definition = definition("x") },
		"weight":               func(p *Plan) { p.Steps[0].Weight++ },
		"hold":                 func(p *Plan) { p.Steps[0].Hold++ },
		"a step more":          func(p *Plan) { p.Steps = p.Steps[:3] },
		"interval":             func(p *Plan) { p.Interval++ },
		"check every":          func(p *Plan) { p.CheckEvery++ },
		"threshold":            func(p *Plan) { p.Threshold++ },
		"min healthy":          func(p *Plan) { p.MinHealthy++ },
		"max ejected":          func(p *Plan) { p.MaxEjected = 0 },
		"metric":               func(p *Plan) { p.Metrics = []Metric{errorRate()} },
		"metric min":           func(p *Plan) { p.Metrics = []Metric{{Name: "errors", Query: "x", Min: to(1)}} },
		"metric both":          func(p *Plan) { p.Metrics = []Metric{{Name: "errors", Query: "x", Min: to(0), Max: to(1)}} },
		"metric query":         func(p *Plan) { p.Metrics = []Metric{{Name: "errors", Query: "y", Max: to(1)}} },
		"manual first":         func(p *Plan) { p.Manual.First = true },
		"manual last":          func(p *Plan) { p.Manual.Last = true },
		"deadline":             func(p *Plan) { p.Deadline = time.Hour },
		"cohort":               func(p *Plan) { p.Cohort = []Match{{In: Header, Name: "x"}} },
		"cohort place":         func(p *Plan) { p.Cohort = []Match{{In: Cookie, Name: "x"}} },
		"cohort value":         func(p *Plan) { p.Cohort = []Match{{In: Header, Name: "x", Value: "y"}} },
		"cohort regexp":        func(p *Plan) { p.Cohort = []Match{{In: Header, Name: "x", Value: "y", Regexp: true}} },
		"sticky":               func(p *Plan) { p.Sticky.Cookie = "x" },
		"sticky lifetime":      func(p *Plan) { p.Sticky = Sticky{"x", time.Second} },
	}
	seen := map[string]string{}
	for name, change := range changes {
		p := webPlan()
		change(&p)
		d := p.Digest().String()
		if other, twice := seen[d]; twice {
			t.Errorf("%q and %q have one digest", name, other)
		}
		seen[d] = name
	}
}

func TestSharesAreReadExactlyOrNotAtAll(t *testing.T) {
	good := map[string]Share{"0": 0, "5": 500, "12.5": 1250, "12.5%": 1250, "0.01": 1, "99.99%": 9999, "100": Whole, "100.00": Whole, "007": 700}
	got := map[string]Share{}
	for text := range good {
		s, err := ParseShare(text)
		if err != nil {
			t.Error(err)
		}
		got[text] = s
	}
	if diff := cmp.Diff(good, got); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "%", ".", "5.", ".5", "1.234", "-1", "+1", "1e2", "100.01", "101", "1 ", "0x1", "١", "1000", strings.Repeat("9", 5000)} {
		if s, err := ParseShare(text); err == nil {
			t.Errorf("%q was read as %s", text, s)
		} else if len(err.Error()) > 1000 {
			t.Errorf("the error for %.20q is %d bytes long", text, len(err.Error()))
		}
	}
}

func TestSharesPrintAsTheyAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Share(rapid.Uint32Range(0, uint32(Whole)).Draw(t, "share"))
		got, err := ParseShare(want.String())
		if err != nil || got != want {
			t.Fatalf("%s was read as %s: %v", want, got, err)
		}
	})
}
