package mesh

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func own(service, subset string, weight uint32) Leg {
	return Leg{Target: Target{Service: service, Subset: subset}, Weight: weight}
}

func TestASplitIsMultipliedOut(t *testing.T) {
	added := Headers{Set: map[string]string{"x-leg": "inner"}}
	for name, c := range map[string]struct {
		services []Service
		want     []Leg
	}{
		"a service of which nothing is declared": {nil, []Leg{own("web", "", Whole)}},
		"a default subset":                       {[]Service{{Name: "web", DefaultSubset: "v1"}}, []Leg{own("web", "v1", Whole)}},
		"its own split": {[]Service{{Name: "web", Default: []Leg{own("web", "v1", 9000), own("web", "v2", 1000)}}},
			[]Leg{own("web", "v1", 9000), own("web", "v2", 1000)}},
		"a share without a subset goes to the default subset": {
			[]Service{{Name: "web", DefaultSubset: "v1", Default: []Leg{own("web", "", 9000), own("web", "v2", 1000)}}},
			[]Leg{own("web", "v1", 9000), own("web", "v2", 1000)}},
		"a share of a service that is split, the rest to the first": {
			[]Service{{Name: "web", Default: []Leg{own("web", "v1", 9999), own("next", "", 1)}},
				{Name: "next", Default: []Leg{own("next", "a", 5000), own("next", "b", 5000)}}},
			[]Leg{own("web", "v1", 9999), own("next", "a", 1), own("next", "b", 0)}},
		"shares of the same target are one": {
			[]Service{{Name: "web", Default: []Leg{own("a", "", 5000), own("b", "", 5000)}},
				{Name: "a", Default: []Leg{own("c", "", Whole)}}, {Name: "b", Default: []Leg{own("c", "", Whole)}}},
			[]Leg{own("c", "", Whole)}},
		"changes of headers are kept apart and both made": {
			[]Service{{Name: "web", Default: []Leg{{Target: Target{Service: "a"}, Weight: Whole, Request: Headers{Remove: []string{"x-out"}}}}},
				{Name: "a", Default: []Leg{{Target: Target{Service: "a", Subset: "v1"}, Weight: 4000, Request: added}, own("a", "v1", 6000)}}},
			[]Leg{{Target: Target{Service: "a", Subset: "v1"}, Weight: 4000, Request: Headers{Set: added.Set, Remove: []string{"x-out"}}},
				{Target: Target{Service: "a", Subset: "v1"}, Weight: 6000, Request: Headers{Remove: []string{"x-out"}}}}},
		"an exact share is not split again": {
			[]Service{{Name: "web", Default: []Leg{{Target: Target{Service: "web"}, Exact: true, Weight: 9000}, {Target: Target{Service: "next"}, Exact: true, Weight: 1000}}},
				{Name: "next", DefaultSubset: "a", Default: []Leg{own("next", "b", Whole)}}},
			[]Leg{own("web", "", 9000), own("next", "", 1000)}},
		"a circle ends where it began": {
			[]Service{{Name: "web", Default: []Leg{own("a", "", Whole)}}, {Name: "a", Default: []Leg{own("web", "", Whole)}}},
			[]Leg{own("web", "", Whole)}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &Mesh{Services: c.services}
			got := m.Legs(Target{Service: "web"})
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
			sum := uint32(0)
			for _, leg := range got {
				sum += leg.Weight
			}
			if sum != Whole {
				t.Errorf("the weights add up to %d", sum)
			}
		})
	}
}

func TestTargetsAreTheClustersThatRequestsCanGoTo(t *testing.T) {
	m := &Mesh{Services: []Service{
		{Name: "web", DefaultSubset: "v1", Failover: []Target{{Service: "web", Datacenter: "dc2"}},
			Routes: []Route{{To: []Leg{own("api", "", Whole)}, Mirror: &Mirror{Target: Target{Service: "copy"}}}}},
		{Name: "api", Default: []Leg{own("api", "a", 1), own("api", "b", 9999)}},
	}}
	want := []Target{{Service: "api", Subset: "a"}, {Service: "api", Subset: "b"}, {Service: "copy"}, {Service: "web", Subset: "v1"}}
	if d := cmp.Diff(want, m.Targets(Target{Service: "web"})); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestADeclarationHoldsInOtherDatacenters(t *testing.T) {
	m := &Mesh{Services: []Service{
		{Name: "web", Protocol: HTTP, Subsets: []Subset{{Name: "v1"}}, DefaultSubset: "v1",
			Routes: []Route{{}}, Default: []Leg{own("web", "v1", Whole)}, Failover: []Target{{Service: "web", Datacenter: "dc2"}}, Sticky: &Cookie{}},
		{Name: "web", Datacenter: "dc3", Protocol: GRPC}}}
	want := Service{Name: "web", Datacenter: "dc2", Protocol: HTTP, Subsets: []Subset{{Name: "v1"}}, DefaultSubset: "v1"}
	if d := cmp.Diff(want, m.Service(Target{Service: "web", Datacenter: "dc2"})); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
	if got := m.Service(Target{Service: "web", Datacenter: "dc3"}).Protocol; got != GRPC {
		t.Errorf("dc3 speaks %s", got)
	}
	if got := m.Service(Target{Service: "web", Namespace: "other"}).Protocol; got != TCP {
		t.Errorf("another namespace speaks %s", got)
	}
}

func TestASubsetHasSparesOfItsOwn(t *testing.T) {
	dc2, spare := Target{Service: "web", Datacenter: "dc2"}, Target{Service: "spare"}
	m := &Mesh{Services: []Service{{Name: "web", Failover: []Target{dc2}, Subsets: []Subset{
		{Name: "v1", Failover: []Target{spare}}, {Name: "v2", Failover: []Target{}}, {Name: "v3"}}}}}
	for subset, want := range map[string][]Target{"": {dc2}, "v1": {spare}, "v2": nil, "v3": {dc2}} {
		own := Target{Service: "web", Subset: subset}
		if d := cmp.Diff(append([]Target{own}, want...), m.Behind(own)); d != "" {
			t.Errorf("subset %q: want (-), got (+):\n%s", subset, d)
		}
	}
	far := Target{Service: "web", Subset: "v1", Datacenter: "dc3"}
	if d := cmp.Diff([]Target{far}, m.Behind(far)); d != "" {
		t.Errorf("in another datacenter: want (-), got (+):\n%s", d)
	}
}

func TestATargetIsNoSpareOfItself(t *testing.T) {
	m := &Mesh{Services: []Service{{Name: "web", Failover: []Target{{Service: "web", Subset: "v1"}, {Service: "web", Datacenter: "dc2"}}}}}
	want := []Target{{Service: "web", Subset: "v1"}, {Service: "web", Datacenter: "dc2"}}
	if d := cmp.Diff(want, m.Behind(Target{Service: "web", Subset: "v1"})); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}
