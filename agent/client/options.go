package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"patchbay/tasks"
)

// DefaultAddress is where an agent listens if nothing else is configured.
const DefaultAddress = "http://localhost:8558"

// Options tell where the agent is and how to trust it. The zero Options are an
// agent on this host over plain HTTP.
type Options struct {
	// Address is a URL with scheme http or https and perhaps a path; "" means
	// [DefaultAddress].
	Address string
	// CACert is a file and CAPath a directory of PEM certificates that are trusted
	// instead of the system's.
	CACert, CAPath string
	// ClientCert and ClientKey are PEM files; both or none.
	ClientCert, ClientKey string
	// SkipVerify accepts any server certificate.
	SkipVerify bool
	// Token is the agent's (api token in its configuration), by which it knows who may
	// write from another host; "" sends none. It is sent over https, or to this host.
	Token tasks.Secret
}

// Environment fills options from PATCHBAY_ADDRESS, _CACERT, _CAPATH,
// _CLIENT_CERT, _CLIENT_KEY and _SSL_VERIFY, each also with CTS for PATCHBAY; the
// former wins, and an empty one counts as unset. The token is that of PATCHBAY_TOKEN,
// or what is in the file that PATCHBAY_TOKEN_FILE names. It fails on an _SSL_VERIFY
// that is no boolean, and on a file that cannot be read.
func Environment(getenv func(string) string) (Options, error) {
	env := func(name string) string {
		if v := getenv("PATCHBAY_" + name); v != "" {
			return v
		}
		return getenv("CTS_" + name)
	}
	o := Options{
		Address: env("ADDRESS"), CACert: env("CACERT"), CAPath: env("CAPATH"),
		ClientCert: env("CLIENT_CERT"), ClientKey: env("CLIENT_KEY"),
	}
	if v := env("SSL_VERIFY"); v != "" {
		verify, err := strconv.ParseBool(v)
		if err != nil {
			return Options{}, fmt.Errorf("read SSL_VERIFY from environment: %q is neither true nor false", v)
		}
		o.SkipVerify = !verify
	}
	o.Token = tasks.NewSecret(getenv("PATCHBAY_TOKEN"))
	if file := getenv("PATCHBAY_TOKEN_FILE"); file != "" && o.Token.Empty() {
		text, err := os.ReadFile(file)
		if err != nil {
			return Options{}, fmt.Errorf("read token of the agent: %w", err)
		}
		o.Token = tasks.NewSecret(strings.TrimSpace(string(text)))
	}
	return o, nil
}

// bearer sends a token with every request.
type bearer struct {
	token tasks.Secret
	next  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer "+b.token.Reveal())
	return b.next.RoundTrip(out)
}

// CloseIdleConnections frees those of the transport below.
func (b bearer) CloseIdleConnections() {
	if c, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// authorized adds the token to a transport. It refuses to send it in clear to another
// host, where anybody on the way reads it.
func (o Options) authorized(base *url.URL, t http.RoundTripper) (http.RoundTripper, error) {
	if o.Token.Empty() {
		return t, nil
	}
	ip, err := netip.ParseAddr(base.Hostname())
	here := base.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback()
	if base.Scheme != "https" && !here {
		return nil, errors.New("a token is not sent to another host over plain http, where it can be read on the way: use an https address, or unset PATCHBAY_TOKEN")
	}
	return bearer{o.Token, t}, nil
}

// base parses the address.
func (o Options) base() (*url.URL, error) {
	address := o.Address
	if address == "" {
		address = DefaultAddress
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("parse address: %w; want http://host:port or https://host:port", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("unknown protocol scheme: %s; want http://host:port or https://host:port", u.Scheme)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("address %q names no host; want http://host:port or https://host:port", address)
	}
	return u, nil
}

// transport makes connections as the options say.
func (o Options) transport() (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.SkipVerify}
	switch {
	case (o.ClientCert == "") != (o.ClientKey == ""):
		return nil, errors.New("both client cert and client key must be provided")
	case o.ClientCert != "":
		pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	var err error
	if conf.RootCAs, err = o.authorities(); err != nil {
		return nil, err
	}
	return &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true}, nil
}

// authorities are the trusted certificates; nil means the system's.
func (o Options) authorities() (*x509.CertPool, error) {
	var files []string
	if o.CAPath != "" {
		entries, err := os.ReadDir(o.CAPath)
		if err != nil {
			return nil, fmt.Errorf("read CA directory: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				files = append(files, filepath.Join(o.CAPath, e.Name()))
			}
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("read CA directory: %s holds no file", o.CAPath)
		}
	}
	if o.CACert != "" {
		files = []string{o.CACert}
	}
	if files == nil {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read CA certificate: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA certificate: %s holds no PEM certificate", f)
		}
	}
	return pool, nil
}
