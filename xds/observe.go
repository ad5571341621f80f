package xds

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/xds/mesh"

	accesslog "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	trace "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	filelog "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tracing "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// collector is the cluster of the collector of traces.
const collector = "patchbay_tracing"

// httpFields and tcpFields are what a line of an access log tells.
var (
	tcpFields = map[string]string{"start_time": "%START_TIME%", "upstream_cluster": "%UPSTREAM_CLUSTER%", "upstream_host": "%UPSTREAM_HOST%",
		"downstream_address": "%DOWNSTREAM_REMOTE_ADDRESS%", "bytes_received": "%BYTES_RECEIVED%", "bytes_sent": "%BYTES_SENT%",
		"duration_ms": "%DURATION%", "response_flags": "%RESPONSE_FLAGS%"}
	httpFields = map[string]string{"method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "authority": "%REQ(:AUTHORITY)%",
		"protocol": "%PROTOCOL%", "status": "%RESPONSE_CODE%", "details": "%RESPONSE_CODE_DETAILS%", "route": "%ROUTE_NAME%",
		"request_id": "%REQ(X-REQUEST-ID)%"}
)

// observe switches on what tells of requests.
func observe(m *hcm.HttpConnectionManager, o mesh.Observe) (err error) {
	if m.AccessLog, err = accessLogs(o, true); err != nil || o.Tracing == "" {
		return err
	}
	provider, err := pack(&trace.OpenTelemetryConfig{ServiceName: m.GetStatPrefix(), GrpcService: &core.GrpcService{
		TargetSpecifier: &core.GrpcService_EnvoyGrpc_{EnvoyGrpc: &core.GrpcService_EnvoyGrpc{ClusterName: collector}}}})
	if err != nil {
		return err
	}
	m.Tracing = &hcm.HttpConnectionManager_Tracing{RandomSampling: &typev3.Percent{Value: float64(o.Sample) / 100},
		Provider: &trace.Tracing_Http{Name: "envoy.tracers.opentelemetry", ConfigType: &trace.Tracing_Http_TypedConfig{TypedConfig: provider}}}
	for _, tag := range slices.Sorted(maps.Keys(o.Tags)) {
		m.Tracing.CustomTags = append(m.Tracing.CustomTags, &tracing.CustomTag{Tag: tag,
			Type: &tracing.CustomTag_Literal_{Literal: &tracing.CustomTag_Literal{Value: o.Tags[tag]}}})
	}
	return nil
}

func accessLogs(o mesh.Observe, http bool) ([]*accesslog.AccessLog, error) {
	if o.AccessLog == "" {
		return nil, nil
	}
	config := &filelog.FileAccessLog{Path: o.AccessLog}
	if o.JSON {
		fields := map[string]*structpb.Value{}
		for k, v := range tcpFields {
			fields[k] = structpb.NewStringValue(v)
		}
		for k, v := range httpFields {
			if http {
				fields[k] = structpb.NewStringValue(v)
			}
		}
		config.AccessLogFormat = &filelog.FileAccessLog_LogFormat{LogFormat: &core.SubstitutionFormatString{
			Format: &core.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: fields}}}}
	}
	packed, err := pack(config)
	if err != nil {
		return nil, err
	}
	return []*accesslog.AccessLog{{Name: "envoy.access_loggers.file", ConfigType: &accesslog.AccessLog_TypedConfig{TypedConfig: packed}}}, nil
}

// tracingCluster is where traces are sent to.
func tracingCluster(o mesh.Observe) (*Resource, error) {
	colon := strings.LastIndexByte(o.Tracing, ':')
	if colon < 0 {
		return nil, fmt.Errorf("read address of the tracing collector: %q has no port", o.Tracing)
	}
	host := strings.TrimSuffix(strings.TrimPrefix(o.Tracing[:colon], "["), "]")
	port, err := strconv.ParseUint(o.Tracing[colon+1:], 10, 16)
	if err != nil {
		return nil, fmt.Errorf("read port of the tracing collector: %w", err)
	}
	c := &cluster.Cluster{Name: collector, ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_STRICT_DNS},
		ConnectTimeout: durationpb.New(connectTimeout),
		LoadAssignment: &endpoint.ClusterLoadAssignment{ClusterName: collector, Endpoints: []*endpoint.LocalityLbEndpoints{{
			LbEndpoints: []*endpoint.LbEndpoint{{HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: socket(host, uint32(port))}}}}}}}}
	if err := speak(c, mesh.GRPC); err != nil {
		return nil, err
	}
	return NewResource(Cluster, collector, c)
}
