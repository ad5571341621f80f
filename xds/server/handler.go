package server

import (
	"patchbay/xds"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// handler is the gRPC face of a server: the aggregated service and those of one
// type each. Requests without a stream are not served.
type handler struct {
	*Server
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	clusterservice.UnimplementedClusterDiscoveryServiceServer
	endpointservice.UnimplementedEndpointDiscoveryServiceServer
	secretservice.UnimplementedSecretDiscoveryServiceServer
	listenerservice.UnimplementedListenerDiscoveryServiceServer
	routeservice.UnimplementedRouteDiscoveryServiceServer
}

func (h handler) StreamAggregatedResources(s discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return h.world(s, resource.AnyType)
}

func (h handler) DeltaAggregatedResources(s discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return h.delta(s, resource.AnyType)
}

func (h handler) StreamClusters(s clusterservice.ClusterDiscoveryService_StreamClustersServer) error {
	return h.world(s, xds.Cluster.URL())
}

func (h handler) DeltaClusters(s clusterservice.ClusterDiscoveryService_DeltaClustersServer) error {
	return h.delta(s, xds.Cluster.URL())
}

func (h handler) StreamEndpoints(s endpointservice.EndpointDiscoveryService_StreamEndpointsServer) error {
	return h.world(s, xds.Endpoints.URL())
}

func (h handler) DeltaEndpoints(s endpointservice.EndpointDiscoveryService_DeltaEndpointsServer) error {
	return h.delta(s, xds.Endpoints.URL())
}

func (h handler) StreamSecrets(s secretservice.SecretDiscoveryService_StreamSecretsServer) error {
	return h.world(s, xds.Secret.URL())
}

func (h handler) DeltaSecrets(s secretservice.SecretDiscoveryService_DeltaSecretsServer) error {
	return h.delta(s, xds.Secret.URL())
}

func (h handler) StreamListeners(s listenerservice.ListenerDiscoveryService_StreamListenersServer) error {
	return h.world(s, xds.Listener.URL())
}

func (h handler) DeltaListeners(s listenerservice.ListenerDiscoveryService_DeltaListenersServer) error {
	return h.delta(s, xds.Listener.URL())
}

func (h handler) StreamRoutes(s routeservice.RouteDiscoveryService_StreamRoutesServer) error {
	return h.world(s, xds.Routes.URL())
}

func (h handler) DeltaRoutes(s routeservice.RouteDiscoveryService_DeltaRoutesServer) error {
	return h.delta(s, xds.Routes.URL())
}
