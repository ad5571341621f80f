package xds

import (
	"slices"

	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const tlsSocket = "envoy.transport_sockets.tls"

// identity is what a sidecar shows of itself and trusts in others. Certificates are
// named, never part of a cluster or a listener: a new one changes neither.
type identity struct {
	service string
	trust   mesh.Trust
}

// client makes the socket to the sidecars of targets, which are those of one cluster:
// only who is one of them is spoken to.
func (i identity) client(targets []mesh.Target) (*core.TransportSocket, error) {
	var names []string
	for _, t := range targets {
		names = append(names, i.trust.ID(t))
	}
	slices.Sort(names)
	var sans []*tls.SubjectAltNameMatcher
	for _, name := range slices.Compact(names) {
		sans = append(sans, &tls.SubjectAltNameMatcher{SanType: tls.SubjectAltNameMatcher_URI,
			Matcher: &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_Exact{Exact: name}}})
	}
	return socketOf(&tls.UpstreamTlsContext{Sni: i.trust.ServerName(targets[0]), CommonTlsContext: i.common(sans)})
}

// server makes the socket that asks every caller for an identity of the trust domain.
func (i identity) server() (*core.TransportSocket, error) {
	return socketOf(&tls.DownstreamTlsContext{RequireClientCertificate: wrapperspb.Bool(true), CommonTlsContext: i.common(nil)})
}

func (i identity) common(sans []*tls.SubjectAltNameMatcher) *tls.CommonTlsContext {
	named := func(name string) *tls.SdsSecretConfig { return &tls.SdsSecretConfig{Name: name, SdsConfig: ads()} }
	return &tls.CommonTlsContext{
		TlsParams:                      &tls.TlsParameters{TlsMinimumProtocolVersion: tls.TlsParameters_TLSv1_2},
		TlsCertificateSdsSecretConfigs: []*tls.SdsSecretConfig{named(LeafName(i.service))},
		ValidationContextType: &tls.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &tls.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext:         &tls.CertificateValidationContext{MatchTypedSubjectAltNames: sans},
			ValidationContextSdsSecretConfig: named(RootsName(i.trust.Domain))}}}
}

func socketOf(m proto.Message) (*core.TransportSocket, error) {
	packed, err := pack(m)
	if err != nil {
		return nil, err
	}
	return &core.TransportSocket{Name: tlsSocket, ConfigType: &core.TransportSocket_TypedConfig{TypedConfig: packed}}, nil
}

// tellCaller hands the program the identity of the caller, in the header
// x-forwarded-client-cert, in place of what the caller wrote there.
func tellCaller(m *hcm.HttpConnectionManager) {
	m.ForwardClientCertDetails = hcm.HttpConnectionManager_SANITIZE_SET
	m.SetCurrentClientCertDetails = &hcm.HttpConnectionManager_SetCurrentClientCertDetails{Uri: true}
}
