package nginxplus_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheScriptsRunWithBusyboxAndCurlAlone(t *testing.T) {
	d := newDevice(t)
	d.put("http/web", "10.0.0.1")
	d.put("http/web", "10.0.0.9:80")
	bin := t.TempDir()
	for _, name := range []string{"sh", "awk", "base64", "gzip", "mktemp", "rm", "mv", "cp", "cat", "tr", "cut", "sed", "grep", "ls", "wc", "sleep"} {
		link(t, "busybox", filepath.Join(bin, name))
	}
	link(t, "curl", filepath.Join(bin, "curl"))
	credentials := filepath.Join(t.TempDir(), "credentials")
	put(t, credentials, "# none\nuser = \"a:b\"\n", 0o600)
	script := exec.Command(filepath.Join(bin, "sh"), "../../modules/nginx-plus/apply.sh", "http", d.url)
	script.Env = []string{"PATH=" + bin, "TMPDIR=" + t.TempDir(), "UPSTREAM=web", "CREDENTIALS=" + credentials, "LEDGER_DIR=", "DRAIN_SECONDS=1",
		"REMOVE_BUSY=false", "REQUEST_TIMEOUT=9", "SERVERS_0=" + packed("10.0.0.1:80\t7\t0\t1\t10s\t0s\tfalse\tfalse\tfalse\n10.0.0.2:80\t1\t0\t1\t10s\t0s\tfalse\tfalse\ttrue\n")}
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("apply.sh: %v:\n%s", err, out)
	}
	same(t, "servers", []string{"10.0.0.1 weight=7", "10.0.0.2:80 weight=1 drain"}, d.has("http/web"))
	if left, err := filepath.Glob(strings.TrimPrefix(script.Env[1], "TMPDIR=") + "/*"); err != nil || len(left) > 0 {
		t.Errorf("the script left %q, %v", left, err)
	}
}

func link(t *testing.T, program, path string) {
	t.Helper()
	target, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("find %s: %v; make tools brings it", program, err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func packed(text string) string {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(zipped.Bytes())
}
