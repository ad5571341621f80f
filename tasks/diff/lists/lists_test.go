package lists_test

import (
	"testing"

	"patchbay/tasks"
	"patchbay/tasks/diff/lists"

	"github.com/google/go-cmp/cmp"
)

func plain(text string) lists.Leaf { return lists.Leaf{Text: text} }

func TestWhichValuesComeAndGo(t *testing.T) {
	type leaves = map[string]lists.Leaf
	none, unknown := lists.Leaf{Kind: lists.NoElements}, lists.Leaf{Kind: lists.Unknown}
	hidden := lists.Leaf{Text: "<sensitive>", Kind: lists.Hidden}
	tests := map[string]struct {
		typ           string
		before, after leaves
		want          []tasks.List
	}{
		"an object that is made has all of its values added": {"t", nil, leaves{"a[0]": plain("x"), "b": plain("y")},
			[]tasks.List{{Path: "a", After: 1, Added: []tasks.Element{{"": "x"}}}}},
		"the last value leaves": {"t", leaves{"a[0]": plain("x")}, leaves{"a": none},
			[]tasks.List{{Path: "a", Before: 1, Removed: []tasks.Element{{"": "x"}}}}},
		"a list that is null has no values": {"t", leaves{"a[0]": plain("x")}, leaves{"a": {Kind: lists.Null}},
			[]tasks.List{{Path: "a", Before: 1, Removed: []tasks.Element{{"": "x"}}}}},
		"the order does not matter": {"t", leaves{"a[0]": plain("x"), "a[1]": plain("y")}, leaves{"a[0]": plain("y"), "a[1]": plain("x")}, nil},
		"one of two equal values leaves": {"t", leaves{"a[0]": plain("x"), "a[1]": plain("x")}, leaves{"a[0]": plain("x")},
			[]tasks.List{{Path: "a", Before: 2, After: 1, Removed: []tasks.Element{{"": "x"}}}}},
		"what only applying tells is left out": {"t", leaves{"a[0]": plain("x")}, leaves{"a": unknown}, nil},
		"a computed attribute of a value does not count": {"t", leaves{"a[0].id": plain("7"), "a[0].n": plain("x")},
			leaves{"a[0].id": unknown, "a[0].n": plain("x"), "a[1].id": unknown, "a[1].n": plain("y")},
			[]tasks.List{{Path: "a", Before: 1, After: 2, Added: []tasks.Element{{"n": "x"}, {"n": "y"}}, Removed: []tasks.Element{{"id": "7", "n": "x"}}}}},
		"sensitive values are counted": {"t", leaves{"a[0]": hidden}, leaves{"a[0]": hidden, "a[1]": hidden},
			[]tasks.List{{Path: "a", Before: 1, After: 2, Added: []tasks.Element{{"": "<sensitive>"}}}}},
		"a name in quotes with brackets in it": {"t", leaves{`m["a]b.c"][0]`: plain("x")}, leaves{`m["a]b.c"][0]`: plain("y")},
			[]tasks.List{{Path: "m.a]b.c", Before: 1, After: 1, Added: []tasks.Element{{"": "y"}}, Removed: []tasks.Element{{"": "x"}}}}},
		"lists within named values are compared by name": {"t",
			leaves{"p[0].name": plain("a"), "p[0].l[0]": plain("x"), "p[1].name": plain("b"), "p[1].l[0]": plain("y")},
			leaves{"p[0].name": plain("b"), "p[0].l[0]": plain("y"), "p[0].l[1]": plain("z"), "p[1].name": plain("a"), "p[1].l[0]": plain("x")},
			[]tasks.List{{Path: `p["b"].l`, Before: 1, After: 2, Added: []tasks.Element{{"": "z"}}}}},
		"a declaration that cannot be read": {"bigip_as3", leaves{"as3_json": plain("{")}, leaves{"as3_json": plain("{}")}, nil},
		"a declaration that is sensitive":   {"bigip_as3", leaves{"as3_json": hidden}, leaves{"as3_json": hidden}, nil},
		"a declaration of odd values": {"bigip_as3", leaves{"as3_json": plain(`{"t":{"p":{"class":"Pool","members":[7,{"serverAddresses":[1," ","10.0.0.1"]}]},"q":[{}]}}`)}, nil,
			[]tasks.List{{Path: "as3_json", Object: "pool /t/p", Unit: "members", Before: 1, Removed: []tasks.Element{{"address": "10.0.0.1", "port": ""}}}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, lists.Of(tc.typ, tc.before, tc.after)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func FuzzPathsAreCutToTheirEnd(f *testing.F) {
	for _, s := range []string{`a.b[0]["c d"].e`, `["`, `[`, `[12`, `a..b`, `["a"]x`, "", "[-1]", `[""]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for n := 0; path != ""; n++ {
			_, rest := lists.Cut(path)
			if len(rest) >= len(path) || n > 1000000 {
				t.Fatalf("%q leaves %q", path, rest)
			}
			path = rest
		}
		lists.Of("t", map[string]lists.Leaf{path: {}}, nil)
	})
}
