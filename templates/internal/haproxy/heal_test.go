package haproxy_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

// says fails when an error lacks a part.
func says(t *testing.T, message string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(message, part) {
			t.Errorf("the error does not say %q:\n%s", part, message)
		}
	}
}

func TestRefusalRollsBackAndHeals(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	s.Give(t, a)
	s.Apply(t)
	h.Serves(t, "a")
	before, worker := h.Read(t, haproxy.Live), h.Worker(t)

	for sentence, services := range map[string][]moduletest.Instance{
		"a change of members":   {b},
		"a change of structure": {b, at(1).With(func(i *moduletest.Instance) { i.Name = "shop" })},
	} {
		h.Configure(t, "frontend broken\n  no_such_keyword on\n")
		s.Give(t, services...)
		for range 2 {
			says(t, s.Refused(t), "no_such_keyword", "traffic is untouched", "the next run tries again")
		}
		if diff := cmp.Diff(before, h.Read(t, haproxy.Live)); diff != "" {
			t.Errorf("%s: the live file changed (-before +after):\n%s", sentence, diff)
		}
		if got := h.Worker(t); got != worker {
			t.Errorf("%s: haproxy was reloaded: worker %s, before %s", sentence, got, worker)
		}
		h.Serves(t, "a")
		onlyFiles(t, h, "patchbay.cfg")
	}
	h.Configure(t, "")
	s.Give(t, b)
	s.Apply(t)
	h.Serves(t, "b")
	s.Settled(t)
	onlyFiles(t, h, "patchbay.cfg")
}

func TestRefusalOfAFirstFileLeavesNone(t *testing.T) {
	h := haproxy.New(t, "")
	command := fmt.Sprintf(`haproxy_command = [%q, "-f", %q, "-f", %q, "-f", %q]`, h.Command()[0], h.Path("main.cfg"), h.Path(haproxy.Live), h.Path("live/more.cfg"))
	s := moduletest.New(t, "haproxy", command, fmt.Sprintf("config_path = %q", h.Path("live/more.cfg")), fmt.Sprintf("master_socket = %q", h.Path("master.sock")))
	s.Give(t, at(1)) // backend web is in the other file already
	says(t, s.Refused(t), "same name", "traffic is untouched")
	onlyFiles(t, h, "patchbay.cfg")
	h.Check(t)
}

func TestAFileOfSomebodyElseIsNotTaken(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	s.Give(t, at(1))
	const foreign = "backend web\n  server mine 10.1.1.1:80\n"
	h.Write(t, haproxy.Live, foreign)
	says(t, s.Refused(t), "was not written by this module", "nothing was changed")
	if got := h.Read(t, haproxy.Live); got != foreign {
		t.Errorf("the file is now:\n%s", got)
	}
	onlyFiles(t, h, "patchbay.cfg")
}

func TestAServiceThatTheConfigurationNeedsDoesNotVanish(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	s.Give(t, moduletest.Backend(t, "a"))
	s.Apply(t)
	s.Give(t)
	says(t, s.Refused(t), "unable to find required default_backend: 'web'", "traffic is untouched")
	h.Serves(t, "a")
}

func TestDestroyLeavesTraffic(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	s.Give(t, moduletest.Backend(t, "a"))
	s.Apply(t)
	s.Must(t, "destroy", "-auto-approve")
	h.Serves(t, "a")
	worker := h.Worker(t)
	if n := commandsOf(t, s); n != 0 || h.Worker(t) != worker {
		t.Errorf("what was live already took %d commands or a reload", n)
	}
}

func TestAnHaproxyThatDoesNotRunGetsItsFileAndFailsTheRun(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	a := moduletest.Backend(t, "a")
	s.Give(t, a)
	h.Stop()
	for range 2 {
		says(t, s.Refused(t), "does not answer on its socket", "start HAProxy", "the next run goes on")
		if !strings.Contains(h.Read(t, haproxy.Live), a.HostPort()) {
			t.Fatal("the checked file is not in place")
		}
	}
	h.Start(t)
	s.Apply(t)
	h.Serves(t, "a")
	s.Settled(t)
	onlyFiles(t, h, "patchbay.cfg")
}

