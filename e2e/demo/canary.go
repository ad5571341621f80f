package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// shop is the service behind Envoy; its instances are versions.
type shop struct {
	versions map[string]*rig.App
	envoy    *rig.Envoy
	client   *http.Client
	// xds is the port of Patchbay's server for Envoys, edge that of the gateway.
	xds, edge int
}

func newShop() (shop, error) {
	ports, err := rig.Ports(2)
	if err != nil {
		return shop{}, err
	}
	return shop{versions: map[string]*rig.App{}, xds: ports[0], edge: ports[1],
		client: &http.Client{Timeout: limit, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}, nil
}

func (s *shop) close() (err error) {
	if s.envoy != nil {
		err = s.envoy.Stop(limit)
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	for _, a := range s.versions {
		err = errors.Join(err, a.Close())
	}
	return err
}

// url is where Envoy serves the shop.
func (s *shop) url() string { return fmt.Sprintf("http://127.0.0.1:%d/", s.edge) }

// ask makes one request through Envoy and gives the version that answered.
func (s *shop) ask() (string, error) {
	got, err := s.client.Get(s.url())
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		return "", err
	}
	if got.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered %s", got.Status)
	}
	return got.Header.Get("X-App"), nil
}

// release starts a version and registers it as an instance that Consul probes.
func (s *stage) release(version string) error {
	a, err := rig.NewApp(version)
	if err != nil {
		return err
	}
	s.shop.versions[version] = a
	err = s.consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		ID: "shop-" + version, Name: "shop", Address: "127.0.0.1", Port: a.Port(), Meta: map[string]string{"version": version},
		Check: &api.AgentServiceCheck{HTTP: fmt.Sprintf("http://127.0.0.1:%d/", a.Port()), Interval: "1s", Timeout: "2s", Status: api.HealthPassing},
	})
	if err != nil {
		return fmt.Errorf("register version %s of shop: %w", version, err)
	}
	return nil
}

// canaryConfig is what the configuration says of a canary behind Envoy.
func (s *stage) canaryConfig(stable, candidate string) string {
	text := fmt.Sprintf("\ngateway \"edge\" {\n  listener {\n    port = %d\n    service \"shop\" {}\n  }\n}\n\nroutes \"shop\" {\n", s.shop.edge)
	for _, version := range []string{"v1", "v2", "v3"} {
		text += fmt.Sprintf("  subset %q { filter = \"Service.Meta.version == %s\" }\n", version, version)
	}
	return text + fmt.Sprintf(`}

canary "shop" {
  stable      = %q
  candidate   = %q
  steps       = [10, 50, 100]
  interval    = "3s"
  check_every = "1s"
}
`, stable, candidate)
}

// canaryState is a canary as the API shows it.
type canaryState struct {
	Phase   string
	Weights map[string]float64
	Events  []struct {
		Kind     string
		Evidence []string
	}
}

// reaches waits until the canary is in a phase and its candidate has a weight.
func (s *stage) reaches(ctx context.Context, candidate, phase string, weight float64) (canaryState, error) {
	var answer struct{ Canary canaryState }
	err := rig.Until(ctx, limit, func() error {
		if err := s.patchbay.Get("/v1/canaries/shop", &answer); err != nil {
			return err
		}
		if c := answer.Canary; c.Phase != phase || c.Weights[candidate] != weight {
			return fmt.Errorf("the canary of shop is %s with %v, wanted %s at %g", c.Phase, c.Weights, phase, weight)
		}
		return nil
	})
	return answer.Canary, err
}

// steps tells each step of a canary, and how Envoy splits the requests there.
func (s *stage) steps(ctx context.Context, candidate string, weights ...float64) error {
	for _, weight := range weights {
		phase := "progressing"
		if weight == 100 {
			phase = "succeeded"
		}
		if _, err := s.reaches(ctx, candidate, phase, weight); err != nil {
			return err
		}
		const asked = 300
		got := 0
		for range asked {
			version, err := s.shop.ask()
			if err != nil {
				return fmt.Errorf("ask through Envoy: %w", err)
			}
			if version == candidate {
				got++
			}
		}
		s.tell.line("Patchbay", "gives %s %3g %%: Envoy sent it %3d of %d requests  %s", candidate, weight, got, asked, bar(got, asked))
	}
	return nil
}

// takeOver changes the configuration and has it reloaded.
func (s *stage) takeOver(more string) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	if err := s.program.Write(config + more); err != nil {
		return err
	}
	answer, err := s.patchbay.Send(http.MethodPost, "/v1/reload", "")
	if err == nil && answer.Status != http.StatusOK {
		err = fmt.Errorf("reload the configuration: %s", answer.Body)
	}
	return err
}

// canary plays a candidate that is good.
func (s *stage) canary(ctx context.Context) error {
	s.tell.scene("A canary behind Envoy: version v2 of shop takes over from v1 step by step")
	for _, version := range []string{"v1", "v2"} {
		if err := s.release(version); err != nil {
			return err
		}
	}
	if err := s.takeOver(s.canaryConfig("v1", "v2")); err != nil {
		return err
	}
	cmd, err := s.program.Command("xds", "bootstrap", "-gateway", "edge", "-address", fmt.Sprintf("127.0.0.1:%d", s.shop.xds))
	if err != nil {
		return err
	}
	bootstrap, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("print bootstrap: %w", err)
	}
	if s.shop.envoy, err = rig.StartEnvoy(ctx, filepath.Join(s.dir, "envoy"), string(bootstrap)); err != nil {
		return err
	}
	s.tell.line("Envoy", "was started from: patchbay xds bootstrap -gateway edge; it serves %s", s.shop.url())
	load := rig.StartLoadOf(s.shop.ask, 2)
	err = s.steps(ctx, "v2", 10, 50, 100)
	requests, failures := load.Stop()
	if err != nil {
		return err
	}
	s.tell.line("Envoy", "served %d requests of two clients all the while, %d failed", requests, len(failures))
	return nil
}

// badCanary plays one that breaks as soon as it has traffic.
func (s *stage) badCanary(ctx context.Context) error {
	s.tell.scene("Version v3 is bad: it answers with errors as soon as it has requests")
	if err := s.release("v3"); err != nil {
		return err
	}
	if err := s.takeOver(s.canaryConfig("v2", "v3")); err != nil {
		return err
	}
	failed := 0 // by the one client, until it has stopped
	load := rig.StartLoadOf(func() (string, error) {
		version, err := s.shop.ask()
		if err != nil {
			failed++
		}
		return version, err
	}, 1)
	broke, state, err := s.breaks(ctx)
	requests, _ := load.Stop()
	if err != nil {
		return err
	}
	for _, e := range state.Events {
		if e.Kind == "rolled back" {
			for n, evidence := range e.Evidence {
				s.tell.line([]string{"Patchbay", ""}[min(n, 1)], "%s", evidence)
			}
		}
	}
	s.tell.line("Patchbay", "ROLLED BACK: v2 has all requests again, %s after v3 broke", seconds(time.Since(broke)))
	s.tell.line("Envoy", "served %d requests of a client, %d failed", requests, failed)
	return nil
}

// breaks lets v3 have its first requests, and then fail.
func (s *stage) breaks(ctx context.Context) (broke time.Time, state canaryState, err error) {
	if err := s.steps(ctx, "v3", 10); err != nil {
		return broke, state, err
	}
	broke = time.Now()
	s.shop.versions["v3"].SetStatus(http.StatusInternalServerError)
	s.tell.line("v3", "answers everything with 500, its health check too")
	state, err = s.reaches(ctx, "v3", "rolled back", 0)
	return broke, state, err
}
