package canaries

import (
	"testing"
	"time"

	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
)

// declaredWeb is a canary of web as the tests declare it.
func declaredWeb(edits ...func(*Canary)) Canary {
	c := Canary{Plan: rollout.DefaultPlan(), Stable: mesh.Subset{Name: "v1", Filter: `Service.Meta.version == "1"`},
		Candidate: mesh.Subset{Name: "v2", Filter: `Service.Meta.version == "2"`}}
	c.Plan.Service, c.Plan.Stable.Name, c.Plan.Candidate.Name = "web", "v1", "v2"
	c.Plan.Steps = []rollout.Stage{{Weight: 500}, {Weight: 5000}, {Weight: rollout.Whole}}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func at(c Canary, weight rollout.Share, step int) Record {
	return Record{Declared: c, State: rollout.State{Phase: rollout.Progressing, Weight: weight, Step: step, Stable: c.Plan.Stable, Candidate: c.Plan.Candidate}}
}

// web is a service with routes of every kind that matters here.
func web(protocol mesh.Protocol) mesh.Mesh {
	s := mesh.Service{Name: "web", Protocol: protocol, DefaultSubset: "v1", Subsets: []mesh.Subset{{Name: "v1"}, {Name: "v2"}}}
	if protocol.L7() {
		s.Routes = []mesh.Route{
			{Name: "own", Match: mesh.Match{Prefix: "/a"}, To: []mesh.Leg{{Target: s.Own(""), Weight: 6000}, {Target: s.Own("v1"), Weight: 4000}}, Timeout: time.Second},
			{Name: "away", Match: mesh.Match{Prefix: "/b"}, To: []mesh.Leg{{Target: mesh.Target{Service: "shop"}, Weight: mesh.Whole}}},
			{Name: "answer", Match: mesh.Match{Prefix: "/c"}, Respond: &mesh.Respond{Status: 204}},
		}
	}
	return mesh.Mesh{Services: []mesh.Service{s, {Name: "shop", Protocol: protocol}}}
}

func shares(m mesh.Mesh, legs []mesh.Leg) map[string]uint32 {
	out := map[string]uint32{}
	for _, leg := range m.Resolve(legs) {
		out[leg.Target.String()] = leg.Weight
	}
	return out
}

func TestTheWeightsOfACanaryGoOverRoutesThatNameNoSubset(t *testing.T) {
	before := web(mesh.HTTP)
	m := Weigh(before, []Record{at(declaredWeb(), 500, 1), at(declaredWeb(func(c *Canary) { c.Plan.Service = "nobody" }), 500, 1)})
	if diff := cmp.Diff(web(mesh.HTTP), before); diff != "" {
		t.Errorf("the mesh that was given changed (-before +after):\n%s", diff)
	}
	if mistakes := m.Validate(); mistakes != nil {
		t.Errorf("the mesh is not valid any more: %v", mistakes)
	}
	legs := func(t mesh.Target) []mesh.Leg { return []mesh.Leg{{Target: t, Weight: mesh.Whole}} }
	for what, c := range map[string]struct {
		legs []mesh.Leg
		want map[string]uint32
	}{
		"what no route matches":           {legs(mesh.Target{Service: "web"}), map[string]uint32{"web/v1": 9500, "web/v2": 500}},
		"a share of a route":              {m.Services[0].Routes[0].To, map[string]uint32{"web/v1": 9700, "web/v2": 300}},
		"a subset that is named outright": {legs(mesh.Target{Service: "web", Subset: "v1"}), map[string]uint32{"web/v1": 10000}},
		"another service":                 {legs(mesh.Target{Service: "shop"}), map[string]uint32{"shop": 10000}},
	} {
		if diff := cmp.Diff(c.want, shares(m, c.legs)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestTheCohortGoesToTheCandidateBeforeEachRouteToTheService(t *testing.T) {
	c := declaredWeb(func(c *Canary) {
		c.Plan.Steps[0].Weight = 0
		c.Plan.Cohort = []rollout.Match{{In: rollout.Header, Name: "x-beta", Value: "yes"}, {In: rollout.Cookie, Name: "leg", Value: "b.*", Regexp: true}, {In: rollout.Query, Name: "beta"}}
	})
	m := Weigh(web(mesh.HTTP), []Record{at(c, 0, 1)})
	if mistakes := m.Validate(); mistakes != nil {
		t.Errorf("the mesh is not valid any more: %v", mistakes)
	}
	type route struct {
		Name, Prefix string
		Match        mesh.Match
		To           map[string]uint32
		Timeout      time.Duration
	}
	var got []route
	for _, r := range m.Services[0].Routes {
		prefix := r.Match.Prefix
		r.Match.Prefix = ""
		got = append(got, route{r.Name, prefix, r.Match, shares(m, r.To), r.Timeout})
	}
	header := mesh.Match{Headers: []mesh.Field{{Name: "x-beta", Exact: "yes"}}}
	cookie := mesh.Match{Cookies: []mesh.Field{{Name: "leg", Regex: "b.*"}}}
	query := mesh.Match{Queries: []mesh.Field{{Name: "beta"}}}
	own, all := map[string]uint32{"web/v1": 4000, "web/v2": 6000}, map[string]uint32{"web/v2": 10000}
	want := []route{
		{"cohort 1 of own", "/a", header, own, time.Second}, {"cohort 2 of own", "/a", cookie, own, time.Second}, {"cohort 3 of own", "/a", query, own, time.Second},
		{"own", "/a", mesh.Match{}, map[string]uint32{"web/v1": 10000, "web/v2": 0}, time.Second},
		{"away", "/b", mesh.Match{}, map[string]uint32{"shop": 10000}, 0}, {"answer", "/c", mesh.Match{}, map[string]uint32{}, 0},
		{"cohort 1 of 4", "/", header, all, 0}, {"cohort 2 of 4", "/", cookie, all, 0}, {"cohort 3 of 4", "/", query, all, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if m := Weigh(web(mesh.HTTP), []Record{at(c, 0, 0)}); len(m.Services[0].Routes) != 3 {
		t.Errorf("a candidate that is not exposed has a cohort: %v", m.Services[0].Routes)
	}
}

func TestAStickyCallerThatCameToTheCandidateStaysThere(t *testing.T) {
	c := declaredWeb(func(c *Canary) { c.Plan.Sticky = rollout.Sticky{Cookie: "leg", TTL: time.Hour} })
	m := Weigh(web(mesh.HTTP), []Record{at(c, 500, 1)})
	if diff := cmp.Diff(&mesh.Cookie{Name: "leg", TTL: time.Hour}, m.Services[0].Sticky); diff != "" {
		t.Errorf("cookie (-want +got):\n%s", diff)
	}
	// Envoy gives a caller the leg at whose share its hash falls, from the first on.
	legOf := func(m mesh.Mesh, hash uint32) string {
		for _, leg := range m.Services[0].Default {
			if hash < leg.Weight {
				return leg.Target.Subset
			}
			hash -= leg.Weight
		}
		return ""
	}
	later := Weigh(web(mesh.HTTP), []Record{at(c, 5000, 2)})
	for hash := range uint32(mesh.Whole) {
		if legOf(m, hash) == "v2" && legOf(later, hash) != "v2" {
			t.Fatalf("the caller with hash %d leaves the candidate when it grows", hash)
		}
	}
}

func TestASubsetThatHasTrafficStaysAsItWasDeclared(t *testing.T) {
	m := web(mesh.TCP)
	m.Services[0].Subsets = []mesh.Subset{{Name: "v3", Filter: "x"}}
	got := Weigh(m, []Record{at(declaredWeb(), 500, 1)})
	want := []mesh.Subset{{Name: "v3", Filter: "x"}, {Name: "v1", Filter: `Service.Meta.version == "1"`}, {Name: "v2", Filter: `Service.Meta.version == "2"`}}
	if diff := cmp.Diff(want, got.Services[0].Subsets); diff != "" {
		t.Errorf("subsets (-want +got):\n%s", diff)
	}
	if got.Services[0].Routes != nil {
		t.Errorf("a TCP service has routes: %v", got.Services[0].Routes)
	}
}

func TestTasksAreGivenPercent(t *testing.T) {
	want := map[string]map[string]float64{"web": {"v1": 87.5, "v2": 12.5}}
	if diff := cmp.Diff(want, Weights([]Record{at(declaredWeb(), 1250, 1)})); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
}
