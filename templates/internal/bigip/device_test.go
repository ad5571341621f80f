package bigip_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"

	"github.com/google/go-cmp/cmp"
)

// ask makes one request with basic authentication, or with the headers given.
func ask(t *testing.T, d *bigip.Device, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("make request: %v", err)
	}
	r.SetBasicAuth(bigip.User, bigip.Password)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
		if name == "X-F5-Auth-Token" {
			r.Header.Del("Authorization")
		}
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("call device: %v", err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return got.StatusCode, string(content)
}

const (
	pools   = "/mgmt/tm/ltm/pool"
	members = "/mgmt/tm/ltm/pool/~Common~web/members"
	groups  = "/mgmt/tm/ltm/data-group/internal"
	lists   = "/mgmt/tm/security/firewall/address-list"
	declare = "/mgmt/shared/appsvcs/declare"
)

func TestTheDeviceRefusesWhatABigIPRefuses(t *testing.T) {
	for sentence, c := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"a pool that is not there":             {"GET", pools + "/~Common~none", "", 404, "The requested ltm/pool (/Common/none) was not found."},
		"a pool in a partition that is not":    {"POST", pools, `{"name":"/Other/x"}`, 404, "folder (/Other) was not found."},
		"a pool that is there already":         {"POST", pools, `{"name":"web"}`, 409, "already exists in partition Common"},
		"a name with a space":                  {"POST", pools, `{"name":"a b"}`, 400, "invalid name (a b)"},
		"no name":                              {"POST", pools, `{}`, 400, "invalid name ()"},
		"an unknown property":                  {"POST", pools, `{"name":"x","color":"red"}`, 400, `\"color\" unknown property`},
		"an unknown property in a change":      {"PATCH", pools + "/~Common~web", `{"color":"red"}`, 400, `\"color\" unknown property`},
		"a method of balancing that is none":   {"PATCH", pools + "/~Common~web", `{"loadBalancingMode":"fair"}`, 400, "loadBalancingMode"},
		"a monitor that is not there":          {"PATCH", pools + "/~Common~web", `{"monitor":"/Common/none"}`, 400, "monitor rule (/Common/none) was not found"},
		"a body that is no object":             {"POST", pools, `null`, 400, "invalid JSON body"},
		"a body that is no JSON":               {"POST", pools, `{`, 400, "invalid JSON body"},
		"a member without port":                {"POST", members, `{"name":"10.0.0.1"}`, 400, "has no port"},
		"a member with a port out of range":    {"POST", members, `{"name":"10.0.0.1:70000"}`, 400, "no valid port"},
		"a member that is a host name":         {"POST", members, `{"name":"host:80"}`, 400, "was not found and is no address"},
		"a member's ratio of 0":                {"PATCH", members + "/~Common~10.0.0.9:80", `{"ratio":0}`, 400, "ratio: should be >= 1"},
		"members of no pool":                   {"GET", pools + "/~Common~none/members", "", 404, "(/Common/none) was not found"},
		"a node that is a member":              {"DELETE", "/mgmt/tm/ltm/node/~Common~10.0.0.9", "", 400, "is referenced by a member of pool '/Common/web'"},
		"a node without address":               {"POST", "/mgmt/tm/ltm/node", `{"name":"n"}`, 400, "needs an address"},
		"a data group of addresses with words": {"POST", groups, `{"name":"g","type":"ip","records":[{"name":"ten"}]}`, 400, `\"ten\" is no address`},
		"a data group without a type":          {"POST", groups, `{"name":"g"}`, 400, "needs a type"},
		"two records of one name":              {"POST", groups, `{"name":"g","type":"ip","records":[{"name":"10.0.0.1"},{"name":"10.0.0.1/32"}]}`, 400, "record (10.0.0.1/32) already exists"},
		"a record with a field of its own":     {"POST", groups, `{"name":"g","type":"ip","records":[{"name":"10.0.0.1","x":1}]}`, 400, "unknown property x"},
		"an address list with words":           {"POST", lists, `{"name":"l","addresses":[{"name":"ten"}]}`, 400, "invalid address ten"},
		"a URL that is none":                   {"GET", "/mgmt/tm/ltm/none", "", 404, "not registered"},
		"a task of AS3 that is not there":      {"GET", "/mgmt/shared/appsvcs/task/1", "", 404, "task 1 does not exist"},
		"a tenant that is not there":           {"GET", declare + "/none", "", 404, "tenant none was not found"},
		"nodes for a task that is not there":   {"POST", "/mgmt/shared/service-discovery/task/~a~b~c/nodes", "[]", 404, "~a~b~c does not exist"},
		"null for a list of nodes":             {"POST", "/mgmt/shared/service-discovery/task/~t~a~p/nodes", "null", 400, "must be an array"},
		"a node without port":                  {"POST", "/mgmt/shared/service-discovery/task/~t~a~p/nodes", `[{"id":"a","ip":"10.0.0.1"}]`, 400, "nodes[0] must have id, ip and port"},
		"a commit of no transaction":           {"PATCH", "/mgmt/tm/transaction/7", `{"state":"VALIDATING"}`, 404, "no transaction"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := bigip.New(t)
			d.AddDiscovery("~t~a~p")
			ask(t, d, "POST", pools, `{"name":"web"}`)
			ask(t, d, "POST", members, `{"name":"10.0.0.9:80"}`)
			ask(t, d, "POST", declare, adc(`"ok":{"class":"Tenant","a":{"class":"Application","p":{"class":"Pool"}}}`))
			status, said := ask(t, d, c.method, c.path, c.body)
			if status != c.status || !strings.Contains(said, c.says) || !strings.Contains(said, fmt.Sprintf(`"code":%d`, status)) {
				t.Errorf("%s %s: %d %s, want %d %q", c.method, c.path, status, said, c.status, c.says)
			}
		})
	}
}

