package xds

import (
	"fmt"
	"slices"

	"patchbay/xds/mesh"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	netrbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	rbacFilter  = "envoy.filters.network.rbac"
	rbacHTTP    = "envoy.filters.http.rbac"
	rbacStats   = "connect_authz"
	layer4      = "intentions-layer4"
	layer7      = "intentions-layer7-%d"
	methodField = ":method"
)

// rules make intentions the rules of Envoy's filter. It lists what differs from the
// default: under a default of deny what is allowed, and without any that is nothing;
// else what is denied. As Envoy's rules have no order, each leaves out what one of
// higher precedence speaks of. l7 tells that requests can be looked at; where they
// cannot, an intention that depends on them denies.
func rules(trust mesh.Trust, i mesh.Intentions, l7 bool) *rbac.RBAC {
	out := &rbac.RBAC{Action: rbac.RBAC_DENY, Policies: map[string]*rbac.Policy{}}
	if i.Deny {
		out.Action = rbac.RBAC_ALLOW
	}
	list := i.Effective()
	var plain []*rbac.Principal
	for n, one := range list {
		who := callers(trust, one.Source, list[:n])
		switch {
		case len(one.Permissions) > 0 && l7:
			if what := requests(one.Permissions, i.Deny); len(what) > 0 {
				out.Policies[fmt.Sprintf(layer7, n)] = &rbac.Policy{Principals: []*rbac.Principal{who}, Permissions: what}
			}
		case allows(one) == i.Deny:
			plain = append(plain, who)
		}
	}
	if len(plain) > 0 {
		out.Policies[layer4] = &rbac.Policy{Principals: plain, Permissions: []*rbac.Permission{anyRequest()}}
	}
	return out
}

// allows tells what an intention says where requests cannot be looked at.
func allows(i mesh.Intention) bool { return i.Allow && len(i.Permissions) == 0 }

// callers are those of a source but for those that the higher intentions speak of.
func callers(trust mesh.Trust, s mesh.Source, higher []mesh.Intention) *rbac.Principal {
	out := caller(trust, s).GetAndIds().GetIds()
	for _, h := range higher {
		if s.Meets(h.Source) {
			out = append(out, &rbac.Principal{Identifier: &rbac.Principal_NotId{NotId: caller(trust, h.Source)}})
		}
	}
	return &rbac.Principal{Identifier: &rbac.Principal_AndIds{AndIds: &rbac.Principal_Set{Ids: out}}}
}

// caller makes the condition that a certificate is of a source. A certificate of the
// trust domain has one identity, so beginning and end are of the same.
func caller(trust mesh.Trust, s mesh.Source) *rbac.Principal {
	begin, end := trust.Bounds(s)
	rest := mesh.Field{Suffix: end}
	if end == "" {
		rest = mesh.Field{Contains: "/svc/"}
	}
	return &rbac.Principal{Identifier: &rbac.Principal_AndIds{AndIds: &rbac.Principal_Set{Ids: []*rbac.Principal{
		identified(mesh.Field{Prefix: begin}), identified(rest)}}}}
}

func identified(f mesh.Field) *rbac.Principal {
	name, _ := text(f)
	return &rbac.Principal{Identifier: &rbac.Principal_Authenticated_{Authenticated: &rbac.Principal_Authenticated{PrincipalName: name}}}
}

// requests are those on which permissions say something other than the default, each
// without what an earlier one takes.
func requests(list []mesh.Permission, deny bool) (out []*rbac.Permission) {
	var earlier []*rbac.Permission
	for _, p := range list {
		what := matching(p.Match)
		// Tokens are not looked at here, so whoever needs one is not let in.
		if allow := p.Allow && !p.Token; allow == deny {
			out = append(out, all(slices.Concat([]*rbac.Permission{what}, earlier)))
		}
		earlier = append(earlier, &rbac.Permission{Rule: &rbac.Permission_NotRule{NotRule: what}})
	}
	return out
}

// matching makes the condition on requests. A path is looked at without its query.
func matching(m mesh.Match) *rbac.Permission {
	var out []*rbac.Permission
	if path, ok := text(mesh.Field{Exact: m.Path, Prefix: m.Prefix, Regex: m.Regex, IgnoreCase: m.IgnoreCase}); ok {
		out = append(out, &rbac.Permission{Rule: &rbac.Permission_UrlPath{UrlPath: &matcher.PathMatcher{Rule: &matcher.PathMatcher_Path{Path: path}}}})
	}
	header := func(f mesh.Field) *rbac.Permission {
		return &rbac.Permission{Rule: &rbac.Permission_Header{Header: headerMatch(f)}}
	}
	for _, f := range m.Headers {
		out = append(out, header(f))
	}
	if len(m.Methods) > 0 {
		var methods []*rbac.Permission
		for _, name := range slices.Sorted(slices.Values(m.Methods)) {
			methods = append(methods, header(mesh.Field{Name: methodField, Exact: name}))
		}
		out = append(out, &rbac.Permission{Rule: &rbac.Permission_OrRules{OrRules: &rbac.Permission_Set{Rules: methods}}})
	}
	return all(out)
}

// all makes a condition of several.
func all(list []*rbac.Permission) *rbac.Permission {
	switch len(list) {
	case 0:
		return anyRequest()
	case 1:
		return list[0]
	}
	return &rbac.Permission{Rule: &rbac.Permission_AndRules{AndRules: &rbac.Permission_Set{Rules: list}}}
}

func anyRequest() *rbac.Permission {
	return &rbac.Permission{Rule: &rbac.Permission_Any{Any: true}}
}

// guardTCP makes the filter that lets a connection through or closes it.
func guardTCP(trust mesh.Trust, i mesh.Intentions) (*listener.Filter, error) {
	return networkFilter(rbacFilter, &netrbac.RBAC{StatPrefix: rbacStats, Rules: rules(trust, i, false)})
}

// guardHTTP puts the filter first that lets a request through or answers it with 403.
// Its rules come with the routes, by [guarded]: in the listener they would hold for
// new connections only, and a change would drain all others. Without any rules it
// lets nothing through.
func guardHTTP(manager *hcm.HttpConnectionManager) error {
	packed, err := pack(&httprbac.RBAC{Rules: &rbac.RBAC{Action: rbac.RBAC_ALLOW}, RulesStatPrefix: rbacStats + "_"})
	if err != nil {
		return err
	}
	filter := &hcm.HttpFilter{Name: rbacHTTP, ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: packed}}
	manager.HttpFilters = append([]*hcm.HttpFilter{filter}, manager.HttpFilters...)
	return nil
}

// guarded gives a host of routes the rules of who may call.
func guarded(host *route.VirtualHost, trust mesh.Trust, i mesh.Intentions) error {
	packed, err := pack(&httprbac.RBACPerRoute{Rbac: &httprbac.RBAC{Rules: rules(trust, i, true), RulesStatPrefix: rbacStats + "_"}})
	host.TypedPerFilterConfig = map[string]*anypb.Any{rbacHTTP: packed}
	return err
}
