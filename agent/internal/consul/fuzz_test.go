package consul

import (
	"encoding/json"
	"strings"
	"testing"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

// FuzzDecode: whatever Consul sends becomes a view within the bounds or an error.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`null`, `[]`, `[null]`, `[{}]`, `{"a":["b"],"..":null}`,
		`[{"Key":"a/b","Value":"/w=="},{"Key":"a/","Value":null}]`, `[{"Node":"n","Address":"10.0.0.1"},{"Node":"n"}]`,
		`[{"Node":{"Node":"n"},"Service":{"ID":"x","Port":80,"Weights":{"Passing":1}},"Checks":[{"CheckID":"c","Status":"critical"}]}]`,
		`[{"Node":{"Node":"n"},"Service":{"ID":"x","Port":-1}}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var entries []*api.ServiceEntry
		if json.Unmarshal(raw, &entries) == nil {
			if list, err := decodeService(entries); err == nil {
				for _, i := range catalog.NewServiceView(catalog.Query{}, list).Instances {
					if i.Port < 0 || i.Port > 65535 || i.Weights.Passing < 1 || i.Weights.Warning < 0 || i.Weights.Warning > 65535 {
						t.Fatalf("out of bounds: %+v", i)
					}
				}
			}
		}
		var pairs api.KVPairs
		if json.Unmarshal(raw, &pairs) == nil {
			got, err := decodePairs(catalog.Query{Kind: catalog.KVPrefix, Name: "a/"}, pairs)
			for key := range got {
				if err != nil || !strings.HasPrefix(key, "a/") {
					t.Fatalf("%q: key %q, %v", raw, key, err)
				}
			}
		}
		var nodes []*api.Node
		if json.Unmarshal(raw, &nodes) == nil {
			if got, err := decodeNodes(nodes); (err == nil) != (got != nil) || len(got) > len(nodes) {
				t.Fatalf("%q: %v, %v", raw, got, err)
			}
		}
		var list map[string][]string
		if json.Unmarshal(raw, &list) == nil {
			kept, err := decodeNames(list)
			if (err != nil) != (list == nil) {
				t.Fatalf("%q: %v", raw, err)
			}
			for name := range kept {
				if !readable(name) {
					t.Fatalf("%q was kept", name)
				}
			}
		}
	})
}
