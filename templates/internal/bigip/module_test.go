package bigip_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"patchbay/templates"
	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

func TestPlansOfTheF5ModulesAreAsTheGoldenFilesHaveThem(t *testing.T) {
	for file, c := range map[string]struct {
		module    string
		arguments []string
	}{
		"f5-as3":                   {"f5-as3", []string{`tenant = "edge"`, vip, `require_virtual_address = false`}},
		"f5-firewall-data-group":   {"f5-firewall", []string{`service_names = ["web"]`}},
		"f5-firewall-address-list": {"f5-firewall", []string{addressLists, `tenant = "edge"`, `service_names = ["web"]`}},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s, _ := bigip.Stack(t, bigip.New(t), c.module, nil, c.arguments...)
			plans := map[string]any{}
			for sentence, services := range cases() {
				s.Give(t, services...)
				plans[sentence] = readable(s.Planned(t))
			}
			moduletest.Golden(t, "testdata/"+file+".json", *update, plans)
		})
	}
}

func TestTheSecondPlanOfTheF5ModulesIsEmpty(t *testing.T) {
	for sentence, c := range map[string]struct {
		module    string
		arguments []string
	}{
		"f5-as3":                       {"f5-as3", []string{`tenant = "edge"`, vip}},
		"f5-firewall, data groups":     {"f5-firewall", []string{`service_names = ["web"]`}},
		"f5-firewall, an address list": {"f5-firewall", []string{addressLists, `tenant = "edge"`}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s, _ := bigip.Stack(t, bigip.New(t), c.module, nil, c.arguments...)
			for _, count := range []int{0, 1, 100} {
				s.Give(t, moduletest.Instances("web", count)...)
				s.Apply(t)
				s.Settled(t)
			}
		})
	}
}

func TestTheF5ModulesAreFormattedAndValid(t *testing.T) {
	for module, argument := range map[string]string{"f5-as3": `tenant = "edge"`, "f5-firewall": `kind = "data-group"`} {
		s, _ := bigip.Stack(t, bigip.New(t), module, nil, argument)
		if out, err := s.Run("fmt", "-check", "-diff", module); err != nil {
			t.Errorf("fmt: %v:\n%s", err, out)
		}
		s.Must(t, "validate")
	}
}

func TestTheProvidersSchemaRefusesWhatTheModulesMustNotWrite(t *testing.T) {
	for sentence, c := range map[string]struct{ module, was, is, says string }{
		"an unknown argument":          {"f5-as3", "as3_json ", "as3_text ", "Unsupported argument"},
		"an argument of another type":  {"f5-as3", "ignore_metadata = true", "ignore_metadata = [true]", "Incorrect attribute value type"},
		"a required argument left out": {"f5-firewall", `type = "ip"`, "", "Missing required argument"},
		"a block that is none":         {"f5-firewall", `dynamic "record"`, `dynamic "records"`, "Unsupported block type"},
		"an unknown resource":          {"f5-firewall", `"bigip_ltm_datagroup"`, `"bigip_ltm_datagroups"`, "Invalid resource type"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s, _ := bigip.Stack(t, bigip.New(t), c.module, nil, map[string]string{"f5-as3": `tenant = "edge"`, "f5-firewall": ""}[c.module])
			files, _ := templates.Builtin(c.module)
			if !bytes.Contains(files["main.tf"], []byte(c.was)) {
				t.Fatalf("main.tf has no %q", c.was)
			}
			s.Write(t, c.module+"/main.tf", bytes.ReplaceAll(files["main.tf"], []byte(c.was), []byte(c.is)))
			if out, err := s.Run("validate"); err == nil || !strings.Contains(out, c.says) {
				t.Errorf("validate: %v, want %q:\n%s", err, c.says, out)
			}
		})
	}
}

