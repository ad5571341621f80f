package dynamic

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// leased makes the fake give a new login at each read, for a minute, and renew it.
func leased(f *fakeVault, grant func() (status, seconds int)) {
	n := 0
	f.on("GET database/creds/lb", func(body) (int, body) {
		n++
		return 200, body{"lease_id": "database/creds/lb/x", "lease_duration": 60, "renewable": true, "data": body{"n": n}}
	})
	f.on("PUT sys/leases/renew", func(request body) (int, body) {
		if request["lease_id"] != "database/creds/lb/x" {
			f.t.Errorf("renewed %v", request)
		}
		status, seconds := grant()
		return status, body{"lease_id": "database/creds/lb/x", "lease_duration": seconds, "renewable": true}
	})
}

const login = `{{ with secret "database/creds/lb" }}{{ .Data.n }}{{ end }}`

func TestALeaseIsKeptForTwoThirdsThenRenewedThenReplaced(t *testing.T) {
	f := newFakeVault(t)
	status, seconds := 200, 60
	leased(f, func() (int, int) { return status, seconds })
	r, c := f.resolver(f.config()), &clock{}
	c.set(r)
	steps := []struct {
		name    string
		forward time.Duration
		status  int
		seconds int
		want    string
		asked   []string
	}{
		{"the first run takes a login", 0, 200, 60, "1", []string{"GET database/creds/lb"}},
		{"a young lease is kept", 39 * time.Second, 200, 60, "1", nil},
		{"an older one is renewed", 2 * time.Second, 200, 60, "1", []string{"PUT sys/leases/renew"}},
		{"a renewed one is young again", 39 * time.Second, 200, 60, "1", nil},
		{"near its longest time it is replaced", 2 * time.Second, 200, 15, "2", []string{"PUT sys/leases/renew", "GET database/creds/lb"}},
		{"one that cannot be renewed is replaced", 41 * time.Second, 400, 0, "3", []string{"PUT sys/leases/renew", "GET database/creds/lb"}},
		{"one that is over is not renewed", 61 * time.Second, 200, 60, "4", []string{"GET database/creds/lb"}},
	}
	for _, s := range steps {
		c.forward(s.forward)
		status, seconds = s.status, s.seconds
		if got := mustResolve(t, r, login); got != s.want {
			t.Errorf("%s: got login %s, want %s", s.name, got, s.want)
		}
		if diff := cmp.Diff(s.asked, f.asked()); diff != "" {
			t.Errorf("%s: %s", s.name, diff)
		}
	}
}

func TestAVaultThatIsAwayStopsNobodyWhileTheLeaseLasts(t *testing.T) {
	f := newFakeVault(t)
	leased(f, func() (int, int) { return 500, 0 })
	log := &diary{}
	o := (&values{}).options(f.config())
	o.Log = log.logger()
	r, c := New(o), &clock{}
	c.set(r)
	mustResolve(t, r, login)
	f.server.Close()
	c.forward(50 * time.Second)
	if got := mustResolve(t, r, login); got != "1" {
		t.Errorf("got login %s, want 1", got)
	}
	if !strings.Contains(log.String(), "lease was neither renewed nor replaced") {
		t.Errorf("the log says nothing of it: %s", log)
	}
	c.forward(20 * time.Second)
	_, err := resolve(t, r, login)
	says(t, err, []string{`password: {{ secret "database/creds/lb" }}: vault: `, "connection refused"})
}

func TestALeaseEndsWithItsToken(t *testing.T) {
	f := newFakeVault(t)
	leased(f, func() (int, int) { return 200, 60 })
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.allow("first", "second")
	write("first\n")
	cfg := f.config() // its own token is refused: the file beats it
	cfg.TokenFile = file
	r := f.resolver(cfg)
	for n, want := range []string{"1", "1", "2", "2", "3"} {
		switch n {
		case 2:
			write("second\n")
		case 4:
			write(`{"token":"first","accessor":"x"}`)
		}
		if got := mustResolve(t, r, login); got != want {
			t.Errorf("read %d: got login %s, want %s", n, got, want)
		}
	}
	write(" \n")
	_, err := resolve(t, r, login)
	says(t, err, []string{"is empty"})
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, err = resolve(t, r, login)
	says(t, err, []string{"read vault_agent_token_file", "no such file", "is the Vault agent running?"})
}

func TestTasksAtOnceShareALease(t *testing.T) {
	f := newFakeVault(t)
	leased(f, func() (int, int) { return 200, 60 })
	f.always("GET kv/data/a", kv2(body{"pw": "x"}))
	r := f.resolver(f.config())
	var (
		group errgroup.Group
		mu    sync.Mutex
		seen  = map[string]bool{}
	)
	for range 8 {
		group.Go(func() error {
			p, err := r.Provider(t.Context(), block(login+`{{ with secret "kv/a" }}{{ .Data.data.pw }}{{ end }}`))
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			seen[p.Arguments.Reveal().GetAttr("password").AsString()] = true
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"1x": true}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestACertificateIsKeptUntilItIsAboutToExpire(t *testing.T) {
	f := newFakeVault(t)
	r, c := f.resolver(f.config()), &clock{}
	c.set(r)
	n := 0
	f.on("PUT pki/issue/web", func(body) (int, body) {
		n++
		return 200, body{"data": body{"certificate": n, "expiration": c.read().Add(time.Hour).Unix()}}
	})
	f.on("PUT auth/approle/role/x/secret-id", func(body) (int, body) {
		n++
		return 200, body{"data": body{"secret_id": n}}
	})
	text := `{{ with secret "pki/issue/web" "common_name=lb" }}{{ .Data.certificate }}{{ end }}`
	for _, want := range []string{"1", "1", "1", "2"} {
		if got := mustResolve(t, r, text); got != want {
			t.Errorf("got certificate %s, want %s", got, want)
		}
		c.forward(15 * time.Minute)
	}
	for _, want := range []string{"3", "4"} { // what has no end is made anew
		if got := mustResolve(t, r, `{{ with secret "auth/approle/role/x/secret-id" "a=b" }}{{ .Data.secret_id }}{{ end }}`); got != want {
			t.Errorf("got secret id %s, want %s", got, want)
		}
	}
}
