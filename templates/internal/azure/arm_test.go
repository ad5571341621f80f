package azure_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"patchbay/templates/internal/azure"
)

// asked makes one request to ARM and gives "status code" of the answer.
func asked(t *testing.T, arm *azure.Server, method, path string, body any, change ...func(*http.Request)) string {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if raw, ok := body.(string); ok {
		content = []byte(raw)
	}
	r, err := http.NewRequest(method, "https://"+arm.Host()+path+"?api-version=2025-01-01", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer a.b.c")
	for _, c := range change {
		c(r)
	}
	a, err := arm.Client().Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Error struct{ Code string } }
	_ = json.Unmarshal(answer, &said) // a success has another form
	return strings.TrimSpace(fmt.Sprint(a.StatusCode, " ", said.Error.Code))
}

// with adds to a document.
func with(document azure.Body, more azure.Body) azure.Body {
	p := azure.Body{}
	for _, from := range []azure.Body{document, more} {
		for name, x := range from {
			p[name] = x
		}
	}
	return azure.Body{"location": "westeurope", "properties": p}
}

func repeat(count int, of func(n int) any) []any {
	out := []any{}
	for n := range count {
		out = append(out, of(n))
	}
	return out
}

var (
	goodRule = azure.Body{"priority": 200, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefixes": []any{"10.0.0.1"}, "destinationPortRange": "80"}
	entry    = func(name, address string) any {
		return azure.Body{"name": name, "properties": azure.Body{"ipAddress": address, "virtualNetwork": azure.Body{"id": azure.ID("Microsoft.Network/virtualNetworks/hub")}}}
	}
	addresses = func(count int) []any {
		return repeat(count, func(n int) any { return fmt.Sprintf("10.0.%d.%d", n/250, n%250+1) })
	}
)

func TestARMRefusesWhatARMRefuses(t *testing.T) {
	t.Parallel()
	arm := azure.Start(t)
	seed(t, arm)
	arm.Seed(t, azure.ID(rules+"taken"), azure.Body{"properties": azure.Body{"priority": 300, "direction": "Inbound"}})
	arm.Seed(t, azure.ID("Microsoft.Network/loadBalancers/basic"), azure.Body{"sku": azure.Body{"name": "Basic"}})
	arm.Seed(t, azure.ID(pools+"nics"), azure.Body{"properties": azure.Body{}})
	ips := func(list ...any) any { return with(azure.Body{"ipAddresses": list}, nil) }
	records := func(ttl any, list ...string) any {
		return with(azure.Body{"ttl": ttl, "aRecords": repeat(len(list), func(n int) any { return azure.Body{"ipv4Address": list[n]} })}, nil)
	}
	pool := func(entries ...any) any { return with(azure.Body{"loadBalancerBackendAddresses": entries}, nil) }
	for sentence, c := range map[string]struct {
		path string
		body any
		want string
	}{
		"a body that is no JSON":                      {azure.ID(ipGroups + "x"), "{", "400 InvalidRequestContent"},
		"an unknown type":                             {azure.ID("Microsoft.Network/gadgets/x"), ips(), "404 InvalidResourceType"},
		"an unknown resource group":                   {strings.Replace(azure.ID(ipGroups+"x"), "/network/", "/other/", 1), ips(), "404 ResourceGroupNotFound"},
		"an unknown subscription":                     {strings.Replace(azure.ID(ipGroups+"x"), azure.Subscription, azure.Tenant, 1), ips(), "404 SubscriptionNotFound"},
		"a parent that is not there":                  {azure.ID("Microsoft.Network/networkSecurityGroups/no/securityRules/x"), with(goodRule, nil), "404 ParentResourceNotFound"},
		"no location":                                 {azure.ID(ipGroups + "x"), azure.Body{}, "400 LocationRequired"},
		"a name with a space":                         {azure.ID(ipGroups + "a b"), ips(), "400 InvalidResourceName"},
		"an IP group":                                 {azure.ID(ipGroups + "x"), ips("10.0.0.1", "10.1.0.0/16", "10.2.0.0-10.2.0.31"), "201"},
		"an IP group with IPv6":                       {azure.ID(ipGroups + "x"), ips("2001:db8::1"), "400 IpGroupInvalidIpAddress"},
		"an IP group with an invalid cidr":            {azure.ID(ipGroups + "x"), ips("10.0.0.0/33"), "400 IpGroupInvalidIpAddress"},
		"an IP group with a range that runs backward": {azure.ID(ipGroups + "x"), ips("10.0.0.9-10.0.0.1"), "400 IpGroupInvalidIpAddress"},
		"an IP group with numbers":                    {azure.ID(ipGroups + "x"), ips(1), "400 InvalidRequestFormat"},
		"an IP group with too many addresses":         {azure.ID(ipGroups + "x"), ips(addresses(5001)...), "400 IpGroupTooManyAddresses"},
		"a rule":                                      {azure.ID(rules + "x"), with(goodRule, nil), "201"},
		"a rule with the priority of another":         {azure.ID(rules + "x"), with(goodRule, azure.Body{"priority": 300}), "400 SecurityRuleConflict"},
		"a rule with it in the other direction":       {azure.ID(rules + "y"), with(goodRule, azure.Body{"priority": 300, "direction": "Outbound"}), "201"},
		"a rule with a priority below 100":            {azure.ID(rules + "x"), with(goodRule, azure.Body{"priority": 99}), "400 SecurityRuleInvalidPriority"},
		"a rule with a priority above 4096":           {azure.ID(rules + "x"), with(goodRule, azure.Body{"priority": 4097}), "400 SecurityRuleInvalidPriority"},
		"a rule with too many addresses":              {azure.ID(rules + "x"), with(goodRule, azure.Body{"destinationAddressPrefixes": addresses(4001)}), "400 SecurityRuleTooManyAddressPrefixes"},
		"a rule with an address twice":                {azure.ID(rules + "x"), with(goodRule, azure.Body{"destinationAddressPrefixes": []any{"10.0.0.1", "10.0.0.1/32"}}), "400 DuplicateAddressPrefix"},
		"a rule with both families":                   {azure.ID(rules + "x"), with(goodRule, azure.Body{"destinationAddressPrefixes": []any{"10.0.0.1", "::2"}}), "400 MixedAddressFamilies"},
		"a rule with a tag in a list":                 {azure.ID(rules + "x"), with(goodRule, azure.Body{"destinationAddressPrefixes": []any{"10.0.0.1", "Internet"}}), "400 InvalidAddressPrefix"},
		"a rule without addresses":                    {azure.ID(rules + "x"), with(goodRule, azure.Body{"destinationAddressPrefixes": nil}), "400 SecurityRuleMissingAddressPrefix"},
		"a rule with an invalid address":              {azure.ID(rules + "x"), with(goodRule, azure.Body{"sourceAddressPrefix": "10.0.0.0/8/8"}), "400 SecurityRuleInvalidAddressPrefix"},
		"a rule with a port too high":                 {azure.ID(rules + "x"), with(goodRule, azure.Body{"destinationPortRange": "70000"}), "400 SecurityRuleInvalidPortRange"},
		"a rule without ports":                        {azure.ID(rules + "x"), with(goodRule, azure.Body{"destinationPortRange": ""}), "400 SecurityRuleMissingPortRange"},
		"a rule of an unknown protocol":               {azure.ID(rules + "x"), with(goodRule, azure.Body{"protocol": "Sctp"}), "400 InvalidRequestFormat"},
		"a rule with a long description":              {azure.ID(rules + "x"), with(goodRule, azure.Body{"description": strings.Repeat("x", 141)}), "400 SecurityRuleDescriptionTooLong"},
		"a pool":                                      {azure.ID(pools + "web"), pool(entry("a", "10.0.0.1"), entry("b", "10.0.0.2")), "200"},
		"a pool with an address twice":                {azure.ID(pools + "web"), pool(entry("a", "10.0.0.1"), entry("b", "10.0.0.1")), "400 DuplicateAddressPrefix"},
		"a pool with a name twice":                    {azure.ID(pools + "web"), pool(entry("a", "10.0.0.1"), entry("A", "10.0.0.2")), "400 InvalidBackendAddressName"},
		"a pool with no address":                      {azure.ID(pools + "web"), pool(entry("a", "x")), "400 InvalidIPAddress"},
		"a pool of an address without a network":      {azure.ID(pools + "web"), pool(azure.Body{"name": "a", "properties": azure.Body{"ipAddress": "10.0.0.1"}}), "400 BackendAddressNeedsVirtualNetwork"},
		"a pool of a basic load balancer":             {azure.ID("Microsoft.Network/loadBalancers/basic/backendAddressPools/x"), pool(entry("a", "10.0.0.1")), "400 BackendAddressesNotSupported"},
		"a pool that also has network interfaces":     {azure.ID(pools + "nics"), with(azure.Body{"backendIPConfigurations": []any{azure.Body{"id": "x"}}, "loadBalancerBackendAddresses": []any{entry("a", "10.0.0.1")}}, nil), "400 BackendPoolMixesNicAndIp"},
		"a record":                                 {azure.ID(zone + "/A/web"), records(10, "10.0.0.1"), "201"},
		"a record without addresses":               {azure.ID(zone + "/A/web"), records(10), "400 RecordSetSizeLimit"},
		"a record of IPv6":                         {azure.ID(zone + "/A/web"), records(10, "::1"), "400 InvalidARecord"},
		"a record with an address twice":           {azure.ID(zone + "/A/web"), records(10, "10.0.0.1", "10.0.0.1"), "400 DuplicateAddressPrefix"},
		"a record without time":                    {azure.ID(zone + "/A/web"), records(0, "10.0.0.1"), "400 InvalidTtl"},
		"a record with a dot at its end":           {azure.ID(zone + "/A/web."), records(10, "10.0.0.1"), "400 InvalidRecordSetName"},
		"a configuration without its root file":    {azure.ID(configuration), with(azure.Body{"rootFile": "/etc/nginx/nginx.conf"}, nil), "400 NginxConfigurationNoRootFile"},
		"a configuration with an open brace":       {azure.ID(configuration), with(azure.Body{"rootFile": "/etc/nginx/nginx.conf", "files": []any{azure.Body{"virtualPath": "/etc/nginx/nginx.conf", "content": "aHR0cCB7"}}}, nil), "400 NginxConfigurationInvalid"},
		"a configuration in a forbidden directory": {azure.ID(configuration), with(azure.Body{"rootFile": "/root/x", "files": []any{azure.Body{"virtualPath": "/root/x", "content": "aHR0cCB7"}}}, nil), "400 NginxConfigurationInvalidPath"},
		"a configuration that is not base64":       {azure.ID(configuration), with(azure.Body{"rootFile": "/etc/nginx/x", "files": []any{azure.Body{"virtualPath": "/etc/nginx/x", "content": "http {"}}}, nil), "400 NginxConfigurationInvalidContent"},
		"a configuration of another name":          {azure.ID("Nginx.NginxPlus/nginxDeployments/edge/configurations/other"), with(nil, nil), "400 InvalidConfigurationName"},
	} {
		if got := asked(t, arm, http.MethodPut, c.path, c.body); strings.TrimSpace(got) != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
		_ = asked(t, arm, http.MethodDelete, azure.ID(rules+"x"), nil) // each begins without it
		_ = asked(t, arm, http.MethodDelete, azure.ID(ipGroups+"x"), nil)
		_ = asked(t, arm, http.MethodDelete, azure.ID(zone+"/A/web"), nil)
	}
}

func TestARMsFrontDoor(t *testing.T) {
	t.Parallel()
	arm := azure.Start(t)
	seed(t, arm)
	path := azure.ID(group)
	query := func(q string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = q } }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for sentence, c := range map[string]struct {
		method string
		change func(*http.Request)
		want   string
	}{
		"no api-version":                 {http.MethodGet, query(""), "400 MissingApiVersionParameter"},
		"an api-version that is no date": {http.MethodGet, query("api-version=latest"), "400 InvalidApiVersionParameter"},
		"no token":                       {http.MethodGet, header("Authorization", ""), "401 AuthenticationFailed"},
		"a changed object":               {http.MethodPut, header("If-Match", `W/"0"`), "412 PreconditionFailed"},
		"a method that is not there":     {http.MethodPost, header("X", ""), "405 MethodNotAllowed"},
		"a body that is too large": {http.MethodPut, func(r *http.Request) {
			r.Body = io.NopCloser(io.LimitReader(zeros{}, 5<<20))
			r.ContentLength = 5 << 20
		}, "413 RequestContentTooLarge"},
	} {
		if got := asked(t, arm, c.method, path, azure.Body{"location": "x"}, c.change); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
	same(t, "ids are found without regard to case", "200", asked(t, arm, http.MethodGet, strings.ToUpper(path), nil))
	same(t, "what is not there", "404 ResourceNotFound", asked(t, arm, http.MethodGet, azure.ID(ipGroups+"no"), nil))
	same(t, "removing what is not there", "204", asked(t, arm, http.MethodDelete, azure.ID(ipGroups+"no"), nil))
	arm.Seed(t, azure.ID(ipGroups+"used"), azure.Body{"location": "x", "properties": azure.Body{"firewallPolicies": []any{azure.Body{"id": "policy"}}}})
	same(t, "removing what is in use", "400 InUse", asked(t, arm, http.MethodDelete, azure.ID(ipGroups+"used"), nil))

	old := arm.Client().Transport.(*http.Transport).Clone()
	old.TLSClientConfig.MinVersion, old.TLSClientConfig.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	if _, err := (&http.Client{Transport: old}).Get("https://" + arm.Host() + "/metadata/endpoints"); err == nil {
		t.Error("a client with TLS 1.1 was served")
	}
}

// zeros is text without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = '0'
	}
	return len(p), nil
}
