package nftables

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"patchbay/templates/internal/moduletest"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestPlansAreAsTheGoldenFileHasThem(t *testing.T) {
	one := at("10.0.0.1", 8080)
	named := func(name string) moduletest.Instance {
		return one.With(func(i *moduletest.Instance) { i.Name = name })
	}
	s := moduletest.New(t, "firewall-nftables", `allow = [{ service = "web", ports = [5432] }]`)
	plans := map[string]any{}
	for sentence, services := range map[string][]moduletest.Instance{
		"no instance":         nil,
		"one instance":        {one},
		"two instances":       moduletest.Instances("web", 2),
		"a hundred instances": moduletest.Instances("web", 100),
		"a duplicate address": {one, one},
		"an IPv6 address":     {at("2001:DB8::1", 8080)},
		"odd names":           {named("Web.API"), named("a;b{}"), named("${x}"), named("")},
	} {
		s.Give(t, services...)
		plans[sentence] = s.Planned(t)
	}
	moduletest.Golden(t, "testdata/plans.json", *update, plans)
}

func TestModuleIsFormattedAndValid(t *testing.T) {
	s := moduletest.New(t, "firewall-nftables")
	if out, err := s.Run("fmt", "-check", "-diff", "firewall-nftables"); err != nil {
		t.Errorf("fmt: %v:\n%s", err, out)
	}
	s.Must(t, "validate")
}

// BenchmarkModule measures one change of one instance, given and applied: until the
// kernel has it. Calls are runs of nft: one that lists, two that check, one that changes.
func BenchmarkModule(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("firewall-nftables/%d", count), func(b *testing.B) {
			f := newFirewall(b)
			counted := f.dir + "/.calls"
			s := f.stack(b, fmt.Sprintf(`nft_command = ["/bin/sh", "-c", "echo >>%s; exec nft \"$@\"", "nft"]`, counted))
			services := moduletest.Instances("web", count)
			s.Give(b, services...)
			s.Apply(b)
			if err := os.Truncate(counted, 0); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				services[count/2].Port++
				s.Give(b, services...)
				s.Apply(b)
			}
			calls, err := os.Stat(counted)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(calls.Size())/float64(b.N), "calls/change")
		})
	}
}
