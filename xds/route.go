package xds

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	fault "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/fault/v3"
	httpfault "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	locallimit "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	requestTimeout = 15 * time.Second
	faultFilter    = "envoy.filters.http.fault"
	limitFilter    = "envoy.filters.http.local_ratelimit"
)

// virtualHost makes the routes of one service for requests to the names.
func virtualHost(name string, names []string, m *mesh.Mesh, t mesh.Target) (*route.VirtualHost, error) {
	s := m.Service(t)
	out := &route.VirtualHost{Name: name, Domains: names}
	if t.Subset == "" {
		for n, r := range s.Routes {
			r.To = m.Resolve(r.To)
			made, err := newRoutes(fmt.Sprintf("%s/%s", s.Name, cmp.Or(r.Name, fmt.Sprint(n+1))), r, s)
			if err != nil {
				return nil, err
			}
			out.Routes = append(out.Routes, made...)
		}
	}
	rest := mesh.Route{Match: mesh.Match{Prefix: "/"}, To: m.Legs(t)}
	made, err := newRoutes(s.Name, rest, s)
	if err != nil {
		return nil, err
	}
	out.Routes = append(out.Routes, made...)
	return out, nil
}

// newRoutes makes those of one declared route.
func newRoutes(name string, r mesh.Route, s mesh.Service) ([]*route.Route, error) {
	made, err := newRoute(name, r, s)
	if err != nil {
		return nil, err
	}
	if s.Sticky != nil && len(r.To) > 1 {
		return stick(made, *s.Sticky), nil
	}
	return []*route.Route{made}, nil
}

func newRoute(name string, r mesh.Route, s mesh.Service) (*route.Route, error) {
	out := &route.Route{Name: name, Match: newMatch(r.Match)}
	change(r.Request, &out.RequestHeadersToAdd, &out.RequestHeadersToRemove)
	change(r.Response, &out.ResponseHeadersToAdd, &out.ResponseHeadersToRemove)
	var err error
	if out.TypedPerFilterConfig, err = perFilter(r); err != nil {
		return nil, err
	}
	switch {
	case r.Redirect != nil:
		out.Action = &route.Route_Redirect{Redirect: redirect(*r.Redirect)}
	case r.Respond != nil:
		out.Action = &route.Route_DirectResponse{DirectResponse: &route.DirectResponseAction{Status: uint32(r.Respond.Status),
			Body: &core.DataSource{Specifier: &core.DataSource_InlineString{InlineString: r.Respond.Body}}}}
	default:
		out.Action = &route.Route_Route{Route: forward(r, s)}
	}
	return out, nil
}

// forward says where a request goes and how.
func forward(r mesh.Route, s mesh.Service) *route.RouteAction {
	out := &route.RouteAction{Timeout: durationpb.New(max(0, cmp.Or(r.Timeout, requestTimeout)))}
	if r.Idle > 0 {
		out.IdleTimeout = durationpb.New(r.Idle)
	}
	hash := r.Hash
	if len(hash) == 0 {
		hash = s.Balance.Hash
	}
	for _, h := range hash {
		out.HashPolicy = append(out.HashPolicy, hashPolicy(h))
	}
	split(out, r.To, s.Sticky != nil)
	rewrite(out, r)
	if r.Retry != nil {
		out.RetryPolicy = retry(*r.Retry)
	}
	if r.Mirror != nil {
		out.RequestMirrorPolicies = []*route.RouteAction_RequestMirrorPolicy{{Cluster: r.Mirror.Target.String(),
			RuntimeFraction: &core.RuntimeFractionalPercent{DefaultValue: share(r.Mirror.Share)}}}
	}
	return out
}

// split sends requests to one cluster or by weight to several.
func split(out *route.RouteAction, legs []mesh.Leg, sticky bool) {
	if len(legs) == 1 && legs[0].Request.Empty() && legs[0].Response.Empty() {
		out.ClusterSpecifier = &route.RouteAction_Cluster{Cluster: legs[0].Target.String()}
		return
	}
	weighted := &route.WeightedCluster{}
	if sticky {
		// The hash decides instead of chance: see stick.
		weighted.RandomValueSpecifier = &route.WeightedCluster_UseHashPolicy{UseHashPolicy: wrapperspb.Bool(true)}
	}
	for _, leg := range legs {
		w := &route.WeightedCluster_ClusterWeight{Name: leg.Target.String(), Weight: wrapperspb.UInt32(leg.Weight)}
		change(leg.Request, &w.RequestHeadersToAdd, &w.RequestHeadersToRemove)
		change(leg.Response, &w.ResponseHeadersToAdd, &w.ResponseHeadersToRemove)
		weighted.Clusters = append(weighted.Clusters, w)
	}
	out.ClusterSpecifier = &route.RouteAction_WeightedClusters{WeightedClusters: weighted}
}

func rewrite(out *route.RouteAction, r mesh.Route) {
	if r.Rewrite == nil {
		return
	}
	w := *r.Rewrite
	out.PrefixRewrite = w.Prefix
	if w.Regex != "" {
		out.RegexRewrite = &matcher.RegexMatchAndSubstitute{Pattern: regex(w.Regex), Substitution: w.Substitution}
	}
	if w.Host != "" {
		out.HostRewriteSpecifier = &route.RouteAction_HostRewriteLiteral{HostRewriteLiteral: w.Host}
	}
}

