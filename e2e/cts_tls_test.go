package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

// trusting is how a client asks that trusts some authorities and shows a
// certificate when there is one.
func (w *world) trusting(cert, key string, authorities ...*rig.CA) *tls.Config {
	w.t.Helper()
	pool := x509.NewCertPool()
	for _, ca := range authorities {
		text, err := os.ReadFile(ca.Cert)
		w.must(err)
		pool.AppendCertsFromPEM(text)
	}
	config := &tls.Config{RootCAs: pool}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		w.must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// tlsConfig is a configuration whose API is behind TLS.
func (w *world) tlsConfig(cert, key, more string, blocks ...string) string {
	return w.config(local, append(blocks, fmt.Sprintf("tls {\n  cert = %q\n  key  = %q\n%s\n}", cert, key, more))...)
}

func TestTheAPIAndTheCommandsSpeakTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ca, err := rig.NewCA(w.dir, "ca")
	w.must(err)
	other, err := rig.NewCA(w.dir, "other")
	w.must(err)
	cert, key, err := ca.Issue("server")
	w.must(err)
	w.program.TLS = w.trusting("", "", ca, other)
	w.serve("web", "web-1")
	module, note := w.noteModule("ids", "sort([for s in var.services : s.id])")
	w.start(w.tlsConfig(cert, key, "", fmt.Sprintf("task {\n  name = \"ids\"\n  module = %q\n  condition \"services\" {\n    names = [\"web\"]\n  }\n}", module)))
	w.reads(note, `["web-1"]`)
	w.phase("ids", "applied")

	w.says(0, "", []string{"task", "disable", "-ca-cert", ca.Cert, "ids"}, "'ids' disable complete!")
	w.says(0, "", []string{"task", "enable", "-ssl-verify=false", "ids"}, "'ids' enable complete!")
	w.says(11, "", []string{"task", "disable", "ids"}, "signed by unknown authority")
	w.says(11, "", []string{"task", "disable", "-ca-cert", other.Cert, "ids"}, "signed by unknown authority")
	plain := strings.Replace(w.patchbay.API, "https://", "http://", 1)
	w.says(11, "", []string{"status", "-http-addr", plain}, "sent an HTTP request to an HTTPS server")

	// A renewed certificate is shown without a restart.
	renewed, renewedKey, err := other.Issue("renewed")
	w.must(err)
	for from, to := range map[string]string{renewedKey: key, renewed: cert} {
		w.must(os.Rename(from, to))
	}
	w.must(rig.Until(t.Context(), limit, func() error {
		if out, code := w.patch("task", "disable", "-ca-cert", other.Cert, "ids"); code != 0 {
			return fmt.Errorf("exit code %d: %s", code, out)
		}
		return nil
	}))
}

func TestTheAPIAsksForACertificateOfItsClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ca, err := rig.NewCA(w.dir, "ca")
	w.must(err)
	other, err := rig.NewCA(w.dir, "other")
	w.must(err)
	cert, key, err := ca.Issue("server")
	w.must(err)
	mine, mineKey, err := ca.Issue("client")
	w.must(err)
	alien, alienKey, err := other.Issue("alien")
	w.must(err)
	w.program.TLS = w.trusting(mine, mineKey, ca)
	module, _ := w.noteModule("ids", "sort([for s in var.services : s.id])")
	w.start(w.tlsConfig(cert, key, fmt.Sprintf("  verify_incoming = true\n  ca_cert = %q", ca.Cert),
		fmt.Sprintf("task {\n  name = \"ids\"\n  module = %q\n  condition \"services\" {\n    names = [\"web\"]\n  }\n}", module)))
	w.phase("ids", "applied")

	trust := []string{"task", "disable", "-ca-cert", ca.Cert}
	w.says(0, "", append(trust, "-client-cert", mine, "-client-key", mineKey, "ids"), "'ids' disable complete!")
	w.says(11, "", append(trust, "ids"), "Error: unable to disable 'ids'", "certificate required")
	w.says(11, "", append(trust, "-client-cert", alien, "-client-key", alienKey, "ids"), "Error: unable to disable 'ids'", "tls: ")
	w.says(11, "", append(trust, "-client-cert", mine, "ids"), "both client cert and client key must be provided")

	w.program.Env = []string{"CTS_CACERT=" + ca.Cert, "CTS_CLIENT_CERT=" + mine, "CTS_CLIENT_KEY=" + mineKey}
	w.says(0, "", []string{"task", "disable", "ids"}, "'ids' disable complete!")
}

func TestTLSAgainstAPlainAPIIsToldByTheCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(w.config(local))
	secure := strings.Replace(w.patchbay.API, "http://", "https://", 1)
	w.says(11, "", []string{"task", "disable", "-http-addr", secure, "ids"}, "server gave HTTP response to HTTPS client")
}
