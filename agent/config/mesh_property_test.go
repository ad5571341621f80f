package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawShares gives a split whose weights add up to 100, with and without labels.
func drawShares(t *rapid.T, name string) (out []item) {
	left := 10_000
	for n := range rapid.IntRange(0, 4).Draw(t, name) {
		weight := rapid.IntRange(0, left).Draw(t, "weight")
		left -= weight
		out = append(out, share(t, n, weight))
	}
	if out != nil {
		out = append(out, share(t, len(out), left))
	}
	return out
}

func share(t *rapid.T, n, weight int) item {
	body := []item{{Name: "weight", Value: fmt.Sprintf("%d.%02d", weight/100, weight%100)}}
	switch rapid.IntRange(0, 2).Draw(t, fmt.Sprintf("target %d", n)) {
	case 0:
		return item{Name: "to", Label: "v1", Body: body}
	case 1:
		return item{Name: "to", Body: append(body, item{Name: "service", Value: "other"}, item{Name: "datacenter", Value: "dc" + fmt.Sprint(n)})}
	}
	return item{Name: "to", Body: append(body, item{Name: "subset", Value: "v2"},
		item{Name: "request_headers", Body: []item{{Name: "remove", Value: []any{"x-a"}}}})}
}

func drawRoute(t *rapid.T, n int) item {
	match := some(t, item{Name: "ignore_case", Value: true}, item{Name: "methods", Value: rapid.SampledFrom([]any{"GET", []any{"GET", "PUT"}}).Draw(t, "methods")},
		item{Name: "header", Label: "x-a", Body: some(t, item{Name: "exact", Value: "1"})}, item{Name: "header", Label: "x-b", Body: []item{{Name: "regex", Value: `a\.[b-c]+`}}},
		item{Name: "query", Label: "q", Body: []item{{Name: "absent", Value: "true"}}}, item{Name: "cookie", Label: "c", Body: []item{{Name: "prefix", Value: "b"}}})
	match = append(match, item{Name: "path", Value: fmt.Sprintf("/%d", n)})
	body := some(t, item{Name: "timeout", Value: rapid.SampledFrom([]any{"0s", "3s"}).Draw(t, "timeout")}, item{Name: "retry", Body: some(t, item{Name: "codes", Value: []any{503, "504"}})},
		item{Name: "mirror", Body: some(t, item{Name: "percent", Value: 0.5})}, item{Name: "hash", Body: []item{{Name: "header", Value: "x-u"}}},
		item{Name: "hash", Body: []item{{Name: "cookie", Value: "u"}, {Name: "ttl", Value: "5s"}}}, item{Name: "rate_limit", Body: []item{{Name: "requests", Value: 5}}})
	body = append(append(body, item{Name: "match", Body: match}), drawShares(t, "shares")...)
	return item{Name: "route", Label: rapid.SampledFrom([]string{"", fmt.Sprintf("r%d", n)}).Draw(t, "label"), Body: body}
}

func drawMesh(t *rapid.T) (out []item) {
	for n := range rapid.IntRange(0, 3).Draw(t, "services") {
		body := some(t, item{Name: "protocol", Value: "grpc"}, item{Name: "panic_threshold", Value: "50"}, item{Name: "default_subset", Value: "v1"},
			item{Name: "failover", Value: rapid.SampledFrom([]any{"@dc2", []any{"/v2", "other@dc3+ns"}, []any{}}).Draw(t, "failover")},
			item{Name: "load_balancer", Body: []item{{Name: "policy", Value: "maglev"}}}, item{Name: "sticky", Body: []item{{Name: "cookie", Value: "leg"}}})
		body = append(body, item{Name: "subset", Label: "v1", Body: []item{{Name: "filter", Value: `Service.Tags contains "a"`}}},
			item{Name: "subset", Label: "v2", Body: some(t, item{Name: "only_passing", Value: true})})
		body = append(body, drawShares(t, "split")...)
		for k := range rapid.IntRange(0, 3).Draw(t, "routes") {
			body = append(body, drawRoute(t, k))
		}
		out = append(out, item{Name: "routes", Label: fmt.Sprintf("s%d", n), Body: body},
			item{Name: "sidecar", Label: fmt.Sprintf("s%d", n), Body: []item{ // JSON is written by name
				{Name: "upstream", Label: "b c", Body: []item{{Name: "port", Value: 3}}}, {Name: "upstreams", Value: []any{"a:1", "s0/v1:2"}}}})
	}
	if out == nil {
		return []item{{Name: "xds", Body: some(t, item{Name: "port", Value: 0})}}
	}
	return append(out, item{Name: "gateway", Label: "edge", Body: []item{
		{Name: "listener", Body: []item{{Name: "port", Value: 1}, {Name: "service", Label: "s0", Body: some(t, item{Name: "hosts", Value: []any{"a.example.com"}})}}},
		{Name: "listener", Body: []item{{Name: "port", Value: 2}, {Name: "protocol", Value: "tcp"}, {Name: "service", Label: "s0", Body: []item{}}}}}})
}

func TestAMeshIsTheSameInEverySyntax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := append(drawMesh(t), item{Name: "client_type", Value: "x"}, item{Name: "log_format", Value: "json"})
		load := func(name, text string) []string {
			return slices.DeleteFunc(loadText(t, name, text), func(line string) bool { return strings.Contains(line, "Position = ") })
		}
		want := load("a.hcl", asHCL(items))
		for name, text := range map[string]string{"a.json": quoteJSON(asJSON(items)), "older.hcl": asHCL1(items) + "\n"} {
			if d := cmp.Diff(want, load(name, text)); d != "" {
				t.Fatalf("HCL (-) and %s (+) differ:\n%s\n%s\n%s", name, d, asHCL(items), text)
			}
		}
	})
}
