package dynamic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/agent/config"
	"patchbay/tasks"

	"golang.org/x/sync/errgroup"
)

const anySecret = `{{ with secret "kv/a" }}{{ .Data.data.pw }}{{ end }}`

// running runs r's Run until the test ends.
func running(t *testing.T, r *Resolver) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return r.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil {
			t.Errorf("run ended with %v", err)
		}
	})
}

// renewing makes a fake whose token lives for a second and can be renewed.
func renewing(t *testing.T) *fakeVault {
	f := newFakeVault(t)
	f.always("GET kv/data/a", kv2(body{"pw": "x"}))
	f.always("GET auth/token/lookup-self", body{"data": body{"ttl": 1, "renewable": true}})
	f.always("PUT auth/token/renew-self", body{"auth": body{"client_token": "root-token", "lease_duration": 1, "renewable": true}})
	return f
}

func (f *fakeVault) count(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.log {
		if line == what {
			n++
		}
	}
	return n
}

func logged(f *fakeVault, cfg config.Vault) (*Resolver, *diary) {
	log := &diary{}
	o := (&values{}).options(cfg)
	o.Log = log.logger()
	return New(o), log
}

func TestTheTokenIsRenewedFromItsFirstUseOn(t *testing.T) {
	f := renewing(t)
	cfg := f.config()
	cfg.RenewToken = true
	r, seen := logged(f, cfg)
	running(t, r)
	if got := f.asked(); got != nil {
		t.Errorf("before the first use Vault was asked %v", got)
	}
	mustResolve(t, r, anySecret)
	eventually(t, "three renewals", func() bool { return f.count("PUT auth/token/renew-self") >= 3 })
	if n := f.count("GET auth/token/lookup-self"); n != 1 {
		t.Errorf("the token was looked up %d times, want once", n)
	}
	if !strings.Contains(seen.String(), "vault token was renewed") || strings.Contains(seen.String(), "root-token") {
		t.Errorf("log: %s", seen)
	}
}

func TestATokenThatCannotBeRenewedIsLeftAlone(t *testing.T) {
	tests := map[string]struct {
		change func(f *fakeVault, cfg *config.Vault)
		says   string
	}{
		"renewal is switched off": {func(_ *fakeVault, cfg *config.Vault) { cfg.RenewToken = false }, ""},
		"a token without end": {func(f *fakeVault, _ *config.Vault) {
			f.always("GET auth/token/lookup-self", body{"data": body{"ttl": 0, "renewable": false}})
		}, ""},
		"an answer without a token": {func(f *fakeVault, _ *config.Vault) {
			f.on("GET auth/token/lookup-self", func(body) (int, body) { return 204, nil })
		}, "vault token was not renewed"},
		"a token that is not renewable": {func(f *fakeVault, _ *config.Vault) {
			f.always("GET auth/token/lookup-self", body{"data": body{"ttl": 60, "renewable": false}})
		}, "vault token is not renewable: ttl=1m0s"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := renewing(t)
			cfg := f.config()
			cfg.RenewToken = true
			tc.change(f, &cfg)
			r, seen := logged(f, cfg)
			mustResolve(t, r, anySecret)
			if next := (&keeper{vault: r.vault.Load()}).renew(t.Context()); next != 0 && next != renewRetry {
				t.Errorf("renewed again after %s", next)
			}
			if n := f.count("PUT auth/token/renew-self"); n != 0 {
				t.Errorf("renewed %d times", n)
			}
			if !strings.Contains(seen.String(), tc.says) || tc.says == "" && seen.String() != "" {
				t.Errorf("log %q, want %q", seen, tc.says)
			}
		})
	}
}

