package standin_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/templates/internal/standin"

	"github.com/google/go-cmp/cmp"
)

const provider = `
provider "bigip" {
  address    = "192.0.2.1"
  token_auth = false
}
`

const pool = provider + `
resource "bigip_ltm_pool" "web" {
  name     = "/Common/web"
  monitors = ["/Common/http"]
}
`

func TestInitAsksNoRegistryAndAnApplyIsSettled(t *testing.T) {
	r := newRig(t, pool)
	r.stack.Apply(t)
	r.stack.Settled(t)

	if _, err := os.Stat(filepath.Join(r.stack.Dir, ".terraform", "providers")); !os.IsNotExist(err) {
		t.Errorf("init installed providers: %v", err)
	}
	want := standin.Object{"address": "192.0.2.1", "token_auth": false}
	got := standin.Object{}
	for name, x := range r.firstConfig() {
		if x != nil {
			got[name] = x
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("provider block (-want +got):\n%s", diff)
	}
	if made := r.server.Count("create", "bigip_ltm_pool"); made != 1 {
		t.Errorf("pool was created %d times, want once", made)
	}
	if mode := r.get("/Common/web").String("load_balancing_mode"); mode != "round-robin" {
		t.Errorf("the computed load_balancing_mode is %q", mode)
	}
}

func TestWhatTheRealSchemaRefusesIsRefused(t *testing.T) {
	r := newRigOf(t, standin.Provider{
		Source: "f5networks/bigip", Schema: standin.BigIP(),
		Check: map[string]func(standin.Object) error{"bigip_ltm_pool": func(o standin.Object) error {
			if !strings.HasPrefix(o.String("name"), "/") {
				return errors.New(`"name" must match /Partition/Name`)
			}
			return nil
		}},
	}, pool)
	for sentence, c := range map[string]struct{ resource, want string }{
		"an argument that does not exist": {`resource "bigip_ltm_pool" "x" {
  name  = "/Common/x"
  color = "red"
}`, `An argument named "color" is not expected here`},
		"an argument of a wrong type": {`resource "bigip_ltm_pool" "x" {
  name     = "/Common/x"
  monitors = true
}`, `set of string required`},
		"a required argument that is missing": {`resource "bigip_ltm_pool" "x" {}`, `The argument "name" is required`},
		"a computed attribute that is set": {`resource "bigip_as3" "x" {
  per_app_mode = true
}`, `can't configure a value for "per_app_mode"`},
		"a block more than there may be": {`resource "bigip_as3" "x" {
  delete_apps {
    tenant_name = "a"
    apps        = []
  }
  delete_apps {
    tenant_name = "b"
    apps        = []
  }
}`, `No more than 1 "delete_apps" blocks are allowed`},
		"a resource that does not exist": {`resource "bigip_ltm_pond" "x" {}`, `Did you mean "bigip_ltm_pool"?`},
		"a value that the provider checks": {`resource "bigip_ltm_pool" "x" {
  name = "x"
}`, `must match /Partition/Name`},
	} {
		r.write(t, provider+c.resource)
		out, err := r.stack.Run("plan", "-input=false")
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: plan: %v, want %q:\n%s", sentence, err, c.want, out)
		}
	}
}

