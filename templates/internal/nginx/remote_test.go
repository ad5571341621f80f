package nginx_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"
)

func hosts(of ...string) string { return "hosts = {\n" + strings.Join(of, "") + "}" }

// recorded puts a program in front of another that writes down how it was called.
func recorded(t *testing.T, dir, name, real string) (log func() string) {
	t.Helper()
	file := dir + "/" + name + ".log"
	put(t, dir+"/"+name, fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$*\" >>'%s'\nexec %s \"$@\"\n", file, real), 0o755)
	return func() string {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read how %s was called: %v", name, err)
		}
		return string(content)
	}
}

func TestHostsAreConfiguredOverSSH(t *testing.T) {
	e, m := newEdge(t), newMachine(t)
	// The remote NGINX is a program that only the session there finds.
	put(t, m.bin+"/edge-nginx", fmt.Sprintf("#!/bin/sh\n[ -n \"$SSH_CONNECTION\" ] && exec %s \"$@\"\n", strings.Join(e.command(), " ")), 0o755)
	sudo := recorded(t, m.bin, "sudo", `sh -c 'shift; exec "$@"' sh`)
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatalf("find ssh: %v", err)
	}
	local := t.TempDir()
	calls := recorded(t, local, "ssh", ssh)
	s := moduletest.New(t, "nginx", fmt.Sprintf("config_path = %q", e.path("http.d/it's web.conf")), `nginx_command = ["edge-nginx", "-g", "env \"IT'S= x\";"]`,
		`service_names = ["web"]`, `upstream_prefix = "far-"`, hosts(m.host("one", "key", "known"), m.host("two", "key", "known", "sudo = true")))
	s.Env = []string{"PATH=" + local + ":" + os.Getenv("PATH")}
	e.write(t, "http.d/web.conf", "upstream web { server 127.0.0.1:1 down; }\n")

	a := moduletest.Backend(t, "a")
	s.Give(t, a)
	s.Apply(t)
	s.Settled(t)
	if got := e.read(t, "http.d/it's web.conf"); !strings.Contains(got, "upstream far-web {") || !strings.Contains(got, a.HostPort()) {
		t.Errorf("the file there is\n%s", got)
	}
	if got := strings.TrimSpace(sudo()); got != "-n sh -s" {
		t.Errorf("sudo was called with %q", got)
	}
	said := calls()
	if strings.Count(said, "\n") != 2 || strings.Contains(said, a.Address+":") || strings.Contains(said, "H4sI") {
		t.Errorf("ssh was called with\n%s\nwant two calls without any content", said)
	}
	for _, option := range []string{"BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=" + m.path("known"), "ConnectTimeout=10", "ServerAliveInterval=5", "-i " + m.path("key")} {
		if strings.Count(said, option) != 2 {
			t.Errorf("not every call of ssh has %s:\n%s", option, said)
		}
	}

	s.Give(t) // emptied
	s.Apply(t)
	if got := e.read(t, "http.d/it's web.conf"); !strings.Contains(got, "127.0.0.1:1 down") {
		t.Errorf("the emptied file there is\n%s", got)
	}
}

func TestAHostThatFailsDoesNotStopTheOthers(t *testing.T) {
	e, m := newEdge(t), newMachine(t)
	put(t, m.path("wrong"), m.known(t, "stranger"), 0o600)
	put(t, m.path("empty"), "", 0o600)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer mute.Close()
	silent := &machine{dir: m.dir, addr: mute.Addr().String(), user: m.user}
	absent := &machine{dir: m.dir, addr: moduletest.FreeAddr(t), user: m.user}
	s := e.stack(t, "http.d/web.conf", "connect_timeout = 1", hosts(
		m.host("good", "key", "known"), m.host("impostor", "key", "wrong"), m.host("unknown", "key", "empty"),
		m.host("unwelcome", "stranger", "known"), absent.host("absent", "key", "known"), silent.host("silent", "key", "known"),
		m.host("keyless", "no-such-key", "known"), m.host("unsure", "key", "no-such-file")))
	s.Give(t, moduletest.Backend(t, "a"))
	said := s.Refused(t)
	for _, want := range []string{
		"impostor: nginx module: cannot reach the host by SSH", "REMOTE HOST IDENTIFICATION HAS CHANGED",
		"unknown: nginx module: cannot reach", "Host key verification failed",
		"unwelcome: nginx module: cannot reach", "Permission denied (publickey)",
		"absent: nginx module: cannot reach", "Connection refused",
		"silent: nginx module: cannot reach", "timed out",
		"keyless: nginx module: cannot read " + m.path("no-such-key"), "unsure: nginx module: cannot read",
		"failed on host absent impostor keyless silent unknown unsure unwelcome (messages are above), of 8 in all",
		"hosts that are not named have the new upstreams; the next run tries again",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the error does not say %q:\n%s", want, said)
		}
	}
	serves(t, "http", e.web, "a") // by the good one
	if got, want := readFile(t, m.path("wrong")), m.known(t, "stranger"); got != want {
		t.Errorf("known_hosts was changed to %q", got)
	}
}

