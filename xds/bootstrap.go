package xds

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"patchbay/tasks"
)

// Bootstrap is what an Envoy is started with.
type Bootstrap struct {
	// Node is what it calls itself, unique among all Envoys, or the id of the proxy as
	// which it is registered in Consul; that is unique on the node of NodeName.
	Node, NodeName string
	// Role is that of [SidecarRole] or [GatewayRole]; Cluster is for its statistics.
	Role, Cluster string
	// Address and Port are the server's.
	Address string
	Port    int
	// AdminAddress and AdminPort are where Envoy's own pages are; the address is
	// 127.0.0.1 when "", the port one that the system chooses when 0.
	AdminAddress string
	AdminPort    int
	// CAFile, CertFile and KeyFile are for TLS to the server; "" means plain text.
	CAFile, CertFile, KeyFile string
	// Tags are added to every statistic; Envoy reads them at its start only.
	Tags map[string]string
	// ServerName is the name in the server's certificate; "" means the address.
	ServerName string
	// Token is a token of Consul that the client shows; what [Bootstrap.JSON] gives then
	// holds it in clear.
	Token tasks.Secret
}

// TokenKey is the metadata of a request in which a client shows its token, the same as
// for Consul's own server.
const TokenKey = "x-consul-token"

// RoleKey is the node metadata that names a client's role; without it the role is
// that of the sidecars of the service that the node's cluster names.
const RoleKey = "patchbay.role"

// NodeNameKey is the node metadata that names the node where a client is registered;
// it is that of Consul's own bootstrap.
const NodeNameKey = "node_name"

// JSON gives the configuration that Envoy takes with -c. It waits for listeners and
// clusters for ever: an Envoy without its server must not serve nothing.
func (b Bootstrap) JSON() ([]byte, error) {
	type object = map[string]any
	source := object{"ads": object{}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
	address := func(host string, port int) object {
		return object{"socket_address": object{"address": host, "port_value": port}}
	}
	// The cluster of the server is by name where the address is one.
	server := object{"name": "patchbay", "type": "STRICT_DNS", "connect_timeout": "5s",
		"load_assignment": object{"cluster_name": "patchbay", "endpoints": []any{object{"lb_endpoints": []any{
			object{"endpoint": object{"address": address(b.Address, b.Port)}}}}}},
		"typed_extension_protocol_options": object{httpOptions: object{"@type": prefix + httpOptions,
			"explicit_http_config": object{"http2_protocol_options": object{"connection_keepalive": object{"interval": "30s", "timeout": "10s"}}}}}}
	if b.CAFile != "" {
		server["transport_socket"] = b.tls()
	}
	metadata := object{RoleKey: b.Role}
	if b.NodeName != "" {
		metadata[NodeNameKey] = b.NodeName
	}
	out := object{
		"node":  object{"id": b.Node, "cluster": b.Cluster, "metadata": metadata},
		"admin": object{"address": address(cmp.Or(b.AdminAddress, "127.0.0.1"), b.AdminPort)},
		"dynamic_resources": object{"lds_config": source, "cds_config": source,
			"ads_config": object{"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
				"grpc_services": []any{b.service()}}},
		"static_resources": object{"clusters": []any{server}},
	}
	if len(b.Tags) > 0 {
		out["stats_config"] = object{"stats_tags": b.tags()}
	}
	return encodeBootstrap(out)
}

// tags are added to every statistic.
func (b Bootstrap) tags() (list []any) {
	for _, name := range slices.Sorted(maps.Keys(b.Tags)) {
		list = append(list, map[string]any{"tag_name": name, "fixed_value": b.Tags[name]})
	}
	return list
}

// service is how the server is asked.
func (b Bootstrap) service() map[string]any {
	type object = map[string]any
	out := object{"envoy_grpc": object{"cluster_name": "patchbay"}}
	if !b.Token.Empty() {
		out["initial_metadata"] = []any{object{"key": TokenKey, "value": b.Token.Reveal()}}
	}
	return out
}

func encodeBootstrap(fields map[string]any) ([]byte, error) {
	out, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode bootstrap: %w", err)
	}
	return append(out, '\n'), nil
}

func (b Bootstrap) tls() map[string]any {
	type object = map[string]any
	file := func(name string) object { return object{"filename": name} }
	common := object{"validation_context": object{"trusted_ca": file(b.CAFile),
		"match_typed_subject_alt_names": []any{object{"san_type": "DNS", "matcher": object{"exact": cmp.Or(b.ServerName, b.Address)}},
			object{"san_type": "IP_ADDRESS", "matcher": object{"exact": cmp.Or(b.ServerName, b.Address)}}}}}
	if b.CertFile != "" {
		common["tls_certificates"] = []any{object{"certificate_chain": file(b.CertFile), "private_key": file(b.KeyFile)}}
	}
	return object{"name": "envoy.transport_sockets.tls", "typed_config": object{
		"@type": prefix + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", "sni": cmp.Or(b.ServerName, b.Address), "common_tls_context": common}}
}
