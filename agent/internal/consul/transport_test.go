package consul

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

// leader answers as a Consul whose every path is behind prefix.
func leader(prefix string, seen func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen(r)
		if r.URL.Path != prefix+"/v1/status/leader" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, `"127.0.0.1:8300"`)
	})
}

func ask(t *testing.T, cfg config.Consul) error {
	t.Helper()
	cfg.MaxPolls, cfg.Transport.IdleConnTimeout = 10, time.Second
	c, err := New(cfg, hclog.NewNullLogger())
	if err != nil {
		return err
	}
	defer c.conns.CloseIdleConnections()
	return c.askLeader(t.Context())
}

func TestTLSVerifiesTheServerUnlessToldNotTo(t *testing.T) {
	server := httptest.NewTLSServer(leader("", func(*http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(server.URL, "https://")
	for name, c := range map[string]struct {
		cfg  config.Consul
		want string // part of the error; "" for none
	}{
		"with its CA":                  {cfg: config.Consul{Address: host, TLS: config.TLS{Enabled: true, Verify: true, CACert: ca}}},
		"by the scheme of the address": {cfg: config.Consul{Address: server.URL, TLS: config.TLS{Verify: true, CACert: ca}}},
		"without its CA":               {cfg: config.Consul{Address: host, TLS: config.TLS{Enabled: true, Verify: true}}, want: "certificate"},
		"unverified as configured":     {cfg: config.Consul{Address: host, TLS: config.TLS{Enabled: true}}},
		"another server name": {cfg: config.Consul{Address: host, TLS: config.TLS{Enabled: true, Verify: true, CACert: ca, ServerName: "db.invalid"}},
			want: "db.invalid"},
		"a CA file that is not there": {cfg: config.Consul{Address: host, TLS: config.TLS{Enabled: true, CACert: ca + ".no"}}, want: "tls block"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ask(t, c.cfg)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAddressesMayBeASocketOrHaveAPrefix(t *testing.T) {
	var got *http.Request
	seen := func(r *http.Request) { got = r }
	socket := filepath.Join(t.TempDir(), "c.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	onSocket := httptest.NewUnstartedServer(leader("", seen))
	onSocket.Listener.Close()
	onSocket.Listener = listener
	onSocket.Start()
	defer onSocket.Close()
	plain := httptest.NewServer(leader("/consul", seen))
	defer plain.Close()
	for name, address := range map[string]string{"a socket": "unix://" + socket, "a prefix": plain.URL + "/consul"} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Consul{Address: address, Token: tasks.NewSecret("s3cret"),
				Auth: config.Auth{Enabled: true, Username: "u", Password: tasks.NewSecret("p")}}
			if err := ask(t, cfg); err != nil {
				t.Fatal(err)
			}
			user, password, _ := got.BasicAuth()
			if got.Header.Get("X-Consul-Token") != "s3cret" || user != "u" || password != "p" || got.URL.RawQuery != "" {
				t.Errorf("token %q, user %q, password %q, query %q", got.Header.Get("X-Consul-Token"), user, password, got.URL.RawQuery)
			}
		})
	}
}

func TestAWrongAddressIsAnError(t *testing.T) {
	if _, err := New(config.Consul{Address: "gopher://consul"}, hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), "gopher") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := New(config.Consul{Address: "127.0.0.1:1"}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WaitLeader(ctx); err == nil {
		t.Error("a leader was found where nothing listens")
	}
	if ok, since, _ := c.Answering(); ok || !since.IsZero() {
		t.Error("a request that was given up counts")
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		left int64
		want string
		err  error
	}{
		"within the bound": {left: 6, want: "hello"},
		"over the bound":   {left: 3, want: "hel", err: errTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := io.ReadAll(&bounded{ReadCloser: io.NopCloser(strings.NewReader("hello")), left: c.left, over: errTooLarge})
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
