package nginxplus_test

import (
	"flag"
	"fmt"
	"testing"

	"patchbay/templates/internal/moduletest"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestPlansAreAsTheGoldenFileHasThem(t *testing.T) {
	named := func(name string) moduletest.Instance {
		return at("10.0.0.1", 8080).With(func(i *moduletest.Instance) { i.Name = name })
	}
	s := moduletest.New(t, "nginx-plus", `api_urls = ["https://plus-1:8443/api"]`, `service_names = ["web"]`)
	plans := map[string]any{}
	for sentence, services := range map[string][]moduletest.Instance{
		"no instance":         nil,
		"one instance":        {at("10.0.0.1", 8080)},
		"two instances":       moduletest.Instances("web", 2),
		"a hundred instances": moduletest.Instances("web", 100),
		"a duplicate address": {at("10.0.0.1", 8080), at("10.0.0.1", 8080)},
		"an IPv6 address":     {at("2001:DB8:0::1", 8080)},
		"odd names":           {named("Web.API"), named("a;b{}"), named("${x}"), named("")},
	} {
		s.Give(t, services...)
		plans[sentence] = s.Planned(t)
	}
	moduletest.Golden(t, "testdata/plans.json", *update, plans)
}

func TestModuleIsFormattedAndValid(t *testing.T) {
	s := moduletest.New(t, "nginx-plus", `api_urls = ["https://plus-1:8443/api"]`)
	if out, err := s.Run("fmt", "-check", "-diff", "nginx-plus"); err != nil {
		t.Errorf("fmt: %v:\n%s", err, out)
	}
	s.Must(t, "validate")
}

// BenchmarkModule measures one change of one weight, given and applied.
func BenchmarkModule(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("nginx-plus/%d", count), func(b *testing.B) {
			d := newDevice(b)
			s := newStack(b, d)
			services := moduletest.Instances("web", count)
			s.Give(b, services...)
			s.Apply(b)
			d.asked()
			weight := 1
			for b.Loop() {
				weight++
				services[count/2] = with(services[count/2], "weight", fmt.Sprint(weight))
				s.Give(b, services...)
				s.Apply(b)
			}
			b.ReportMetric(float64(len(d.asked()))/float64(b.N), "calls/change")
		})
	}
}
