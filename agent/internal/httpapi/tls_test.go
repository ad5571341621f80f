package httpapi

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/agent/config"

	"github.com/hashicorp/go-hclog"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue signs a certificate for 127.0.0.1, for both ends of a connection.
func (a authority) issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &own.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: pkcs})
}

// locked is a buffer that several goroutines write.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// secured is a served agent with TLS.
type secured struct {
	cfg     config.ServerTLS
	address string
	log     *locked
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveTLS serves with the certificate of ca; clients trusts those of another, if
// there is one.
func serveTLS(t *testing.T, ca authority, edit func(dir string, cfg *config.ServerTLS)) secured {
	t.Helper()
	dir := t.TempDir()
	s := secured{cfg: config.ServerTLS{Enabled: true, Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}, log: &locked{}}
	cert, key := ca.issue(t, "first")
	put(t, s.cfg.Cert, cert)
	put(t, s.cfg.Key, key)
	if edit != nil {
		edit(dir, &s.cfg)
	}
	log := hclog.New(&hclog.LoggerOptions{Output: s.log, Level: hclog.Debug})
	cfg, err := newTLSConfig(s.cfg, log, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	s.address = l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	f := newFake()
	h := checked(t, New(Options{Reader: f, Operator: f, Prober: f, Log: log, Remote: Remote{MTLS: s.cfg.VerifyIncoming}}))
	go func() { served <- Serve(ctx, tls.NewListener(l, cfg), h) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask makes one request on a connection of its own and gives the name on the
// server's certificate.
func (s secured) ask(scheme string, trusted authority, own ...tls.Certificate) (name string, status int, err error) {
	pool := x509.NewCertPool()
	pool.AddCert(trusted.cert)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: own}}
	res, err := (&http.Client{Transport: transport}).Get(scheme + "://" + s.address + "/v1/status")
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", res.StatusCode, err
	}
	if res.TLS == nil {
		return string(body), res.StatusCode, nil
	}
	return res.TLS.PeerCertificates[0].Subject.CommonName, res.StatusCode, nil
}

func TestTheAPIAnswersOverTLS(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	s := serveTLS(t, ca, nil)
	if name, status, err := s.ask("https", ca); name != "first" || status != 200 || err != nil {
		t.Errorf("%s %d %v", name, status, err)
	}
	if _, _, err := s.ask("https", other); err == nil || !strings.Contains(err.Error(), "signed by unknown authority") {
		t.Errorf("a client that trusts another CA: %v", err)
	}
	if text, status, err := s.ask("http", ca); status != 400 || !strings.Contains(text, "sent an HTTP request to an HTTPS server") || err != nil {
		t.Errorf("http: %q %d %v", text, status, err)
	}
	waitFor(t, func() bool { return strings.Contains(s.log.String(), "connection failed: err=") })
}

func TestHTTPSToAPlainServerIsTold(t *testing.T) {
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	f := newFake()
	go func() { served <- Serve(ctx, l, New(Options{Reader: f})) }()
	_, _, err := secured{address: l.Addr().String()}.ask("https", newAuthority(t, "ca"))
	if err == nil || !strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		t.Error(err)
	}
	stop()
	<-served
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("what was waited for did not come")
}

func TestClientsMustShowACertificateOfTheirCA(t *testing.T) {
	server, clients, other := newAuthority(t, "server"), newAuthority(t, "clients"), newAuthority(t, "other")
	own := func(a authority) tls.Certificate {
		cert, err := tls.X509KeyPair(a.issue(t, "client"))
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	for name, edit := range map[string]func(dir string, cfg *config.ServerTLS){
		"ca_cert": func(dir string, cfg *config.ServerTLS) {
			cfg.CACert = filepath.Join(dir, "ca.pem")
			put(t, cfg.CACert, clients.pem)
		},
		"ca_path": func(dir string, cfg *config.ServerTLS) {
			cfg.CAPath = filepath.Join(dir, "cas")
			if err := os.MkdirAll(filepath.Join(cfg.CAPath, "inner"), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(cfg.CAPath, "README"), []byte("no certificate"))
			put(t, filepath.Join(cfg.CAPath, "ca.pem"), clients.pem)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveTLS(t, server, func(dir string, cfg *config.ServerTLS) {
				cfg.VerifyIncoming = true
				edit(dir, cfg)
			})
			if _, status, err := s.ask("https", server, own(clients)); status != 200 || err != nil {
				t.Errorf("a client of the CA: %d %v", status, err)
			}
			if _, _, err := s.ask("https", server); err == nil || !strings.Contains(err.Error(), "certificate required") {
				t.Errorf("a client without certificate: %v", err)
			}
			if _, _, err := s.ask("https", server, own(other)); err == nil {
				t.Error("a client of another CA was let in")
			}
		})
	}
}

