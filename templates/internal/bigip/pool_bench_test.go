package bigip_test

import (
	"fmt"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"
)

// BenchmarkPoolWithoutAS3 measures one change of one member of a pool without AS3: an
// instance that is gone and another that came, so that one member starts to drain, one is
// made and the one of the change before is removed.
func BenchmarkPoolWithoutAS3(b *testing.B) {
	for _, count := range []int{1, 50, 100} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			d, s := newPools(b)
			changed(b, d, s, count)
		})
	}
}

// changed measures changes of one of count instances, by hand of an applied stack.
func changed(b *testing.B, d *bigip.Device, s *moduletest.Stack, count int) {
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
	b.ReportMetric(float64(len(d.Requests()))/float64(n), "calls/change")
}
