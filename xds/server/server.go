package server

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"patchbay/xds"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/config"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	cpstream "github.com/envoyproxy/go-control-plane/pkg/server/stream/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/keepalive"
)

// Peer is who a client is.
type Peer struct {
	// Node is what the client calls itself; hostile text, at most 256 bytes.
	Node string
	// Role names the scope whose resources it gets.
	Role string
	// Agent is the client's program and version.
	Agent string
	// Address is where it connects from.
	Address string
	// Renew, when set, is asked every [Recheck] whether the client may stay; an error
	// with a gRPC status ends its stream with it.
	Renew func(context.Context) error `json:"-"`
}

// Meter counts what happens.
type Meter interface {
	// Pushed tells how long it took from a change to a client's acknowledgement.
	Pushed(t xds.Type, took time.Duration)
	// Refused tells of a response that a client did not accept.
	Refused(t xds.Type)
}

// Options is what a server is made with.
type Options struct {
	Store *Store
	// Admit decides who a client is at the first request of its stream. An error
	// with a gRPC status ends the stream with it.
	Admit func(ctx context.Context, node *core.Node) (Peer, error)
	Meter Meter
	// Hold is how long listeners and routes wait at most for the clusters and
	// endpoints that they use; 0 means 5 s.
	Hold time.Duration
	// TLS, when set, is how clients connect; nil means plain text.
	TLS credentials.TransportCredentials
	// Spread is over how long the ends of streams are spread at a stop.
	Spread time.Duration
}

// Server answers discovery requests.
type Server struct {
	opts Options

	mu      sync.Mutex
	streams map[*stream]context.CancelFunc
}

// New returns a server of what the store holds.
func New(opts Options) *Server {
	opts.Hold = cmp.Or(opts.Hold, 5*time.Second)
	return &Server{opts: opts, streams: map[*stream]context.CancelFunc{}}
}

const (
	maxMessage    = 32 << 20
	maxStreams    = 2048
	keepaliveTime = 30 * time.Second
	minPing       = 15 * time.Second
	window        = 1 << 20
)

// Serve serves clients on the listener until ctx ends, then lets go of them one
// after another.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(maxMessage), grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTime}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		// A window of a fixed size spares the pings by which gRPC measures the line.
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(grpcproto.Name)})}
	if s.opts.TLS != nil {
		options = append(options, grpc.Creds(s.opts.TLS))
	}
	g := grpc.NewServer(options...)
	h := handler{Server: s}
	discovery.RegisterAggregatedDiscoveryServiceServer(g, h)
	clusterservice.RegisterClusterDiscoveryServiceServer(g, h)
	endpointservice.RegisterEndpointDiscoveryServiceServer(g, h)
	secretservice.RegisterSecretDiscoveryServiceServer(g, h)
	listenerservice.RegisterListenerDiscoveryServiceServer(g, h)
	routeservice.RegisterRouteDiscoveryServiceServer(g, h)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		s.release()
		g.Stop()
	}()
	serving, cancel := context.WithCancel(ctx)
	var checks sync.WaitGroup
	checks.Go(func() { s.recheck(serving) })
	err := g.Serve(listener)
	cancel()
	checks.Wait()
	if ctx.Err() != nil {
		<-stopped
		return nil
	}
	return fmt.Errorf("serve xDS: %w", err)
}

// release ends streams evenly over the spread, so that their clients do not come
// to another server all at once.
func (s *Server) release() {
	s.mu.Lock()
	ends := make([]context.CancelFunc, 0, len(s.streams))
	for _, end := range s.streams {
		ends = append(ends, end)
	}
	s.mu.Unlock()
	if len(ends) == 0 {
		return
	}
	tick := time.NewTicker(max(s.opts.Spread/time.Duration(len(ends)), time.Microsecond))
	defer tick.Stop()
	for _, end := range ends {
		end()
		<-tick.C
	}
}

