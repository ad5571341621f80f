package xds

import (
	"cmp"
	"fmt"
	"time"

	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

// requestID is the header in which Envoy gives every request an id of its own.
const requestID = "x-request-id"

// stick makes two routes of one whose requests are split: Envoy chooses a leg by a
// cookie, but makes none where it is absent. So a caller without the cookie goes by the
// id of its request, which it is given as the cookie: the next time it goes by the same
// text, and so to the same leg. A leg that grows takes callers from the others and
// gives none back, as legs are ranges of the hash.
func stick(r *route.Route, c mesh.Cookie) []*route.Route {
	known := proto.CloneOf(r)
	known.Match.Headers = append(known.GetMatch().GetHeaders(), cookieMatch(mesh.Field{Name: c.Name, Regex: "[^;]+"}))
	goBy(known.GetRoute(), &route.RouteAction_HashPolicy{Terminal: true, PolicySpecifier: &route.RouteAction_HashPolicy_Cookie_{
		Cookie: &route.RouteAction_HashPolicy_Cookie{Name: c.Name}}})
	goBy(r.GetRoute(), &route.RouteAction_HashPolicy{Terminal: true, PolicySpecifier: &route.RouteAction_HashPolicy_Header_{
		Header: &route.RouteAction_HashPolicy_Header{HeaderName: requestID}}})
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, &core.HeaderValueOption{
		AppendAction: core.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD,
		Header:       &core.HeaderValue{Key: "set-cookie", Value: given(c)}})
	return []*route.Route{known, r}
}

// goBy puts a policy before the others.
func goBy(a *route.RouteAction, p *route.RouteAction_HashPolicy) {
	a.HashPolicy = append([]*route.RouteAction_HashPolicy{p}, a.GetHashPolicy()...)
}

// given is the cookie of a caller that has none.
func given(c mesh.Cookie) string {
	out := fmt.Sprintf("%s=%%REQ(%s)%%; Path=%s; HttpOnly", literal(c.Name), requestID, literal(cmp.Or(c.Path, "/")))
	if c.TTL > 0 {
		out += fmt.Sprintf("; Max-Age=%d", c.TTL/time.Second)
	}
	return out
}
