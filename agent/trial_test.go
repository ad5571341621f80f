package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/tasks"
	"patchbay/templates/trial"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// tried tries a module that has this main.tf with a real Terraform.
func tried(t *testing.T, main string, change func(*Trial)) ([]Tried, error) {
	t.Helper()
	tools, err := filepath.Abs("../.tools/bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", os.Getenv("PATH")+":"+tools)
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	x := Trial{Module: dir, Sets: trial.Awkward(), Log: hclog.NewNullLogger(), Stop: make(chan struct{})}
	if change != nil {
		change(&x)
	}
	out, err := TryModule(t.Context(), x)
	left, readErr := os.ReadDir(os.Getenv("TMPDIR"))
	if readErr != nil || len(left) > 0 {
		t.Errorf("the trial left %v, %v", left, readErr)
	}
	return out, err
}

// objects counts what each plan makes, by set; -1 is no plan.
func objects(list []Tried) map[string]int {
	out := map[string]int{}
	for _, x := range list {
		out[x.Set.Name] = x.Plan.Count(tasks.Create)
		if x.Err != nil {
			out[x.Set.Name] = -1
		}
	}
	return out
}

func TestAModuleIsPlannedWithEverySet(t *testing.T) {
	got, err := tried(t, `
variable "services" { type = map(object({ name = string, status = string })) }
variable "nodes" { type = map(object({ address = string })) }
variable "canary_weights" {}
variable "zone" { type = string }
variable "consul_kv" { default = { a = "b" } }
resource "terraform_data" "member" {
  for_each = { for k, s in var.services : s.name => k... }
  input    = [var.zone, length(var.nodes), var.canary_weights]
  lifecycle {
    precondition {
      condition     = var.consul_kv == { a = "b" }
      error_message = "consul_kv was given without being asked for"
    }
    precondition {
      condition     = alltrue([for s in var.services : s.status != "maintenance"])
      error_message = "no maintenance here"
    }
  }
}
`, func(x *Trial) { x.Variables = map[string]cty.Value{"zone": cty.StringVal("dmz")} })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"none": 0, "one": 1, "three": 3, "hundred": 1, "names": 9, "ipv6": 1, "duplicate": 2, "empty": 1, "garbage": 1,
		"unhealthy": -1, "canary": 1}
	if diff := cmp.Diff(want, objects(got)); diff != "" {
		t.Errorf("objects per set (-want +got):\n%s", diff)
	}
	for _, x := range got {
		if x.Took <= 0 || x.Err != nil && !strings.Contains(x.Err.Error(), "no maintenance here") {
			t.Errorf("set %s took %s and failed with %v", x.Set.Name, x.Took, x.Err)
		}
	}
}

func TestAShippedModuleIsTriedAsATaskHasIt(t *testing.T) {
	got, err := tried(t, "", func(x *Trial) { x.Module = "builtin/nginx" })
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range got {
		if x.Err != nil || x.Plan.Count(tasks.Create) != 1 {
			t.Errorf("set %s: %v, %s", x.Set.Name, x.Err, x.Plan.Summary())
		}
	}
}

func TestWhatCannotBeTriedAtAllIsToldOnce(t *testing.T) {
	const services = "variable \"services\" {}\n"
	for name, tt := range map[string]struct {
		main   string
		change func(*Trial)
		is     error
		text   string
	}{
		"a variable is missing": {services + "variable \"zone\" {}\nvariable \"size\" {}", nil, ErrModule, "size, zone; nothing was planned"},
		"there is no module":    {services, func(x *Trial) { x.Module += "/none" }, ErrModule, "no such file"},
		"nothing is shipped":    {services, func(x *Trial) { x.Module = "builtin/none" }, ErrModule, `no module "builtin/none"`},
		"there is no Terraform": {services, func(x *Trial) { x.Binary = "/not/there" }, ErrTerraform, "/not/there"},
		"it is stopped": {services, func(x *Trial) {
			stop := make(chan struct{})
			close(stop)
			x.Stop = stop
		}, tasks.ErrStopping, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tried(t, tt.main, tt.change)
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) || got != nil {
				t.Errorf("got %v, %v, want %v with %q", got, err, tt.is, tt.text)
			}
		})
	}
}