// open makes the state of a new stream.
func (s *Server) open(ctx context.Context) (*stream, context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	st := &stream{client: &client{store: s.opts.Store, meter: s.opts.Meter, hold: s.opts.Hold, owed: map[string]bool{}},
		admit: func(node *core.Node) (Peer, error) { return s.opts.Admit(ctx, node) }}
	s.mu.Lock()
	s.streams[st] = cancel
	s.mu.Unlock()
	return st, ctx, func() {
		cancel()
		s.mu.Lock()
		delete(s.streams, st)
		s.mu.Unlock()
		if st.joined {
			s.opts.Store.part(st.peer.Role, st.client)
		}
	}
}

// named are the types of which a client gets what it names, and nothing when it
// names nothing.
var named = []string{xds.Endpoints.URL(), xds.Secret.URL(), xds.Routes.URL()}

func (s *Server) delta(str cpstream.DeltaStream, typeURL string) error {
	st, ctx, done := s.open(str.Context())
	defer done()
	server := delta.NewServer(ctx, st, nil, delta.DeactivateLegacyWildcardForTypes(named))
	return st.verdict.or(server.DeltaStreamHandler(deltaWire{str, st.client}, typeURL))
}

func (s *Server) world(str cpstream.Stream, typeURL string) error {
	st, ctx, done := s.open(str.Context())
	defer done()
	options := []config.XDSOption{sotw.DeactivateLegacyWildcardForTypes(named)}
	if typeURL == resource.AnyType {
		options = append(options, sotw.WithOrderedADS())
	}
	return st.verdict.or(sotw.NewServer(ctx, st, nil, options...).StreamHandler(worldWire{str, st.client}, typeURL))
}

// Client is what a connected client has.
type Client struct {
	Peer
	Types []TypeState
}

// TypeState is what a client has of one type.
type TypeState struct {
	Type xds.Type
	// Subscribed counts the resources that it asked for; Pending those of which it
	// has not acknowledged the newest.
	Subscribed, Pending int
	Responses, Refused  uint64
	// Acked is the version of the last response that it accepted; Rejected that of
	// the last that it refused, with its reason, until it accepts a newer one.
	Acked, Rejected, Reason string
	// Waiting is how long the oldest change has waited to be acknowledged; 0 when
	// there is none.
	Waiting time.Duration
	// Resources are the names with the versions last accepted.
	Resources map[string]string
}

// Streams counts the open streams, also those whose client is not admitted yet.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// Clients lists who is connected, by node.
func (s *Server) Clients() []Client {
	s.mu.Lock()
	list := make([]*stream, 0, len(s.streams))
	for st := range s.streams {
		list = append(list, st)
	}
	s.mu.Unlock()
	out := make([]Client, 0, len(list))
	for _, st := range list {
		if c, ok := st.client.describe(time.Now()); ok {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Client) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Address, b.Address)) })
	return out
}

func (c *client) describe(now time.Time) (Client, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Client{Peer: c.peer}
	for t := range xds.Types {
		k := &c.kinds[t]
		if !k.asked {
			continue
		}
		state := TypeState{Type: t, Responses: k.told.responses, Refused: k.told.nacks,
			Acked: k.told.acked, Rejected: k.told.refused, Reason: k.told.reason, Resources: map[string]string{}}
		for name, s := range k.subs {
			current := s.entry.current.Load()
			if k.wildcard && current == nil && s.acked == nil {
				continue // it went, and was never asked for by name
			}
			state.Subscribed++
			if s.acked != nil {
				state.Resources[name] = s.acked.Version
			}
			if current != s.acked && !same(current, s.acked) && !same(current, s.rejected) {
				state.Pending++
			}
		}
		switch {
		case k.flight != nil:
			state.Waiting = now.Sub(k.flight.since)
		case !k.since.IsZero():
			state.Waiting = now.Sub(k.since)
		}
		out.Types = append(out.Types, state)
	}
	return out, len(out.Types) > 0
}
