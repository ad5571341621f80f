package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func serviceQuery(name string) Query { return Query{Kind: ServiceHealth, Name: name} }

func TestASelectorListsItsQueries(t *testing.T) {
	list := names("web", "web-2", "db")
	known := map[Query]*View{list.Query: list}
	cases := map[string]struct {
		selector Selector
		known    map[Query]*View
		want     []Query
		complete bool
	}{
		"names, sorted and once": {selector: Selector{Names: []string{"web", "api", "web"}}, complete: true,
			want: []Query{serviceQuery("api"), serviceQuery("web")}},
		"names win over a regexp": {selector: Selector{Names: []string{"web"}, Regexp: "db"}, known: known, complete: true,
			want: []Query{serviceQuery("web")}},
		"datacenter and namespace": {selector: Selector{Names: []string{"web"}, Datacenter: "dc2", Namespace: "team"}, complete: true,
			want: []Query{{Kind: ServiceHealth, Name: "web", Datacenter: "dc2", Namespace: "team"}}},
		"a regexp before the list is known": {selector: Selector{Regexp: "web"}, want: []Query{list.Query}},
		"a regexp, not anchored": {selector: Selector{Regexp: "eb"}, known: known, complete: true,
			want: []Query{serviceQuery("web"), serviceQuery("web-2"), list.Query}},
		"no regexp takes all": {selector: Selector{}, known: known, complete: true,
			want: []Query{serviceQuery("db"), serviceQuery("web"), serviceQuery("web-2"), list.Query}},
		"the list of another datacenter": {selector: Selector{Datacenter: "dc2"}, known: known,
			want: []Query{{Kind: ServiceNames, Datacenter: "dc2"}}},
		"a regexp that does not compile": {selector: Selector{Regexp: "("}, known: known, want: []Query{list.Query}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, complete := c.selector.Queries(c.known)
			if diff := cmp.Diff(c.want, got); diff != "" || complete != c.complete {
				t.Errorf("complete %v, queries (-want +got):\n%s", complete, diff)
			}
		})
	}
}

