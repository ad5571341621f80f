package xds

import (
	"slices"
	"strings"

	"patchbay/xds/mesh"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// newMatch makes the condition of a route.
func newMatch(m mesh.Match) *route.RouteMatch {
	out := &route.RouteMatch{}
	switch {
	case m.Path != "":
		out.PathSpecifier = &route.RouteMatch_Path{Path: m.Path}
	case m.Regex != "":
		out.PathSpecifier = &route.RouteMatch_SafeRegex{SafeRegex: regex(folded(m.Regex, m.IgnoreCase))}
	default:
		prefix := m.Prefix
		if prefix == "" {
			prefix = "/"
		}
		out.PathSpecifier = &route.RouteMatch_Prefix{Prefix: prefix}
	}
	if m.IgnoreCase && m.Regex == "" {
		out.CaseSensitive = wrapperspb.Bool(false)
	}
	for _, f := range m.Headers {
		out.Headers = append(out.Headers, headerMatch(f))
	}
	if len(m.Methods) > 0 {
		out.Headers = append(out.Headers, headerMatch(mesh.Field{Name: ":method", Regex: alternatives(m.Methods)}))
	}
	for _, f := range m.Queries {
		out.QueryParameters = append(out.QueryParameters, queryMatch(f))
	}
	for _, f := range m.Cookies {
		out.Headers = append(out.Headers, cookieMatch(f))
	}
	return out
}

func folded(re string, ignoreCase bool) string {
	if ignoreCase {
		return "(?i)" + re
	}
	return re
}

// alternatives is a pattern for one of the words, which are tokens.
func alternatives(words []string) string {
	sorted := slices.Sorted(slices.Values(words))
	return strings.Join(sorted, "|")
}

func regex(re string) *matcher.RegexMatcher { return &matcher.RegexMatcher{Regex: re} }

// text gives the condition on a value; ok is false when presence is all that is asked.
func text(f mesh.Field) (m *matcher.StringMatcher, ok bool) {
	m = &matcher.StringMatcher{IgnoreCase: f.IgnoreCase}
	switch {
	case f.Exact != "":
		m.MatchPattern = &matcher.StringMatcher_Exact{Exact: f.Exact}
	case f.Prefix != "":
		m.MatchPattern = &matcher.StringMatcher_Prefix{Prefix: f.Prefix}
	case f.Suffix != "":
		m.MatchPattern = &matcher.StringMatcher_Suffix{Suffix: f.Suffix}
	case f.Contains != "":
		m.MatchPattern = &matcher.StringMatcher_Contains{Contains: f.Contains}
	case f.Regex != "": // Envoy folds no case of expressions
		return &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_SafeRegex{SafeRegex: regex(folded(f.Regex, f.IgnoreCase))}}, true
	default:
		return nil, false
	}
	return m, true
}

func headerMatch(f mesh.Field) *route.HeaderMatcher {
	out := &route.HeaderMatcher{Name: f.Name, InvertMatch: f.Absent}
	if m, ok := text(f); ok {
		out.HeaderMatchSpecifier = &route.HeaderMatcher_StringMatch{StringMatch: m}
		return out
	}
	out.HeaderMatchSpecifier = &route.HeaderMatcher_PresentMatch{PresentMatch: true}
	return out
}

func queryMatch(f mesh.Field) *route.QueryParameterMatcher {
	out := &route.QueryParameterMatcher{Name: f.Name}
	if m, ok := text(f); ok {
		out.QueryParameterMatchSpecifier = &route.QueryParameterMatcher_StringMatch{StringMatch: m}
		return out
	}
	out.QueryParameterMatchSpecifier = &route.QueryParameterMatcher_PresentMatch{PresentMatch: !f.Absent}
	return out
}

// cookieMatch looks for a cookie within the header that carries all of them.
func cookieMatch(f mesh.Field) *route.HeaderMatcher {
	return headerMatch(mesh.Field{Name: "cookie", Absent: f.Absent, Regex: f.CookieExpression()})
}
