package templates

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// change makes an example that differs from a plain one.
func change(f func(*tasks.Task, *Inputs)) example {
	e := example{task("web"), Inputs{Input: input(web("1", "n1"), web("2", "n2")), Backend: local()}}
	f(&e.task, &e.inputs)
	return e
}

func TestWhatCannotBeWrittenIsAnErrorThatNamesIt(t *testing.T) {
	provider := func(v cty.Value) []tasks.Provider {
		return []tasks.Provider{{Name: "dev", Arguments: tasks.NewSecretValue(v)}}
	}
	first := func(in *Inputs) *tasks.Service { return &in.Input.Services[0] }
	cases := map[string]struct {
		e    example
		want []string
	}{
		"a tag that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) { first(in).Tags = []string{"a\xff"} }),
			[]string{`"web-1.n1.dc1"`, "tags", `"a\xff"`, "not valid UTF-8"}},
		"a meta value that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) { first(in).Meta = map[string]string{"k": "\xc3("} }),
			[]string{`"web-1.n1.dc1"`, `meta "k"`, `"\xc3("`}},
		"a node meta key that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) { first(in).Node.Meta = map[string]string{"\xff": ""} }),
			[]string{`"web-1.n1.dc1"`, "a key of node_meta", `"\xff"`}},
		"an instance id that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) { first(in).ID = "w\xff" }),
			[]string{`"w\xff.n1.dc1"`, "id", "not valid UTF-8"}},
		"two meta keys that are one in NFC": {change(func(_ *tasks.Task, in *Inputs) { first(in).Meta = map[string]string{"é": "1", "e\u0301": "2"} }),
			[]string{`"web-1.n1.dc1"`, "two keys of meta", `"é"`}},
		"two instances that are one in NFC": {change(func(_ *tasks.Task, in *Inputs) {
			in.Input.Services[0].ID, in.Input.Services[1].ID = "é", "e\u0301"
			in.Input.Services[1].Node.Name = "n1"
		}), []string{"two instances have the key", `"é.n1.dc1"`}},
		"one instance twice": {change(func(_ *tasks.Task, in *Inputs) { in.Input.Services[1] = in.Input.Services[0] }),
			[]string{"two instances have the key", `"web-1.n1.dc1"`, "service \"web\""}},
		"a very long text that is not UTF-8 is cut": {change(func(_ *tasks.Task, in *Inputs) { first(in).Name = strings.Repeat("x", 5000) + "\xff" }),
			[]string{"name", "4881 bytes more"}},
		"a key of Consul that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) { in.Input.KV = map[string]string{"fw/\xff": "1"} }),
			[]string{"consul_kv", `key "fw/\xff"`, "not valid UTF-8"}},
		"the value of a key that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) { in.Input.KV = map[string]string{"fw/a": "1", "fw/b": "\xff"} }),
			[]string{"consul_kv", `key "fw/b"`, "its value is not valid UTF-8"}},
		"two keys of Consul that are one in NFC": {change(func(_ *tasks.Task, in *Inputs) { in.Input.KV = map[string]string{"e\u0301": "1", "é": "2", "f": "3"} }),
			[]string{"consul_kv", `key "é"`, "NFC"}},
		"a name in the catalog that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) { in.Input.CatalogServices = map[string][]string{"\xff": nil} }),
			[]string{"catalog_services", `service "\xff"`, "not valid UTF-8"}},
		"a tag in the catalog that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) {
			in.Input.CatalogServices = map[string][]string{"web": {"a", "\xff"}}
		}), []string{`service "web"`, "its tags", `"\xff"`}},
		"two names in the catalog that are one in NFC": {change(func(_ *tasks.Task, in *Inputs) {
			in.Input.CatalogServices = map[string][]string{"é": nil, "e\u0301": nil}
		}), []string{"catalog_services", `service "é"`, "NFC"}},
		"a node's meta that is not UTF-8": {change(func(_ *tasks.Task, in *Inputs) {
			in.Input.Nodes = []catalog.Node{{Name: "n", Meta: map[string]string{"k": "\xff"}}}
		}), []string{`nodes: node "n"`, `meta "k"`}},
		"two nodes that are one in NFC": {change(func(_ *tasks.Task, in *Inputs) {
			in.Input.Nodes = []catalog.Node{{Name: "é"}, {Name: "e\u0301"}}
		}), []string{`nodes: node "é"`, "NFC"}},
		"a user variable named like keys that are given": {change(func(t *tasks.Task, in *Inputs) {
			t.Variables, in.Input.KV = map[string]cty.Value{"consul_kv": cty.True}, map[string]string{}
		}), []string{`variable "consul_kv"`, "Consul's"}},
		"a task name that is no label":        {change(func(t *tasks.Task, _ *Inputs) { t.Name = "a b\"" }), []string{`"a b\""`, "label"}},
		"a module path that is not NFC":       {change(func(t *tasks.Task, _ *Inputs) { t.Module = "/srv/e\u0301" }), []string{"module source", "NFC"}},
		"a module that is not shipped":        {change(func(t *tasks.Task, _ *Inputs) { t.Module = "builtin/nothing" }), []string{`"builtin/nothing"`}},
		"a shipped module with a version":     {change(func(t *tasks.Task, _ *Inputs) { t.Module, t.Version = "builtin/plain", "1" }), []string{"version"}},
		"a shipped module that is broken":     {change(func(t *tasks.Task, _ *Inputs) { t.Module = "builtin/broken" }), []string{"main.tf"}},
		"a user variable named like Consul's": {change(func(t *tasks.Task, _ *Inputs) { t.Variables = map[string]cty.Value{"services": cty.True} }), []string{`variable "services"`, "Consul's"}},
		"a user variable Terraform reserves":  {change(func(t *tasks.Task, _ *Inputs) { t.Variables = map[string]cty.Value{"count": cty.True} }), []string{`variable "count"`}},
		"a user variable that is no name":     {change(func(t *tasks.Task, _ *Inputs) { t.Variables = map[string]cty.Value{"a b": cty.True} }), []string{`variable "a b"`}},
		"a user variable named like a provider": {change(func(t *tasks.Task, in *Inputs) {
			t.Variables, in.Providers = map[string]cty.Value{"dev": cty.True}, provider(cty.EmptyObjectVal)
		}), []string{`variable "dev"`, `provider "dev"`}},
		"one provider twice": {change(func(_ *tasks.Task, in *Inputs) {
			in.Providers = append(provider(cty.EmptyObjectVal), provider(cty.EmptyObjectVal)...)
		}), []string{`provider "dev"`}},
		"a provider argument that is no name":     {change(func(_ *tasks.Task, in *Inputs) { in.Providers = provider(object("a b", 1)) }), []string{`"a b"`, `provider "dev"`}},
		"a provider value that is unknown":        {change(func(_ *tasks.Task, in *Inputs) { in.Providers = provider(object("x", cty.UnknownVal(cty.String))) }), []string{`argument "x"`, "literal"}},
		"provider arguments that are no object":   {change(func(_ *tasks.Task, in *Inputs) { in.Providers = provider(cty.True) }), []string{`provider "dev"`}},
		"a variable without a value":              {change(func(t *tasks.Task, _ *Inputs) { t.Variables = map[string]cty.Value{"x": cty.NilVal} }), []string{`variable "x"`}},
		"a variable with a text that is no UTF-8": {change(func(t *tasks.Task, _ *Inputs) { t.Variables = map[string]cty.Value{"x": object("y", "\xff")} }), []string{`variable "x"`, "UTF-8"}},
		"a variable with a key that is no UTF-8":  {change(func(t *tasks.Task, _ *Inputs) { t.Variables = map[string]cty.Value{"x": object("\xff", 1)} }), []string{`variable "x"`, "key"}},
		"a backend attribute that is no name":     {change(func(_ *tasks.Task, in *Inputs) { in.Backend.Attributes = map[string]cty.Value{"a b": cty.True} }), []string{`"a b"`, `backend "local"`}},
		"a module version that is not UTF-8":      {change(func(t *tasks.Task, _ *Inputs) { t.Version = "\xff" }), []string{"version of the module"}},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			files, err := render(c.e.task, c.e.inputs, shippedForTest)
			if err == nil {
				t.Fatal("it was rendered")
			}
			if diff := cmp.Diff(tasks.Files{}, files); diff != "" {
				t.Errorf("files came along with the error:\n%s", diff)
			}
			for _, want := range append(c.want, "render task") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q: %v", want, err)
				}
			}
			if len(err.Error()) > 1000 {
				t.Errorf("error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestNoErrorShowsAProvidersValue(t *testing.T) {
	const secret = "hunter2"
	bad := map[string]cty.Value{
		"a text that is not UTF-8":      object("x", secret+"\xff"),
		"a nested text that is not":     object("x", object("y", object("z", secret+"\xff"))),
		"a name that is not allowed":    object("a b", secret),
		"a key that is not UTF-8":       object("x", cty.MapVal(map[string]cty.Value{"\xff": cty.StringVal(secret)})),
		"an unknown value beside it":    object("x", cty.TupleVal([]cty.Value{cty.StringVal(secret), cty.DynamicVal})),
		"arguments that are one string": cty.StringVal(secret),
	}
	for sentence, v := range bad {
		t.Run(sentence, func(t *testing.T) {
			_, err := render(task("web"), Inputs{Providers: []tasks.Provider{{Name: "dev", Arguments: tasks.NewSecretValue(v)}}}, shippedForTest)
			if err == nil {
				t.Fatal("it was rendered")
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error shows the secret: %v", err)
			}
		})
	}
}

func TestNoErrorShowsTheValueOfAKey(t *testing.T) {
	e := change(func(_ *tasks.Task, in *Inputs) { in.Input.KV = map[string]string{"db": "hunter2\xff"} })
	_, err := render(e.task, e.inputs, shippedForTest)
	if err == nil {
		t.Fatal("it was rendered")
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error shows the value: %v", err)
	}
}

func TestAUsersVariableMayHaveANameThatConsulDoesNotFill(t *testing.T) {
	e := change(func(t *tasks.Task, _ *Inputs) {
		t.Variables = map[string]cty.Value{"nodes": cty.True, "consul_kv": cty.True}
	})
	files, err := render(e.task, e.inputs, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"consul_kv", "nodes"}, slices.Sorted(maps.Keys(decode(t, files.Root[fileModuleValues].Content)))); diff != "" {
		t.Errorf("the user's variables (-want +got):\n%s", diff)
	}
}

