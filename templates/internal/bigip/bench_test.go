package bigip_test

import (
	"fmt"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"
)

// benched are the lines of the module block that each module is measured with.
var benched = map[string][]string{
	"f5-as3":      {`tenant = "edge"`, `virtual_servers = { web = { virtual_address = "10.9.0.1" } }`},
	"f5-firewall": {`service_names = ["web"]`},
	"f5-pool":     {taskPools},
}

// BenchmarkModule measures one change of one instance, given and applied, and counts the
// requests that the device answered.
func BenchmarkModule(b *testing.B) {
	for module, arguments := range benched {
		for _, count := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", module, count), func(b *testing.B) {
				d := bigip.New(b)
				d.AddDiscovery(task)
				s, _ := bigip.Stack(b, d, module, nil, arguments...)
				services := moduletest.Instances("web", count)
				s.Give(b, services...)
				s.Apply(b)
				d.Forget()
				n := 0
				for b.Loop() {
					n++
					services[count/2].Address = fmt.Sprintf("10.200.%d.%d", n/250%250, n%250+1)
					s.Give(b, services...)
					s.Apply(b)
				}
				b.ReportMetric(float64(d.Count("", ""))/float64(b.N), "calls/change")
			})
		}
	}
}
