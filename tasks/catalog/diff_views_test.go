package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDiffViewsTellsEveryChangeInPlainWords(t *testing.T) {
	store := func(m map[string]string) *View { return NewPairsView(Query{Kind: KVPrefix}, m) }
	node := func(change func(*Node)) *View {
		n := Node{ID: "id", Name: "n1", Address: "10.0.0.1", Meta: map[string]string{"rack": "r1"}}
		change(&n)
		return NewNodesView(Query{Kind: NodeNames}, []Node{n})
	}
	same := node(func(*Node) {})
	cases := map[string]struct {
		before, after *View
		want          []string
	}{
		"nothing":    {},
		"equal keys": {before: pairs("a"), after: pairs("a")},
		"keys created, changed and deleted, in order": {
			before: store(map[string]string{"fw/c": "1", "fw/b": "secret", "fw/same": "x"}),
			after:  store(map[string]string{"fw/a": "2", "fw/b": "other secret", "fw/same": "x"}),
			want:   []string{`key "fw/a" was created`, `key "fw/b" was changed`, `key "fw/c" was deleted`}},
		"a key of any text is quoted": {after: store(map[string]string{"a\n\x1b[31m": ""}), want: []string{`key "a\n\x1b[31m" was created`}},
		"a first view":                {after: pairs("a", "b"), want: []string{`key "a" was created`, `key "b" was created`}},
		"services come and go":        {before: names("api", "web"), after: names("web", "db"), want: []string{"service api is gone", "service db appeared"}},
		"other tags are no change": {before: NewNamesView(Query{}, map[string][]string{"web": {"a"}}),
			after: NewNamesView(Query{}, map[string][]string{"web": {"b"}})},
		"nodes come and go": {before: nodes("n1", "n2"), after: nodes("n2", "n3"), want: []string{"node n1 at 10.0.0.1 is gone", "node n3 at 10.0.0.1 was registered"}},
		"a node moves":      {before: same, after: node(func(n *Node) { n.Address = "10.0.0.9" }), want: []string{"node n1 moved from 10.0.0.1 to 10.0.0.9"}},
		"a node changes": {before: same, after: node(func(n *Node) {
			n.ID, n.Meta, n.TaggedAddresses = "new", nil, map[string]string{"wan": "1.2.3.4"}
		}), want: []string{"node n1 changed its id", "node n1 changed its tagged addresses", "node n1 changed its meta"}},
		"instances": {before: health(pool(1)...), after: health(), want: []string{"web: instance web-000.n0.dc1 at 10.0.0.1:80 is gone"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range DiffViews(c.before, c.after) {
				got = append(got, d.String())
				if strings.Contains(d.From+d.To, "secret") {
					t.Errorf("a value is told: %+v", d)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestViewsDifferExactlyWhenTheirKeysAndValuesDo(t *testing.T) {
	text := rapid.SampledFrom([]string{"a", "b", "", "ü", "a/"})
	rapid.Check(t, func(t *rapid.T) {
		a := NewPairsView(Query{Kind: KVPrefix}, rapid.MapOfN(text, text, 0, 4).Draw(t, "before"))
		b := NewPairsView(Query{Kind: KVPrefix}, rapid.MapOfN(text, text, 0, 4).Draw(t, "after"))
		if got := DiffViews(a, b); (len(got) == 0) != (a.Digest == b.Digest) {
			t.Fatalf("digests equal %v, deltas %v", a.Digest == b.Digest, got)
		}
	})
}
