package xds

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"patchbay/xds/mesh"

	rbac "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"pgregory.net/rapid"
)

var td = mesh.Trust{Domain: "td.consul", Datacenter: "dc1"}

// call is one request as rules see it.
type call struct {
	from, method, path string
	headers            map[string]string
}

// lets evaluates Envoy's rules.
func lets(rules *rbac.RBAC, c call) bool {
	id := td.ID(mesh.Target{Service: c.from})
	for _, p := range rules.GetPolicies() {
		who := slices.ContainsFunc(p.GetPrincipals(), func(x *rbac.Principal) bool { return isCaller(x, id) })
		if who && slices.ContainsFunc(p.GetPermissions(), func(x *rbac.Permission) bool { return isRequest(x, c) }) {
			return rules.GetAction() == rbac.RBAC_ALLOW
		}
	}
	return rules.GetAction() == rbac.RBAC_DENY
}

func isCaller(p *rbac.Principal, id string) bool {
	switch x := p.GetIdentifier().(type) {
	case *rbac.Principal_AndIds:
		return !slices.ContainsFunc(x.AndIds.GetIds(), func(y *rbac.Principal) bool { return !isCaller(y, id) })
	case *rbac.Principal_NotId:
		return !isCaller(x.NotId, id)
	case *rbac.Principal_Authenticated_:
		return isText(x.Authenticated.GetPrincipalName(), id)
	}
	panic("a principal that is not made here")
}

func isRequest(p *rbac.Permission, c call) bool {
	switch x := p.GetRule().(type) {
	case *rbac.Permission_Any:
		return x.Any
	case *rbac.Permission_AndRules:
		return !slices.ContainsFunc(x.AndRules.GetRules(), func(y *rbac.Permission) bool { return !isRequest(y, c) })
	case *rbac.Permission_OrRules:
		return slices.ContainsFunc(x.OrRules.GetRules(), func(y *rbac.Permission) bool { return isRequest(y, c) })
	case *rbac.Permission_NotRule:
		return !isRequest(x.NotRule, c)
	case *rbac.Permission_UrlPath:
		path, _, _ := strings.Cut(c.path, "?")
		return isText(x.UrlPath.GetPath(), path)
	case *rbac.Permission_Header:
		return isHeader(x.Header, c)
	}
	panic("a permission that is not made here")
}

func isHeader(h *route.HeaderMatcher, c call) bool {
	value, there := c.headers[h.GetName()]
	if h.GetName() == ":method" {
		value, there = c.method, true
	}
	ok := there
	if m := h.GetStringMatch(); m != nil {
		if !there {
			return false // in Envoy the inverted match of a value needs the header too
		}
		ok = isText(m, value)
	}
	return ok != h.GetInvertMatch()
}

func isText(m *matcher.StringMatcher, s string) bool {
	fold := func(t string) string {
		if m.GetIgnoreCase() {
			return strings.ToLower(t)
		}
		return t
	}
	switch x := m.GetMatchPattern().(type) {
	case *matcher.StringMatcher_Exact:
		return fold(s) == fold(x.Exact)
	case *matcher.StringMatcher_Prefix:
		return strings.HasPrefix(fold(s), fold(x.Prefix))
	case *matcher.StringMatcher_Suffix:
		return strings.HasSuffix(fold(s), fold(x.Suffix))
	case *matcher.StringMatcher_Contains:
		return strings.Contains(fold(s), fold(x.Contains))
	case *matcher.StringMatcher_SafeRegex:
		return regexp.MustCompile(`\A(?:` + x.SafeRegex.GetRegex() + `)\z`).MatchString(s)
	}
	panic("a text that is not made here")
}

// rules of Consul, straight: the highest precedence that speaks of the caller has the
// word, and in it the first permission that matches.
func consulSays(i mesh.Intentions, l7 bool, c call) bool {
	list := slices.Clone(i.List)
	slices.SortStableFunc(list, func(a, b mesh.Intention) int { return b.Precedence - a.Precedence })
	for _, one := range list {
		if one.Source.Name != c.from && one.Source.Name != "*" {
			continue
		}
		if len(one.Permissions) == 0 {
			return one.Allow
		}
		if !l7 {
			return false
		}
		for _, p := range one.Permissions {
			if holds(p.Match, c) {
				return p.Allow && !p.Token
			}
		}
		return !i.Deny
	}
	return !i.Deny
}

