package nginx_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

const stream = `context = "stream"`

func TestStreamUpstreamsServeTCPAndUDPBesideHTTP(t *testing.T) {
	e := newEdge(t)
	web, s := e.stack(t, "http.d/web.conf"), e.stack(t, "stream.d/up.conf", stream, `service_names = ["db", "dns"]`, `method = "least_conn"`)
	a, b := tcpBackend(t, "tcp a"), tcpBackend(t, "tcp b")
	ua, ub := udpBackend(t, "udp a"), udpBackend(t, "udp b")
	web.Give(t, moduletest.Backend(t, "http a"))
	web.Apply(t)

	s.Give(t, a, b, ua)
	s.Apply(t)
	s.Settled(t)
	serves(t, "tcp", e.tcp, "tcp a", "tcp b")
	serves(t, "udp", e.udp, "udp a")
	serves(t, "http", e.web, "http a")

	s.Give(t, b, ua.With(func(i *moduletest.Instance) { i.Status = "critical" }), ub)
	s.Apply(t)
	serves(t, "tcp", e.tcp, "tcp b")
	serves(t, "udp", e.udp, "udp b")

	s.Give(t) // emptied
	s.Apply(t)
	s.Settled(t)
	moduletest.Wait(t, "a session still reaches an instance that is gone", func() bool { return !strings.HasPrefix(ask("tcp", e.tcp), "tcp") })
	s.Give(t, a) // filled again
	s.Apply(t)
	serves(t, "tcp", e.tcp, "tcp a")
	serves(t, "http", e.web, "http a")
}

func TestStreamUpstreamHasTheSettings(t *testing.T) {
	e := newEdge(t)
	s := e.stack(t, "stream.d/up.conf", stream, `service_names = ["dns"]`, `method = "hash $remote_addr consistent"`, `max_fails = 2`)
	db := moduletest.Instance{Name: "db", Address: "10.0.0.1", Port: 5432, User: map[string]string{"nginx_method": "ip_hash", "nginx_keepalive": "8", "nginx_max_fails": "3"}}
	s.Give(t, db, db.With(func(i *moduletest.Instance) { i.Address, i.Meta = "fd00::1", map[string]string{"weight": "7"} }))
	s.Apply(t)
	want := `# Upstreams from Consul. Written by Terraform: the next run overwrites changes.

upstream db {
  zone db 66k;
  hash $remote_addr consistent;
  server 10.0.0.1:5432 weight=1 max_fails=3 fail_timeout=10s;
  server [fd00::1]:5432 weight=7 max_fails=3 fail_timeout=10s;
}

upstream dns {
  zone dns 64k;
  hash $remote_addr consistent;
  server 127.0.0.1:1 down;
}

`
	if diff := cmp.Diff(want, e.read(t, "stream.d/up.conf")); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	var skipped []struct{ Service, Reason string }
	s.Output(t, "skipped", &skipped)
	if len(skipped) != 2 || !strings.Contains(skipped[0].Reason, "nginx_keepalive") || !strings.Contains(skipped[1].Reason, "nginx_method") {
		t.Errorf("skipped = %q, want what a stream upstream cannot have", skipped)
	}
}

func TestStreamRefusesWhatItCannotHave(t *testing.T) {
	for sentence, arguments := range map[string][]string{
		"a method of http alone":                {`config_path = "/tmp/x.conf"`, `method = "ip_hash"`},
		"kept connections":                      {`config_path = "/tmp/x.conf"`, `keepalive = 8`},
		"the file that the http block includes": {},
	} {
		t.Run(sentence, func(t *testing.T) {
			said := moduletest.New(t, "nginx", append(arguments, stream)...).Refused(t)
			name := "config_path"
			if len(arguments) > 0 {
				name, _, _ = strings.Cut(arguments[1], " ")
			}
			if !strings.Contains(said, "nothing was changed: "+name+" must") || !strings.Contains(said, "stream") {
				t.Errorf("want a refusal of %s:\n%s", name, said)
			}
		})
	}
	if said := moduletest.New(t, "nginx", `context = "mail"`).Refused(t); !strings.Contains(said, "context must be http or stream") {
		t.Errorf("want a refusal of the context:\n%s", said)
	}
}

func TestStreamLosesNoConnectionWhileItReloads(t *testing.T) {
	e := newEdge(t)
	s := e.stack(t, "stream.d/up.conf", stream, `service_names = ["dns"]`)
	sets := [][]moduletest.Instance{{tcpBackend(t, "a")}, {tcpBackend(t, "b")}}
	names := []string{"a", "b"}
	s.Give(t, sets[0]...)
	s.Apply(t)
	serves(t, "tcp", e.tcp, "a")
	e.settle(t) // workers of the start know no backend

	done, answers := make(chan struct{}), map[string]int{}
	var clients sync.WaitGroup
	clients.Go(func() {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				answers[ask("tcp", e.tcp)]++
			}
		}
	})
	const changes = 8
	for n := 1; n <= changes; n++ {
		s.Give(t, sets[n%2]...)
		s.Apply(t)
		serves(t, "tcp", e.tcp, names[n%2])
	}
	close(done)
	clients.Wait()
	t.Logf("answers during %d reloads: %v", changes, answers)
	if len(answers) != 2 || answers["a"] == 0 || answers["b"] == 0 {
		t.Errorf("answers = %v, want those of a and b alone", answers)
	}
}

func TestStreamTakesGarbage(t *testing.T) {
	e := newEdge(t)
	s := e.stack(t, "stream.d/up.conf", stream, `service_names = ["dns"]`)
	good := tcpBackend(t, "good")
	all := []moduletest.Instance{good}
	for n, garbage := range []string{"; } server { listen 1; }", "${x}", "\n", "\"", "\x00", strings.Repeat("x", 5000)} {
		all = append(all, good.With(func(i *moduletest.Instance) {
			i.Tags, i.Meta = []string{garbage}, map[string]string{garbage: garbage, "weight": garbage}
		}), moduletest.Instance{Name: fmt.Sprint("odd", n, garbage), Address: "127.0.0.1", Port: 9, Status: "passing"})
	}
	s.Give(t, all...)
	s.Apply(t)
	serves(t, "tcp", e.tcp, "good")
	s.Settled(t)
}
