package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAQueryNamesAllThatItAsks(t *testing.T) {
	cases := map[string]Query{
		"health of web in dc2 (namespace team)":        {Kind: ServiceHealth, Name: "web", Datacenter: "dc2", Namespace: "team"},
		`list of services on nodes with {"rack":"r1"}`: {Kind: ServiceNames, NodeMeta: EncodeMeta(map[string]string{"rack": "r1"})},
		"key fw/web":            {Kind: KVKey, Name: "fw/web"},
		"keys below fw/ in dc2": {Kind: KVPrefix, Name: "fw/", Datacenter: "dc2"},
		`list of nodes on nodes with {"a":"1","b":"2"} in d1`: {Kind: NodeNames, Datacenter: "d1", NodeMeta: EncodeMeta(map[string]string{"b": "2", "a": "1"})},
	}
	for want, q := range cases {
		t.Run(want, func(t *testing.T) {
			if got := q.String(); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAViewIsEmptyWhenConsulListedNothing(t *testing.T) {
	for _, v := range []*View{health(), names(), pairs(), nodes()} {
		if !v.Empty() {
			t.Errorf("a view of %s without entries is not empty", v.Query)
		}
	}
	for _, v := range []*View{health(pool(1)...), names("a"), pairs("a"), nodes("a")} {
		if v.Empty() {
			t.Errorf("a view of %s with an entry is empty", v.Query)
		}
	}
}

func TestALingeringNameIsReadButNotListed(t *testing.T) {
	plain := names("api", "web")
	v := plain.Linger([]string{"old", "web", "back"})
	if diff := cmp.Diff([]string{"back", "old"}, v.Lingering); diff != "" {
		t.Errorf("lingering (-want +got):\n%s", diff)
	}
	if v.Digest == plain.Digest || len(v.Names) != 2 || len(plain.Lingering) != 0 {
		t.Errorf("got %+v of %+v", v, plain)
	}
	if plain.Linger([]string{"api"}) != plain {
		t.Error("a listed name lingers")
	}
	queries, complete := Selector{Regexp: "b"}.Queries(map[Query]*View{v.Query: v})
	var read []string
	for _, q := range queries {
		read = append(read, q.String())
	}
	if diff := cmp.Diff([]string{"health of back", "health of web", "list of services"}, read); diff != "" || !complete {
		t.Errorf("queries (-want +got), complete %v:\n%s", complete, diff)
	}
}

func TestNodesAndPairsHaveOneDigestWhateverTheOrder(t *testing.T) {
	if nodes("b", "a").Digest != nodes("a", "b").Digest || nodes("a").Digest == nodes("b").Digest {
		t.Error("the digest of nodes is not that of their set")
	}
	a, b := map[string]string{"k": "", "l": "\xff"}, map[string]string{"l": "\xff", "k": ""}
	if NewPairsView(Query{}, a).Digest != NewPairsView(Query{}, b).Digest || NewPairsView(Query{}, a).Digest == NewPairsView(Query{}, map[string]string{"k": "\xff", "l": ""}).Digest {
		t.Error("the digest of pairs is not that of their content")
	}
	if got := nodes("b", "a").Nodes[0].Name; got != "a" {
		t.Errorf("the first node is %s", got)
	}
}