func holds(m mesh.Match, c call) bool {
	path, _, _ := strings.Cut(c.path, "?")
	switch {
	case m.Path != "" && m.Path != path, m.Prefix != "" && !strings.HasPrefix(path, m.Prefix):
		return false
	case m.Regex != "" && regexp.MustCompile("^(?:"+m.Regex+")$").FindString(path) != path:
		return false
	case len(m.Methods) > 0 && !slices.Contains(m.Methods, c.method):
		return false
	}
	return !slices.ContainsFunc(m.Headers, func(f mesh.Field) bool { return !headerHolds(f, c) })
}

func headerHolds(f mesh.Field, c call) bool {
	value, there := c.headers[f.Name]
	want := f.Exact + f.Prefix
	if f.IgnoreCase {
		value, want = strings.ToLower(value), strings.ToLower(want)
	}
	switch {
	case f.Exact != "":
		return there && (value == want) != f.Absent
	case f.Prefix != "":
		return there && strings.HasPrefix(value, want) != f.Absent
	}
	return there != f.Absent
}

var (
	anyMethod = rapid.SampledFrom([]string{http.MethodGet, http.MethodPut, http.MethodPost})
	anyPath   = rapid.SampledFrom([]string{"/", "/admin", "/admin/x", "/api?admin", "/api/v1", "/API/v1"})
	anyValue  = rapid.SampledFrom([]string{"1", "10", "yes", "YES"})
	anyHeader = rapid.SampledFrom([]string{"x-a", "x-b"})
)

func anyPermission(t *rapid.T) mesh.Permission {
	p := mesh.Permission{Allow: rapid.Bool().Draw(t, "allow"), Token: rapid.IntRange(0, 9).Draw(t, "token") == 0}
	switch rapid.IntRange(0, 3).Draw(t, "kind of path") {
	case 1:
		p.Match.Path = rapid.SampledFrom([]string{"/admin", "/api/v1"}).Draw(t, "exact")
	case 2:
		p.Match.Prefix = rapid.SampledFrom([]string{"/", "/admin", "/api"}).Draw(t, "prefix")
	case 3:
		p.Match.Regex = rapid.SampledFrom([]string{"/admin/.*", "/[a-z]+/v1"}).Draw(t, "regex")
	}
	p.Match.Methods = rapid.SliceOfNDistinct(anyMethod, 0, 2, rapid.ID).Draw(t, "methods")
	for range rapid.IntRange(0, 2).Draw(t, "headers") {
		f := mesh.Field{Name: anyHeader.Draw(t, "header"), Absent: rapid.Bool().Draw(t, "inverted"), IgnoreCase: rapid.Bool().Draw(t, "ignore case")}
		switch rapid.IntRange(0, 2).Draw(t, "kind of header") {
		case 1:
			f.Exact = anyValue.Draw(t, "value")
		case 2:
			f.Prefix = anyValue.Draw(t, "value")
		}
		p.Match.Headers = append(p.Match.Headers, f)
	}
	return p
}

// names hold what would be a pattern if it were not quoted.
var anyCaller = rapid.SampledFrom([]string{"shop", "op", "a.b", "aXb"})

func anyIntentions(t *rapid.T) mesh.Intentions {
	out := mesh.Intentions{Deny: rapid.Bool().Draw(t, "default deny")}
	for range rapid.IntRange(0, 6).Draw(t, "intentions") {
		i := mesh.Intention{Allow: rapid.Bool().Draw(t, "allow"), Source: mesh.Source{Name: anyCaller.Draw(t, "source"), Namespace: "default"}}
		i.Precedence = rapid.SampledFrom([]int{9, 6}).Draw(t, "precedence")
		if rapid.Bool().Draw(t, "all sources") {
			i.Source.Name = "*"
			i.Precedence--
		}
		for range rapid.IntRange(0, 3).Draw(t, "permissions") {
			i.Permissions = append(i.Permissions, anyPermission(t))
		}
		out.List = append(out.List, i)
	}
	return out
}

func TestEnvoysRulesSayWhatConsulsPrecedenceSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, l7 := anyIntentions(t), rapid.Bool().Draw(t, "l7")
		made := rules(td, i, l7)
		for range 8 {
			c := call{from: anyCaller.Draw(t, "caller"), method: anyMethod.Draw(t, "method"), path: anyPath.Draw(t, "path"),
				headers: rapid.MapOfN(anyHeader, anyValue, 0, 2).Draw(t, "headers")}
			if got, want := lets(made, c), consulSays(i, l7, c); got != want {
				t.Fatalf("Envoy lets %+v through: %t, Consul: %t\n%+v\n%v", c, got, want, i, made)
			}
		}
	})
}