func TestAChangeIsPlannedAsTheRealProviderPlansIt(t *testing.T) {
	r := newRig(t, provider+`
resource "bigip_event_service_discovery" "web" {
  taskid = "~t~a~web"
  node {
    ip   = "10.0.0.1"
    port = 80
  }
}
resource "bigip_as3" "x" {
  as3_json = "{}"
}`)
	r.stack.Apply(t)
	if o := r.get("{}"); o["ignore_metadata"] != false {
		t.Errorf("ignore_metadata = %v, want its default false", o["ignore_metadata"])
	}
	r.write(t, strings.Replace(string(mustRead(t, r)), "10.0.0.1", "10.0.0.2", 1))
	if out := r.stack.Must(t, "plan", "-input=false"); !strings.Contains(out, "0 to add, 1 to change, 0 to destroy") {
		t.Errorf("a changed node is no update in place:\n%s", out)
	}
	r.write(t, strings.Replace(string(mustRead(t, r)), "~web", "~shop", 1))
	if out := r.stack.Must(t, "plan", "-input=false"); !strings.Contains(out, "forces replacement") {
		t.Errorf("a changed taskid is no replacement:\n%s", out)
	}
	r.stack.Apply(t)
	r.stack.Settled(t)
	nodes := r.get("~t~a~shop").Objects("node")
	want := []standin.Object{{"id": nil, "ip": "10.0.0.2", "port": float64(80)}}
	if diff := cmp.Diff(want, nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if r.get("~t~a~web") != nil {
		t.Error("the replaced object is still there")
	}
}

func mustRead(t *testing.T, r rig) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(r.stack.Dir, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestDriftIsSeenAndRepaired(t *testing.T) {
	r := newRig(t, pool)
	r.stack.Apply(t)
	r.edit(func(has map[string]standin.Object) {
		has["/Common/web"] = has["/Common/web"].With(standin.Object{"monitors": []any{}})
	})
	if _, err := r.stack.Run("plan", "-detailed-exitcode", "-input=false"); err == nil {
		t.Fatal("a plan does not see the change made by hand")
	}
	r.edit(func(has map[string]standin.Object) { delete(has, "/Common/web") })
	r.stack.Apply(t)
	r.stack.Settled(t)
	if got := r.get("/Common/web").Strings("monitors"); !cmp.Equal(got, []string{"/Common/http"}) {
		t.Errorf("monitors = %q", got)
	}
}

func TestFaultsBreakCallsAndTheNextRunHeals(t *testing.T) {
	r := newRig(t, pool)
	for _, step := range []struct {
		sentence string
		fault    standin.Fault
		onDevice bool
	}{
		{"a login is refused", standin.Fault{Call: "configure", Before: errors.New("maximum active login tokens")}, false},
		{"the first create fails", standin.Fault{Call: "create", Resource: "bigip_ltm_pool", Before: errors.New("503")}, false},
		{"the answer of a create is lost", standin.Fault{Call: "create", After: errors.New("connection reset")}, true},
	} {
		r.server.Inject(step.fault)
		if said := r.stack.Refused(t); !strings.Contains(said, cause(step.fault)) {
			t.Errorf("%s: Terraform says %q", step.sentence, said)
		}
		if ok := r.get("/Common/web") != nil; ok != step.onDevice {
			t.Errorf("%s: the device has the pool: %t", step.sentence, ok)
		}
	}
	r.server.Inject(standin.Fault{Call: "create", Resource: "bigip_ltm_node", Before: errors.New("not reached")},
		standin.Fault{Call: "create", Delay: 10 * time.Millisecond})
	r.stack.Apply(t)
	r.stack.Settled(t)
}

func cause(f standin.Fault) string {
	if f.Before != nil {
		return f.Before.Error()
	}
	return f.After.Error()
}

func TestASkippedCallPassesAndTheNextFails(t *testing.T) {
	r := newRig(t, pool+strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(pool, provider), `"web"`, `"shop"`), "/Common/web", "/Common/shop"))
	r.server.Inject(standin.Fault{Call: "create", Skip: 1, Before: errors.New("no room")})
	r.stack.Refused(t)
	if (r.get("/Common/web") == nil) == (r.get("/Common/shop") == nil) {
		t.Error("want one pool on the device, that of the first create")
	}
	r.stack.Apply(t)
	r.stack.Settled(t)
}

func TestAFailedUpdateLeavesThePlannedValuesAsTheSDKDoes(t *testing.T) {
	r := newRig(t, pool)
	r.stack.Apply(t)
	r.write(t, strings.Replace(pool, "/Common/http", "/Common/tcp", 1))
	r.server.Inject(standin.Fault{Call: "update", Before: errors.New("503")})
	r.stack.Refused(t)
	if out := r.stack.Must(t, "show"); !strings.Contains(out, "/Common/tcp") {
		t.Errorf("the state does not have the planned monitor:\n%s", out)
	}
	r.stack.Apply(t) // the refresh reads what the device really has
	if got := r.get("/Common/web").Strings("monitors"); !cmp.Equal(got, []string{"/Common/tcp"}) {
		t.Errorf("monitors = %q", got)
	}
}