func TestARenewedCertificateCountsForTheNextConnection(t *testing.T) {
	ca, clients, later := newAuthority(t, "ca"), newAuthority(t, "clients"), newAuthority(t, "later")
	s := serveTLS(t, ca, func(dir string, cfg *config.ServerTLS) {
		cfg.VerifyIncoming, cfg.CACert = true, filepath.Join(dir, "ca.pem")
		put(t, cfg.CACert, clients.pem)
	})
	pair := func(a authority) tls.Certificate {
		cert, err := tls.X509KeyPair(a.issue(t, "client"))
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	old, renewed := pair(clients), pair(later)
	expect := func(when, want string, own tls.Certificate) {
		t.Helper()
		if name, _, err := s.ask("https", ca, own); name != want || err != nil && want != "" {
			t.Fatalf("%s: %q, %v", when, name, err)
		}
	}
	expect("at first", "first", old)

	cert, key := ca.issue(t, "second")
	put(t, s.cfg.Cert, cert) // with the old key: a renewal seen halfway
	expect("halfway", "first", old)
	expect("halfway still", "first", old)
	if n := strings.Count(s.log.String(), "api certificate not reloaded"); n != 1 {
		t.Errorf("told %d times: %s", n, s.log)
	}
	put(t, s.cfg.Key, key)
	expect("renewed", "second", old)
	expect("renewed still", "second", old)
	if n := strings.Count(s.log.String(), "api certificate reloaded"); n != 1 {
		t.Errorf("told %d times: %s", n, s.log)
	}

	put(t, s.cfg.CACert, later.pem)
	expect("the CA of clients changed", "second", renewed)
	expect("the CA of clients changed, the old client", "", old)

	if err := os.Remove(s.cfg.CACert); err != nil {
		t.Fatal(err)
	}
	expect("the file is gone", "second", renewed)
	expect("the file is gone still", "second", renewed)
	if n := strings.Count(s.log.String(), "api certificate not reloaded"); n != 2 {
		t.Errorf("told %d times: %s", n, s.log)
	}
	if strings.Contains(s.log.String(), "PRIVATE KEY") {
		t.Error("the log has the key")
	}
}

func TestFilesAreNotReadAtEveryHandshake(t *testing.T) {
	dir := t.TempDir()
	cfg := config.ServerTLS{Enabled: true, Cert: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k")}
	cert, key := newAuthority(t, "ca").issue(t, "x")
	put(t, cfg.Cert, cert)
	put(t, cfg.Key, key)
	log := &locked{}
	got, err := newTLSConfig(cfg, hclog.New(&hclog.LoggerOptions{Output: log}), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cfg.Cert); err != nil {
		t.Fatal(err)
	}
	if now, err := got.GetConfigForClient(nil); err != nil || len(now.Certificates) != 1 || log.String() != "" {
		t.Errorf("%v, %v, log %s", now, err, log)
	}
}

func TestTLSThatCannotBeSetUpSaysWhy(t *testing.T) {
	ca, dir := newAuthority(t, "ca"), t.TempDir()
	cert, key := ca.issue(t, "x")
	_, foreign := ca.issue(t, "y")
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		put(t, path, data)
		return path
	}
	c, k, other, empty := file("c", cert), file("k", key), file("other", foreign), file("empty", nil)
	for name, tc := range map[string]struct {
		cfg  config.ServerTLS
		want string
	}{
		"no certificate":         {config.ServerTLS{Cert: filepath.Join(dir, "none"), Key: k}, "none: no such file"},
		"no key":                 {config.ServerTLS{Cert: c, Key: filepath.Join(dir, "none")}, "none: no such file"},
		"the key of another":     {config.ServerTLS{Cert: c, Key: other}, "private key does not match public key"},
		"an empty certificate":   {config.ServerTLS{Cert: empty, Key: k}, "failed to find any PEM data"},
		"no CA of clients":       {config.ServerTLS{Cert: c, Key: k, VerifyIncoming: true}, "neither ca_cert nor ca_path"},
		"an empty CA of clients": {config.ServerTLS{Cert: c, Key: k, VerifyIncoming: true, CACert: empty}, "empty has no certificate"},
		"no such CA of clients":  {config.ServerTLS{Cert: c, Key: k, VerifyIncoming: true, CACert: filepath.Join(dir, "none")}, "none: no such file"},
		"no such CA directory":   {config.ServerTLS{Cert: c, Key: k, VerifyIncoming: true, CAPath: filepath.Join(dir, "none")}, "none: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.Enabled = true
			if got, err := TLSConfig(tc.cfg, nil); err == nil || got != nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "set up TLS of the HTTP API: ") {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if got, err := TLSConfig(config.ServerTLS{Cert: "none"}, nil); got != nil || err != nil {
		t.Errorf("not enabled: %v, %v", got, err)
	}
}
