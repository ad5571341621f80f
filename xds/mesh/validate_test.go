package mesh

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sound is a mesh without a mistake, which the cases change.
func sound() Mesh {
	return Mesh{
		Services: []Service{
			{Name: "web", Protocol: HTTP, Position: "a.hcl:1:1", Subsets: []Subset{{Name: "v1"}, {Name: "v2"}}, DefaultSubset: "v1",
				Default: []Leg{own("web", "v1", 9999), own("web", "v2", 1)}, Failover: []Target{{Service: "web", Datacenter: "dc2"}},
				Routes: []Route{{Name: "beta", Position: "a.hcl:2:3", Match: Match{Prefix: "/beta"}, To: []Leg{own("web", "v2", Whole)}}}},
			{Name: "db", Position: "a.hcl:3:1"},
		},
		Sidecars: []Sidecar{{Service: "web", Position: "a.hcl:4:1", Inbound: &Inbound{Port: 21000, LocalPort: 8080, Protocol: HTTP},
			Upstreams: []Upstream{{Target: Target{Service: "db"}, Port: 9001, Position: "a.hcl:5:3"}}}},
		Gateways: []Gateway{{Name: "edge", Position: "a.hcl:6:1", Listeners: []Door{{Port: 80, Protocol: HTTP, Position: "a.hcl:7:3",
			Hosts: []Host{{Target: Target{Service: "web"}, Names: []string{"web.example.com", "*.web.example.com"}}}}}}},
		Observe: Observe{AccessLog: "/dev/stdout", Tracing: "127.0.0.1:4317", Sample: Whole, Tags: map[string]string{"a": "b"}},
	}
}

func TestASoundMeshHasNoMistake(t *testing.T) {
	m := sound()
	if got := m.Validate(); got != nil {
		t.Errorf("mistakes: %v", got)
	}
	if got := (&Mesh{}).Validate(); got != nil {
		t.Errorf("mistakes of nothing: %v", got)
	}
}

// bare gives the one route of the sound mesh with its action taken away.
func bare(m *Mesh) *Route {
	r := &m.Services[0].Routes[0]
	r.To = nil
	return r
}