func TestTheF5ModulesRefuseBadVariables(t *testing.T) {
	for sentence, c := range map[string]struct {
		module    string
		arguments []string
		says      []string
	}{
		"a tenant with a dash":                 {"f5-as3", []string{`tenant = "a-b"`}, []string{"tenant must be a letter"}},
		"the tenant Common":                    {"f5-as3", []string{`tenant = "Common"`}, []string{"tenant must be a letter"}},
		"a word of AS3 as tenant":              {"f5-as3", []string{`tenant = "class"`}, []string{"tenant must be a letter"}},
		"an unknown setting":                   {"f5-as3", []string{`tenant = "edge"`, `virtual_servers = { web = { virtual_address = "10.9.0.1", port = "80" } }`}, []string{`virtual_servers must have no "port" for "web"`}},
		"an unknown default":                   {"f5-as3", []string{`tenant = "edge"`, `defaults = { colour = "red" }`}, []string{`defaults must have no "colour"`}},
		"a default that is not valid":          {"f5-as3", []string{`tenant = "edge"`, `defaults = { type = "ftp" }`}, []string{"defaults must have a valid type"}},
		"an address that is none":              {"f5-as3", []string{`tenant = "edge"`, `virtual_servers = { web = { virtual_address = "10.9.0.256" } }`}, []string{`virtual_servers must have a valid virtual_address for "web"`}},
		"a port out of range":                  {"f5-as3", []string{`tenant = "edge"`, `virtual_servers = { web = { virtual_address = "10.9.0.1", virtual_port = "70000" } }`}, []string{`virtual_servers must have a valid virtual_port for "web"`}},
		"a monitor with directives":            {"f5-as3", []string{`tenant = "edge"`, `virtual_servers = { web = { virtual_address = "10.9.0.1", monitor = "http } evil" } }`}, []string{`virtual_servers must have a valid monitor for "web"`}},
		"a network that is none":               {"f5-as3", []string{`tenant = "edge"`, `virtual_networks = ["10.9.0.1"]`}, []string{"virtual_networks must be networks"}},
		"a route domain in parts":              {"f5-as3", []string{`tenant = "edge"`, `route_domain = 1.5`}, []string{"route_domain must be a whole number"}},
		"several at once":                      {"f5-as3", []string{`tenant = ""`, `route_domain = -1`}, []string{"tenant must", "route_domain must"}},
		"a kind that is none":                  {"f5-firewall", []string{`kind = "afm"`}, []string{"kind must be data-group or address-list"}},
		"an address list without tenant":       {"f5-firewall", []string{addressLists}, []string{"tenant must be a letter"}},
		"a placeholder that is no address":     {"f5-firewall", []string{addressLists, `tenant = "edge"`, `placeholder = "none"`}, []string{"placeholder must be an IP address or a network"}},
		"a prefix with a space":                {"f5-firewall", []string{`prefix = "a b"`}, []string{"prefix must be a letter"}},
		"a partition with a slash":             {"f5-firewall", []string{`partition = "a/b"`}, []string{"partition must be the name"}},
		"a name of a list with a space":        {"f5-firewall", []string{`list_names = { web = "a b" }`}, []string{"list_names must have names"}},
		"an empty name of a service":           {"f5-firewall", []string{`service_names = [""]`}, []string{"service_names must have no empty name"}},
		"a name of a list that is AS3's class": {"f5-firewall", []string{`list_names = { web = "class" }`}, []string{"list_names must have names"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := bigip.New(t)
			s, _ := bigip.Stack(t, d, c.module, nil, c.arguments...)
			s.Give(t)
			said := s.Refused(t)
			for _, want := range append(c.says, fmt.Sprintf("Variables of the %s module cannot be used; nothing was changed: ", c.module)) {
				if !strings.Contains(said, want) {
					t.Errorf("the run says:\n%s\nwant %q", said, want)
				}
			}
			if n := d.Count("POST", ""); n != 0 {
				t.Errorf("the device was asked to change something %d times", n)
			}
		})
	}
}

func TestF5AS3RefusesASenselessPlan(t *testing.T) {
	with := func(name string, settings map[string]string) moduletest.Instance {
		return moduletest.Instance{Name: name, Address: "10.0.0.1", Port: 80, Meta: settings}
	}
	for sentence, c := range map[string]struct {
		arguments []string
		services  []moduletest.Instance
		says      string
	}{
		"no virtual address": {nil, []moduletest.Instance{with("web", nil), with("api", map[string]string{"f5_virtual_address": "10.9.0.2"})},
			"These services cannot have a virtual server; nothing was changed: web has no virtual_address. Set what is missing in virtual_servers"},
		"no port for TCP": {nil, []moduletest.Instance{with("web", map[string]string{"f5_virtual_address": "10.9.0.2", "f5_type": "tcp"})}, "web has no virtual_port. "},
		"TLS without profile": {[]string{`virtual_servers = { web = { type = "https" } }`}, nil,
			"web has no virtual_address and no client_ssl. "},
		"one address and port for two services": {[]string{`virtual_servers = { web = { virtual_address = "10.9.0.1" }, api = { virtual_address = "10.9.0.1", virtual_port = "80" } }`}, nil,
			"Two services want the same virtual server; nothing was changed: api and web both have 10.9.0.1 port 80 tcp. Give each its own virtual_address or virtual_port."},
		"one address of IPv6 in two forms": {[]string{`virtual_servers = { web = { virtual_address = "fd00::1" }, api = { virtual_address = "FD00:0::1" } }`}, nil,
			"api and web both have fd00::1 port 80 tcp"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d, s := as3(t, c.arguments...)
			s.Give(t, c.services...)
			if said := s.Refused(t); !strings.Contains(said, c.says) {
				t.Errorf("the run says:\n%s\nwant %q", said, c.says)
			}
			if n := d.Count("POST", ""); n != 0 {
				t.Errorf("the device was asked to change something %d times", n)
			}
		})
	}
}

