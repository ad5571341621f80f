package dynamic

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAChangedVaultTakesOverAndItsTokenIsRenewed(t *testing.T) {
	before, after := renewing(t), renewing(t)
	cfg, changed := before.config(), after.config()
	cfg.RenewToken, changed.RenewToken = true, true
	r, _ := logged(before, cfg)
	running(t, r)
	mustResolve(t, r, anySecret)
	eventually(t, "a renewal at the first Vault", func() bool { return before.count("PUT auth/token/renew-self") > 0 })
	r.UseVault(changed)
	eventually(t, "a secret of the other Vault", func() bool {
		mustResolve(t, r, anySecret)
		return after.count("PUT auth/token/renew-self") > 0
	})
	before.asked()
	mustResolve(t, r, anySecret)
	if got := before.count("GET kv/data/a"); got != 0 {
		t.Errorf("the first Vault was asked for %d more secrets", got)
	}
}

func TestAnEqualVaultChangesNothing(t *testing.T) {
	f := newFakeVault(t)
	leased(f, func() (int, int) { return 200, 60 })
	r := f.resolver(f.config())
	got := []string{mustResolve(t, r, login)}
	r.UseVault(f.config())
	got = append(got, mustResolve(t, r, login))
	changed := f.config()
	changed.Namespace = "team"
	r.UseVault(changed)
	f.namespace = "team"
	got = append(got, mustResolve(t, r, login))
	if diff := cmp.Diff([]string{"1", "1", "2"}, got); diff != "" {
		t.Errorf("logins: %s", diff)
	}
}
