package azure_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"patchbay/templates/internal/moduletest"
)

// BenchmarkModule measures a change of one instance on an applied stack, given and applied
// by a bare Terraform. Writes are those of the change; what the real provider would wait for
// Azure is told as waited-s/change and not waited for.
func BenchmarkModule(b *testing.B) {
	for _, s := range shipped {
		for _, count := range []int{1, 100, 1000} {
			if s.module == "azure-lb" && count > 100 || s.name == "azure-app-gateway-dns" && count > 100 {
				continue // more than such a pool or record may have
			}
			b.Run(fmt.Sprintf("%s/%d", s.name, count), func(b *testing.B) {
				r := newRig(b, s.module, s.arguments...)
				services := moduletest.Instances("web", count)
				r.Give(b, services...)
				r.Apply(b)
				r.arm.Delay()
				r.arm.Forget()
				changes := 0
				for b.Loop() {
					changes++
					// The lowest, so that a record that holds some of them changes too.
					services = slices.Clone(services)
					services[0].Address = fmt.Sprintf("10.0.0.%d", 1-changes%2)
					r.Give(b, services...)
					r.Apply(b)
				}
				b.ReportMetric(float64(r.arm.Count(http.MethodPut, "")+r.arm.Count(http.MethodDelete, ""))/float64(changes), "writes/change")
				b.ReportMetric(float64(len(r.arm.Requests()))/float64(changes), "calls/change")
				b.ReportMetric(r.arm.Waited().Seconds()/float64(changes), "waited-s/change")
			})
		}
	}
}