func TestEachMistakeIsToldWithPlaceAndReason(t *testing.T) {
	long := strings.Repeat("x", 256)
	web := func(m *Mesh) *Service { return &m.Services[0] }
	route := func(m *Mesh) *Route { return &m.Services[0].Routes[0] }
	for name, c := range map[string]struct {
		change func(m *Mesh)
		at     string // position and field
		what   string
	}{
		"a service declared twice": {func(m *Mesh) { m.Services[1].Name = "web" }, "a.hcl:3:1 ", "declared twice"},
		"a name of 256 bytes":      {func(m *Mesh) { m.Services[1].Name = long }, "a.hcl:3:1 ", "longer than 255"},
		"a name with a line break": {func(m *Mesh) { m.Services[1].Name = "a\nb" }, "a.hcl:3:1 ", "control characters"},
		"a name that is not UTF-8": {func(m *Mesh) { m.Services[1].Datacenter = "\xff" }, "a.hcl:3:1 datacenter", "not UTF-8"},
		"an unknown protocol":      {func(m *Mesh) { m.Services[1].Protocol = "udp" }, "a.hcl:3:1 protocol", "no known protocol"},
		"a subset declared twice": {func(m *Mesh) {
			web(m).Subsets[1].Name = "v1"
			m.Services[0].Default = nil
			bare(m).Respond = &Respond{Status: 200}
		}, "a.hcl:1:1 subset[1]", "another subset"},
		"an undeclared default subset":      {func(m *Mesh) { web(m).DefaultSubset = "v3" }, "a.hcl:1:1 default_subset", `no subset "v3"`},
		"an undeclared subset in a split":   {func(m *Mesh) { web(m).Default[1].Target.Subset = "v3" }, "a.hcl:1:1 to[1].subset", `no subset "v3"`},
		"an undeclared subset of another":   {func(m *Mesh) { route(m).To[0] = own("db", "v3", Whole) }, "a.hcl:2:3 to[0].subset", `service "db" has no subset`},
		"an undeclared subset of a mirror":  {func(m *Mesh) { route(m).Mirror = &Mirror{Target: Target{Service: "web", Subset: "v3"}} }, "a.hcl:2:3 mirror.subset", `no subset "v3"`},
		"an undeclared subset to fail over": {func(m *Mesh) { web(m).Failover[0].Subset = "v3" }, "a.hcl:1:1 failover[0].subset", `no subset "v3"`},
		"an undeclared subset of a gateway": {func(m *Mesh) { m.Gateways[0].Listeners[0].Hosts[0].Target.Subset = "v3" }, "a.hcl:7:3 service[0].subset", `no subset "v3"`},
		"weights of 99.99":                  {func(m *Mesh) { web(m).Default[1].Weight = 0 }, "a.hcl:1:1 to", "add up to 99.99 %"},
		"weights that overflow":             {func(m *Mesh) { web(m).Default[0].Weight, web(m).Default[1].Weight = 1<<31, 1<<31+Whole }, "a.hcl:1:1 to", "not 100"},
		"a failover to itself":              {func(m *Mesh) { web(m).Failover[0].Datacenter = "" }, "a.hcl:1:1 failover[0]", "stand in for itself"},
		"a failover that is there twice":    {func(m *Mesh) { web(m).Failover = append(web(m).Failover, web(m).Failover[0]) }, "a.hcl:1:1 failover[1]", "twice"},
		"an unknown balancer":               {func(m *Mesh) { web(m).Balance.Policy = "best" }, "a.hcl:1:1 load_balancer.policy", "no known policy"},
		"choices of another balancer":       {func(m *Mesh) { web(m).Balance.Choices = 3 }, "a.hcl:1:1 load_balancer.choices", "least_request alone"},
		"a ring that is too small":          {func(m *Mesh) { web(m).Balance = Balance{Policy: RingHash, MinRing: 9, MaxRing: 3} }, "a.hcl:1:1 load_balancer.max_ring", "less than min_ring"},
		"a ring below the least":            {func(m *Mesh) { web(m).Balance = Balance{Policy: RingHash, MaxRing: 10} }, "a.hcl:1:1 load_balancer.max_ring", "1024 unless"},
		"a hash that is not asked for":      {func(m *Mesh) { web(m).Balance.Hash = []Hash{{SourceIP: true}} }, "a.hcl:1:1 load_balancer.hash", "nothing is chosen"},
		"a hash of two things":              {func(m *Mesh) { route(m).Hash = []Hash{{SourceIP: true, Query: "a"}} }, "a.hcl:2:3 hash[0]", "exactly one"},
		"a sticky cookie without a name":    {func(m *Mesh) { web(m).Sticky = &Cookie{} }, "a.hcl:1:1 sticky.cookie", "no name"},
		"a sticky cookie with a long name":  {func(m *Mesh) { web(m).Sticky = &Cookie{Name: strings.Repeat("x", 90)} }, "a.hcl:1:1 sticky.cookie", "an expression"},
		"a cookie's path with a semicolon":  {func(m *Mesh) { web(m).Sticky = &Cookie{Name: "a", Path: "/;x"} }, "a.hcl:1:1 sticky.path", "no path"},
		"a cookie of half a second":         {func(m *Mesh) { web(m).Sticky = &Cookie{Name: "a", TTL: time.Second / 2} }, "a.hcl:1:1 sticky.ttl", "whole seconds"},
		"an outlier of 101 percent":         {func(m *Mesh) { web(m).Outlier = &Outlier{MaxPercent: 101} }, "a.hcl:1:1 outlier_detection.max_percent", "no percentage"},
		"a breaker below nothing":           {func(m *Mesh) { web(m).Breaker = &Breaker{Pending: -1} }, "a.hcl:1:1 circuit_breaker.pending", "negative"},
		"routes of a tcp service":           {func(m *Mesh) { web(m).Protocol = TCP }, "a.hcl:1:1 route", "no requests to route"},
		"a sticky tcp service":              {func(m *Mesh) { m.Services[1].Sticky = &Cookie{Name: "a"} }, "a.hcl:3:1 sticky", "no cookies"},
		"headers of a tcp service": {func(m *Mesh) {
			m.Services[1].Default = []Leg{{Target: Target{Service: "db"}, Weight: Whole, Request: Headers{Remove: []string{"a"}}}}
		}, "a.hcl:3:1 to[0]", "no headers"},
		"a route named twice":               {func(m *Mesh) { web(m).Routes = append(web(m).Routes, web(m).Routes[0]) }, "a.hcl:2:3 ", "another route of that name"},
		"a route behind one that takes all": {func(m *Mesh) { web(m).Routes = append([]Route{{Name: "all", To: route(m).To}}, web(m).Routes...) }, "a.hcl:2:3 ", `route "all" before it takes all`},
		"two kinds of path":                 {func(m *Mesh) { route(m).Match.Path = "/b" }, "a.hcl:2:3 match.prefix", "set at once"},
		"a path without a slash":            {func(m *Mesh) { route(m).Match.Prefix = "beta" }, "a.hcl:2:3 match.prefix", "paths begin with /"},
		"a path with a query":               {func(m *Mesh) { route(m).Match.Prefix = "/a?b" }, "a.hcl:2:3 match.prefix", "before ? and #"},
		"a regex that does not parse":       {func(m *Mesh) { route(m).Match = Match{Regex: "/(a"} }, "a.hcl:2:3 match.regex", "missing closing )"},
		"a regex that looks back":           {func(m *Mesh) { route(m).Match = Match{Regex: "/(?<=a)b"} }, "a.hcl:2:3 match.regex", "Envoy refuses"},
		"a regex that matches no path":      {func(m *Mesh) { route(m).Match = Match{Regex: "beta/.*"} }, "a.hcl:2:3 match.regex", "matches no path"},
		"a regex of letters beyond ASCII":   {func(m *Mesh) { route(m).Match = Match{Regex: "/[à-ÿ]+"} }, "a.hcl:2:3 match.regex", "byte by byte"},
		"a regex of a Unicode class":        {func(m *Mesh) { route(m).Match = Match{Regex: `/\p{Greek}+`} }, "a.hcl:2:3 match.regex", "byte by byte"},
		"a regex with a large program":      {func(m *Mesh) { route(m).Match = Match{Regex: "/[a-z]{100}"} }, "a.hcl:2:3 match.regex", "105 steps, and 100 are allowed"},
		"a cookie whose regex is large":     {func(m *Mesh) { route(m).Match.Cookies = []Field{{Name: "a", Exact: strings.Repeat("x", 90)}} }, "a.hcl:2:3 match.cookie[0]", "an expression"},
		"a method in small letters":         {func(m *Mesh) { route(m).Match.Methods = []string{"get"} }, "a.hcl:2:3 match.methods", "no method"},
		"a header with a bad name":          {func(m *Mesh) { route(m).Match.Headers = []Field{{Name: "a b"}} }, "a.hcl:2:3 match.header[0]", "no name of a header"},
		"a header with two conditions":      {func(m *Mesh) { route(m).Match.Headers = []Field{{Name: "a", Exact: "1", Prefix: "1"}} }, "a.hcl:2:3 match.header[0]", "2 conditions"},
		"a header with two values":          {func(m *Mesh) { route(m).Match.Headers = []Field{{Name: "a", Exact: "1"}, {Name: "A", Exact: "2"}} }, "a.hcl:2:3 match.header[1]", "two values at once"},
		"a query's value turned round":      {func(m *Mesh) { route(m).Match.Queries = []Field{{Name: "a", Exact: "1", Absent: true}} }, "a.hcl:2:3 match.query[0]", "cannot turn"},
		"a cookie with a bad name":          {func(m *Mesh) { route(m).Match.Cookies = []Field{{Name: "a;b"}} }, "a.hcl:2:3 match.cookie[0]", "no name of a cookie"},
		"a value with a line break":         {func(m *Mesh) { route(m).Match.Headers = []Field{{Name: "a", Exact: "\r\n"}} }, "a.hcl:2:3 match.header[0].exact", "control characters"},
		"a route that does nothing":         {func(m *Mesh) { bare(m) }, "a.hcl:2:3 ", "does nothing"},
		"a redirect with targets":           {func(m *Mesh) { route(m).Redirect = &Redirect{Host: "a"} }, "a.hcl:2:3 to", "goes nowhere"},
		"a redirect and an answer":          {func(m *Mesh) { bare(m).Redirect, route(m).Respond = &Redirect{Host: "a"}, &Respond{Status: 200} }, "a.hcl:2:3 respond", "redirected and answered"},
		"a redirect to the same":            {func(m *Mesh) { bare(m).Redirect = &Redirect{Code: 302} }, "a.hcl:2:3 redirect", "same address"},
		"a redirect with another code":      {func(m *Mesh) { bare(m).Redirect = &Redirect{Host: "a", Code: 304} }, "a.hcl:2:3 redirect.code", "no code"},
		"a redirect to an odd scheme":       {func(m *Mesh) { bare(m).Redirect = &Redirect{Scheme: "ftp"} }, "a.hcl:2:3 redirect.scheme", "no scheme"},
		"a redirect to an odd host":         {func(m *Mesh) { bare(m).Redirect = &Redirect{Host: "a/b"} }, "a.hcl:2:3 redirect.host", "no name of a host"},
		"a redirect with path and prefix":   {func(m *Mesh) { bare(m).Redirect = &Redirect{Path: "/a", Prefix: "/b"} }, "a.hcl:2:3 redirect.prefix", "both set"},
		"a retry of an answer":              {func(m *Mesh) { bare(m).Respond, route(m).Retry = &Respond{Status: 200}, &Retry{Attempts: 1} }, "a.hcl:2:3 retry", "goes nowhere"},
		"an answer with status 600":         {func(m *Mesh) { bare(m).Respond = &Respond{Status: 600} }, "a.hcl:2:3 respond.status", "no status"},
		"an answer of 4097 bytes":           {func(m *Mesh) { bare(m).Respond = &Respond{Status: 200, Body: strings.Repeat("x", 4097)} }, "a.hcl:2:3 respond.body", "longer than 4096"},
		"a retry of no attempt":             {func(m *Mesh) { route(m).Retry = &Retry{} }, "a.hcl:2:3 retry.attempts", "no number of attempts"},
		"a retry for an unknown reason":     {func(m *Mesh) { route(m).Retry = &Retry{Attempts: 1, On: []string{"luck"}} }, "a.hcl:2:3 retry.on", "no reason"},
		"a retry of a good answer":          {func(m *Mesh) { route(m).Retry = &Retry{Attempts: 1, Codes: []int{200}} }, "a.hcl:2:3 retry.codes", "failed request"},
		"an attempt longer than all": {func(m *Mesh) {
			route(m).Timeout, route(m).Retry = time.Second, &Retry{Attempts: 1, PerTry: time.Minute}
		}, "a.hcl:2:3 retry.per_try_timeout", "longer than all"},
		"a fault that disturbs nothing":      {func(m *Mesh) { route(m).Fault = &Fault{} }, "a.hcl:2:3 fault", "disturbs nothing"},
		"a fault with status 199":            {func(m *Mesh) { route(m).Fault = &Fault{Status: 199} }, "a.hcl:2:3 fault.status", "no status"},
		"a rewrite that changes nothing":     {func(m *Mesh) { route(m).Rewrite = &Rewrite{} }, "a.hcl:2:3 rewrite", "changes nothing"},
		"a prefix put in place of a regex":   {func(m *Mesh) { route(m).Match, route(m).Rewrite = Match{Regex: "/a.*"}, &Rewrite{Prefix: "/b"} }, "a.hcl:2:3 rewrite.prefix", "no prefix to change"},
		"two rewrites":                       {func(m *Mesh) { route(m).Rewrite = &Rewrite{Prefix: "/b", Regex: "a"} }, "a.hcl:2:3 rewrite.regex", "both set"},
		"a group that is not there":          {func(m *Mesh) { route(m).Rewrite = &Rewrite{Regex: "(a)", Substitution: `\2`} }, "a.hcl:2:3 rewrite.substitution", "has 1 groups"},
		"a backslash alone":                  {func(m *Mesh) { route(m).Rewrite = &Rewrite{Regex: "a", Substitution: `\x`} }, "a.hcl:2:3 rewrite.substitution", "a digit or another"},
		"a limit of nothing":                 {func(m *Mesh) { route(m).Limit = &Limit{} }, "a.hcl:2:3 rate_limit.requests", "nothing is let through"},
		"a limit per millisecond":            {func(m *Mesh) { route(m).Limit = &Limit{Requests: 1, Per: time.Millisecond} }, "a.hcl:2:3 rate_limit.per", "50ms"},
		"a header that cannot be set":        {func(m *Mesh) { route(m).Request.Set = map[string]string{":path": "/"} }, "a.hcl:2:3 request_headers.set", "no name of a header"},
		"the header host":                    {func(m *Mesh) { route(m).Request.Add = map[string]string{"Host": "a"} }, "a.hcl:2:3 request_headers.add", "does not change host"},
		"a header's value with a line break": {func(m *Mesh) { route(m).Response.Set = map[string]string{"a": "b\r\nc: d"} }, "a.hcl:2:3 response_headers.set", "control characters"},
		"a split that leads round": {func(m *Mesh) {
			web(m).Default = []Leg{own("db", "", Whole)}
			m.Services[1].Default = []Leg{own("db", "", 1), own("web", "v1", 9998), own("web", "", 1)}
		}, "a.hcl:1:1 to", "web → db → web"},
		"a sidecar declared twice":          {func(m *Mesh) { m.Sidecars = append(m.Sidecars, m.Sidecars[0]) }, "a.hcl:4:1 ", "declared twice"},
		"a sidecar without a program":       {func(m *Mesh) { m.Sidecars[0].Inbound.LocalPort = 0 }, "a.hcl:4:1 ", "port is not said"},
		"a sidecar that listens nowhere":    {func(m *Mesh) { m.Sidecars[0].Inbound.Port = 0 }, "a.hcl:4:1 listen.port", "needs a port"},
		"a sidecar on its program's port":   {func(m *Mesh) { m.Sidecars[0].Inbound.Port = 8080 }, "a.hcl:4:1 listen.port", "the program itself"},
		"a sidecar that does nothing":       {func(m *Mesh) { m.Sidecars[0].Inbound, m.Sidecars[0].Upstreams = nil, nil }, "a.hcl:4:1 ", "nothing to do"},
		"an upstream without a port":        {func(m *Mesh) { m.Sidecars[0].Upstreams[0].Port = 0 }, "a.hcl:5:3 port", "needs a port"},
		"an upstream on the sidecar's port": {func(m *Mesh) { m.Sidecars[0].Upstreams[0].Port = 21000 }, "a.hcl:5:3 port", "that of listen"},
		"an upstream at a mapped address":   {func(m *Mesh) { m.Sidecars[0].Upstreams[0].Address = "::ffff:127.0.0.1" }, "a.hcl:5:3 address", "no IP address"},
		"an upstream at a name":             {func(m *Mesh) { m.Sidecars[0].Upstreams[0].Address = "localhost" }, "a.hcl:5:3 address", "no IP address"},
		"a gateway without a listener":      {func(m *Mesh) { m.Gateways[0].Listeners = nil }, "a.hcl:6:1 ", "no listener"},
		"a listener without a service":      {func(m *Mesh) { m.Gateways[0].Listeners[0].Hosts = nil }, "a.hcl:7:3 ", "no service"},
		"two listeners on one port":         {func(m *Mesh) { m.Gateways[0].Listeners = append(m.Gateways[0].Listeners, m.Gateways[0].Listeners[0]) }, "a.hcl:7:3 port", "that of listener 1"},
		"a host that is no name":            {func(m *Mesh) { m.Gateways[0].Listeners[0].Hosts[0].Names[0] = "*" }, "a.hcl:7:3 service[0].hosts", "no name of a host"},
		"a host of two services": {func(m *Mesh) {
			l := &m.Gateways[0].Listeners[0]
			l.Hosts = append(l.Hosts, Host{Target: Target{Service: "db"}, Names: []string{"WEB.example.com"}})
		}, "a.hcl:7:3 service[1].hosts", "twice"},
		"two services for all hosts": {func(m *Mesh) {
			l := &m.Gateways[0].Listeners[0]
			l.Hosts = []Host{{Target: Target{Service: "db"}}, {Target: Target{Service: "web"}}}
		}, "a.hcl:7:3 service[1]", "for all hosts"},
		"a log without a path":       {func(m *Mesh) { m.Observe.AccessLog = "stdout" }, " access_log", "no absolute path"},
		"a collector without a port": {func(m *Mesh) { m.Observe.Tracing = "collector" }, " tracing.address", "no address"},
		"a tag with an odd name":     {func(m *Mesh) { m.Observe.Tags = map[string]string{"a b": ""} }, " tags", "no name of a tag"},
	} {
		t.Run(name, func(t *testing.T) {
			m := sound()
			c.change(&m)
			var told []string
			for _, got := range m.Validate() {
				if got.Name == "" || got.What == "" || got.Do == "" {
					t.Errorf("incomplete: %+v", got)
				}
				if got.Position+" "+got.Field == c.at && strings.Contains(got.What, c.what) {
					return
				}
				told = append(told, fmt.Sprintf("%s %s: %s", got.Position, got.Field, got.What))
			}
			t.Errorf("want at %q: %q, told %q", c.at, c.what, told)
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	m := sound()
	m.Services[0].DefaultSubset, m.Services[0].Panic, m.Sidecars[0].Upstreams[0].Port, m.Gateways[0].Name = "v3", 101, 0, ""
	var got []string
	for _, x := range m.Validate() {
		got = append(got, x.Error())
	}
	want := []string{
		`a.hcl:1:1: routes "web": default_subset: service "web" has no subset "v3": declare subset "v3" { … }, or use one of v1, v2`,
		`a.hcl:1:1: routes "web": panic_threshold: it is no percentage: write 0 to 100`,
		`a.hcl:5:3: sidecar "web", upstream "db": port: it needs a port to listen on: write port = …, or "<service>:<port>" in a list`,
		`a.hcl:6:1: gateway "": the name of the gateway is empty: write its name`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestASplitOfManySplitsIsRefusedInTime(t *testing.T) {
	var m Mesh
	const deep = 40
	for n := range deep { // 2^40 shares when multiplied out
		next := fmt.Sprint(n + 1)
		m.Services = append(m.Services, Service{Name: fmt.Sprint(n), Protocol: HTTP, Subsets: []Subset{{Name: "v"}},
			Default: []Leg{{Target: Target{Service: next}, Weight: 5000, Request: Headers{Remove: []string{"a"}}}, own(next, "", 5000)}})
	}
	got := m.Validate()
	if len(got) == 0 || !strings.Contains(got[0].What, "more than 256 shares") {
		t.Errorf("told %v", got)
	}
}

func TestProgramsAreCountedAsEnvoyCounts(t *testing.T) {
	// Sizes that Envoy 1.40.0 told with re2.max_program_size.error_level 0.
	for expr, envoy := range map[string]int{
		"/[^/]+/[^/]+/[^/]+": 16, ".{10}": 24, `\w+@\w+\.\w{2,5}`: 32, "a{0,50}": 104, "(?i)[a-z]{20}": 24, "[A-Za-f0-9]+": 8, "(?s).+": 7,
		"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": 72, `\bfoo\b`: 9, "((a+)+)+": 12, "(GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS)": 37,
		"/v1/(projects|topics|subscriptions)/[a-zA-Z0-9_-]{1,40}": 237, `(?:.*;\s*)?cohort=(?:b[^;]*)(?:\s*;.*)?`: 32,
	} {
		if got := programSize(expr); got < envoy || got > envoy+envoy/4 {
			t.Errorf("%s: %d steps, Envoy counts %d", expr, got, envoy)
		}
	}
}