func redirect(r mesh.Redirect) *route.RedirectAction {
	codes := map[int]route.RedirectAction_RedirectResponseCode{302: route.RedirectAction_FOUND, 303: route.RedirectAction_SEE_OTHER,
		307: route.RedirectAction_TEMPORARY_REDIRECT, 308: route.RedirectAction_PERMANENT_REDIRECT}
	out := &route.RedirectAction{HostRedirect: r.Host, PortRedirect: uint32(r.Port), ResponseCode: codes[r.Code]}
	if r.Scheme != "" {
		out.SchemeRewriteSpecifier = &route.RedirectAction_SchemeRedirect{SchemeRedirect: r.Scheme}
	}
	switch {
	case r.Path != "":
		out.PathRewriteSpecifier = &route.RedirectAction_PathRedirect{PathRedirect: r.Path}
	case r.Prefix != "":
		out.PathRewriteSpecifier = &route.RedirectAction_PrefixRewrite{PrefixRewrite: r.Prefix}
	}
	return out
}

func retry(r mesh.Retry) *route.RetryPolicy {
	on := slices.Clone(r.On)
	if len(on) == 0 {
		on = []string{"connect-failure", "refused-stream", "unavailable"}
	}
	out := &route.RetryPolicy{NumRetries: wrapperspb.UInt32(uint32(r.Attempts))}
	for _, code := range r.Codes {
		out.RetriableStatusCodes = append(out.RetriableStatusCodes, uint32(code))
	}
	if len(r.Codes) > 0 && !slices.Contains(on, "retriable-status-codes") {
		on = append(on, "retriable-status-codes")
	}
	out.RetryOn = strings.Join(on, ",")
	if r.PerTry > 0 {
		out.PerTryTimeout = durationpb.New(r.PerTry)
	}
	// A host that just failed is not asked again while there is another.
	out.RetryHostPredicate = []*route.RetryPolicy_RetryHostPredicate{{Name: "envoy.retry_host_predicates.previous_hosts",
		ConfigType: &route.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: &anypb.Any{
			TypeUrl: prefix + "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}}}
	out.HostSelectionRetryMaxAttempts = 3
	return out
}

func hashPolicy(h mesh.Hash) *route.RouteAction_HashPolicy {
	out := &route.RouteAction_HashPolicy{Terminal: h.Terminal}
	switch {
	case h.Header != "":
		out.PolicySpecifier = &route.RouteAction_HashPolicy_Header_{Header: &route.RouteAction_HashPolicy_Header{HeaderName: h.Header}}
	case h.Query != "":
		out.PolicySpecifier = &route.RouteAction_HashPolicy_QueryParameter_{QueryParameter: &route.RouteAction_HashPolicy_QueryParameter{Name: h.Query}}
	case h.Cookie != nil:
		// Envoy makes the cookie where it is absent; a TTL of 0 is a session's.
		out.PolicySpecifier = &route.RouteAction_HashPolicy_Cookie_{Cookie: &route.RouteAction_HashPolicy_Cookie{Name: h.Cookie.Name,
			Ttl: durationpb.New(h.Cookie.TTL), Path: cmp.Or(h.Cookie.Path, "/")}}
	default:
		out.PolicySpecifier = &route.RouteAction_HashPolicy_ConnectionProperties_{
			ConnectionProperties: &route.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true}}
	}
	return out
}

// change makes Envoy's form of header changes, in an order of its own.
func change(h mesh.Headers, add *[]*core.HeaderValueOption, remove *[]string) {
	list := func(m map[string]string, action core.HeaderValueOption_HeaderAppendAction) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			*add = append(*add, &core.HeaderValueOption{AppendAction: action, KeepEmptyValue: true,
				Header: &core.HeaderValue{Key: name, Value: literal(m[name])}})
		}
	}
	list(h.Set, core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	list(h.Add, core.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	*remove = append(*remove, h.Remove...)
}

// literal keeps Envoy from reading a value as one of its variables.
func literal(s string) string { return strings.ReplaceAll(s, "%", "%%") }

func share(hundredths uint32) *typev3.FractionalPercent {
	return &typev3.FractionalPercent{Numerator: hundredths, Denominator: typev3.FractionalPercent_TEN_THOUSAND}
}

// perFilter gives what filters do to one route only.
func perFilter(r mesh.Route) (map[string]*anypb.Any, error) {
	out := map[string]*anypb.Any{}
	if f := r.Fault; f != nil {
		config := &httpfault.HTTPFault{}
		if f.Delay > 0 {
			config.Delay = &fault.FaultDelay{Percentage: share(f.DelayShare), FaultDelaySecifier: &fault.FaultDelay_FixedDelay{FixedDelay: durationpb.New(f.Delay)}}
		}
		if f.Status > 0 {
			config.Abort = &httpfault.FaultAbort{Percentage: share(f.AbortShare), ErrorType: &httpfault.FaultAbort_HttpStatus{HttpStatus: uint32(f.Status)}}
		}
		packed, err := pack(config)
		if err != nil {
			return nil, err
		}
		out[faultFilter] = packed
	}
	if l := r.Limit; l != nil {
		all := &core.RuntimeFractionalPercent{DefaultValue: share(mesh.Whole)}
		packed, err := pack(&locallimit.LocalRateLimit{StatPrefix: "rate_limit", FilterEnabled: all, FilterEnforced: all,
			TokenBucket: &typev3.TokenBucket{MaxTokens: uint32(cmp.Or(l.Burst, l.Requests)), TokensPerFill: wrapperspb.UInt32(uint32(l.Requests)),
				FillInterval: durationpb.New(cmp.Or(l.Per, time.Second))}})
		if err != nil {
			return nil, err
		}
		out[limitFilter] = packed
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
