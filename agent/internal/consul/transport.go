package consul

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/consul/api"
)

const (
	// maxBody bounds an answer: 10,000 instances with full check output stay
	// under 100 MB.
	maxBody = 256 << 20
	// maxErrorBody bounds the text of a refusal.
	maxErrorBody = 4 << 10
)

var errTooLarge = errors.New("answer is larger than 256 MiB")

// unset keeps Consul's client library from taking what the configuration leaves
// out of its own environment variables; guard takes it off every request.
const unset = "patchbay-unset"

// newHTTP makes the HTTP client that carries every request.
func newHTTP(token func() tasks.Secret, transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: guard{next: transport, token: token},
		// A redirect would carry the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newAPI makes the library's client over conns.
func newAPI(cfg config.Consul, conns *http.Client) (*api.Client, error) {
	scheme, address := "http", cfg.Address
	if cfg.TLS.Enabled {
		scheme = "https"
	}
	switch {
	case address == "":
		address = "localhost:8500"
	case strings.HasPrefix(address, "unix://"):
		scheme, address = "http", "localhost"
	}
	c := &api.Config{Address: address, Scheme: scheme, Token: unset,
		Namespace: cmp.Or(cfg.Namespace, unset), Partition: cmp.Or(cfg.Partition, unset), HttpClient: conns}
	if cfg.Auth.Enabled {
		c.HttpAuth = &api.HttpBasicAuth{Username: cfg.Auth.Username, Password: cfg.Auth.Password.Reveal()}
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, fmt.Errorf("make consul client for %q: %w", cfg.Address, err)
	}
	return client, nil
}

// newTransport makes the connections that the configuration asks for.
func newTransport(cfg config.Consul) (*http.Transport, error) {
	t := cfg.Transport
	dialer := &net.Dialer{Timeout: t.DialTimeout, KeepAlive: t.DialKeepAlive}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		DisableKeepAlives: t.DisableKeepAlives, IdleConnTimeout: t.IdleConnTimeout, TLSHandshakeTimeout: t.TLSHandshakeTimeout,
		MaxIdleConns: t.MaxIdleConns, MaxIdleConnsPerHost: t.MaxIdleConnsPerHost,
	}
	if transport.MaxIdleConnsPerHost == 0 {
		transport.MaxIdleConnsPerHost = cfg.MaxPolls
	}
	if socket, ok := strings.CutPrefix(cfg.Address, "unix://"); ok {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	if !cfg.TLS.Enabled && !strings.HasPrefix(cfg.Address, "https://") {
		return transport, nil
	}
	key := cfg.TLS.Key
	if key == "" {
		key = cfg.TLS.Cert
	}
	tlsConfig, err := api.SetupTLSConfig(&api.TLSConfig{Address: cfg.TLS.ServerName, CAFile: cfg.TLS.CACert,
		CAPath: cfg.TLS.CAPath, CertFile: cfg.TLS.Cert, KeyFile: key,
		InsecureSkipVerify: cfg.TLS.Enabled && !cfg.TLS.Verify})
	if err != nil {
		return nil, fmt.Errorf("set up TLS to consul: %w; check the consul tls block and that its files are readable", err)
	}
	transport.TLSClientConfig = tlsConfig
	return transport, nil
}

// codeKey is the key of a context under which a caller finds the status code that
// the library does not tell, a pointer to int.
type codeKey struct{}

// queryKey is the key of a context under which a caller puts what the library has no
// field for into the query of the URL, as [url.Values].
type queryKey struct{}

// guard is the last step of every request: it sets the token, as a header and
// nowhere else, undoes what the environment may have added and bounds the answer.
type guard struct {
	next  http.RoundTripper
	token func() tasks.Secret
}

// RoundTrip implements [http.RoundTripper].
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("X-Consul-Token")
	if token := g.token(); !token.Empty() {
		req.Header.Set("X-Consul-Token", token.Reveal())
	}
	query := req.URL.Query()
	if more, ok := req.Context().Value(queryKey{}).(url.Values); ok {
		maps.Copy(query, more)
	}
	for _, name := range []string{"ns", "partition"} {
		if query.Get(name) == unset {
			query.Del(name)
		}
	}
	req.URL.RawQuery = query.Encode()
	// The library escapes a path whose parts are escaped already: undo one.
	if raw := req.URL.Path; strings.Contains(raw, "%") {
		p, err := url.PathUnescape(raw)
		if err != nil {
			return nil, fmt.Errorf("unescape path %q: %w", raw, err)
		}
		req.URL.Path, req.URL.RawPath = p, raw
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if code, ok := req.Context().Value(codeKey{}).(*int); ok {
		*code = resp.StatusCode
	}
	// At a number that it cannot read the library skips all later headers, among
	// them the one that tells of hidden results.
	resp.Header.Set("X-Consul-LastContact", "0")
	if _, err := strconv.ParseUint(resp.Header.Get("X-Consul-Index"), 10, 64); err != nil {
		resp.Header.Del("X-Consul-Index")
	}
	limit := bounded{ReadCloser: resp.Body, left: maxBody, over: errTooLarge}
	if resp.StatusCode != http.StatusOK {
		limit.left, limit.over = maxErrorBody, io.EOF
	}
	resp.Body = &limit
	return resp, nil
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] reach the transport.
func (g guard) CloseIdleConnections() {
	if t, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// bounded reads at most left bytes and then fails with over.
type bounded struct {
	io.ReadCloser
	left int64
	over error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.over
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