// adc is a declaration with tenants.
func adc(tenants string) string {
	return `{"class":"AS3","action":"deploy","persist":true,"declaration":{"class":"ADC","schemaVersion":"3.20.0",` + tenants + `}}`
}

// app is a declaration with the objects of one application.
func app(objects string) string {
	return adc(`"t":{"class":"Tenant","a":{"class":"Application","template":"generic",` + objects + `}}`)
}

func TestAS3RefusesWhatItsSchemaRefuses(t *testing.T) {
	for sentence, c := range map[string]struct{ body, says string }{
		"no JSON":                           {`{`, "not valid JSON"},
		"no declaration":                    {`null`, "/class: should be equal to ADC"},
		"a version that is not yet":         {strings.Replace(app(`"p":{"class":"Pool"}`), "3.20.0", "3.99.0", 1), "/schemaVersion"},
		"a tenant with a dash":              {adc(`"a-b":{"class":"Tenant"}`), "/a-b: should match pattern"},
		"an application without class":      {adc(`"t":{"class":"Tenant","a":{}}`), "/t/a/class"},
		"a class that is none":              {app(`"p":{"class":"Pools"}`), "/t/a/p/class"},
		"an unknown property":               {app(`"p":{"class":"Pool","color":"red"}`), "/t/a/p: should NOT have additional properties (color)"},
		"a member without port":             {app(`"p":{"class":"Pool","members":[{"serverAddresses":["10.0.0.1"]}]}`), "/t/a/p/members/0: should have required property 'servicePort'"},
		"a member without address":          {app(`"p":{"class":"Pool","members":[{"servicePort":80}]}`), "/members/0: should have required property 'serverAddresses'"},
		"a port that is a string":           {app(`"p":{"class":"Pool","members":[{"servicePort":"80","serverAddresses":["10.0.0.1"]}]}`), "servicePort: should be integer"},
		"a ratio above 100":                 {app(`"p":{"class":"Pool","members":[{"servicePort":80,"ratio":101,"serverAddresses":["10.0.0.1"]}]}`), "ratio: should be <= 100"},
		"a host name as address":            {app(`"p":{"class":"Pool","members":[{"servicePort":80,"serverAddresses":["host"]}]}`), `should match format \"f5ip\"`},
		"no address in a list":              {app(`"p":{"class":"Pool","members":[{"servicePort":80,"serverAddresses":[]}]}`), "fewer than 1 items"},
		"a state that is none":              {app(`"p":{"class":"Pool","members":[{"servicePort":80,"serverAddresses":["10.0.0.1"],"adminState":"up"}]}`), "adminState"},
		"a virtual server without address":  {app(`"v":{"class":"Service_HTTP"}`), "required property 'virtualAddresses'"},
		"a virtual server of no pool":       {app(`"v":{"class":"Service_HTTP","virtualAddresses":["10.9.0.1"],"pool":"p"}`), "non-existent object p"},
		"TLS without a profile":             {app(`"v":{"class":"Service_HTTPS","virtualAddresses":["10.9.0.1"]}`), "required property 'serverTLS'"},
		"TCP without a port":                {app(`"v":{"class":"Service_TCP","virtualAddresses":["10.9.0.1"]}`), "required property 'virtualPort'"},
		"an empty address list":             {app(`"l":{"class":"Firewall_Address_List","addresses":[]}`), "/t/a/l/addresses: should NOT have fewer than 1 items"},
		"an address list without addresses": {app(`"l":{"class":"Firewall_Address_List"}`), "should have one of the properties"},
		"a data group without records":      {app(`"g":{"class":"Data_Group","keyDataType":"ip"}`), "required property 'records'"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := bigip.New(t)
			_, said := ask(t, d, "POST", declare, c.body)
			if !strings.Contains(said, c.says) || !strings.Contains(said, `"code":422`) || !strings.Contains(said, `"errors":[`) {
				t.Errorf("AS3 said %s, want 422 and %q", said, c.says)
			}
			if got := d.Paths("auth/partition"); len(got) > 0 {
				t.Errorf("the device has partitions %q after a refusal", got)
			}
		})
	}
}

