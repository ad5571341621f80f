package proxies

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"patchbay/tasks"
	"patchbay/xds"
	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// authorities are whose certificates identify services.
type authorities struct {
	domain string
	pool   *x509.CertPool
}

// trust takes the certificates of Consul's CA over, for clients that show one of it.
func (f *Feed) trust(n xds.News) {
	if n.Roots == nil {
		return
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(n.Authorities))
	f.authorities.Store(&authorities{domain: strings.TrimPrefix(n.Roots.Name, xds.RootsName("")), pool: pool})
}

// proof is how a client showed that it may have a role. renew tells later why it may
// not any more; nil when nothing that it showed can end.
type proof struct{ renew func(context.Context) error }

// entitled tells by what a client may have a role, or why it may not: by a certificate
// or a Consul token of the role's service, and with neither when it is on this host.
func (f *Feed) entitled(ctx context.Context, p *peer.Peer, role string, node *core.Node) (proof, error) {
	if p == nil {
		return proof{}, status.Error(codes.PermissionDenied, "the connection's address is not known")
	}
	state, secure := tlsState(p)
	service := f.owner(role, node)
	if secure && len(state.PeerCertificates) > 0 {
		if err := f.certified(state, service); err == nil {
			return proof{renew: func(context.Context) error { return f.certified(state, service) }}, nil
		} else if len(state.VerifiedChains) > 0 {
			return proof{}, status.Errorf(codes.PermissionDenied, "the certificate does not entitle to %q: %v", role, err)
		}
	}
	token, err := shownToken(ctx)
	if err != nil {
		return proof{}, err
	}
	if !token.Empty() && f.opts.MayWrite != nil {
		if !secure && !near(p) {
			return proof{}, status.Error(codes.PermissionDenied, "a token of another host must come over TLS: set tls in the xds block and -ca-file in the bootstrap")
		}
		given, judged, err := f.entitledByToken(ctx, token, role, service)
		if err != nil || judged {
			return given, err
		}
	}
	if near(p) {
		return proof{}, nil
	}
	return proof{}, status.Error(codes.PermissionDenied, "a client of another host needs a consul token with service:write on the service, or a certificate: "+
		"print the bootstrap with -token-file, or with -cert-file")
}

func (f *Feed) entitledByToken(ctx context.Context, token tasks.Secret, role, service string) (given proof, judged bool, err error) {
	v, err := f.verdicts.of(ctx, token, service)
	switch {
	case err != nil:
		f.opts.Log.Warn("token of a client was not judged, it was refused", "role", role, "err", err)
		return proof{}, false, status.Error(codes.Unavailable, "consul does not tell whether the token is good; try again")
	case !v.judged:
		return proof{}, false, nil
	case !v.allowed:
		return proof{}, true, denied(service)
	}
	// While Consul does not answer, who is here stays.
	return proof{renew: func(ctx context.Context) error {
		if v, err := f.verdicts.of(ctx, token, service); err == nil && v.judged && !v.allowed {
			return denied(service)
		}
		return nil
	}}, true, nil
}

func denied(service string) error {
	return status.Errorf(codes.PermissionDenied, "the token does not entitle to %q: give it service:write on that service", strings.ToValidUTF8(service, ""))
}

// certified tells why the certificate of a client is none of the service. Where it was
// verified by the CA of the configuration and names no service, it is taken as it is.
func (f *Feed) certified(state tls.ConnectionState, service string) error {
	leaf := state.PeerCertificates[0]
	if len(state.VerifiedChains) > 0 && len(leaf.URIs) == 0 {
		if time.Now().After(leaf.NotAfter) {
			return errors.New("it ran out")
		}
		return nil
	}
	known := f.authorities.Load()
	if known == nil {
		return errors.New("the certificates of consul's CA are not known")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: known.pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return err
	}
	if len(leaf.URIs) != 1 {
		return errors.New("it has no identity, or several")
	}
	id, ok := mesh.ParseID(leaf.URIs[0])
	if !ok || !strings.EqualFold(leaf.URIs[0].Host, known.domain) || id.Service != service || service == "" {
		return fmt.Errorf("it is one of %s", leaf.URIs[0])
	}
	return nil
}

// owner is the service that a client must be of to have a role. A role that is
// anybody's is given to who is of the service that the client names.
func (f *Feed) owner(role string, node *core.Node) string {
	if name := (*f.owners.Load())[role]; name != "" {
		return name
	}
	if service, _ := xds.SplitRole(role); service != "" {
		return service
	}
	return node.GetCluster()
}

func tlsState(p *peer.Peer) (tls.ConnectionState, bool) {
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	return info.State, ok
}

// near tells whether a client is on this host.
func near(p *peer.Peer) bool {
	switch a := p.Addr.(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		ip, ok := netip.AddrFromSlice(a.IP)
		return ok && ip.Unmap().IsLoopback()
	}
	return false
}
