package trial_test

import (
	"strings"
	"testing"

	"patchbay/tasks"
	"patchbay/templates"
	"patchbay/templates/trial"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// render gives the terraform.tfvars that a task with the set has.
func render(t *testing.T, s trial.Set) []byte {
	t.Helper()
	files, err := templates.Render(tasks.Task{Name: "web", Module: "/m", Condition: tasks.Condition{Services: &tasks.Services{}}},
		templates.Inputs{Input: s.Input([]string{"consul_kv", "catalog_services", "nodes"}), CanaryWeights: s.Canaries})
	if err != nil {
		t.Fatalf("set %s: %v", s.Name, err)
	}
	return files.Root["terraform.tfvars"].Content
}

func values(t *testing.T, tfvars []byte) map[string]cty.Value {
	t.Helper()
	file, diags := hclsyntax.ParseConfig(tfvars, "terraform.tfvars", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	attributes, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := map[string]cty.Value{}
	for name, a := range attributes {
		if out[name], diags = a.Expr.Value(nil); diags.HasErrors() {
			t.Fatal(diags)
		}
	}
	return out
}

func TestAwkwardSetsAreWhatTheySay(t *testing.T) {
	want := map[string]int{"none": 0, "one": 1, "three": 3, "hundred": 100, "names": 9, "ipv6": 4, "duplicate": 3, "empty": 2,
		"garbage": 4, "unhealthy": 4, "canary": 4}
	got := map[string]int{}
	for _, s := range trial.Awkward() {
		if s.About == "" || strings.ContainsAny(s.Name, " \n") {
			t.Errorf("set %q, %q is not well named", s.Name, s.About)
		}
		got[s.Name] = len(s.Services)
		if diff := cmp.Diff(render(t, s), render(t, s)); diff != "" {
			t.Errorf("set %s differs at each render:\n%s", s.Name, diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("instances per set (-want +got):\n%s", diff)
	}
}

func TestARecordedFileGivesTheSameAgain(t *testing.T) {
	for _, s := range trial.Awkward() {
		t.Run(s.Name, func(t *testing.T) {
			first := render(t, s)
			again, err := trial.Recorded("again", values(t, first))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(first), string(render(t, again))); diff != "" {
				t.Errorf("terraform.tfvars (-first +again):\n%s", diff)
			}
		})
	}
}

func TestRecordedServicesMayBeWrittenByHand(t *testing.T) {
	s, err := trial.Recorded("f", values(t, []byte(`
services = {
  "web-1.n1.dc1" = { name = "web", address = "10.0.0.1", port = "80", meta = { weight = 3 } }
}
consul_kv = { "fw/zone" = "dmz" }
instance_weights = { "web-1.n1.dc1" = 7 }
`)))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Services) != 1 {
		t.Fatalf("services = %+v, want one", s.Services)
	}
	i := s.Services[0]
	if i.Key() != "web-1.n1.dc1" || i.Port != 80 || i.Meta["weight"] != "3" || i.Status() != "passing" || i.Weights.Passing != 7 {
		t.Errorf("instance = %+v, status %s", i, i.Status())
	}
	if got := s.Input([]string{"consul_kv"}).KV["fw/zone"]; got != "dmz" {
		t.Errorf("consul_kv has zone %q", got)
	}
	if in := s.Input(nil); in.KV != nil || in.Nodes != nil || in.CatalogServices != nil {
		t.Errorf("a module that asks for nothing is given %+v", in)
	}
}

func TestWhatIsNoServicesIsRefused(t *testing.T) {
	for tfvars, want := range map[string]string{
		`zone = "dmz"`:                                 "there is no services",
		`services = []`:                                "services is no map",
		`services = { a = 1 }`:                         `"a": it is no object`,
		`services = { a = { ttl = 1 } }`:               `no attribute "ttl"`,
		`services = { a = { port = "http" } }`:         "attribute port",
		`services = { a = { port = 70000 } }`:          "port 70000",
		`services = { a = { status = "fine" } }`:       `status "fine"`,
		`services = { a = { tags = { x = "y" } } }`:    "attribute tags",
		"services = {}\nconsul_kv = [\"a\"]":           "consul_kv",
		"services = {}\ncanary_weights = { web = 5 }":  "canary_weights",
		"services = {}\ninstance_weights = { a = [] }": "instance_weights",
	} {
		if _, err := trial.Recorded("f", values(t, []byte(tfvars))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err = %v, want %q", tfvars, err, want)
		}
	}
}
