package haproxy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"
)

// only makes a PATH of the tools that the module needs and of these more.
func only(t *testing.T, tools ...string) string {
	t.Helper()
	bin := t.TempDir()
	for _, tool := range append(tools, "flock", "base64", "gzip", "cmp", "awk", "sed", "grep", "cat", "cp", "ln", "mv", "rm", "sleep") {
		path, err := exec.LookPath(tool)
		if tool == "python3" && err == nil { // which may be a script that needs more tools
			var out []byte
			out, err = exec.Command(path, "-c", "import sys; print(sys.executable)").Output()
			path = strings.TrimSpace(string(out))
		}
		if err != nil {
			t.Fatalf("find %s: %v; install it", tool, err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatalf("link %s: %v", tool, err)
		}
	}
	return "PATH=" + bin
}

// built gives a directory with the command that helps where nothing else can talk.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "patchbay/cmd/patchbay").CombinedOutput(); err != nil {
		t.Fatalf("build patchbay: %v\n%s", err, out)
	}
	return dir
}

func TestEachWayToTalkWorksOnEachKindOfSocket(t *testing.T) {
	address := moduletest.FreeAddr(t)
	h := haproxy.New(t, fmt.Sprintf("global\n  stats socket ipv4@%s level admin\n", address))
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	patchbay := built(t)
	for _, client := range []string{"perl", "python3", "patchbay"} {
		for sentence, socket := range map[string]string{"the master's": "", "a unix socket": h.Path("stats.sock"), "a TCP socket": address} {
			t.Run(client+" and "+sentence, func(t *testing.T) {
				s := h.Stack(t, fmt.Sprintf("stats_socket = %q", socket), fmt.Sprintf("backend_lines = [%q]", "# "+client+" "+sentence))
				if client == "patchbay" {
					s.Env = []string{only(t) + ":" + patchbay}
				} else {
					s.Env = []string{only(t, client)}
				}
				// More commands than fit in one line. The first change is a reload, since
				// the run before had other settings.
				services := moduletest.Instances("web", 300)
				for n := range services {
					services[n].Status = "maintenance"
				}
				services[7] = a
				s.Give(t, services...)
				before := h.Worker(t)
				s.Apply(t)
				h.Serves(t, "a")
				worker := h.Worker(t)
				if worker == before {
					t.Error("haproxy was not reloaded")
				}
				for n := range services {
					services[n].Port = 9090
				}
				services[7] = b
				s.Give(t, services...)
				s.Apply(t)
				h.Serves(t, "b")
				if got := h.Worker(t); got != worker {
					t.Errorf("haproxy was reloaded: worker %s, before %s", got, worker)
				}
			})
		}
	}
}

func TestWithoutAWayToTalkNothingIsChanged(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	s.Env = []string{only(t)}
	s.Give(t, at(1))
	before := h.Read(t, haproxy.Live)
	says(t, s.Refused(t), "neither socat, perl, python3, an nc that knows -N and -U nor patchbay", "install one of them", "nothing was changed")
	if got := h.Read(t, haproxy.Live); got != before {
		t.Errorf("the file is now:\n%s", got)
	}
	onlyFiles(t, h, "patchbay.cfg")
}

func TestTheScriptRunsWithBusybox(t *testing.T) {
	h := haproxy.New(t, "")
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatalf("%v; install busybox", err)
	}
	bin := t.TempDir()
	for _, name := range []string{"perl", "flock"} { // Debian's busybox has no flock
		target, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%v; install %s", err, name)
		}
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "awk", "base64", "cat", "cmp", "cp", "grep", "gzip", "ln", "mv", "rm", "sed", "sleep"} {
		if err := os.Symlink(busybox, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	module := moduletest.Bare(t, "haproxy").Dir
	check := h.Command()
	if check[0], err = exec.LookPath(check[0]); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		settings string
		instance moduletest.Instance
		want     string
		says     string
	}{
		{"balance roundrobin", a, "a", "haproxy module: reloaded"},
		{"balance roundrobin", b, "b", "haproxy module: not reloaded, 3 commands"},
		{"balance leastconn", a, "a", "haproxy module: reloaded"},
		{"no_such_keyword", b, "a", "no_such_keyword"},
	} {
		lines := fmt.Sprintf("1\nB web 10 -\nL   %s\nM %s %d 1 ready\n", step.settings, step.instance.Address, step.instance.Port)
		out, err := run(t, h, []string{busybox, "sh", filepath.Join(module, "haproxy", "apply.sh")}, bin, check, lines)
		if (err != nil) != (step.settings == "no_such_keyword") {
			t.Fatalf("apply.sh with %s: %v:\n%s", step.settings, err, out)
		}
		says(t, out, step.says)
		h.Serves(t, step.want)
	}
	onlyFiles(t, h, "patchbay.cfg")
}
