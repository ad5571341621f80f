package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
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
}

// Environment fills options from PATCHBAY_ADDRESS, _CACERT, _CAPATH,
// _CLIENT_CERT, _CLIENT_KEY and _SSL_VERIFY, each also with CTS for PATCHBAY; the
// former wins, and an empty one counts as unset. It fails on an _SSL_VERIFY that
// is no boolean.
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
	return o, nil
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
