package catalog

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTheOrderOfAnAnswerChangesNoDigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawPool(t)
		shuffled := make([]Instance, len(list))
		for n, k := range rapid.Permutation(indexes(len(list))).Draw(t, "order") {
			shuffled[n] = clone(list[k])
			slices.Reverse(shuffled[n].Tags)
			slices.Reverse(shuffled[n].Checks)
		}
		if a, b := health(list...), health(shuffled...); a.Digest != b.Digest {
			t.Fatalf("%s and %s\n%+v\n%+v", a.Digest.Short(), b.Digest.Short(), a.Instances, b.Instances)
		}
	})
}

func indexes(n int) []int {
	out := make([]int, n)
	for k := range out {
		out[k] = k
	}
	return out
}

func TestEveryFieldOfAnInstanceChangesTheDigest(t *testing.T) {
	cases := map[string]func(*Instance){
		"id":                       func(i *Instance) { i.ID = "web-2" },
		"name":                     func(i *Instance) { i.Name = "api" },
		"kind":                     func(i *Instance) { i.Kind = "" },
		"address":                  func(i *Instance) { i.Address = "" },
		"port":                     func(i *Instance) { i.Port = 81 },
		"a tag more":               func(i *Instance) { i.Tags = append(i.Tags, "c") },
		"tags joined":              func(i *Instance) { i.Tags = []string{"ab"} },
		"no tags":                  func(i *Instance) { i.Tags = nil },
		"a meta value":             func(i *Instance) { i.Meta["k"] = "w" },
		"a meta key":               func(i *Instance) { i.Meta["l"] = "" },
		"namespace":                func(i *Instance) { i.Namespace = "" },
		"passing weight":           func(i *Instance) { i.Weights.Passing++ },
		"warning weight":           func(i *Instance) { i.Weights.Warning++ },
		"tagged address":           func(i *Instance) { i.TaggedAddresses["lan"] = Endpoint{Address: "10.0.0.2", Port: 80} },
		"tagged port":              func(i *Instance) { i.TaggedAddresses["lan"] = Endpoint{Address: "10.0.0.1", Port: 81} },
		"tag of an address":        func(i *Instance) { i.TaggedAddresses["wan"] = Endpoint{} },
		"node id":                  func(i *Instance) { i.Node.ID = "other" },
		"node name":                func(i *Instance) { i.Node.Name = "n2" },
		"node address":             func(i *Instance) { i.Node.Address = "10.1.0.2" },
		"datacenter":               func(i *Instance) { i.Node.Datacenter = "dc2" },
		"tagged address of a node": func(i *Instance) { i.Node.TaggedAddresses["wan"] = "" },
		"meta of a node":           func(i *Instance) { i.Node.Meta["rack"] = "r2" },
		"state of a check":         func(i *Instance) { i.Checks[0].Status = Critical },
		"name of a check":          func(i *Instance) { i.Checks[0].Name = "tcp" },
		"id of a check":            func(i *Instance) { i.Checks[0].ID = "c2" },
		"owner of a check":         func(i *Instance) { i.Checks[0].ServiceID = "" },
		"no check":                 func(i *Instance) { i.Checks = nil },
	}
	was := health(full()).Digest
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			i := full()
			change(&i)
			if health(i).Digest == was {
				t.Error("the digest is the same")
			}
		})
	}
}

func TestWhatAProbePrintsChangesNoDigest(t *testing.T) {
	i := full()
	i.Checks[0].Output, i.Checks[0].Notes = "took 13 ms", "other"
	if health(i).Digest != health(full()).Digest {
		t.Error("the digest changed")
	}
}

func TestNamesAndTheirTagsMakeTheDigestOfAList(t *testing.T) {
	list := func(m map[string][]string) Digest { return NewNamesView(Query{Kind: ServiceNames}, m).Digest }
	was := list(map[string][]string{"web": {"b", "a"}, "api": nil})
	if list(map[string][]string{"api": {}, "web": {"a", "b"}}) != was {
		t.Error("the order of tags changed the digest")
	}
	for name, m := range map[string]map[string][]string{
		"a service less": {"web": {"a", "b"}}, "a tag less": {"web": {"a"}, "api": nil}, "a tag elsewhere": {"web": {"a"}, "api": {"b"}},
	} {
		if list(m) == was {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

func TestAHasherTellsSequencesApart(t *testing.T) {
	text := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "ab", "\x00"}), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		same := NewHasher().Strings(a).Sum() == NewHasher().Strings(b).Sum()
		if same != slices.Equal(a, b) {
			t.Fatalf("%q and %q: same digest %v", a, b, same)
		}
	})
	if NewHasher().Map(map[string]string{"a": "bc"}).Sum() == NewHasher().Map(map[string]string{"ab": "c"}).Sum() {
		t.Error("key and value run into each other")
	}
}

func TestADigestSurvivesItsText(t *testing.T) {
	for _, want := range []Digest{{}, NewHasher().String("x").Sum()} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Digest
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
	if d := NewHasher().Sum(); len(d.String()) != 64 || !strings.HasPrefix(d.String(), d.Short()) || len(d.Short()) != 12 {
		t.Errorf("got %q and %q", d.String(), d.Short())
	}
	for _, bad := range []string{"xyz", "ab", strings.Repeat("a", 66)} {
		if err := new(Digest).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read as a digest", bad)
		}
	}
}
