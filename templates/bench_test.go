package templates

import (
	"fmt"
	"strconv"
	"testing"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

func many(n int) []tasks.Service {
	var out []tasks.Service
	for i := range n {
		s := web(strconv.Itoa(i), fmt.Sprintf("node-%d", i%100))
		s.UserMeta = map[string]string{"team": "net"}
		out = append(out, s)
	}
	return out
}

func BenchmarkRender(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 5000} {
		b.Run(fmt.Sprintf("%d instances", n), func(b *testing.B) {
			t := task("weighted")
			t.Module = "builtin/weighted"
			in := Inputs{Input: input(many(n)...), Backend: local()}
			size := 0
			for b.Loop() {
				files, err := render(t, in, shippedForTest)
				if err != nil {
					b.Fatal(err)
				}
				size = len(files.Root[fileConsulValues].Content)
			}
			b.SetBytes(int64(size))
		})
	}
}

// BenchmarkHclwriteAlone is what the layout of sheet is compared with: the same
// value through hclwrite's own value writer.
func BenchmarkHclwriteAlone(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 5000} {
		b.Run(fmt.Sprintf("%d instances", n), func(b *testing.B) {
			services := many(n)
			for b.Loop() {
				f := hclwrite.NewEmptyFile()
				f.Body().SetAttributeValue("services", wanted(services))
				if len(f.Bytes()) == 0 {
					b.Fatal("nothing was written")
				}
			}
		})
	}
}

func BenchmarkInputDigest(b *testing.B) {
	files, err := render(task("x"), Inputs{Input: input(many(5000)...)}, shippedForTest)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		InputDigest(files)
	}
}

func BenchmarkBaseline(b *testing.B) {
	files, err := render(task("x"), Inputs{Input: input(many(5000)...)}, shippedForTest)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Baseline(files.Root[fileConsulValues].Content); err != nil {
			b.Fatal(err)
		}
	}
}
