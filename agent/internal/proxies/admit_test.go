package proxies

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// ca signs certificates of services.
type ca struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *ca {
	t.Helper()
	c := &ca{t: t}
	c.cert, c.key = c.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return c
}

// sign fills a form in; the first signs itself.
func (c *ca) sign(form *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	form.SerialNumber, form.Subject = big.NewInt(1), pkix.Name{CommonName: "test"}
	// The clock of a bubble begins in the year 2000.
	form.NotBefore = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	if form.NotAfter.IsZero() {
		form.NotAfter = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	parent, signer := c.cert, c.key
	if parent == nil {
		parent, signer = form, key
	}
	der, err := x509.CreateCertificate(rand.Reader, form, parent, key.Public(), signer)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert, key
}

func (c *ca) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

// leaf is a certificate with identities.
func (c *ca) leaf(ids ...string) *x509.Certificate {
	c.t.Helper()
	form := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, id := range ids {
		u, err := url.Parse(id)
		if err != nil {
			c.t.Fatal(err)
		}
		form.URIs = append(form.URIs, u)
	}
	cert, _ := c.sign(form)
	return cert
}

const webID = "spiffe://td.consul/ns/default/dc/dc1/svc/web"

// client is who asks to be admitted.
type client struct {
	role, token string
	remote      bool
	tls         bool
	cert        *x509.Certificate
	verified    bool // by the CA of the configuration
}

func (w *world) admit(c client) error {
	w.t.Helper()
	_, err := w.enter(c)
	return err
}

func (w *world) enter(c client) (renew func(context.Context) error, err error) {
	w.t.Helper()
	p := &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}}
	if c.remote {
		p.Addr = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 4000}
	}
	if c.tls {
		state := tls.ConnectionState{}
		if c.cert != nil {
			state.PeerCertificates = []*x509.Certificate{c.cert}
		}
		if c.verified {
			state.VerifiedChains = [][]*x509.Certificate{state.PeerCertificates}
		}
		p.AuthInfo = credentials.TLSInfo{State: state}
	}
	ctx := peer.NewContext(w.ctx, p)
	if c.token != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(xds.TokenKey, c.token))
	}
	role := c.role
	if role == "" {
		role = "web"
	}
	node := &core.Node{Id: "n1", Cluster: role}
	if strings.Contains(role, "/") {
		node.Metadata = &structpb.Struct{Fields: map[string]*structpb.Value{xds.RoleKey: structpb.NewStringValue(role)}}
	}
	got, err := w.feed.Admit(ctx, node)
	return got.Renew, err
}

// rights is Consul's word on tokens.
type rights struct {
	asked int
	off   bool
	err   error
	// may tells which service a token may write.
	may map[string]string
}

func (r *rights) mayWrite(_ context.Context, token tasks.Secret, service string) (allowed, judged bool, err error) {
	r.asked++
	if r.err != nil || r.off {
		return false, false, r.err
	}
	return r.may[token.Reveal()] == service, true, nil
}

// serveWeb makes web's role one that is served, with identities of the CA.
func (w *world) serveWeb(c *ca) {
	w.t.Helper()
	w.declare(secured())
	w.tell("web", nil, catalog.Instance{})
	w.hears(xds.News{Trust: trust, Roots: roots(w.t, c.pem()), Authorities: c.pem(), Leaves: leaf(w.t, "web", "1"), Intentions: map[string]mesh.Intentions{"web": {}}})
	w.rights.may = map[string]string{"good": "web", "shops": "shop"}
}

