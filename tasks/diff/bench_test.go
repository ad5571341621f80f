package diff_test

import (
	"fmt"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff"
	"patchbay/tasks/diff/text"
)

// BenchmarkOneMemberLeaves is what a run costs to be told, with so many members.
func BenchmarkOneMemberLeaves(b *testing.B) {
	for _, size := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var all []catalog.Instance
			var in tasks.Input
			for n := range size {
				i := anInstance(n, catalog.Passing)
				i.Address = fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
				all = append(all, i)
				in.Services = append(in.Services, tasks.Service{Instance: i})
			}
			before := webView(append([]catalog.Instance{}, all...)...)
			all[0].Checks = []catalog.Check{{ID: "c", Name: "http", Status: catalog.Critical}}
			after := webView(all...)
			g := givenOf(digests(), tasks.AppliedInput{Members: in.Members(), Traits: in.Traits()}, after)
			g.Wanted = tasks.Input{Services: in.Services[1:]}
			first := g.Seen.See(catalog.NewSnapshot(before), noon)
			for b.Loop() {
				g.Seen = first.See(catalog.NewSnapshot(after), noon.Add(time.Second))
				list, more := diff.Of(g)
				if lines := text.Text(list, more, noon); len(lines) != 1 {
					b.Fatalf("%q", lines)
				}
			}
		})
	}
}
