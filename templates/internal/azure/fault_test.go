package azure_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/moduletest"
	"patchbay/templates/internal/standin"
)

func TestAFaultOfAzureHeals(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-ip-group", at...)
	service := 0
	put := func(f azure.Fault) azure.Fault {
		f.Method, f.Path = http.MethodPut, "/ipGroups/"
		return f
	}
	for sentence, c := range map[string]struct {
		fault azure.Fault
		// fails is what the first run says; empty if it succeeds all the same.
		fails string
	}{
		"another operation is in progress":   {put(azure.Fault{Status: http.StatusConflict}), "AnotherOperationInProgress"},
		"the object has changed":             {put(azure.Fault{Status: http.StatusPreconditionFailed}), "PreconditionFailed"},
		"no right":                           {put(azure.Fault{Status: http.StatusForbidden}), "AuthorizationFailed"},
		"too many requests, for a while":     {put(azure.Fault{Status: http.StatusTooManyRequests, RetryAfter: 17, Times: 2}), ""},
		"a server's error, for a while":      {put(azure.Fault{Status: http.StatusServiceUnavailable, Times: 2}), ""},
		"a server's error that stays":        {put(azure.Fault{Status: http.StatusInternalServerError, Times: 5}), "InternalServerError"},
		"an answer that is lost":             {put(azure.Fault{Cut: true}), ""},
		"an operation that takes some polls": {put(azure.Fault{Operation: true, Polls: 3}), ""},
		"an operation that fails":            {put(azure.Fault{Operation: true, Polls: 2, Code: "InternalFailure"}), "the operation ended as Failed: InternalFailure"},
		"a read that fails":                  {azure.Fault{Method: http.MethodGet, Path: "/ipGroups/", Status: http.StatusForbidden}, "AuthorizationFailed"},
	} {
		service++
		name := fmt.Sprint("s", service)
		for step, address := range []string{"10.0.0.1", "10.0.0.2"} { // made, then changed
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
		same(t, sentence+": groups", []string{"patchbay-" + name}, r.arm.Names(azure.ID("Microsoft.Network/ipGroups")))
	}
	r.Settled(t)
}

func TestWithoutTheFeatureAFailedCreationIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-ip-group", at...)
	r.Write(t, "providers.tf", []byte("provider \"azurerm\" {\n  features {}\n}\n"))
	r.arm.Inject(azure.Fault{Method: http.MethodPut, Path: "/ipGroups/", Operation: true, Code: "InternalFailure"})
	r.Give(t, instance("web", "10.0.0.1", 80))
	r.Refused(t)
	if said := r.Refused(t); !strings.Contains(said, "already exists") {
		t.Errorf("want the trap that the READMEs warn of:\n%s", said)
	}
}

func TestAProviderThatLosesItsAnswerHeals(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nsg", onEdge...)
	r.provider.Inject(standin.Fault{Call: "update", Resource: "azurerm_network_security_rule", After: errLost})
	r.Give(t, moduletest.Instances("web", 1)...)
	r.Apply(t)
	r.Give(t, moduletest.Instances("web", 2)...)
	r.Refused(t)
	r.Apply(t)
	r.Settled(t)
	same(t, "addresses", 2, len(r.properties(t, rules+"patchbay-web")["destinationAddressPrefixes"].([]any)))
}

func TestHandMadeChangesArePutBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nsg", onEdge...)
	r.Give(t, moduletest.Instances("web", 1)...)
	r.Apply(t)
	r.arm.Change(t, azure.ID(rules+"patchbay-web"), func(p azure.Body) {
		p["sourceAddressPrefix"], p["access"], p["priority"] = "*", "Deny", 2001
	})
	r.Apply(t)
	p := r.properties(t, rules+"patchbay-web")
	same(t, "rule; its priority is one that the module could have given", []any{"VirtualNetwork", "Allow", float64(2001)}, []any{p["sourceAddressPrefix"], p["access"], p["priority"]})
	r.Settled(t)
}

func TestEachChangeWaitsTenSecondsForItsPoll(t *testing.T) {
	t.Parallel()
	for module, c := range map[string]struct {
		arguments []string
		want      time.Duration
	}{
		"azure-ip-group":    {at, 10 * time.Second},
		"azure-nsg":         {onEdge, 10 * time.Second},
		"azure-nginx":       {onDeployment, 10 * time.Second},
		"azure-app-gateway": {[]string{inZone}, 0},
	} {
		r := newRig(t, module, c.arguments...)
		r.Give(t, moduletest.Instances("web", 2)...)
		r.Apply(t)
		r.arm.Delay()
		r.arm.Forget()
		r.Give(t, moduletest.Instances("web", 3)...)
		r.Apply(t)
		same(t, module+": time that the provider waits", c.want, r.arm.Waited())
		same(t, module+": writes", 1, r.arm.Count(http.MethodPut, ""))
	}
}