func TestAClientGetsTheConfigurationOfItsOwnServiceAlone(t *testing.T) {
	own, other := newCA(t), newCA(t)
	old, _ := own.sign(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, NotAfter: time.Date(1999, 2, 1, 0, 0, 0, 0, time.UTC)})
	for name, c := range map[string]struct {
		client
		aclsOff, silent bool
		want            codes.Code
	}{
		"this host, nothing shown":                             {client{}, false, false, codes.OK},
		"another host, nothing shown":                          {client{remote: true}, false, false, codes.PermissionDenied},
		"another host over TLS, nothing shown":                 {client{remote: true, tls: true}, false, false, codes.PermissionDenied},
		"another host, a good token over TLS":                  {client{remote: true, tls: true, token: "good"}, false, false, codes.OK},
		"another host, a good token in plain text":             {client{remote: true, token: "good"}, false, false, codes.PermissionDenied},
		"another host, the token of another service":           {client{remote: true, tls: true, token: "shops"}, false, false, codes.PermissionDenied},
		"another host, a token that nobody knows":              {client{remote: true, tls: true, token: "made up"}, false, false, codes.PermissionDenied},
		"this host, the token of another service":              {client{token: "shops"}, false, false, codes.PermissionDenied},
		"this host, a token where Consul checks none":          {client{token: "made up"}, true, false, codes.OK},
		"another host, a token where Consul checks none":       {client{remote: true, tls: true, token: "good"}, true, false, codes.PermissionDenied},
		"Consul does not answer":                               {client{remote: true, tls: true, token: "good"}, false, true, codes.Unavailable},
		"a certificate of the service":                         {client{remote: true, tls: true, cert: own.leaf(webID)}, false, false, codes.OK},
		"a certificate of another service":                     {client{remote: true, tls: true, cert: own.leaf("spiffe://td.consul/ns/default/dc/dc1/svc/shop")}, false, false, codes.PermissionDenied},
		"a certificate of the service in another trust domain": {client{remote: true, tls: true, cert: own.leaf("spiffe://other.consul/ns/default/dc/dc1/svc/web")}, false, false, codes.PermissionDenied},
		"a certificate of another CA":                          {client{remote: true, tls: true, cert: other.leaf(webID)}, false, false, codes.PermissionDenied},
		"a certificate with two identities":                    {client{remote: true, tls: true, cert: own.leaf(webID, webID+"2")}, false, false, codes.PermissionDenied},
		"a certificate that ran out":                           {client{remote: true, tls: true, cert: old}, false, false, codes.PermissionDenied},
		"one of an agent":                                      {client{remote: true, tls: true, cert: own.leaf("spiffe://td.consul/agent/client/dc/dc1/id/web")}, false, false, codes.PermissionDenied},
		"one that the CA of the configuration verified":        {client{remote: true, tls: true, cert: other.leaf(), verified: true}, false, false, codes.OK},
		"one of another service that was verified":             {client{remote: true, tls: true, cert: own.leaf("spiffe://td.consul/ns/default/dc/dc1/svc/shop"), verified: true}, false, false, codes.PermissionDenied},
		"another service's role with a good token":             {client{role: "shop", remote: true, tls: true, token: "good"}, false, false, codes.PermissionDenied},
		"a role that is not declared, from this host":          {client{role: "gateway/nobody"}, false, false, codes.NotFound},
		"a role that is not declared, from another":            {client{role: "gateway/nobody", remote: true, tls: true, token: "good"}, false, false, codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.serveWeb(own)
				w.rights.off = c.aclsOff
				if c.silent {
					w.rights.err = errors.New("no answer")
				}
				if err := w.admit(c.client); status.Code(err) != c.want {
					t.Errorf("got %v, want %s", err, c.want)
				}
			})
		})
	}
}

func TestConsulsWordOnATokenHoldsForMinutes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.serveWeb(newCA(t))
		far := client{remote: true, tls: true, token: "good"}
		renew, err := w.enter(far)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if err := w.admit(far); err != nil || w.rights.asked != 1 {
			t.Errorf("after 3 minutes: %v, Consul was asked %d times", err, w.rights.asked)
		}
		w.rights.err = errors.New("no answer")
		time.Sleep(2 * time.Minute)
		if err := w.admit(far); status.Code(err) != codes.Unavailable {
			t.Errorf("a new stream, while Consul does not answer: %v", err)
		}
		if err := renew(w.ctx); err != nil {
			t.Errorf("an open stream, while Consul does not answer: %v", err)
		}
		w.rights.err, w.rights.may = nil, nil
		if err := renew(w.ctx); status.Code(err) != codes.PermissionDenied {
			t.Errorf("an open stream whose token lost its rights: %v", err)
		}
	})
}

func TestAnOpenStreamEndsWithItsCertificate(t *testing.T) {
	inWorld(t, func(w *world) {
		own, next := newCA(t), newCA(t)
		w.serveWeb(own)
		renew, err := w.enter(client{remote: true, tls: true, cert: own.leaf(webID)})
		if err != nil {
			t.Fatal(err)
		}
		if err := renew(w.ctx); err != nil {
			t.Errorf("while all is as it was: %v", err)
		}
		w.hears(xds.News{Trust: trust, Roots: roots(t, next.pem()), Authorities: next.pem()})
		if err := renew(w.ctx); err == nil {
			t.Error("its CA is trusted no more, and it stays")
		}
	})
}

func TestAnOpenStreamEndsWhenItsCertificateRunsOut(t *testing.T) {
	for name, verified := range map[string]bool{"verified by the CA of the configuration": true, "of Consul's CA": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				own := newCA(t)
				w.serveWeb(own)
				form := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, NotAfter: time.Now().Add(time.Hour)}
				if !verified {
					form.URIs = own.leaf(webID).URIs
				}
				cert, _ := own.sign(form)
				renew, err := w.enter(client{remote: true, tls: true, cert: cert, verified: verified})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(30 * time.Minute)
				if err := renew(w.ctx); err != nil {
					t.Errorf("before its end: %v", err)
				}
				time.Sleep(31 * time.Minute)
				if err := renew(w.ctx); err == nil {
					t.Error("it ran out, and the client stays")
				}
			})
		})
	}
}
