package consul

import (
	"encoding/json"
	"fmt"
	"testing"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

// body is a health answer with n instances as Consul writes it.
func body(b *testing.B, n int) []byte {
	b.Helper()
	entries := several(n)
	for _, e := range entries {
		e.Service.Tags = []string{"v1", "primary"}
		e.Service.Meta = map[string]string{"version": "1.2.3", "zone": "a"}
		e.Node.Meta = map[string]string{"rack": "r1", "consul-version": "1.22.7"}
		e.Node.TaggedAddresses = map[string]string{"lan": "10.0.0.1", "lan_ipv4": "10.0.0.1", "wan": "10.0.0.1"}
		e.Service.TaggedAddresses = map[string]api.ServiceAddress{"lan_ipv4": {Address: "10.0.0.1", Port: 80}}
		e.Checks[0].Output = "HTTP GET http://10.0.0.1/health: 200 OK Output: ok"
		e.Checks = append(e.Checks, &api.HealthCheck{CheckID: catalog.SerfHealth, Name: "Serf Health Status",
			Status: catalog.Passing, Output: "Agent alive and reachable"})
	}
	out, err := json.Marshal(entries)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// BenchmarkDecode makes a view of an answer with 1,000 instances.
func BenchmarkDecode(b *testing.B) {
	raw := body(b, 1000)
	q := catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var entries []*api.ServiceEntry
		if err := json.Unmarshal(raw, &entries); err != nil {
			b.Fatal(err)
		}
		list, err := decodeService(entries)
		if err != nil {
			b.Fatal(err)
		}
		if v := catalog.NewServiceView(q, list); len(v.Instances) != 1000 {
			b.Fatal("instances were lost")
		}
	}
}

// BenchmarkView makes a view of 1,000 decoded instances: sorting and digest.
func BenchmarkView(b *testing.B) {
	list, err := decodeService(several(1000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, list)
	}
}

// BenchmarkPublish shares a change of one of 1,000 services with a watcher of all
// of them and with one of that service.
func BenchmarkPublish(b *testing.B) {
	h := newHub()
	names := map[string][]string{}
	for n := range 1000 {
		names[fmt.Sprintf("s%03d", n)] = nil
	}
	all := h.join([]catalog.Want{catalog.Selector{}})
	one := h.join([]catalog.Want{catalog.Selector{Names: []string{"s500"}}})
	list := catalog.Query{Kind: catalog.ServiceNames}
	h.publish(h.entries[list], catalog.NewNamesView(list, names), nil)
	views := func(port int) *catalog.View {
		i, err := decodeService([]*api.ServiceEntry{named("s500", "i", "n1", port)})
		if err != nil {
			b.Fatal(err)
		}
		return catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "s500"}, i)
	}
	for q, e := range h.entries {
		if q.Kind == catalog.ServiceHealth && q.Name != "s500" {
			h.publish(e, catalog.NewServiceView(q, nil), nil)
		}
	}
	two := [2]*catalog.View{views(80), views(81)}
	entry := h.entries[two[0].Query]
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		h.publish(entry, two[n%2], nil)
		<-all.out
		<-one.out
	}
}