func TestProvidersValuesStandOnlyInSecretFiles(t *testing.T) {
	const secret = "hunter2"
	e := change(func(_ *tasks.Task, in *Inputs) {
		in.Providers = []tasks.Provider{{Name: "dev", Arguments: tasks.NewSecretValue(object("token", secret, "login", object("password", secret)))}}
		in.Backend = Backend{Type: "consul", Attributes: map[string]cty.Value{"access_token": cty.StringVal(secret)}}
	})
	files, err := render(e.task, e.inputs, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	var holders []string
	for _, path := range slices.Sorted(maps.Keys(files.Root)) {
		if strings.Contains(string(files.Root[path].Content), secret) {
			holders = append(holders, path)
			if !files.Root[path].Secret {
				t.Errorf("%s holds a secret and is no secret file", path)
			}
		}
	}
	if diff := cmp.Diff([]string{fileMain, fileProviderValues}, holders); diff != "" {
		t.Errorf("files with the secret (-want +got):\n%s", diff)
	}
}

func TestTheProvidersEnvironmentWins(t *testing.T) {
	e := change(func(_ *tasks.Task, in *Inputs) {
		in.Env = map[string]tasks.Secret{"A": tasks.NewSecret("all"), "B": tasks.NewSecret("all")}
		in.Providers = []tasks.Provider{{Name: "one", Env: map[string]tasks.Secret{"B": tasks.NewSecret("one")}}, {Name: "two", Env: map[string]tasks.Secret{"C": tasks.NewSecret("two")}}}
	})
	files, err := render(e.task, e.inputs, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, s := range files.Env {
		got[name] = s.Reveal()
	}
	if diff := cmp.Diff(map[string]string{"A": "all", "B": "one", "C": "two"}, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if len(e.inputs.Env) != 2 || e.inputs.Env["B"].Reveal() != "all" {
		t.Error("Render changed its inputs")
	}
}

func TestTheInputDigestCoversAllThatIsRendered(t *testing.T) {
	base := func() tasks.Files {
		return tasks.Files{Dir: "/d", Workspace: "w", Root: map[string]tasks.File{"a": {Content: []byte("x")}, "b": {}}, Env: map[string]tasks.Secret{"A": tasks.NewSecret("1")}}
	}
	changes := map[string]func(*tasks.Files){
		"another directory":    func(f *tasks.Files) { f.Dir = "/e" },
		"another workspace":    func(f *tasks.Files) { f.Workspace = "v" },
		"another content":      func(f *tasks.Files) { f.Root["a"] = tasks.File{Content: []byte("y")} },
		"content of another":   func(f *tasks.Files) { f.Root["a"], f.Root["b"] = f.Root["b"], f.Root["a"] },
		"another mode":         func(f *tasks.Files) { f.Root["a"] = tasks.File{Content: []byte("x"), Secret: true} },
		"one file less":        func(f *tasks.Files) { delete(f.Root, "b") },
		"one file more":        func(f *tasks.Files) { f.Root["c"] = tasks.File{} },
		"another value of env": func(f *tasks.Files) { f.Env["A"] = tasks.NewSecret("2") },
		"another name in env":  func(f *tasks.Files) { f.Env = map[string]tasks.Secret{"B": tasks.NewSecret("1")} },
		"no env":               func(f *tasks.Files) { f.Env = nil },
	}
	if one, other := InputDigest(base()), InputDigest(base()); one != other {
		t.Fatal("equal files have different digests")
	}
	seen := map[catalog.Digest]string{InputDigest(base()): "the same"}
	for sentence, f := range changes {
		files := base()
		f(&files)
		d := InputDigest(files)
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", sentence, other)
		}
		seen[d] = sentence
	}
}
