package dynamic

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"patchbay/agent/config"

	"github.com/hashicorp/vault/api"
)

const (
	// maxAnswer bounds what Vault may answer, maxToken the file of a token, in bytes.
	maxAnswer, maxToken = 4 << 20, 64 << 10
	// retries within the patience of a template.
	retries, retryAfter, retryAtMost = 2, 200 * time.Millisecond, 500 * time.Millisecond
)

// open gives the client with the token that is configured now.
func (v *vault) open(ctx context.Context) (*api.Client, error) {
	if !v.cfg.Enabled {
		return nil, ErrNoVault
	}
	select {
	case v.session <- struct{}{}:
		defer func() { <-v.session }()
	case <-ctx.Done():
		return nil, vaultError(ctx, ctx.Err(), "")
	}
	token, err := configuredToken(v.cfg)
	if err != nil {
		return nil, err
	}
	if v.client != nil && token == v.given {
		return v.client, nil
	}
	if v.client == nil {
		if v.client, v.conns, err = newClient(v.cfg); err != nil {
			return nil, err
		}
		v.given = ""
	}
	v.client.SetToken(token)
	if v.cfg.UnwrapToken && token != "" {
		if err := v.unwrap(ctx, token); err != nil {
			v.given = "" // the next template tries again
			return nil, err
		}
	}
	v.given = token
	v.forget()
	select {
	case v.changed <- struct{}{}:
	default: // run has not looked at the last change yet
	}
	return v.client, nil
}

// unwrap trades a wrapping token, which is good once, for the one in it.
func (v *vault) unwrap(ctx context.Context, token string) error {
	s, err := v.client.Logical().UnwrapWithContext(ctx, "")
	if err != nil {
		return fmt.Errorf("unwrap token: a wrapping token is good once and for a short time; give Patchbay a new one: %w", vaultError(ctx, err, token))
	}
	if s == nil || s.Auth == nil || s.Auth.ClientToken == "" {
		return errors.New("unwrap token: the wrapping token holds no token; wrap the answer of a login or of auth/token/create")
	}
	v.client.SetToken(s.Auth.ClientToken)
	return nil
}

// configuredToken is the token file's when there is one, read each time: a Vault
// agent writes a new token there when the old one ends.
func configuredToken(cfg config.Vault) (string, error) {
	if cfg.TokenFile == "" {
		return strings.TrimSpace(cfg.Token.Reveal()), nil
	}
	f, err := os.Open(cfg.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read vault_agent_token_file: nothing was run; is the Vault agent running?: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("read vault_agent_token_file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	var wrapped struct {
		Token string `json:"token"` // as an agent with wrap_ttl writes it
	}
	if json.Unmarshal(text, &wrapped) == nil && wrapped.Token != "" {
		token = wrapped.Token
	}
	if token == "" {
		return "", fmt.Errorf("read vault_agent_token_file: %s is empty; nothing was run; look at the Vault agent", cfg.TokenFile)
	}
	return token, nil
}

// newClient makes the library's client. Vault's own environment variables change
// nothing: cfg has them resolved.
func newClient(cfg config.Vault) (*api.Client, *http.Client, error) {
	t := cfg.Transport
	dialer := &net.Dialer{Timeout: t.DialTimeout, KeepAlive: t.DialKeepAlive}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		DisableKeepAlives: t.DisableKeepAlives, IdleConnTimeout: t.IdleConnTimeout, TLSHandshakeTimeout: t.TLSHandshakeTimeout,
		MaxIdleConns: t.MaxIdleConns, MaxIdleConnsPerHost: t.MaxIdleConnsPerHost,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	conns := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c := &api.Config{Address: address(cfg), HttpClient: conns, MaxRetries: retries, MinRetryWait: retryAfter, MaxRetryWait: retryAtMost}
	if cfg.TLS.Enabled {
		if err := secure(c, transport, cfg.TLS); err != nil {
			return nil, nil, fmt.Errorf("make vault client: %w", err)
		}
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, nil, errors.New("make vault client: the address or one of the VAULT_ variables cannot be understood; correct vault { address = \"https://host:8200\" }")
	}
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.ClearToken()
	if cfg.Namespace != "" {
		client.SetNamespace(cfg.Namespace)
	}
	conns.Transport = limiter{transport} // only now: the library configures nothing but its own kind
	return client, conns, nil
}

func address(cfg config.Vault) string {
	if cfg.Address == "" || strings.Contains(cfg.Address, "://") {
		return cmp.Or(cfg.Address, api.DefaultAddress)
	}
	if cfg.TLS.Enabled {
		return "https://" + cfg.Address
	}
	return "http://" + cfg.Address
}

func secure(c *api.Config, transport *http.Transport, t config.TLS) error {
	err := c.ConfigureTLS(&api.TLSConfig{CACert: t.CACert, CAPath: t.CAPath, ClientCert: t.Cert, ClientKey: t.Key,
		TLSServerName: t.ServerName, Insecure: !t.Verify})
	if err != nil || t.Cert == "" {
		return err
	}
	// A certificate is replaced before it expires: read at each handshake.
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		return &cert, err
	}
	return nil
}

// limiter bounds answers.
type limiter struct{ next *http.Transport }

func (l limiter) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if err == nil {
		answer.Body = &limitedBody{ReadCloser: answer.Body, left: maxAnswer}
	}
	return answer, err
}

// CloseIdleConnections is what http.Client looks for.
func (l limiter) CloseIdleConnections() { l.next.CloseIdleConnections() }

type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLarge
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