func TestF5AS3LetsNoInstanceTakeTheVirtualServerOfAnother(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip)
	claim := func(name, address string) moduletest.Instance {
		return moduletest.Instance{Name: name, Address: "10.0.0.1", Port: 80, Meta: map[string]string{"f5_virtual_address": address}}
	}
	s.Give(t, claim("a_thief", "10.9.0.1"), claim("b_first", "10.9.0.2"), claim("c_second", "10.9.0.2"))
	s.Apply(t)
	want := map[string]string{"/edge/web/virtual": "[10.9.0.1 80]", "/edge/b_first/virtual": "[10.9.0.2 80]"}
	got := map[string]string{}
	for _, path := range d.Paths("ltm/virtual") {
		got[path] = fmt.Sprint(d.Object("ltm/virtual", path)["destinations"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("virtual servers (-want +got):\n%s", diff)
	}
	var reasons []string
	for _, n := range notes(t, s) {
		reasons = append(reasons, n.Service+" "+n.Reason)
	}
	if diff := cmp.Diff([]string{
		"a_thief has a pool but no virtual server: service web has 10.9.0.1 port 80 tcp",
		"c_second has a pool but no virtual server: service b_first has 10.9.0.2 port 80 tcp",
	}, reasons); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestTheF5ModulesTouchOnlyWhatTheyMade(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	ask(t, d, "POST", declare, adc(`"theirs":{"class":"Tenant","a":{"class":"Application","p":{"class":"Pool","members":[{"servicePort":80,"serverAddresses":["10.0.0.1"],"shareNodes":true}]}}}`))
	ask(t, d, "POST", groups, `{"name":"/Common/theirs","type":"string","records":[{"name":"a"}]}`)
	ask(t, d, "POST", groups, `{"name":"/Common/consul_api","type":"string","records":[{"name":"a"}]}`)
	before := everything(d)
	var stacks []*moduletest.Stack
	for module, arguments := range map[string][]string{"f5-as3": {`tenant = "edge"`, vip}, "f5-firewall": nil} {
		s, _ := bigip.Stack(t, d, module, nil, arguments...)
		s.Give(t, web("10.0.0.1", 80), web("10.0.0.2", 80))
		s.Apply(t)
		stacks = append(stacks, s)
	}
	// Another task with the same instances, in a tenant of its own.
	second, _ := bigip.Stack(t, d, "f5-as3", nil, `tenant = "edge2"`, `virtual_servers = { web = { virtual_address = "10.9.0.2" } }`)
	second.Give(t, web("10.0.0.1", 80))
	second.Apply(t)
	// A data group that somebody else made is not taken over.
	other, _ := bigip.Stack(t, d, "f5-firewall", nil)
	other.Give(t, moduletest.Instance{Name: "api", Address: "10.0.0.1", Port: 80})
	if said := other.Refused(t); !strings.Contains(said, "HTTP 409") || !strings.Contains(said, "/Common/consul_api") {
		t.Errorf("the run says:\n%s", said)
	}
	for _, s := range append(stacks, second) {
		s.Must(t, "destroy", "-auto-approve")
	}
	if diff := cmp.Diff(before, everything(d)); diff != "" {
		t.Errorf("the device after all was destroyed (-before +after):\n%s", diff)
	}
}

func everything(d *bigip.Device) map[string][]string {
	out := map[string][]string{}
	for _, kind := range []string{"auth/partition", "ltm/pool", "ltm/node", "ltm/virtual", "ltm/virtual-address", "ltm/data-group/internal", "security/firewall/address-list", "ltm/pool/members /theirs/a/p"} {
		out[kind] = d.Paths(kind)
	}
	out["records"] = records(d, "/Common/consul_api")
	return out
}
