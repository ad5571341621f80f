package xds

import (
	"cmp"
	"time"

	"patchbay/xds/mesh"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	upstreams "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// fetchTimeout is how long Envoy waits for what a resource names; after it a
	// listener goes live without routes, a cluster without endpoints.
	fetchTimeout   = 15 * time.Second
	connectTimeout = 5 * time.Second
	httpOptions    = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
)

// ads says that a resource comes over the same stream.
func ads() *core.ConfigSource {
	return &core.ConfigSource{ResourceApiVersion: core.ApiVersion_V3, InitialFetchTimeout: durationpb.New(fetchTimeout),
		ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}}}
}

// newCluster makes the cluster of a target that the service declares. It has the
// target's plain name, by which routes know it.
func newCluster(t mesh.Target, s mesh.Service, secure *core.TransportSocket) (*Resource, error) {
	c := &cluster.Cluster{Name: t.Plain().String(),
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig:     &cluster.Cluster_EdsClusterConfig{EdsConfig: ads()},
		ConnectTimeout:       durationpb.New(cmp.Or(s.ConnectTimeout, connectTimeout)),
		// Consul judges health; below the threshold Envoy would use all endpoints.
		CommonLbConfig:  &cluster.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: float64(s.Panic)}},
		CircuitBreakers: breakers(s.Breaker), OutlierDetection: outlier(s.Outlier), TransportSocket: secure}
	if t.Connect {
		c.EdsClusterConfig.ServiceName = t.String()
	}
	balance(c, s.Balance)
	if err := speak(c, s.Protocol); err != nil {
		return nil, err
	}
	r, err := NewResource(Cluster, c.GetName(), c)
	if err == nil {
		r.Waits = t.String()
	}
	return r, err
}

// localCluster makes the cluster of the program beside a sidecar.
func localCluster(name string, in mesh.Inbound) (*Resource, error) {
	c := &cluster.Cluster{Name: name, ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_STATIC},
		ConnectTimeout: durationpb.New(cmp.Or(in.ConnectTimeout, connectTimeout)),
		LoadAssignment: &endpoint.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpoint.LocalityLbEndpoints{{
			LbEndpoints: []*endpoint.LbEndpoint{{HostIdentifier: &endpoint.LbEndpoint_Endpoint{
				Endpoint: &endpoint.Endpoint{Address: socket("127.0.0.1", uint32(in.LocalPort))}}}}}}}}
	if in.MaxConnections > 0 {
		c.CircuitBreakers = breakers(&mesh.Breaker{Connections: in.MaxConnections})
	}
	if err := speak(c, in.Protocol); err != nil {
		return nil, err
	}
	return NewResource(Cluster, name, c)
}

// speak makes a cluster use HTTP/2 where the service speaks nothing else.
func speak(c *cluster.Cluster, p mesh.Protocol) error {
	if p != mesh.HTTP2 && p != mesh.GRPC {
		return nil
	}
	options, err := pack(&upstreams.HttpProtocolOptions{UpstreamProtocolOptions: &upstreams.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &upstreams.HttpProtocolOptions_ExplicitHttpConfig{ProtocolConfig: &upstreams.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
			Http2ProtocolOptions: &core.Http2ProtocolOptions{}}}}})
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: options}
	return err
}

func balance(c *cluster.Cluster, b mesh.Balance) {
	switch b.Policy {
	case mesh.LeastRequest:
		c.LbPolicy = cluster.Cluster_LEAST_REQUEST
		if b.Choices > 0 {
			c.LbConfig = &cluster.Cluster_LeastRequestLbConfig_{LeastRequestLbConfig: &cluster.Cluster_LeastRequestLbConfig{
				ChoiceCount: wrapperspb.UInt32(uint32(b.Choices))}}
		}
	case mesh.Random:
		c.LbPolicy = cluster.Cluster_RANDOM
	case mesh.Maglev:
		c.LbPolicy = cluster.Cluster_MAGLEV
	case mesh.RingHash:
		c.LbPolicy = cluster.Cluster_RING_HASH
		ring := &cluster.Cluster_RingHashLbConfig{}
		if b.MinRing > 0 {
			ring.MinimumRingSize = wrapperspb.UInt64(uint64(b.MinRing))
		}
		if b.MaxRing > 0 {
			ring.MaximumRingSize = wrapperspb.UInt64(uint64(b.MaxRing))
		}
		c.LbConfig = &cluster.Cluster_RingHashLbConfig_{RingHashLbConfig: ring}
	}
}

func outlier(o *mesh.Outlier) *cluster.OutlierDetection {
	if o == nil {
		return nil
	}
	failures := wrapperspb.UInt32(uint32(cmp.Or(o.Failures, 5)))
	return &cluster.OutlierDetection{Consecutive_5Xx: failures, ConsecutiveGatewayFailure: failures,
		EnforcingConsecutiveGatewayFailure: wrapperspb.UInt32(100), EnforcingSuccessRate: wrapperspb.UInt32(0),
		Interval:           durationpb.New(cmp.Or(o.Interval, 10*time.Second)),
		BaseEjectionTime:   durationpb.New(cmp.Or(o.Ejection, 30*time.Second)),
		MaxEjectionPercent: wrapperspb.UInt32(uint32(cmp.Or(o.MaxPercent, 10)))}
}

func breakers(b *mesh.Breaker) *cluster.CircuitBreakers {
	if b == nil {
		return nil
	}
	limit := func(n int) *wrapperspb.UInt32Value {
		if n == 0 {
			return nil
		}
		return wrapperspb.UInt32(uint32(n))
	}
	return &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{{MaxConnections: limit(b.Connections),
		MaxPendingRequests: limit(b.Pending), MaxRequests: limit(b.Requests), MaxRetries: limit(b.Retries)}}}
}

// pack puts a message into another; equal messages give equal bytes.
func pack(m proto.Message) (*anypb.Any, error) {
	out := &anypb.Any{}
	err := anypb.MarshalFrom(out, m, proto.MarshalOptions{Deterministic: true})
	return out, err
}
