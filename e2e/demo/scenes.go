package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// scene is one change: what an operator does, when Consul shows it, and who answers
// in the end.
type scene struct {
	title   string
	service string
	act     func() error
	shown   func([]*api.ServiceEntry) bool
	answers []string
}

// moved is what web-3 answers at its new port.
const moved = "web-3-moved"

func (s *stage) play(ctx context.Context) error {
	if err := s.first(ctx); err != nil {
		return err
	}
	for _, sc := range []scene{
		{
			title: "Scale up: two more instances of web are registered", service: "web",
			act:     func() error { return s.serve("web", "web-4", "web-5") },
			shown:   func(e []*api.ServiceEntry) bool { return passing(e) == 5 },
			answers: []string{"web-1", "web-2", "web-3", "web-4", "web-5"},
		},
		{
			title: "web-2 fails its health check", service: "web",
			act:     func() error { s.backends["web-2"].SetSick(true); return nil },
			shown:   func(e []*api.ServiceEntry) bool { return passing(e) == 4 },
			answers: []string{"web-1", "web-3", "web-4", "web-5"},
		},
		{
			title: "web-3 moves to another port", service: "web",
			act:     func() error { return s.serveAs("web-3", "web", moved) },
			shown:   func(e []*api.ServiceEntry) bool { return port(e, "web-3") == s.backends[moved].Port() },
			answers: []string{"web-1", moved, "web-4", "web-5"},
		},
		{
			title: "web-5 is taken away", service: "web",
			act:     func() error { return s.consul.Deregister("web-5") },
			shown:   func(e []*api.ServiceEntry) bool { return len(e) == 4 },
			answers: []string{"web-1", moved, "web-4"},
		},
	} {
		if err := s.change(ctx, sc); err != nil {
			return err
		}
	}
	for _, play := range []func(context.Context) error{s.lie, s.canary, s.badCanary} {
		if err := play(ctx); err != nil {
			return err
		}
	}
	return nil
}

func passing(entries []*api.ServiceEntry) (n int) {
	for _, e := range entries {
		if e.Checks.AggregatedStatus() == api.HealthPassing {
			n++
		}
	}
	return n
}

func port(entries []*api.ServiceEntry, id string) int {
	for _, e := range entries {
		if e.Service.ID == id {
			return e.Service.Port
		}
	}
	return 0
}

// first starts Patchbay over services that are there already.
func (s *stage) first(ctx context.Context) error {
	s.tell.scene("Three instances of web and two of api are registered, and Patchbay starts")
	if err := s.serve("web", "web-1", "web-2", "web-3"); err != nil {
		return err
	}
	if err := s.serveOnRack("api", "api-1", "api-2"); err != nil {
		return err
	}
	s.tell.line("Consul", "has web-1, web-2, web-3 and api-1, api-2, all passing")
	config, err := s.config()
	if err != nil {
		return err
	}
	began := time.Now()
	if s.patchbay, err = s.program.Start(ctx, config); err != nil {
		return err
	}
	for _, service := range []string{"web", "api"} {
		if err := s.tellRun(ctx, service); err != nil {
			return err
		}
	}
	for service, ids := range map[string][]string{"web": {"web-1", "web-2", "web-3"}, "api": {"api-1", "api-2"}} {
		if err := s.nginx.AwaitAnswers(ctx, service, limit, ids...); err != nil {
			return err
		}
	}
	s.tell.line("NGINX", "serves both services, %s after the start", seconds(time.Since(began)))
	return nil
}

// change plays one scene and times it from Consul's change to NGINX's answer.
func (s *stage) change(ctx context.Context, sc scene) error {
	s.tell.scene(sc.title)
	if err := sc.act(); err != nil {
		return err
	}
	changed, err := s.consul.AwaitService(ctx, sc.service, limit, sc.shown)
	if err != nil {
		return err
	}
	if err := s.nginx.AwaitAnswers(ctx, sc.service, limit, sc.answers...); err != nil {
		return err
	}
	took := time.Since(changed)
	if err := s.tellRun(ctx, sc.service); err != nil {
		return err
	}
	slices.Sort(sc.answers)
	s.tell.line("NGINX", "is answered by %s, %s after Consul's change", strings.Join(sc.answers, ", "), seconds(took))
	return nil
}

// lie plays the scene that Patchbay is for: the catalog says that a whole service is
// dead while it serves on.
func (s *stage) lie(ctx context.Context) error {
	s.tell.scene("All checks of api fail at once, though api serves on: the catalog lies")
	load := rig.StartLoad(s.nginx, "api", 2)
	held, err := s.lied(ctx, load)
	requests, failures := load.Stop()
	if err != nil {
		return err
	}
	s.tell.line("NGINX", "kept serving api during %s: %d requests, %d failed", seconds(held), requests, len(failures))
	return nil
}

func (s *stage) lied(ctx context.Context, load *rig.Load) (held time.Duration, err error) {
	if err := load.AwaitOnly(ctx, limit, "api-1", "api-2"); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := s.consul.SetHealthTogether("api", api.HealthCritical, "api-1", "api-2"); err != nil {
		return 0, err
	}
	if _, err := s.consul.AwaitService(ctx, "api", limit, func(e []*api.ServiceEntry) bool { return passing(e) == 0 }); err != nil {
		return 0, err
	}
	s.tell.line("Consul", "shows api-1 and api-2 critical: no member of api is left")
	run, err := s.patchbay.AwaitPhase(ctx, "api", "held", limit)
	if err != nil {
		return 0, err
	}
	s.tell.held("api", run)
	s.tell.line("a person", "would say: patchbay task approve api. Here the checks recover instead")
	if err := s.consul.SetHealthTogether("api", api.HealthPassing, "api-1", "api-2"); err != nil {
		return 0, err
	}
	if _, err := s.patchbay.AwaitPhase(ctx, "api", "unchanged", limit); err != nil {
		return 0, err
	}
	s.tell.line("Patchbay", "ended the hold by itself: wanted and applied agree again, nothing was changed")
	return time.Since(began), load.AwaitOnly(ctx, limit, "api-1", "api-2")
}

// tellRun waits until a run of the task ended that was not told yet, and tells it.
func (s *stage) tellRun(ctx context.Context, task string) error {
	run, err := s.patchbay.AwaitRun(ctx, task, limit, func(r rig.Run) bool {
		return r.Phase == "applied" && r.ID != s.told[task]
	})
	if err != nil {
		return fmt.Errorf("wait for a run of task %s: %w", task, err)
	}
	s.told[task] = run.ID
	s.tell.run(task, run)
	return nil
}
