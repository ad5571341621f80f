package nftables

import (
	"slices"
	"testing"
)

func TestAKilledRunIsCompletedByTheNext(t *testing.T) {
	// Each wrapper runs nft and kills the module's script after the named call.
	for sentence, after := range map[string]string{
		"after the firewall was read":    `-n`,
		"after the file was checked":     `-c`,
		"after the firewall was changed": `-f`,
	} {
		f := newFirewall(t)
		whole := f.stack(t, allow(4000))
		whole.Give(t, at("10.0.0.1", 80))
		whole.Apply(t)
		content := f.content(t)

		killed := f.stack(t, allow(4000), `nft_command = ["/bin/sh", "-c", "nft \"$@\"; case $1 in `+after+`) kill -9 $PPID ;; esac", "nft"]`)
		killed.Give(t, at("10.0.0.2", 80))
		killed.Refused(t)
		changed := slices.Equal(f.elements(t, "web_ip4"), []string{"10.0.0.2"})
		if changed != (after == "-f") || f.content(t) != content {
			t.Errorf("%s: the firewall is changed: %t, the file: %t", sentence, changed, f.content(t) != content)
		}

		whole.Give(t, at("10.0.0.2", 80))
		whole.Apply(t)
		if got := f.elements(t, "web_ip4"); !slices.Equal(got, []string{"10.0.0.2"}) {
			t.Errorf("%s: elements %q after the next run", sentence, got)
		}
		f.boots(t)
		f.onlyFiles(t, "patchbay.nft")
	}
}