func TestASelectorSelectsByNameOrRegexp(t *testing.T) {
	for name, c := range map[string]struct {
		selector Selector
		want     bool
	}{
		"its name":               {Selector{Names: []string{"api", "web"}}, true},
		"another name":           {Selector{Names: []string{"api"}}, false},
		"names win":              {Selector{Names: []string{"api"}, Regexp: "web"}, false},
		"a regexp in the middle": {Selector{Regexp: "e"}, true},
		"an anchored regexp":     {Selector{Regexp: "^e"}, false},
		"no regexp":              {Selector{}, true},
		"a wrong regexp":         {Selector{Regexp: "("}, false},
	} {
		if got := c.selector.Selects("web"); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if err := (Selector{Regexp: "("}).Validate(); err == nil {
		t.Error("a wrong regexp is valid")
	}
	if err := (Selector{Regexp: "^a.*$"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestASnapshotIsCompleteOrNotAtAll(t *testing.T) {
	list := names("web", "db")
	web, db := NewServiceView(serviceQuery("web"), pool(2)), NewServiceView(serviceQuery("db"), nil)
	all := []*View{list, web, db}
	cases := map[string]struct {
		selectors []Selector
		known     []*View
		want      []*View
		ok        bool
	}{
		"no selector":                     {known: all, ok: true},
		"what is asked for and no more":   {selectors: []Selector{{Names: []string{"web"}}}, known: all, want: []*View{web}, ok: true},
		"one name missing":                {selectors: []Selector{{Names: []string{"web", "api"}}}, known: all},
		"the list missing":                {selectors: []Selector{{Regexp: "web"}}, known: []*View{web, db}},
		"a match missing":                 {selectors: []Selector{{}}, known: []*View{list, web}},
		"a regexp":                        {selectors: []Selector{{Regexp: "^db"}}, known: all, want: []*View{db, list}, ok: true},
		"two selectors that share a view": {selectors: []Selector{{Names: []string{"web"}}, {}}, known: all, want: []*View{db, web, list}, ok: true},
		"one of two selectors incomplete": {selectors: []Selector{{Names: []string{"web"}}, {Datacenter: "dc2"}}, known: all},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			known := map[Query]*View{}
			for _, v := range c.known {
				known[v.Query] = v
			}
			var wants []Want
			for _, sel := range c.selectors {
				wants = append(wants, sel)
			}
			s, ok := Collect(wants, known)
			if ok != c.ok || !s.Same(NewSnapshot(c.want...)) {
				t.Fatalf("got %v, %v", s.Views(), ok)
			}
			for n, v := range s.Views() {
				if v != c.want[n] {
					t.Errorf("view %d is of %s, want %s", n, v.Query, c.want[n].Query)
				}
			}
		})
	}
}

func TestASnapshotGivesInstancesInOrderWhateverTheirHealth(t *testing.T) {
	api := pool(2)
	for n := range api {
		api[n].Name = "api"
	}
	s := NewSnapshot(names("web", "api"), NewServiceView(serviceQuery("web"), withAll(pool(2), Critical)), NewServiceView(serviceQuery("api"), api))
	var got []string
	for _, i := range s.Instances(Selector{}) {
		got = append(got, i.Name+" "+i.ID)
	}
	if diff := cmp.Diff([]string{"api web-000", "api web-001", "web web-000", "web web-001"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.Instances(Selector{Names: []string{"none"}}); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if _, ok := s.View(serviceQuery("none")); ok {
		t.Error("a view that is not there was found")
	}
}

func TestSnapshotsAreTheSameByContentAndVerdict(t *testing.T) {
	base := func(change func(*View)) Snapshot {
		v := health(pool(2)...)
		change(v)
		return NewSnapshot(v)
	}
	was := base(func(*View) {})
	for name, c := range map[string]struct {
		change func(*View)
		same   bool
	}{
		"nothing":           {func(*View) {}, true},
		"index":             {func(v *View) { v.Index = 99 }, true},
		"time of answer":    {func(v *View) { v.Answered = v.Answered.AddDate(1, 0, 0) }, true},
		"words of evidence": {func(v *View) { v.Verdict.Evidence = []string{"x"} }, true},
		"trust":             {func(v *View) { v.Verdict.Trust = Refused }, false},
		"epoch":             {func(v *View) { v.Epoch = 1 }, false},
		"departures":        {func(v *View) { v.Departures = []Departure{{Cause: NodeGone}} }, false},
		"content":           {func(v *View) { v.Digest = Digest{1} }, false},
		"query":             {func(v *View) { v.Query.Name = "api" }, false},
	} {
		if got := was.Same(base(c.change)); got != c.same {
			t.Errorf("%s: same %v", name, got)
		}
	}
	if was.Same(Snapshot{}) || !(Snapshot{}).Same(NewSnapshot()) {
		t.Error("an empty snapshot")
	}
}

func TestAnInstanceKnowsItsKeyAddressAndState(t *testing.T) {
	i := full()
	if got := i.Key(); got != "web-1.n1.team.dc1" {
		t.Errorf("key %q", got)
	}
	i.Namespace = ""
	want := Member{Key: "web-1.n1.dc1", Service: "web", Node: "n1", Address: "10.0.0.1", Port: 80}
	if got := i.Member(); got != want {
		t.Errorf("member %+v", got)
	}
	if i.Address = ""; i.Host() != "10.1.0.1" {
		t.Errorf("host %q", i.Host())
	}
	check := func(id, status string) Check { return Check{ID: id, Name: id, Status: status} }
	for name, c := range map[string]struct {
		checks        []Check
		status, worst string
	}{
		"no check":            {nil, Passing, ""},
		"all pass":            {[]Check{check("a", Passing), check("b", Passing)}, Passing, "a"},
		"one warns":           {[]Check{check("a", Passing), check("b", Warning)}, Warning, "b"},
		"critical is worse":   {[]Check{check("a", Warning), check("b", Critical), check("c", Warning)}, Critical, "b"},
		"service maintenance": {[]Check{check("a", Critical), check("_service_maintenance:web-1", Critical)}, Maintenance, "_service_maintenance:web-1"},
		"node maintenance":    {[]Check{check("_node_maintenance", Critical), check("a", Critical)}, Maintenance, "_node_maintenance"},
	} {
		i.Checks = c.checks
		worst, ok := i.WorstCheck()
		if i.Status() != c.status || worst.ID != c.worst || ok != (len(c.checks) > 0) {
			t.Errorf("%s: %s by %q", name, i.Status(), worst.ID)
		}
	}
}

func TestAQueryIsNamedForPeople(t *testing.T) {
	for want, q := range map[string]Query{
		"health of web":                         {Kind: ServiceHealth, Name: "web"},
		"list of services in dc2":               {Kind: ServiceNames, Datacenter: "dc2"},
		"health of web in dc2 (namespace team)": {Kind: ServiceHealth, Name: "web", Datacenter: "dc2", Namespace: "team"},
		"list of services (namespace other)":    {Kind: ServiceNames, Namespace: "other"},
	} {
		if got := q.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