func TestARemoteNginxThatRefusesIsRolledBack(t *testing.T) {
	e, m := newEdge(t), newMachine(t)
	s := e.stack(t, "http.d/web.conf", hosts(m.host("edge-7", "key", "known")))
	s.Give(t, moduletest.Backend(t, "a"))
	s.Apply(t)
	serves(t, "http", e.web, "a")
	before := e.read(t, "http.d/web.conf")

	e.write(t, "http.d/zz.conf", "no_such_directive on;\n")
	s.Give(t, moduletest.Backend(t, "b"))
	said := s.Refused(t)
	for _, want := range []string{"no_such_directive", "edge-7: nginx module: NGINX refused the configuration", "traffic is untouched", "failed on host edge-7"} {
		if !strings.Contains(said, want) {
			t.Errorf("the error does not say %q:\n%s", want, said)
		}
	}
	if got := e.read(t, "http.d/web.conf"); got != before {
		t.Errorf("the file there changed:\n%s", got)
	}
	if err := os.Remove(e.path("http.d/zz.conf")); err != nil {
		t.Fatal(err)
	}
	s.Apply(t)
	serves(t, "http", e.web, "b")
	s.Settled(t)
}

func TestThousandsOfInstancesReachAHost(t *testing.T) {
	e, m := newEdge(t), newMachine(t)
	s := e.stack(t, "http.d/web.conf", hosts(m.host("far", "key", "known")))
	services := moduletest.Instances("web", 2000)
	for n := range services {
		services[n].Status = "critical"
	}
	s.Give(t, append(services, moduletest.Backend(t, "a"))...)
	s.Apply(t)
	serves(t, "http", e.web, "a")
	if got := strings.Count(e.read(t, "http.d/web.conf"), "\n  server "); got != 2001 {
		t.Errorf("the file there has %d servers, want 2001", got)
	}
}

func TestTheScriptsRunWithBusyboxOnBothSides(t *testing.T) {
	e, m := newEdge(t), newMachine(t)
	local := t.TempDir()
	for _, name := range []string{"sh", "cat", "sed", "mktemp", "rm", "timeout"} {
		link(t, "busybox", local+"/"+name)
	}
	link(t, "ssh", local+"/ssh")
	for _, name := range []string{"sh", "base64", "gzip", "cmp", "sed", "tr", "ln", "cp", "mv", "rm", "cat", "sleep"} {
		link(t, "busybox", m.bin+"/"+name)
	}
	link(t, "flock", m.bin+"/flock") // Debian's busybox has none
	a := moduletest.Backend(t, "a")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	fmt.Fprintf(w, "upstream web { server %s; }\n", a.HostPort())
	_ = w.Close()
	content := base64.StdEncoding.EncodeToString(zipped.Bytes())
	_, port, _ := strings.Cut(m.addr, ":")
	script := exec.Command(local+"/sh", append([]string{"../../modules/nginx/remote.sh", e.path("http.d/web.conf")}, e.command()...)...)
	script.Env = []string{"PATH=" + local, "TMPDIR=" + t.TempDir(), "RELOAD_TIMEOUT=20", "CONNECT_TIMEOUT=9", "SSH_CONFIG=/dev/null",
		"UPSTREAMS_0=" + content[:9], "UPSTREAMS_1=" + content[9:],
		"HOSTS=" + strings.Join([]string{"far", "127.0.0.1", m.user, port, m.path("key"), m.path("known"), "false"}, "\t")}
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("remote.sh: %v:\n%s", err, out)
	}
	serves(t, "http", e.web, "a")
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

func TestHostsThatSSHCouldMisreadAreRefused(t *testing.T) {
	m := &machine{addr: "127.0.0.1:22", dir: "/etc", user: "root"}
	fine := m.host("edge", "key", "known")
	for sentence, host := range map[string]string{
		"an option for an address":       strings.Replace(fine, `"127.0.0.1"`, `"-oProxyCommand=x"`, 1),
		"an option for a user":           strings.Replace(fine, `"root"`, `"-x"`, 1),
		"a relative key":                 strings.Replace(fine, `"/etc/key"`, `"key"`, 1),
		"a space in known_hosts":         strings.Replace(fine, `"/etc/known"`, `"/etc/known /dev/null"`, 1),
		"a token in known_hosts":         strings.Replace(fine, `"/etc/known"`, `"/etc/%h"`, 1),
		"a port that is none":            strings.Replace(fine, "22", "0", 1),
		"a name with a line feed":        strings.Replace(fine, "edge =", `"a\nb" =`, 1),
		"an address with a tab":          strings.Replace(fine, `"127.0.0.1"`, `"a\tb"`, 1),
		"an address with a line feed":    strings.Replace(fine, `"127.0.0.1"`, `"a\n"`, 1),
		"a user with a command of shell": strings.Replace(fine, `"root"`, `"$(id)"`, 1),
	} {
		t.Run(sentence, func(t *testing.T) {
			if said := moduletest.New(t, "nginx", hosts(host)).Refused(t); !strings.Contains(said, "nothing was changed: hosts must be") {
				t.Errorf("want a refusal:\n%s", said)
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read file: %v", err)
	}
	return string(content)
}
