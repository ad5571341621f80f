package azure_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/azure/provider"
	"patchbay/templates/internal/moduletest"
	"patchbay/templates/internal/standin"

	"github.com/google/go-cmp/cmp"
)

// rig is a root module that calls an Azure module, the stand-in provider and ARM.
type rig struct {
	*moduletest.Stack
	arm      *azure.Server
	provider *standin.Server
}

// providerBlock is what the READMEs ask for.
const providerBlock = `provider "azurerm" {
  features {
    persist_id_on_create_before_polling_for_completion = true
  }
}
`

// at are the arguments that most modules need.
var at = []string{`resource_group_name = "network"`, `location = "westeurope"`}

const (
	group = "Microsoft.Network/networkSecurityGroups/edge"
	zone  = "Microsoft.Network/privateDnsZones/corp.internal"
)

// newRig initialises a stack against an ARM in which the administrators have made what
// the modules fill.
func newRig(tb testing.TB, module string, arguments ...string) *rig {
	tb.Helper()
	r := &rig{Stack: moduletest.Bare(tb, module, slices.Clone(arguments)...), arm: azure.Start(tb)}
	seed(tb, r.arm)
	r.provider = standin.Start(tb, provider.New(r.arm))
	r.Write(tb, "providers.tf", []byte(providerBlock))
	r.Env = append(r.Env, standin.Reattach(r.provider))
	r.Init(tb)
	return r
}

func seed(tb testing.TB, arm *azure.Server) {
	tb.Helper()
	region := func(more azure.Body) azure.Body {
		more["location"] = "westeurope"
		return more
	}
	arm.Seed(tb, azure.ID(group), region(azure.Body{}))
	arm.Seed(tb, azure.ID(zone), region(azure.Body{}))
	arm.Seed(tb, azure.ID("Nginx.NginxPlus/nginxDeployments/edge"), region(azure.Body{}))
	arm.Seed(tb, azure.ID("Microsoft.Network/loadBalancers/edge"), region(azure.Body{"sku": azure.Body{"name": "Standard", "tier": "Regional"}}))
	for _, pool := range []string{"web", "api"} {
		arm.Seed(tb, azure.ID("Microsoft.Network/loadBalancers/edge/backendAddressPools/"+pool), azure.Body{})
	}
}

// skipped are the notes of a module: a line "service instance reason" each.
func (r *rig) skipped(tb testing.TB) []string {
	tb.Helper()
	var notes []struct{ Service, Instance, Reason string }
	r.Output(tb, "skipped", &notes)
	out := []string{}
	for _, n := range notes {
		out = append(out, strings.Join([]string{n.Service, n.Instance, n.Reason}, " | "))
	}
	return out
}

// instance is one of a service.
func instance(service, address string, port int) moduletest.Instance {
	return moduletest.Instance{Name: service, Address: address, Port: port, Status: "passing"}
}

// changes are the actions of a plan by address, without those that do nothing.
func (r *rig) changes(tb testing.TB) map[string]string {
	tb.Helper()
	r.Must(tb, "plan", "-out=tfplan", "-input=false")
	var plan struct {
		Changes []struct {
			Address string
			Change  struct{ Actions []string }
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(r.Must(tb, "show", "-json", "tfplan")), &plan); err != nil {
		tb.Fatalf("decode plan: %v", err)
	}
	out := map[string]string{}
	for _, c := range plan.Changes {
		if actions := strings.Join(c.Change.Actions, " "); actions != "no-op" && actions != "read" {
			out[strings.TrimPrefix(c.Address, "module.edge.")] = actions
		}
	}
	return out
}

// properties of an object that must be there.
func (r *rig) properties(tb testing.TB, path string) azure.Body {
	tb.Helper()
	p, ok := r.arm.Has(azure.ID(path))
	if !ok {
		tb.Fatalf("ARM has no %s", path)
	}
	return p
}

// same compares a part of a document.
func same(tb testing.TB, what string, want, got any) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
