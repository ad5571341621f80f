package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"patchbay/e2e/internal/rig"
)

// limit bounds every wait.
const limit = 60 * time.Second

// stage is everything that runs during the demo.
type stage struct {
	dir      string
	consul   *rig.Consul
	nginx    *rig.NGINX
	program  rig.Program
	patchbay *rig.Patchbay
	shop     shop
	backends map[string]*rig.Backend
	told     map[string]string
	tell     teller
}

// newStage starts Consul and NGINX. What was started is there to be struck even when
// it failed.
func newStage(ctx context.Context) (*stage, error) {
	s := &stage{backends: map[string]*rig.Backend{}, told: map[string]string{}, tell: teller{out: os.Stdout}}
	root, err := rig.Root()
	if err != nil {
		return s, err
	}
	if s.dir, err = os.MkdirTemp("", "patchbay-demo-"); err != nil {
		return s, fmt.Errorf("make demo directory: %w", err)
	}
	s.program = rig.Program{Binary: filepath.Join(root, "bin", "patchbay"), Dir: s.dir}
	if s.shop, err = newShop(); err != nil {
		return s, err
	}
	s.tell.title("Starting a Consul dev agent and an NGINX")
	if s.consul, err = rig.NewConsul(ctx, filepath.Join(s.dir, "consul"), true); err != nil {
		return s, err
	}
	s.nginx, err = rig.StartNGINX(ctx, filepath.Join(s.dir, "nginx"),
		rig.Site{Upstream: "web", File: "web.conf"}, rig.Site{Upstream: "api", File: "api.conf"})
	if err != nil {
		return s, err
	}
	s.tell.line("Consul", "http://%s", s.consul.Addr)
	s.tell.line("NGINX", "%s for web, %s for api", s.nginx.URL("web"), s.nginx.URL("api"))
	return s, nil
}

// strike ends everything; the directory stays when its logs are needed.
func (s *stage) strike(keep bool) (err error) {
	err = s.shop.close()
	if s.patchbay != nil {
		err = errors.Join(err, s.patchbay.Stop(limit))
	}
	if s.nginx != nil && s.nginx.Process != nil {
		err = errors.Join(err, s.nginx.Quit())
	}
	if s.consul != nil && s.consul.Process != nil {
		err = errors.Join(err, s.consul.Stop(limit))
	}
	for _, b := range s.backends {
		err = errors.Join(err, b.Close())
	}
	if !keep && s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// serve starts HTTP services and registers them as instances that Consul probes.
func (s *stage) serve(service string, ids ...string) error {
	for _, id := range ids {
		if err := s.serveAs(id, service, id); err != nil {
			return err
		}
	}
	return nil
}

// serveAs starts an HTTP service that answers a name and registers it under an id.
func (s *stage) serveAs(id, service, name string) error {
	b, err := rig.NewBackend(name)
	if err != nil {
		return err
	}
	s.backends[name] = b
	return s.consul.RegisterProbed(id, service, b)
}

// serveOnRack starts HTTP services of a rack whose monitor tells Consul of their health.
func (s *stage) serveOnRack(service string, ids ...string) error {
	var backends []*rig.Backend
	for _, id := range ids {
		b, err := rig.NewBackend(id)
		if err != nil {
			return err
		}
		s.backends[id] = b
		backends = append(backends, b)
	}
	return s.consul.RegisterOnRack(service, backends...)
}

// config has two tasks with NGINX's upstreams of web and api.
func (s *stage) config() (string, error) {
	text := fmt.Sprintf(`port = 0
id   = "patchbay-demo"

# Changes that come close together become one run; the default is 5 s and 20 s.
buffer_period {
  min = "100ms"
  max = "1s"
}

consul {
  address = %s
}

driver "terraform" {
  backend "local" {}
}

xds {
  port = %d
}
`, rig.HCLString(s.consul.Addr), s.shop.xds)
	for _, service := range []string{"web", "api"} {
		variables, err := s.nginx.ModuleVariables(service+".conf", "service_names = "+rig.HCLStrings(service))
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("\ntask {\n  name        = %q\n  description = \"Keeps NGINX's upstream of %s as Consul has it\"\n  module      = \"builtin/nginx\"\n  condition \"services\" {\n    names = [%q]\n  }\n%s}\n",
			service, service, service, variables)
	}
	return text, nil
}

// hold tells how to look around.
func (s *stage) hold() {
	s.tell.title("Everything keeps running until Ctrl-C. To look around:")
	for _, command := range []string{
		"curl " + s.nginx.URL("web"),
		"export PATCHBAY_ADDRESS=" + s.patchbay.API,
		s.program.Binary + " status",
		s.program.Binary + " task runs web",
		s.program.Binary + " canary show shop",
		s.program.Binary + " xds status",
		"curl " + s.shop.url(),
		"curl -X PUT http://" + s.consul.Addr + "/v1/agent/service/deregister/web-1",
		"curl " + s.patchbay.API + "/metrics",
		"less " + s.patchbay.Log,
		"ls " + filepath.Join(s.dir, "sync-tasks", "web"),
	} {
		s.tell.text("%s", command)
	}
}
