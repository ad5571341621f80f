package nginx_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"
)

// machine is a real OpenSSH server of this user with a host key and one authorised key
// of its own. Its sessions find the programs of bin first.
type machine struct {
	dir, bin, addr, user string
}

func newMachine(tb testing.TB) *machine {
	tb.Helper()
	sshd, err := lookSbin("sshd")
	if err != nil {
		tb.Fatalf("find sshd: %v; make tools brings it", err)
	}
	me, err := user.Current()
	if err != nil {
		tb.Fatalf("tell user: %v", err)
	}
	if me.Uid == "0" { // the directory that sshd changes its root to, as its unit makes it
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			tb.Fatalf("make directory: %v", err)
		}
	}
	m := &machine{dir: tb.TempDir(), addr: moduletest.FreeAddr(tb), user: me.Username}
	m.bin = filepath.Join(m.dir, "bin")
	if err := os.Mkdir(m.bin, 0o755); err != nil {
		tb.Fatalf("make directory: %v", err)
	}
	for _, name := range []string{"host", "key", "stranger"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", m.path(name)).CombinedOutput(); err != nil {
			tb.Fatalf("make key: %v: %s", err, out)
		}
	}
	put(tb, m.path("authorized"), m.public(tb, "key"), 0o600)
	put(tb, m.path("known"), m.known(tb, "host"), 0o600)
	_, port, _ := strings.Cut(m.addr, ":")
	put(tb, m.path("config"), fmt.Sprintf(`ListenAddress 127.0.0.1
Port %s
HostKey %s
AuthorizedKeysFile %s
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
SetEnv PATH=%s:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
`, port, m.path("host"), m.path("authorized"), m.bin), 0o600)

	var said bytes.Buffer
	server := exec.Command(sshd, "-D", "-e", "-f", m.path("config"))
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		tb.Fatalf("start sshd: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	tb.Cleanup(func() {
		_ = server.Process.Kill()
		<-ended
		if tb.Failed() {
			tb.Logf("sshd: %s", said.String())
		}
	})
	moduletest.Wait(tb, "sshd did not listen", func() bool { return listens(m.addr) })
	return m
}

func lookSbin(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, name))
		}
	}
	return path, err
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) public(tb testing.TB, key string) string {
	tb.Helper()
	content, err := os.ReadFile(m.path(key + ".pub"))
	if err != nil {
		tb.Fatalf("read key: %v", err)
	}
	return string(content)
}

// known is a line of known_hosts that says the machine has that key.
func (m *machine) known(tb testing.TB, key string) string {
	_, port, _ := strings.Cut(m.addr, ":")
	return "[127.0.0.1]:" + port + " " + m.public(tb, key)
}

// host is an element of the module's hosts; attributes are lines that come after its own.
func (m *machine) host(name, key, known string, attributes ...string) string {
	_, port, _ := strings.Cut(m.addr, ":")
	return fmt.Sprintf("%s = {\n address = \"127.0.0.1\"\n user = %q\n port = %s\n key_file = %q\n known_hosts_file = %q\n %s\n}\n",
		name, m.user, port, m.path(key), m.path(known), strings.Join(attributes, "\n "))
}
