package xds

import (
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// LeafName names the secret with the certificate and key of a service.
func LeafName(service string) string { return "leaf:" + service }

// RootsName names the secret with the certificates that a trust domain's identities
// are checked by.
func RootsName(domain string) string { return "roots:" + domain }

// NewLeaf makes the secret of a service's certificate and key, both in PEM. Its body
// holds the key in clear: it is for the service's own clients and for nothing else.
func NewLeaf(service, certificate, key string) (*Resource, error) {
	return secret(&tls.Secret{Name: LeafName(service), Type: &tls.Secret_TlsCertificate{TlsCertificate: &tls.TlsCertificate{
		CertificateChain: inline(certificate), PrivateKey: inline(key)}}})
}

// NewRoots makes the secret of all certificates, in PEM, that are trusted now: during
// a change of the CA there are several.
func NewRoots(domain, certificates string) (*Resource, error) {
	return secret(&tls.Secret{Name: RootsName(domain), Type: &tls.Secret_ValidationContext{ValidationContext: &tls.CertificateValidationContext{
		TrustedCa: inline(certificates)}}})
}

func secret(s *tls.Secret) (*Resource, error) { return NewResource(Secret, s.GetName(), s) }

func inline(text string) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineString{InlineString: text}}
}
