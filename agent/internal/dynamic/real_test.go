//go:build vault

package dynamic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/testconsul"
	"patchbay/tasks"

	"github.com/hashicorp/consul/sdk/testutil"
	"github.com/hashicorp/vault/api"
)

const rootToken = "root-of-the-test"

// realVault is a Vault server in memory; make e2e-vault puts one on PATH.
type realVault struct {
	*testing.T
	addr string
	api  *api.Client
}

func startVault(t *testing.T) *realVault {
	t.Helper()
	binary, err := exec.LookPath("vault")
	if err != nil {
		t.Fatalf("%v: run make e2e-vault", err)
	}
	for range 5 { // another process may take the port in between
		if v := tryVault(t, binary); v != nil {
			return v
		}
	}
	t.Fatal("Vault did not start on any of five ports")
	return nil
}

func tryVault(t *testing.T, binary string) *realVault {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	home, out := t.TempDir(), &diary{}
	cmd := exec.Command(binary, "server", "-dev", "-dev-listen-address="+addr, "-dev-no-store-token")
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "VAULT_DEV_ROOT_TOKEN_ID=" + rootToken}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed below
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	client, conns, err := newClient(config.Vault{Address: "http://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conns.CloseIdleConnections)
	client.SetToken(rootToken)
	up := false
	eventually(t, "Vault's start", func() bool {
		select {
		case <-ended:
			t.Logf("Vault ended: %s", out)
			return true
		default:
		}
		_, err := client.Logical().Read("secret/config")
		up = err == nil
		return up
	})
	if !up {
		return nil
	}
	return &realVault{T: t, addr: "http://" + addr, api: client}
}

// write writes as root and gives the answer.
func (v *realVault) write(path string, data body) *api.Secret {
	v.Helper()
	s, err := v.api.Logical().Write(path, data)
	if err != nil {
		v.Fatal(err)
	}
	return s
}

// token makes a token that may read and list the test's secrets.
func (v *realVault) token(ttl string, more body) string {
	v.Helper()
	request := body{"policies": []string{"patchbay"}, "ttl": ttl, "renewable": true}
	for k, x := range more {
		request[k] = x
	}
	return v.write("auth/token/create", request).Auth.ClientToken
}

func (v *realVault) config(token string) config.Vault {
	return config.Vault{Enabled: true, Address: v.addr, Token: tasks.NewSecret(token)}
}

const realSecret = `{{ with secret "secret/net/lb" }}{{ .Data.data.pw }}{{ end }}`

func (v *realVault) rotate(pw string) { v.write("secret/data/net/lb", body{"data": body{"pw": pw}}) }

func TestValuesComeFromARealVault(t *testing.T) {
	v := startVault(t)
	v.write("sys/policies/acl/patchbay", body{"policy": `
path "secret/data/net/*" { capabilities = ["read"] }
path "secret/metadata/net/*" { capabilities = ["list"] }
path "old/*" { capabilities = ["read", "list"] }
path "pki/issue/*" { capabilities = ["update"] }
path "consul/creds/*" { capabilities = ["read"] }`})
	v.write("sys/mounts/old", body{"type": "kv", "options": body{"version": "1"}})
	v.write("old/lb", body{"pw": "from version 1"})
	steps := []struct {
		name string
		run  func(*testing.T)
	}{
		{"a rotated secret reaches the next run", v.rotated},
		{"what a template may ask", v.asked},
		{"a lease is kept", v.leased},
		{"a Consul token from Vault is renewed, and replaced once it is revoked", v.consulToken},
		{"a token is renewed while it is used", v.renewed},
		{"a revoked token is told", v.revoked},
		{"a wrapped token is unwrapped", v.unwrapped},
		{"an unwrapped answer that is no login", v.noLogin},
		{"a Vault that is sealed", v.sealed},
	}
	for _, s := range steps { // in this order: a sealed Vault is the end
		v.rotate("one")
		t.Run(s.name, s.run)
	}
}

func (v *realVault) rotated(t *testing.T) {
	seen := &diary{}
	o := (&values{}).options(v.config(v.token("1h", nil)))
	o.Log = seen.logger()
	r := New(o)
	defer r.vault.Load().hangUp()
	for _, pw := range []string{"one", "two", "three"} {
		v.rotate(pw)
		if got := mustResolve(t, r, `admin:`+realSecret); got != "admin:"+pw {
			t.Errorf("got %q, want admin:%s", got, pw)
		}
	}
	if _, err := v.api.Logical().Delete("secret/data/net/lb"); err != nil {
		t.Fatal(err)
	}
	_, err := resolve(t, r, realSecret)
	says(t, err, []string{`{{ secret "secret/net/lb" }}: there is no such secret in Vault`})
	if got := mustResolve(t, r, `{{ with secret "secret/net/lb?version=1" }}{{ .Data.data.pw }}{{ end }}`); got != "one" {
		t.Errorf("version 1 is %q", got)
	}
	if strings.Contains(seen.String(), "three") {
		t.Errorf("the log shows a secret: %s", seen)
	}
}

func (v *realVault) asked(t *testing.T) {
	r := New((&values{}).options(v.config(v.token("1h", nil))))
	defer r.vault.Load().hangUp()
	for text, want := range map[string]string{
		`{{ with secret "secret/data/net/lb" }}{{ .Data.data.pw }}{{ end }}`: "one",
		`{{ with secret "old/lb" }}{{ .Data.pw }}{{ end }}`:                  "from version 1",
		`{{ range secrets "secret/net/" }}{{ . }};{{ end }}`:                 "lb;",
		`{{ range secrets "old/" }}{{ . }};{{ end }}`:                        "lb;",
	} {
		if got := mustResolve(t, r, text); got != want {
			t.Errorf("%s gives %q, want %q", text, got, want)
		}
	}
	_, err := resolve(t, r, `{{ with secret "secret/net/no" }}{{ end }}`)
	says(t, err, []string{"there is no such secret"})
	_, err = resolve(t, r, `{{ with secret "secret/others" }}{{ .Data.data.pw }}{{ end }}`)
	says(t, err, []string{"status 403 Forbidden", "permission denied", "has no right"})
}

func (v *realVault) leased(t *testing.T) {
	v.write("sys/mounts/pki", body{"type": "pki", "config": body{"max_lease_ttl": "24h"}})
	v.write("pki/root/generate/internal", body{"common_name": "test", "ttl": "24h", "key_type": "ec", "key_bits": 256})
	v.write("pki/roles/lb", body{"allow_any_name": true, "generate_lease": true, "ttl": "1h", "key_type": "ec", "key_bits": 256})
	r, c := New((&values{}).options(v.config(v.token("1h", nil)))), &clock{}
	defer r.vault.Load().hangUp()
	c.set(r)
	serial := `{{ with secret "pki/issue/lb" "common_name=lb.test" }}{{ .Data.serial_number }}{{ end }}`
	first := mustResolve(t, r, serial)
	if again := mustResolve(t, r, serial); again != first {
		t.Errorf("another certificate %s while the lease of %s is young", again, first)
	}
	c.forward(41 * time.Minute)
	if next := mustResolve(t, r, serial); next == first {
		t.Error("the same certificate after two thirds of its lease, which cannot be renewed")
	}
}

func (v *realVault) consulToken(t *testing.T) {
	const bootstrap = "3f6f4f0e-51c5-4c5c-b4e2-9f2d7d0a6c11"
	server := testconsul.Start(t, func(c *testutil.TestServerConfig) {
		c.ACL.Enabled, c.ACL.DefaultPolicy, c.ACL.Tokens.InitialManagement = true, "deny", bootstrap
	})
	v.write("sys/mounts/consul", body{"type": "consul"})
	eventually(t, "Consul's ACL system", func() bool {
		_, err := v.api.Logical().Write("consul/config/access", body{"address": server.HTTPAddr, "token": bootstrap})
		if err == nil {
			_, err = v.api.Logical().Write("consul/roles/lb", body{"consul_policies": []string{"global-management"}, "ttl": "1m"})
		}
		return err == nil
	})
	r, c := New((&values{}).options(v.config(v.token("1h", nil)))), &clock{}
	defer r.vault.Load().hangUp()
	c.set(r)
	token := `{{ with secret "consul/creds/lb" }}{{ .Data.token }}{{ end }}`
	first := mustResolve(t, r, token)
	if first == "" {
		t.Fatal("no token")
	}
	for _, later := range []time.Duration{30 * time.Second, 15 * time.Second, 45 * time.Second} {
		c.forward(later)
		if again := mustResolve(t, r, token); again != first {
			t.Error("another token while the lease can be renewed")
		}
	}
	v.write("sys/leases/revoke-prefix/consul/creds", nil)
	c.forward(45 * time.Second)
	if next := mustResolve(t, r, token); next == first {
		t.Error("the revoked token was given once more")
	}
}

func (v *realVault) renewed(t *testing.T) {
	const ttl = "4s"
	left, kept := v.token(ttl, nil), v.token(ttl, nil)
	cfg := v.config(kept)
	cfg.RenewToken = true
	r := New((&values{}).options(cfg))
	running(t, r)
	mustResolve(t, r, realSecret)
	other := New((&values{}).options(v.config(left)))
	defer other.vault.Load().hangUp()
	eventually(t, "the end of a token that nobody renews", func() bool {
		_, err := resolve(t, other, realSecret)
		return err != nil && denied(err)
	})
	if got := mustResolve(t, r, realSecret); got != "one" {
		t.Errorf("got %q with the renewed token", got)
	}
}

func (v *realVault) revoked(t *testing.T) {
	token := v.token("1h", nil)
	cfg := v.config(token)
	cfg.RenewToken = true
	seen := &diary{}
	o := (&values{}).options(cfg)
	o.Log = seen.logger()
	r := New(o)
	running(t, r)
	mustResolve(t, r, realSecret)
	eventually(t, "the first renewal", func() bool { return strings.Contains(seen.String(), "vault token was renewed") })
	v.write("auth/token/revoke", body{"token": token})
	_, err := resolve(t, r, realSecret)
	says(t, err, []string{`resolve provider bigip: password: {{ secret "secret/net/lb" }}: vault: status 403 Forbidden`, "was revoked",
		"give Patchbay another token"}, token)
	if strings.Contains(seen.String(), token) {
		t.Errorf("the log shows the token: %s", seen)
	}
}

func (v *realVault) unwrapped(t *testing.T) {
	wrapping := v.wrapped()
	cfg := v.config(wrapping)
	cfg.UnwrapToken = true
	r := New((&values{}).options(cfg))
	defer r.vault.Load().hangUp()
	for range 2 {
		if got := mustResolve(t, r, realSecret); got != "one" {
			t.Errorf("got %q", got)
		}
	}
	again := New((&values{}).options(cfg))
	defer again.vault.Load().hangUp()
	_, err := resolve(t, again, realSecret)
	says(t, err, []string{"unwrap token: a wrapping token is good once"}, wrapping)
}

func (v *realVault) noLogin(t *testing.T) {
	cfg := v.config(v.wrap("sys/wrapping/wrap", body{"a": "b"}))
	cfg.UnwrapToken = true
	r := New((&values{}).options(cfg))
	defer r.vault.Load().hangUp()
	_, err := resolve(t, r, realSecret)
	says(t, err, []string{"holds no token"})
}

func (v *realVault) sealed(t *testing.T) {
	r := New((&values{}).options(v.config(v.token("1h", nil))))
	defer r.vault.Load().hangUp()
	mustResolve(t, r, realSecret)
	v.write("sys/seal", nil)
	_, err := resolve(t, r, realSecret)
	says(t, err, []string{"vault: status 503 Service Unavailable", "sealed"})
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a plain answer took too long: %v", err)
	}
}

func (v *realVault) wrapped() string {
	return v.wrap("auth/token/create", body{"policies": []string{"patchbay"}, "ttl": "1h"})
}

func (v *realVault) wrap(path string, data body) string {
	v.Helper()
	c, err := v.api.CloneWithHeaders()
	if err != nil {
		v.Fatal(err)
	}
	c.SetToken(rootToken)
	c.SetWrappingLookupFunc(func(string, string) string { return "5m" })
	s, err := c.Logical().Write(path, data)
	if err != nil || s == nil || s.WrapInfo == nil {
		v.Fatal(fmt.Errorf("wrap: %v, %v", s, err))
	}
	return s.WrapInfo.Token
}