func from(name string, precedence int, allow bool, permissions ...mesh.Permission) mesh.Intention {
	return mesh.Intention{Source: mesh.Source{Name: name}, Precedence: precedence, Allow: allow, Permissions: permissions}
}

func TestIntentionsBecomeRules(t *testing.T) {
	get := mesh.Permission{Allow: true, Match: mesh.Match{Methods: []string{"GET"}}}
	notAdmin := mesh.Permission{Match: mesh.Match{Prefix: "/admin"}}
	token := mesh.Permission{Allow: true, Token: true, Match: mesh.Match{Prefix: "/"}}
	shop := call{from: "shop", method: "GET", path: "/"}
	for name, c := range map[string]struct {
		intentions mesh.Intentions
		tcp        bool
		call       call
		want       bool
		policies   int
	}{
		"default deny and no intention":                    {mesh.Intentions{Deny: true}, false, shop, false, 0},
		"default allow and no intention":                   {mesh.Intentions{}, false, shop, true, 0},
		"an allow under default allow needs no rule":       {mesh.Intentions{List: []mesh.Intention{from("shop", 9, true)}}, false, shop, true, 0},
		"a deny under default allow":                       {mesh.Intentions{List: []mesh.Intention{from("shop", 9, false)}}, false, shop, false, 1},
		"all but one":                                      {mesh.Intentions{Deny: true, List: []mesh.Intention{from("shop", 9, false), from("*", 8, true)}}, false, shop, false, 1},
		"all but another":                                  {mesh.Intentions{Deny: true, List: []mesh.Intention{from("cart", 9, false), from("*", 8, true)}}, false, shop, true, 1},
		"the lower precedence of the same source":          {mesh.Intentions{Deny: true, List: []mesh.Intention{from("shop", 6, true), from("shop", 9, false)}}, false, shop, false, 0},
		"a higher word on all hides a lower one on shop":   {mesh.Intentions{Deny: true, List: []mesh.Intention{from("*", 8, false), from("shop", 6, true)}}, false, shop, false, 0},
		"a method that is allowed":                         {mesh.Intentions{Deny: true, List: []mesh.Intention{from("shop", 9, false, get)}}, false, shop, true, 1},
		"a method that is not":                             {mesh.Intentions{Deny: true, List: []mesh.Intention{from("shop", 9, false, get)}}, false, call{from: "shop", method: "PUT", path: "/"}, false, 1},
		"the first permission that matches":                {mesh.Intentions{Deny: true, List: []mesh.Intention{from("shop", 9, false, notAdmin, get)}}, false, call{from: "shop", method: "GET", path: "/admin"}, false, 1},
		"no permission matches and the broader one stands": {mesh.Intentions{Deny: true, List: []mesh.Intention{from("shop", 9, false, notAdmin), from("*", 8, true)}}, false, shop, false, 1},
		"permissions on a tcp service deny":                {mesh.Intentions{List: []mesh.Intention{from("shop", 9, false, get)}}, true, shop, false, 1},
		"a token is wanted":                                {mesh.Intentions{List: []mesh.Intention{from("shop", 9, false, token)}}, false, shop, false, 1},
		"a dot in a name is a dot":                         {mesh.Intentions{Deny: true, List: []mesh.Intention{from("s.op", 9, true)}}, false, shop, false, 1},
		"callers of a peer are not those here":             {mesh.Intentions{Deny: true, List: []mesh.Intention{{Source: mesh.Source{Name: "shop", Peer: "east"}, Precedence: 9, Allow: true}}}, false, shop, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			made := rules(td, c.intentions, !c.tcp)
			if got := lets(made, c.call); got != c.want {
				t.Errorf("the call goes through: %t, want %t\n%v", got, c.want, made)
			}
			if strings.Contains(made.String(), "safe_regex") {
				t.Errorf("an expression, which Envoy refuses for long names: %v", made)
			}
			if len(made.GetPolicies()) != c.policies {
				t.Errorf("%d policies, want %d: %v", len(made.GetPolicies()), c.policies, made)
			}
		})
	}
}
