package chain

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzAHostileAnswerIsTakenOverWholeOrRefused reads any text: what is taken has shares
// that add up, and is the same each time.
func FuzzAHostileAnswerIsTakenOverWholeOrRefused(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[1].Data)
	}
	for _, text := range []string{"", "null", "{}", `{"Chain":null}`, `{"Chain":{"ServiceName":"web"}}`, `{"Chain":{"ServiceName":"web","Nodes":{"":null}}}`,
		`{"Chain":{"ServiceName":"web","StartNode":"a","Nodes":{"a":{"Type":"router","Routes":[{}]}}}}`,
		`{"Chain":{"ServiceName":"web","StartNode":"a","Nodes":{"a":{"Type":"splitter","Splits":[{"Weight":1e300,"NextNode":"a"}]}}}}`} {
		f.Add([]byte(text))
	}
	own := mesh.Target{Service: "web"}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Compile(own, text)
		if err != nil {
			return
		}
		if len(c.Services) == 0 || c.Services[0].Own("") != own {
			t.Fatalf("the service itself is missing: %v", c.Services)
		}
		for _, r := range append(c.Services[0].Routes, mesh.Route{To: c.Services[0].Default}) {
			sum := 0
			for _, leg := range r.To {
				sum += int(leg.Weight)
			}
			if len(r.To) > 0 && sum != mesh.Whole {
				t.Errorf("the shares add up to %d", sum)
			}
		}
		again, err := Compile(own, text)
		if d := cmp.Diff(c, again); d != "" || err != nil {
			t.Errorf("a second reading differs, %v:\n%s", err, d)
		}
		if err := c.Check(&mesh.Mesh{}); err != nil && !errors.As(err, new(mesh.Mistake)) {
			t.Error(err)
		}
	})
}

// change reads a case and changes its answer.
func change(t *testing.T, name, old, instead string) []byte {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := string(a.Files[1].Data)
	if strings.Count(text, old) == 0 {
		t.Fatalf("%s has no %q", name, old)
	}
	out := strings.ReplaceAll(text, old, instead)
	if !json.Valid([]byte(out)) {
		t.Fatalf("the changed answer is no JSON: %s", out)
	}
	return []byte(out)
}

func TestAnAnswerThatIsNotUnderstoodIsRefusedOrNamed(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, instead string
		refused            string
		unserved           []string
	}{
		"a condition that is not known": {"router-with-everything", `"PathExact": "/health"`, `"PathExact": "/health", "Weekday": "Monday"`,
			"the condition Nodes.router:web.default.default.Routes[0].Definition.Match.HTTP.Weekday is not known", nil},
		"an action that is not known": {"router-with-everything", `"IdleTimeout": "1m0s"`, `"IdleTimeout": "1m0s", "Mirror": {"Service": "copy"}`,
			"", []string{"Nodes.router:web.default.default.Routes[0].Definition.Destination.Mirror has no counterpart"}},
		"a field that says nothing": {"canary-split", `"OnlyPassing": true`, `"OnlyPassing": true, "Later": {"Mode": ""}`, "", nil},
		"a service of another name": {"canary-split", `"ServiceName": "web"`, `"ServiceName": "shop"`, `it is that of "shop"`, nil},
		"a node that is missing":    {"canary-split", `"NextNode": "resolver:v1.`, `"NextNode": "resolver:v9.`, "split 1 leads to", nil},
		"a target that is missing":  {"canary-split", `"Target": "v1.`, `"Target": "v9.`, `its target "v9.web.default.default.dc1" is missing`, nil},
		"weights that are not all": {"canary-split", `"Weight": 90,
                        "NextNode"`, `"Weight": 50, "NextNode"`, "its weights add up to 6000", nil},
		"another admin partition": {"redirect", `"Partition": "default",
                "Datacenter"`, `"Partition": "other", "Datacenter"`, "another admin partition", nil},
		"a mesh gateway":            {"tcp-subset", `"MeshGateway": {}`, `"MeshGateway": {"Mode": "local"}`, "", []string{"mesh gateway mode local of web/v1: its instances are reached directly"}},
		"a timeout that is no time": {"tcp-subset", `"ConnectTimeout": "3s"`, `"ConnectTimeout": "soon"`, "invalid duration", nil},
		"an extension of Envoy":     {"tcp-subset", `"Protocol": "tcp"`, `"Protocol": "tcp", "EnvoyExtensions": [{"Name": "builtin/lua"}]`, "", []string{"EnvoyExtensions have no counterpart"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Compile(mesh.Target{Service: "web"}, change(t, c.file, c.old, c.instead))
			switch {
			case c.refused == "" && err != nil:
				t.Fatal(err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
				t.Fatalf("%q is not the reason: %v", c.refused, err)
			}
			if d := cmp.Diff(c.unserved, got.Unserved); d != "" {
				t.Errorf("unserved (-want +got):\n%s", d)
			}
		})
	}
}

func TestWhatIsToldOfAnAnswerIsBounded(t *testing.T) {
	var more strings.Builder
	for n := range 100_000 {
		fmt.Fprintf(&more, `"x%d": 1, `, n)
	}
	c, err := Compile(mesh.Target{Service: "web"}, change(t, "canary-split", `"ServiceName"`, more.String()+`"ServiceName"`))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Unserved); n != maxNotes+1 || c.Unserved[n-1] != "and more" {
		t.Errorf("%d notes, the last is %q", n, c.Unserved[n-1])
	}
}

func TestWhatTheFileDeclaresIsNotTheChainsToSay(t *testing.T) {
	c, err := Compile(mesh.Target{Service: "web"}, change(t, "redirect", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(&mesh.Mesh{Services: []mesh.Service{{Name: "new", Subsets: []mesh.Subset{{Name: "v1"}}, Protocol: mesh.HTTP}}}); err != nil {
		t.Errorf("a subset that the file declares is refused: %v", err)
	}
	err = c.Check(&mesh.Mesh{Services: []mesh.Service{{Name: "new", Protocol: mesh.HTTP}}})
	if err == nil || !strings.Contains(err.Error(), `service "new" has no subset "v1"`) {
		t.Errorf("a subset that the file does not declare is taken: %v", err)
	}
}

func TestTheCaseOfAHeaderIsHeededAsConsulSays(t *testing.T) {
	c, err := Compile(mesh.Target{Service: "web"}, change(t, "router-with-everything", `"Suffix": "s"`, `"Suffix": "s.", "IgnoreCase": true`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Services[0].Routes[3].Match.Headers[3], (mesh.Field{Name: "x-d", Suffix: "s.", IgnoreCase: true}); got != want {
		t.Errorf("want %v, got %v", want, got)
	}
}

func TestADatacenterIsNamedAsItWasAskedFor(t *testing.T) {
	own := mesh.Target{Service: "web", Datacenter: "dc9", Namespace: "shop"}
	c, err := Compile(own, change(t, "canary-split", `"Namespace": "default"`, `"Namespace": "shop"`))
	if err != nil {
		t.Fatal(err)
	}
	want := mesh.Target{Service: "web", Subset: "v1", Datacenter: "dc9", Namespace: "shop"}
	if got := c.Services[0].Default[0].Target; got != want {
		t.Errorf("want %v, got %v", want, got)
	}
}
