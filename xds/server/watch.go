package server

import (
	"context"

	"patchbay/xds"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stream is a client as go-control-plane's loops see it: the "cache" of one stream.
type stream struct {
	*client
	admit  func(*core.Node) (Peer, error)
	node   string
	joined bool
	// strange are the types that the client asks for in vain.
	strange map[string]bool
	// verdict is why the client may not stay.
	verdict verdict
}

// enter admits the client at its first request and holds it to what it said.
func (s *stream) enter(node *core.Node) error {
	if s.joined {
		if node.GetId() != s.node {
			return status.Errorf(codes.PermissionDenied, "the stream began as node %q and cannot become another", s.node)
		}
		return nil
	}
	peer, err := s.admit(node)
	if err != nil {
		return err
	}
	s.joined, s.node = true, node.GetId()
	s.client.mu.Lock()
	s.client.peer = peer
	s.client.mu.Unlock()
	s.store.join(peer.Role, s.client)
	return nil
}

// CreateDeltaWatch takes every request of a stream of differences.
func (s *stream) CreateDeltaWatch(req *cache.DeltaRequest, sub cache.Subscription, ch chan cache.DeltaResponse) (func(), error) {
	if err := s.enter(req.GetNode()); err != nil {
		return nil, err
	}
	if err := tooMuch(req.GetTypeUrl(), sub.SubscribedResources(), req.GetInitialResourceVersions(),
		req.GetResourceNamesSubscribe(), req.GetResourceNamesUnsubscribe()); err != nil {
		return nil, err
	}
	t, ok := xds.TypeOf(req.GetTypeUrl())
	if !ok {
		return s.passOver(req.GetTypeUrl())
	}
	r := request{kind: t, nonce: req.GetResponseNonce(), wildcard: sub.IsWildcard(), add: req.GetResourceNamesSubscribe(),
		remove: req.GetResourceNamesUnsubscribe(), has: req.GetInitialResourceVersions(), delta: true, named: sub.SubscribedResources()}
	r.judge(req.GetErrorDetail())
	s.client.request(r, func() { ch <- deltaWish{s.client, t} })
	return func() { s.client.shut(r) }, nil
}

// CreateWatch takes every request of a stream of whole states.
func (s *stream) CreateWatch(req *cache.Request, sub cache.Subscription, ch chan cache.Response) (func(), error) {
	if err := s.enter(req.GetNode()); err != nil {
		return nil, err
	}
	if err := tooMuch(req.GetTypeUrl(), nil, nil, req.GetResourceNames()); err != nil {
		return nil, err
	}
	t, ok := xds.TypeOf(req.GetTypeUrl())
	if !ok {
		return s.passOver(req.GetTypeUrl())
	}
	r := request{kind: t, nonce: req.GetResponseNonce(), wildcard: sub.IsWildcard()}
	r.add, r.remove = s.client.difference(t, req.GetResourceNames(), r.wildcard)
	r.judge(req.GetErrorDetail())
	s.client.request(r, func() { ch <- worldWish{s.client, t} })
	return func() { s.client.shut(r) }, nil
}

// Fetch is the polling of REST clients, which are not served.
func (s *stream) Fetch(context.Context, *cache.Request) (cache.Response, error) {
	return nil, status.Error(codes.Unimplemented, "only streams are served")
}

// deltaRequests tell the loop of which type a response is.
var deltaRequests = func() (out [xds.Types]*discovery.DeltaDiscoveryRequest) {
	for t := range xds.Types {
		out[t] = &discovery.DeltaDiscoveryRequest{TypeUrl: t.URL()}
	}
	return out
}()

// deltaWish is a place in the queue of a stream of differences; what is sent is
// built when its turn comes.
type deltaWish struct {
	client *client
	kind   xds.Type
}

func (w deltaWish) GetDeltaDiscoveryResponse() (*discovery.DeltaDiscoveryResponse, error) {
	return w.client.delta(w.kind), nil
}
func (w deltaWish) GetDeltaRequest() *discovery.DeltaDiscoveryRequest {
	return deltaRequests[w.kind]
}
func (w deltaWish) GetSystemVersion() (string, error) { return "", nil }
func (w deltaWish) GetResponseVersion() string        { return "" }

// GetNextVersionMap must give a map that the loop may change.
func (w deltaWish) GetNextVersionMap() map[string]string    { return map[string]string{} }
func (w deltaWish) GetReturnedResources() map[string]string { return map[string]string{} }
func (w deltaWish) GetContext() context.Context             { return context.Background() }

// worldWish is a place in the queue of a stream of whole states.
type worldWish struct {
	client *client
	kind   xds.Type
}

func (w worldWish) GetDiscoveryResponse() (*discovery.DiscoveryResponse, error) {
	return w.client.world(w.kind), nil
}
func (w worldWish) GetRequest() *discovery.DiscoveryRequest {
	return &discovery.DiscoveryRequest{TypeUrl: w.kind.URL()}
}
func (w worldWish) GetVersion() (string, error)             { return "", nil }
func (w worldWish) GetResponseVersion() string              { return "" }
func (w worldWish) GetReturnedResources() map[string]string { return map[string]string{} }
func (w worldWish) GetContext() context.Context             { return context.Background() }