func TestAnHaproxyThatCannotReloadFailsTheRunUntilItCan(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	s.Give(t, a)
	s.Apply(t)
	h.Serves(t, "a")
	before := h.Read(t, haproxy.Live)

	// haproxy -c does not mind a port that is taken; a reload does.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	blocked := fmt.Sprintf("frontend taken\n  bind %s\n", taken.Addr())
	h.Configure(t, blocked)
	leastconn := b.With(func(i *moduletest.Instance) { i.User = map[string]string{"haproxy_balance": "leastconn"} })
	s.Give(t, leastconn)
	for range 2 {
		says(t, s.Refused(t), "could not start with them", "the old process goes on", "the next run reloads again")
		h.Serves(t, "a")
	}
	if !strings.Contains(h.Read(t, haproxy.Live), b.HostPort()) {
		t.Error("the file that haproxy accepted is not in place")
	}

	// What is rolled back to is what haproxy started with, not what it never loaded.
	h.Configure(t, "frontend broken\n  no_such_keyword on\n")
	says(t, s.Refused(t), "no_such_keyword")
	if diff := cmp.Diff(before, h.Read(t, haproxy.Live)); diff != "" {
		t.Errorf("the file is not the one that haproxy started with (-want +got):\n%s", diff)
	}

	h.Configure(t, "")
	s.Apply(t)
	h.Serves(t, "b")
	s.Settled(t)
	onlyFiles(t, h, "patchbay.cfg")
}

func TestAnHaproxyThatIsStartedWithoutTheFileIsTold(t *testing.T) {
	h := haproxy.New(t, "")
	command := fmt.Sprintf(`haproxy_command = [%q, "-f", %q, "-f", %q]`, h.Command()[0], h.Path("main.cfg"), h.Path("live"))
	s := moduletest.New(t, "haproxy", command, fmt.Sprintf("config_path = %q", h.Path("live/more.cfg")),
		fmt.Sprintf("master_socket = %q", h.Path("master.sock")), `backend_prefix = "more-"`)
	s.Give(t, at(1))
	says(t, s.Refused(t), "must be started with the same -f arguments", "the next run reloads again")
}

// killed runs apply.sh with lines of slots.awk as Terraform would, and kills it and all
// that it started when it talks to HAProxy for the nth time, or checks for n = 0. It
// tells whether it came so far.
func killed(t *testing.T, h *haproxy.Server, n int, lines string) bool {
	t.Helper()
	bin, module := t.TempDir(), moduletest.Bare(t, "haproxy").Dir
	write := func(name, script string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatalf("write script: %v", err)
		}
	}
	// The first client that the module looks for; it is perl with a counter.
	write("socat", fmt.Sprintf(`echo >>%[1]s/count
[ "$(wc -l <%[1]s/count)" -ne %[2]d ] || kill -9 0
for to; do :; done
exec perl -MIO::Socket::UNIX -e '
  my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1;
  $s->autoflush(1); print $s $_ while <STDIN>; shutdown($s, 1); print while <$s>;' "${to#UNIX-CONNECT:}"
`, bin, n))
	check := h.Command()
	if n == 0 {
		write("check", "kill -9 0\n")
		check[0] = filepath.Join(bin, "check")
	}
	script := filepath.Join(module, "haproxy", "apply.sh")
	out, err := run(t, h, []string{"/bin/sh", script}, bin+":"+os.Getenv("PATH"), check, lines)
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("apply.sh: %v:\n%s", err, out)
	}
	return err != nil
}

func TestARunThatWasKilledHalfWayHeals(t *testing.T) {
	for sentence, settings := range map[string]string{
		"while it changes members":   "L   balance roundrobin\n",
		"while it changes structure": "L   balance leastconn\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			h := haproxy.New(t, "")
			s := h.Stack(t)
			a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
			lines := fmt.Sprintf("1\nB web 10 -\n%sM %s %d 1 ready\n", settings, b.Address, b.Port)
			for _, n := range []int{0, 1, 2, 3, 5, 1000} {
				s.Give(t, a)
				s.Must(t, "apply", "-auto-approve", "-replace=module.edge.terraform_data.backends")
				h.Serves(t, "a")
				if !killed(t, h, n, lines) {
					if n < 4 {
						t.Errorf("the run never came to its talk number %d", n)
					}
					h.Serves(t, "b")
					break
				}
				if status, body := h.Ask(); status != 200 {
					t.Errorf("killed at %d: haproxy answers %d %s", n, status, body)
				}
				s.Give(t, a, b)
				s.Apply(t)
				h.Serves(t, "a", "b")
				h.Check(t)
				s.Settled(t)
				onlyFiles(t, h, "patchbay.cfg")
			}
		})
	}
}