func TestAS3RefusesWhatTheDeviceCannotHold(t *testing.T) {
	tenant := func(name, objects string) string {
		return adc(`"` + name + `":{"class":"Tenant","a":{"class":"Application",` + objects + `}}`)
	}
	member := func(share bool) string {
		return fmt.Sprintf(`"p":{"class":"Pool","members":[{"servicePort":80,"serverAddresses":["10.0.0.1"],"shareNodes":%v}]}`, share)
	}
	virtual := `"v":{"class":"Service_HTTP","virtualAddresses":["10.9.0.1"]}`
	for sentence, c := range map[string]struct{ first, second, says string }{
		"a virtual address of another tenant":        {tenant("one", virtual), tenant("two", virtual), "the IP address 10.9.0.1 already exists"},
		"two virtual servers on one port":            {tenant("one", virtual), tenant("one", virtual+`,"w":{"class":"Service_TCP","virtualAddresses":["10.9.0.1"],"virtualPort":80}`), "illegally shares destination"},
		"one node of two tenants":                    {tenant("one", member(false)), tenant("two", member(false)), "cannot use the same IP Address (10.0.0.1)"},
		"one member twice":                           {tenant("one", member(false)), tenant("one", `"p":{"class":"Pool","members":[{"servicePort":80,"serverAddresses":["10.0.0.1","10.0.0.1"]}]}`), "already exists"},
		"nothing, where tenants share their nodes":   {tenant("one", member(true)), tenant("two", member(true)), `"message":"success"`},
		"nothing, where the ports differ":            {tenant("one", virtual), tenant("one", virtual+`,"w":{"class":"Service_TCP","virtualAddresses":["10.9.0.1"],"virtualPort":81}`), `"message":"success"`},
		"nothing, where a declaration comes again":   {tenant("one", virtual), tenant("one", virtual), `"message":"no change"`},
		"nothing, where one port is for TCP and UDP": {tenant("one", virtual), tenant("one", virtual+`,"w":{"class":"Service_UDP","virtualAddresses":["10.9.0.1"],"virtualPort":80}`), `"message":"success"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := bigip.New(t)
			if _, said := ask(t, d, "POST", declare, c.first); !strings.Contains(said, `"message":"success"`) {
				t.Fatalf("first declaration: %s", said)
			}
			before := d.Paths("ltm/virtual")
			_, said := ask(t, d, "POST", declare, c.second)
			if !strings.Contains(said, c.says) {
				t.Errorf("AS3 said %s, want %q", said, c.says)
			}
			if strings.Contains(said, "failed") {
				if diff := cmp.Diff(before, d.Paths("ltm/virtual")); diff != "" {
					t.Errorf("a refused declaration left a trace (-before +after):\n%s", diff)
				}
			}
		})
	}
}

func TestAnEmptyTenantIsRemoved(t *testing.T) {
	d := bigip.New(t)
	if status, _ := ask(t, d, "GET", declare, ""); status != http.StatusNoContent {
		t.Errorf("without any declaration AS3 says %d, want 204", status)
	}
	ask(t, d, "POST", declare, app(`"p":{"class":"Pool","members":[{"servicePort":80,"serverAddresses":["10.0.0.1"],"shareNodes":true}]}`))
	if got := d.Paths("ltm/node"); !cmp.Equal(got, []string{"/Common/10.0.0.1"}) {
		t.Errorf("nodes = %q, want the shared one", got)
	}
	ask(t, d, "POST", declare, adc(`"t":{"class":"Tenant","a":{"class":"Application"}}`))
	if got := append(d.Paths("ltm/node"), d.Paths("auth/partition")...); len(got) > 0 {
		t.Errorf("the device still has %q", got)
	}
}

func TestATransactionDoesAllOrNothing(t *testing.T) {
	d := bigip.New(t)
	for _, c := range []struct {
		second string
		status int
		want   []string
	}{{`{"name":"b","color":"red"}`, 400, nil}, {`{"name":"b"}`, 200, []string{"/Common/a", "/Common/b"}}} {
		_, said := ask(t, d, "POST", "/mgmt/tm/transaction", "{}")
		var opened struct{ TransID int }
		if err := json.Unmarshal([]byte(said), &opened); err != nil {
			t.Fatalf("open transaction: %v: %s", err, said)
		}
		id := fmt.Sprint(opened.TransID)
		for _, body := range []string{`{"name":"a"}`, c.second} {
			if status, said := ask(t, d, "POST", pools, body, "X-F5-REST-Coordination-Id: "+id); status != 200 {
				t.Fatalf("queue: %d %s", status, said)
			}
		}
		if got := d.Paths("ltm/pool"); len(got) > 0 {
			t.Fatalf("pools %q are there before the commit", got)
		}
		if status, said := ask(t, d, "PATCH", "/mgmt/tm/transaction/"+id, `{"state":"VALIDATING"}`); status != c.status {
			t.Errorf("commit: %d %s, want %d", status, said, c.status)
		}
		if diff := cmp.Diff(c.want, d.Paths("ltm/pool")); diff != "" {
			t.Errorf("pools (-want +got):\n%s", diff)
		}
		if status, _ := ask(t, d, "PATCH", "/mgmt/tm/transaction/"+id, `{"state":"VALIDATING"}`); status != 404 {
			t.Error("a transaction was committed twice")
		}
	}
}

func TestNodesOfADiscoveryBecomeMembers(t *testing.T) {
	d := bigip.New(t)
	ask(t, d, "POST", declare, app(`"p":{"class":"Pool","members":[{"servicePort":80,"addressDiscovery":"event"}]}`))
	const nodes = "/mgmt/shared/service-discovery/task/~t~a~p/nodes"
	ask(t, d, "POST", nodes, `[{"id":"a","ip":"10.0.0.1","port":80},{"id":"b","ip":"fd00::1","port":81}]`)
	for _, name := range []string{"10.0.0.1:80", "fd00::1.81"} {
		if d.Members("/t/a/p")[name] == nil {
			t.Errorf("the pool has no member %s: %v", name, d.Members("/t/a/p"))
		}
	}
	if _, said := ask(t, d, "GET", nodes, ""); !strings.Contains(said, `"nodeList":[{"id":"a","ip":"10.0.0.1","port":80},`) {
		t.Errorf("the task says %s", said)
	}
	ask(t, d, "POST", nodes, `[]`)
	if n := len(d.Members("/t/a/p")); n != 0 || d.Nodes("~t~a~p") == nil {
		t.Errorf("after an empty list the pool has %d members and nodes %v", n, d.Nodes("~t~a~p"))
	}
	ask(t, d, "POST", declare, app(`"p":{"class":"Pool"}`))
	if d.Nodes("~t~a~p") != nil {
		t.Error("the task outlived its pool's wish for it")
	}
}

func TestTokensEndOnlyWhenToldAndAreLimited(t *testing.T) {
	d := bigip.New(t)
	login := fmt.Sprintf(`{"username":%q,"password":%q,"loginProviderName":"tmos"}`, bigip.User, bigip.Password)
	for n := range 100 {
		if status, said := ask(t, d, "POST", "/mgmt/shared/authn/login", login); status != 200 {
			t.Fatalf("login %d: %d %s", n, status, said)
		}
	}
	if status, said := ask(t, d, "POST", "/mgmt/shared/authn/login", login); status != 400 || !strings.Contains(said, "maximum active login tokens") {
		t.Errorf("login 101: %d %s", status, said)
	}
	const token = "TOKEN000000000000000000001"
	if status, _ := ask(t, d, "GET", "/mgmt/tm/net/self", "", "X-F5-Auth-Token: "+token); status != 200 {
		t.Errorf("a token that lives was refused with %d", status)
	}
	if status, said := ask(t, d, "PATCH", "/mgmt/shared/authz/tokens/"+token, `{"timeout":1200}`); status != 200 || !strings.Contains(said, `"timeout":1200`) {
		t.Errorf("change of a token: %d %s", status, said)
	}
	ask(t, d, "DELETE", "/mgmt/shared/authz/tokens/"+token, "")
	if status, said := ask(t, d, "GET", "/mgmt/tm/net/self", "", "X-F5-Auth-Token: "+token); status != 401 || !strings.Contains(said, "X-F5-Auth-Token does not exist") {
		t.Errorf("a token that was ended: %d %s", status, said)
	}
	if status, _ := ask(t, d, "POST", "/mgmt/shared/authn/login", login); status != 200 {
		t.Errorf("login after the end of a token: %d", status)
	}
	if status, _ := ask(t, d, "POST", "/mgmt/shared/authn/login", `{"username":"x","password":"y"}`); status != 401 {
		t.Errorf("login with a wrong password: %d", status)
	}
}

func TestTheDeviceTellsWhatItWasAsked(t *testing.T) {
	d := bigip.New(t)
	ask(t, d, "POST", pools+"?x=1", `{"name":"web"}`)
	want := []bigip.Request{{Method: "POST", Path: pools, Query: "x=1", Auth: "basic", Body: `{"name":"web"}`, Status: 200}}
	if diff := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", d.Requests())); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if d.Count("POST", "ltm/pool") != 1 || d.Count("GET", "") != 0 {
		t.Error("the count of requests is wrong")
	}
}
