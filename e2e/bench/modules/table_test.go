package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const output = `goos: linux
BenchmarkModule/nginx/1-2         	       3	 210000000 ns/op	         1.000 reloads/change
BenchmarkModule/nginx/100-2       	       3	 129000000 ns/op	         1.000 reloads/change
BenchmarkModule/nginx/1000-2      	       3	 885500000 ns/op	         1.000 reloads/change
BenchmarkModule/azure-lb/1        	       3	1885500000 ns/op	         7.000 calls/change	       12 B/op
BenchmarkModule/azure-lb/100      	       3	2885500000 ns/op	       205.3 calls/change
BenchmarkModule/f5-pool/1000-16   	       3	     500 ns/op
BenchmarkModule/nginx/1-2: it did not work
BenchmarkOther/nginx/1-2          	       3	     500 ns/op
PASS
`

func TestTheTableHasWhatTheBenchmarksReport(t *testing.T) {
	var passed bytes.Buffer
	got, err := read(strings.NewReader(output), &passed)
	if err != nil {
		t.Fatal(err)
	}
	want := `| module | one change on the device | 1 instance | 100 | 1,000 |
|---|---|---|---|---|
| azure-lb | 7 calls, 205 calls | 1.89 s | 2.89 s | – |
| f5-pool | – | – | – | 0.00 s |
| nginx | 1 reload | 0.21 s | 0.13 s | 0.89 s |
`
	if diff := cmp.Diff(want, got.table()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(output, passed.String()); diff != "" {
		t.Errorf("what was passed on (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"haproxy"}, got.missing([]string{"azure-lb", "haproxy", "nginx"})); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}
