package azure_test

import (
	"fmt"
	"net/http"
	"testing"

	"patchbay/templates/internal/moduletest"
)

// BenchmarkModule measures a change of one instance on an applied stack, given and applied
// by a bare Terraform. What the real provider would wait for Azure is told as
// waited-s/change and not waited for.
func BenchmarkModule(b *testing.B) {
	for _, s := range shipped {
		if s.name == "azure-app-gateway-dns" {
			continue // see BenchmarkRecord
		}
		for _, count := range []int{1, 100, 1000} {
			if s.module == "azure-lb" && count > 100 {
				continue // more than max_addresses
			}
			b.Run(fmt.Sprintf("%s/%d", s.module, count), func(b *testing.B) { changed(b, newRig(b, s.module, s.arguments...), count) })
		}
	}
}

// BenchmarkRecord is BenchmarkModule for the private DNS records of azure-app-gateway.
func BenchmarkRecord(b *testing.B) {
	for _, count := range []int{1, 20} {
		b.Run(fmt.Sprint(count), func(b *testing.B) { changed(b, newRig(b, "azure-app-gateway", inZone), count) })
	}
}

// changed measures changes of one of count instances.
func changed(b *testing.B, r *rig, count int) {
	services := moduletest.Instances("web", count)
	r.Give(b, services...)
	r.Apply(b)
	r.arm.Delay()
	r.arm.Forget()
	changes := 0
	for b.Loop() {
		changes++
		services[0].Address = fmt.Sprintf("10.0.0.%d", 1-changes%2)
		r.Give(b, services...)
		r.Apply(b)
	}
	b.ReportMetric(float64(r.arm.Count(http.MethodPut, "")+r.arm.Count(http.MethodDelete, ""))/float64(changes), "writes/change")
	b.ReportMetric(float64(len(r.arm.Requests()))/float64(changes), "calls/change")
	b.ReportMetric(r.arm.Waited().Seconds()/float64(changes), "waited-s/change")
}
