//go:build azure

package azure_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/moduletest"
)

// newReal is a rig whose provider is the real one, from the mirror of make e2e-azure.
func newReal(tb testing.TB, module string, arguments ...string) *rig {
	tb.Helper()
	mirror := os.Getenv("TF_CLI_CONFIG_FILE")
	if mirror == "" {
		tb.Fatal("TF_CLI_CONFIG_FILE names no mirror that has the azurerm provider: run make e2e-azure")
	}
	r := &rig{Stack: moduletest.Bare(tb, module, arguments...), arm: azure.Start(tb)}
	seed(tb, r.arm)
	r.Write(tb, "providers.tf", []byte(providerBlock))
	r.Env = append(append(r.Env, "TF_CLI_CONFIG_FILE="+mirror), r.arm.Env()...)
	r.Init(tb)
	return r
}

func TestRealProviderAppliesTheModules(t *testing.T) {
	for _, s := range shipped {
		if s.module == "azure-lb" {
			continue // see below
		}
		t.Run(s.name, func(t *testing.T) {
			r := newReal(t, s.module, s.arguments...)
			r.Must(t, "validate")
			for _, count := range []int{0, 1, 2, 100, 1} {
				r.Give(t, moduletest.Instances("web", count)...)
				r.Apply(t)
				r.Settled(t)
			}
			r.arm.Forget()
			r.Give(t, moduletest.Instances("web", 2)...)
			r.Apply(t)
			same(t, "writes of one change", 1, r.arm.Count(http.MethodPut, ""))
			t.Logf("one change: %d requests", len(r.arm.Requests()))
			r.Must(t, "destroy", "-auto-approve", "-input=false")
			for _, left := range []string{"Microsoft.Network/ipGroups", group + "/securityRules", zone + "/A", "Microsoft.Network/applicationGateways"} {
				same(t, "left in "+left, []string(nil), r.arm.Names(azure.ID(left)))
			}
		})
	}
}

func TestRealProviderHoldsAnEmptiedService(t *testing.T) {
	for module, arguments := range map[string][]string{"azure-ip-group": at, "azure-nsg": onEdge, "azure-app-gateway": {inZone}} {
		r := newReal(t, module, append([]string{`service_names = ["web"]`}, arguments...)...)
		r.Give(t, moduletest.Instances("web", 2)...)
		r.Apply(t)
		r.arm.Forget()
		r.Give(t)
		r.Apply(t)
		same(t, module+": writes when emptied", 0, r.arm.Count(http.MethodPut, "")+r.arm.Count(http.MethodDelete, ""))
		r.Settled(t)
		r.Give(t, moduletest.Instances("web", 1)...)
		r.Apply(t)
		r.Settled(t)
	}
}

func TestRealProviderNeedsTimeForEachEntryOfAPool(t *testing.T) {
	r := newReal(t, "azure-lb", onBalancer...)
	r.Give(t, moduletest.Instances("web", 3)...)
	r.Apply(t)
	r.Settled(t)
	same(t, "entries", 3, len(r.entries(t, "web")))
	r.arm.Delay() // from here on it waits as it does for Azure
	began := time.Now()
	r.Give(t, moduletest.Instances("web", 2)...)
	r.Apply(t)
	less := time.Since(began)
	began = time.Now()
	r.Give(t, moduletest.Instances("web", 3)...)
	r.Apply(t)
	more := time.Since(began)
	t.Logf("one entry less took %s, one more %s", less, more)
	if less < 45*time.Second || more < 10*time.Second || more > less {
		t.Errorf("an entry less took %s and one more %s: the README tells 55 s and 10 s", less, more)
	}
	r.Settled(t)
}

func TestRealProviderHealsFromFaults(t *testing.T) {
	r := newReal(t, "azure-ip-group", at...)
	for sentence, c := range map[string]struct {
		fault azure.Fault
		fails string
	}{
		"an operation is in progress": {azure.Fault{Status: http.StatusConflict}, "AnotherOperationInProgress"},
		"too many requests":           {azure.Fault{Status: http.StatusTooManyRequests, RetryAfter: 1}, ""},
		"an operation that fails":     {azure.Fault{Operation: true, Polls: 1, Code: "InternalFailure"}, "InternalFailure"},
	} {
		name := strings.ReplaceAll(sentence, " ", "-")
		for step, address := range []string{"10.0.0.1", "10.0.0.2"} {
			c.fault.Method, c.fault.Path = http.MethodPut, "/ipGroups/"
			r.arm.Inject(c.fault)
			r.Give(t, instance(name, address, 80))
			if c.fails != "" {
				if said := r.Refused(t); !strings.Contains(said, c.fails) {
					t.Errorf("%s: step %d: want %q:\n%s", sentence, step, c.fails, said)
				}
			}
			r.Apply(t)
			same(t, sentence, []any{address}, r.properties(t, ipGroups+"patchbay-"+name)["ipAddresses"])
		}
	}
	r.Settled(t)
}

func TestRealProviderForgetsAFailedCreationWithoutTheFeature(t *testing.T) {
	r := newReal(t, "azure-ip-group", at...)
	r.Write(t, "providers.tf", []byte("provider \"azurerm\" {\n  features {}\n}\n"))
	r.arm.Inject(azure.Fault{Method: http.MethodPut, Path: "/ipGroups/", Operation: true, Code: "InternalFailure"})
	r.Give(t, instance("web", "10.0.0.1", 80))
	r.Refused(t)
	if said := r.Refused(t); !strings.Contains(said, "already exists") {
		t.Errorf("want the trap that the READMEs warn of:\n%s", said)
	}
}

func TestRealProviderMakesTheCallsThatTheOtherTestsSee(t *testing.T) {
	for _, s := range shipped {
		if s.module == "azure-lb" {
			continue // one entry less takes it a minute
		}
		var calls [2][]string
		for n, r := range []*rig{newRig(t, s.module, s.arguments...), newReal(t, s.module, s.arguments...)} {
			r.Give(t, moduletest.Instances("web", 1)...)
			r.Apply(t)
			r.Give(t, moduletest.Instances("web", 2)...)
			r.Apply(t)
			r.Must(t, "destroy", "-auto-approve", "-input=false")
			for _, request := range r.arm.Requests() {
				calls[n] = append(calls[n], request.Method+" "+strings.ToLower(request.Path))
			}
			slices.Sort(calls[n]) // Terraform reads side by side
		}
		same(t, s.name+": requests of the stand-in provider and of the real one", calls[0], calls[1])
	}
}

// What a plan of a whole gateway has beyond its arguments is the real provider's own:
// zero values in blocks, and defaults.
func TestRealProviderPlansAreAsTheGoldenFilesHaveThem(t *testing.T) {
	plansAreGolden(t, newReal, slices.DeleteFunc(slices.Clone(shipped), func(s sample) bool { return s.name == "azure-app-gateway-owned" }))
}