func TestARevokedTokenIsToldAndANewOneIsRenewedAgain(t *testing.T) {
	f := renewing(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("first-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.allow("first-token")
	cfg := f.config()
	cfg.RenewToken, cfg.TokenFile = true, file
	r, seen := logged(f, cfg)
	running(t, r)
	mustResolve(t, r, anySecret)
	eventually(t, "a renewal", func() bool { return f.count("PUT auth/token/renew-self") > 0 })
	f.allow("second-token")
	eventually(t, "the log of the refusal", func() bool { return strings.Contains(seen.String(), "vault token was refused") })
	_, err := resolve(t, r, anySecret)
	says(t, err, []string{"status 403 Forbidden", "invalid token <secret>", "was revoked", "give Patchbay another token"}, "first-token")
	if err := os.WriteFile(file, []byte("second-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.asked()
	mustResolve(t, r, anySecret)
	eventually(t, "a renewal of the new token", func() bool { return f.count("PUT auth/token/renew-self") > 0 })
	if strings.Contains(seen.String(), "first-token") || strings.Contains(seen.String(), "second-token") {
		t.Errorf("the log shows a token: %s", seen)
	}
}

func TestARenewalThatFailsIsTriedAgain(t *testing.T) {
	f := renewing(t)
	failing := true
	f.on("PUT auth/token/renew-self", func(body) (int, body) {
		if failing {
			return 400, body{"errors": []string{"not now"}}
		}
		return 200, body{"auth": body{"client_token": "root-token", "lease_duration": 90, "renewable": true}}
	})
	f.always("GET auth/token/lookup-self", body{"data": body{"ttl": 30, "renewable": true}})
	cfg := f.config()
	cfg.RenewToken = true
	r, seen := logged(f, cfg)
	c := &clock{}
	c.set(r)
	mustResolve(t, r, anySecret)
	k := &keeper{vault: r.vault.Load()}
	if next := k.renew(t.Context()); next.Seconds() != 5 {
		t.Errorf("tried again after %s, want a sixth of the 30s that are left", next)
	}
	if !strings.Contains(seen.String(), "vault token was not renewed") || !strings.Contains(seen.String(), "not now") {
		t.Errorf("log: %s", seen)
	}
	c.forward(60e9)
	if next := k.renew(t.Context()); next != renewRetry {
		t.Errorf("tried again after %s, want %s", next, renewRetry)
	}
	failing = false
	if next := k.renew(t.Context()); next.Seconds() != 60 {
		t.Errorf("renewed again after %s, want two thirds of 90s", next)
	}
}

func TestAWrappingTokenIsUnwrappedOnce(t *testing.T) {
	f := renewing(t)
	f.allow("wrapping", "inner")
	n := 0
	f.on("PUT sys/wrapping/unwrap", func(body) (int, body) {
		if n++; n > 1 {
			return 400, body{"errors": []string{"wrapping token is not valid or does not exist"}}
		}
		f.tokens = []string{"inner"}
		return 200, body{"auth": body{"client_token": "inner"}}
	})
	cfg := f.config()
	cfg.UnwrapToken, cfg.Token = true, tasks.NewSecret("wrapping")
	r := f.resolver(cfg)
	for range 3 {
		mustResolve(t, r, anySecret)
	}
	if n != 1 {
		t.Errorf("unwrapped %d times, want once", n)
	}
	f.allow("wrapping")
	_, err := resolve(t, f.resolver(cfg), anySecret)
	says(t, err, []string{"unwrap token: a wrapping token is good once", "not valid or does not exist"}, "wrapping token wrapping", "inner")
	f.always("PUT sys/wrapping/unwrap", body{"data": body{"foo": "bar"}})
	_, err = resolve(t, f.resolver(cfg), anySecret)
	says(t, err, []string{"holds no token"})
}

func TestVaultIsReachedByMutualTLS(t *testing.T) {
	f := newFakeVault(t)
	f.always("GET kv/data/a", kv2(body{"pw": "x"}))
	secure := httptest.NewUnstartedServer(f)
	secure.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert} // its own certificate is not for clients
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	cert, key := pemFiles(t, secure.TLS.Certificates[0])
	cas := t.TempDir()
	if err := os.Link(cert, filepath.Join(cas, "ca.pem")); err != nil {
		t.Fatal(err)
	}

	good := config.TLS{Enabled: true, Verify: true, CACert: cert, Cert: cert, Key: key, ServerName: "example.com"}
	tests := map[string]struct {
		change func(*config.TLS)
		says   string
	}{
		"certificate and authority":          {func(*config.TLS) {}, ""},
		"a directory of authorities":         {func(c *config.TLS) { c.CAPath, c.CACert = cas, "" }, ""},
		"verification switched off":          {func(c *config.TLS) { c.CACert, c.Verify = "", false }, ""},
		"no authority":                       {func(c *config.TLS) { c.CACert = "" }, "certificate signed by unknown authority"},
		"another name":                       {func(c *config.TLS) { c.ServerName = "other.test" }, "not other.test"},
		"no certificate":                     {func(c *config.TLS) { c.Cert, c.Key = "", "" }, "vault: "},
		"a file of authorities that is gone": {func(c *config.TLS) { c.CACert = "/no/such" }, "make vault client"},
		"a certificate without its key":      {func(c *config.TLS) { c.Key = "" }, "make vault client"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := f.config()
			cfg.Address, cfg.TLS = secure.URL, good
			tc.change(&cfg.TLS)
			got, err := resolve(t, f.resolver(cfg), anySecret)
			if tc.says != "" {
				says(t, err, []string{tc.says})
				return
			}
			if err != nil || got != "x" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func pemFiles(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", slices.Concat(c.Certificate[0])), write("key.pem", "PRIVATE KEY", der)
}
