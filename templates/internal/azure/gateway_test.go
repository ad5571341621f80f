package azure_test

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/moduletest"
)

var inZone = `private_dns_zone_id = "` + azure.ID(zone) + `"`

// owned are the arguments of mode gateway with one listener of each kind.
var owned = []string{`mode = "gateway"`, fmt.Sprintf(`gateway = {
    name                 = "edge"
    resource_group_name  = "network"
    location             = "westeurope"
    subnet_id            = %q
    public_ip_address_id = %q
    identity_ids         = [%q]
  }`, azure.ID("Microsoft.Network/virtualNetworks/hub/subnets/gateway"), azure.ID("Microsoft.Network/publicIPAddresses/edge"), azure.ID("Microsoft.ManagedIdentity/userAssignedIdentities/edge")),
	`certificates = { www = "https://vault.example.com/secrets/www" }`,
	`listeners = {
    plain  = { service = "web", priority = 10 }
    secure = { service = "web", priority = 20, certificate = "www", host_names = ["www.example.com"] }
    api    = { service = "Api.v2", priority = 30, port = 8443, certificate = "www" }
  }`,
	`backends = { "Api.v2" = { port = 9000, protocol = "Https", host_name = "api.example.com", path = "/health", drain_seconds = 0 } }`,
}

func (r *rig) records(tb testing.TB, name string) []string {
	tb.Helper()
	out := []string{}
	for _, x := range r.properties(tb, zone+"/A/"+name)["aRecords"].([]any) {
		out = append(out, x.(azure.Body)["ipv4Address"].(string))
	}
	return out
}

func TestAppGatewayRecordsFollowAService(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-app-gateway", inZone, `service_names = ["web"]`)
	r.arm.Seed(t, azure.ID(zone+"/A/others"), azure.Body{"properties": azure.Body{"ttl": 60, "aRecords": []any{azure.Body{"ipv4Address": "10.9.9.9"}}}})
	sick := instance("web", "10.0.0.9", 80).With(func(i *moduletest.Instance) { i.Status = "maintenance" })
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     []string
		calls    int
	}{
		{"one instance", []moduletest.Instance{instance("web", "10.0.0.1", 80)}, []string{"10.0.0.1"}, 1},
		{"two, one twice, one sick and one of IPv6", []moduletest.Instance{
			instance("web", "10.0.0.10", 80), instance("web", "10.0.0.10", 81), instance("web", "10.0.0.2", 80), sick, instance("web", "2001:db8::1", 80),
		}, []string{"10.0.0.2", "10.0.0.10"}, 1},
		{"only a sick one is left: it keeps what it has", []moduletest.Instance{sick}, []string{"10.0.0.2", "10.0.0.10"}, 0},
		{"filled again", []moduletest.Instance{instance("web", "10.0.0.3", 80)}, []string{"10.0.0.3"}, 1},
	} {
		r.arm.Forget()
		r.Give(t, step.services...)
		r.Apply(t)
		got := map[string]bool{}
		for _, a := range r.records(t, "web") {
			got[a] = true
		}
		want := map[string]bool{}
		for _, a := range step.want {
			want[a] = true
		}
		same(t, step.sentence, want, got)
		same(t, step.sentence+": writes", step.calls, r.arm.Count("PUT", "/A/"))
		r.Settled(t)
	}
	var records map[string]struct{ FQDN string }
	r.Output(t, "records", &records)
	same(t, "name for the pool", "web.corp.internal", records["web"].FQDN)
	gone := newRig(t, "azure-app-gateway", inZone)
	gone.Give(t, instance("web", "10.0.0.1", 80))
	gone.Apply(t)
	gone.Give(t, sick)
	gone.Apply(t)
	gone.Settled(t)
	same(t, "records of a service that nothing vouches for", []string(nil), gone.arm.Names(azure.ID(zone+"/A")))
	same(t, "records", []string{"others", "web"}, r.arm.Names(azure.ID(zone+"/A")))
}

func TestAppGatewayRecordTakesTwentyAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-app-gateway", inZone)
	r.Give(t, moduletest.Instances("web", 21)...)
	if said := r.Refused(t); !strings.Contains(said, `Service "web" has 21 addresses and a DNS record takes 20: nothing was changed.`) {
		t.Errorf("21 addresses:\n%s", said)
	}
	first := newRig(t, "azure-app-gateway", inZone, `overflow = "first"`)
	first.Give(t, moduletest.Instances("web", 21)...)
	first.Apply(t)
	first.Settled(t)
	if got := first.records(t, "web"); len(got) != 20 {
		t.Errorf("the record has %q", got)
	}
	same(t, "notes", []string{"web |  | only the 20 lowest of its 21 addresses are in its record"}, first.skipped(t))
}

func TestAppGatewayIsOwnedAsAWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-app-gateway", owned...)
	const edge = "Microsoft.Network/applicationGateways/edge"
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		web, api int
		port     float64
		calls    int
	}{
		{"no instance: empty pools", nil, 0, 0, 80, 1},
		{"instances of both", append(moduletest.Instances("web", 3), instance("Api.v2", "10.1.0.1", 9000), instance("Api.v2", "10.1.0.2", 9001), instance("other", "10.2.0.1", 80)), 3, 1, 8080, 1},
		{"one less", append(moduletest.Instances("web", 2), instance("Api.v2", "10.1.0.1", 9000)), 2, 1, 8080, 1},
		{"emptied", nil, 0, 0, 80, 1},
		{"100 instances", moduletest.Instances("web", 100), 100, 0, 8080, 1},
	} {
		r.arm.Forget()
		r.Give(t, step.services...)
		r.Apply(t)
		r.Settled(t)
		p := r.properties(t, edge)
		sizes := map[string]int{}
		for _, x := range p["backendAddressPools"].([]any) {
			pool := x.(azure.Body)
			addresses, _ := pool["properties"].(azure.Body)["backendAddresses"].([]any)
			sizes[pool["name"].(string)[:3]] = len(addresses)
		}
		same(t, step.sentence, map[string]int{"web": step.web, "api": step.api}, sizes)
		for _, x := range p["backendHttpSettingsCollection"].([]any) {
			if settings := x.(azure.Body); settings["name"] == "web" {
				same(t, step.sentence+": port", step.port, settings["properties"].(azure.Body)["port"].(float64))
			}
		}
		same(t, step.sentence+": writes", step.calls, r.arm.Count("PUT", ""))
	}
	same(t, "notes", 1, len(r.skipped(t)))
}

func TestAppGatewayRefusesASenselessPlan(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		arguments []string
		services  []moduletest.Instance
		want      string
	}{
		"mode dns without a zone":         {nil, nil, "Mode dns needs private_dns_zone_id: nothing was changed."},
		"mode gateway without a gateway":  {[]string{`mode = "gateway"`}, nil, "Mode gateway needs the variable gateway: nothing was changed."},
		"no instance left":                {[]string{inZone, `on_empty = "refuse"`, `service_names = ["web"]`}, nil, `No instance that could take traffic is left of: "web", and on_empty is "refuse": nothing was changed.`},
		"several ports":                   {owned, []moduletest.Instance{instance("web", "10.0.0.1", 80), instance("web", "10.0.0.2", 81)}, `"web" has 80, 81. Nothing was changed.`},
		"too many addresses":              {owned, moduletest.Instances("web", 1201), `A backend pool takes 1,200 addresses; too many are known of: "web" (1201): nothing was changed.`},
		"a certificate that is not there": {append([]string{`certificates = {}`}, append(owned[:2:2], owned[3:]...)...), nil, "A listener names a certificate that certificates does not have"},
		"no listener":                     {owned[:2], nil, "A gateway needs 1 to 200 listeners and listeners has 0: nothing was changed."},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := newRig(t, "azure-app-gateway", c.arguments...)
			r.Give(t, c.services...)
			if said := r.Refused(t); !strings.Contains(said, c.want) {
				t.Errorf("want %q:\n%s", c.want, said)
			}
			same(t, "writes", 0, r.arm.Count("PUT", ""))
		})
	}
}
