package nginx_test

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"
)

// BenchmarkModule measures one change of one instance, given and applied: until NGINX has
// new workers. Reloads are counted by NGINX's own log.
func BenchmarkModule(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("nginx/%d", count), func(b *testing.B) {
			e := newEdge(b)
			s := e.stack(b, "http.d/web.conf")
			services := moduletest.Instances("web", count)
			s.Give(b, services...)
			s.Apply(b)
			before := reloads(b, e)
			for b.Loop() {
				services[count/2].Port++
				s.Give(b, services...)
				s.Apply(b)
			}
			b.ReportMetric(float64(reloads(b, e)-before)/float64(b.N), "reloads/change")
		})
	}
}

func reloads(tb testing.TB, e *edge) int {
	return strings.Count(e.read(tb, "error.log"), ", reconfiguring")
}
