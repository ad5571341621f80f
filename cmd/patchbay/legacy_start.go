package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"patchbay/agent"
	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

// legacyStop is how long Consul-Terraform-Sync takes for a stop at most, and
// legacyGrace how much of it an apply in flight has before it is interrupted.
const (
	legacyStop  = 10 * time.Second
	legacyGrace = 6 * time.Second
)

// legacyBegin is begin under the name of Consul-Terraform-Sync: what goes wrong is
// in the log, and standard output stays empty.
func (c *cli) legacyBegin(ctx context.Context, s *starting) error {
	if s.install || s.uninstall {
		return c.installCompletion(s.install)
	}
	if len(*s.paths) == 0 {
		if c.bare {
			return errors.Join(c.write(c.usage(c.legacyRoot())), &failure{code: exitArgument})
		}
		f := c.misuse("start", "unable to start "+legacyName, "no config file provided").(*failure)
		f.bare = true
		return f
	}
	cfg, err := c.daemon.load(*s.paths)
	log := c.logger(cfg)
	if err != nil {
		log = c.logger(config.Config{})
		log.Named("cli").Error("error "+stage(err)+" configuration", "error", err)
		return &failure{code: exitConfig}
	}
	log.Named("cli").Info(fmt.Sprintf("%s (%s)", legacyVersion, build().Commit))
	for _, w := range cfg.Warnings {
		log.Named("config").Warn("configuration is doubtful", "warning", w)
	}
	for _, name := range s.names {
		if !slices.ContainsFunc(cfg.Tasks, func(t tasks.Task) bool { return t.Name == name }) {
			log.Named("cli").Error("error inspecting tasks", "error", "task not found: "+name)
			return &failure{code: exitConfig}
		}
	}
	cfg.ShutdownGrace = min(cfg.ShutdownGrace, legacyGrace)
	l := agent.Options{Config: cfg, Log: log, Version: build().Version, Legacy: true}
	l.Development = s.client == development
	return c.legacyRun(ctx, l, s)
}

// legacyRun runs one of the modes and tells of its end as Consul-Terraform-Sync does.
func (c *cli) legacyRun(ctx context.Context, l agent.Options, s *starting) error {
	log := l.Log.Named("cli")
	stopped := false
	err := signals(func(stop <-chan struct{}) error {
		return hurried(log, stop, &stopped, func(stop <-chan struct{}) error {
			l.Stop = stop
			switch {
			case s.inspect || len(s.names) > 0:
				return c.legacyInspect(ctx, l, s)
			case s.once:
				return c.legacyOnce(ctx, l)
			}
			return c.serve(ctx, l, *s.paths)
		})
	})
	switch {
	case errors.Is(err, agent.ErrKilled):
		log.Info("graceful shutdown timed out, exiting")
		return &failure{code: exitStopped}
	case stopped && (err == nil || errors.Is(err, tasks.ErrStopping)), err == nil && (s.once || s.inspect || len(s.names) > 0):
		log.Info("graceful shutdown")
		return nil
	case err == nil:
		log.Warn("unexpected shutdown")
		return &failure{code: exitError}
	case errors.Is(err, agent.ErrTerraform):
		log.Error("error installing driver", "error", err)
	case errors.Is(err, agent.ErrConsul):
		log.Error("error setting up controller", "error", err)
	default:
		log.Error("error running controller", "error", err)
	}
	f, _ := errors.AsType[*failure](ended(err, ""))
	return &failure{code: f.code}
}

func (c *cli) legacyOnce(ctx context.Context, l agent.Options) error {
	if len(l.Config.Tasks) == 0 {
		l.Log.Info("no tasks configured")
	}
	if err := c.daemon.once(ctx, l); err != nil {
		return err
	}
	l.Log.Named("ctrl").Info("all tasks completed once")
	return nil
}

// legacyInspect writes the plans into the log.
func (c *cli) legacyInspect(ctx context.Context, l agent.Options, s *starting) error {
	list, err := c.daemon.inspect(ctx, l, s.names)
	if err != nil {
		return err
	}
	log := l.Log.Named("ctrl")
	var failed []error
	for _, i := range list {
		plan := "No changes."
		switch {
		case i.Err != nil:
			failed = append(failed, fmt.Errorf("error inspecting task '%s': %w", i.Task, i.Err))
			continue
		case i.Disabled:
			plan = "Task is disabled, inspection was skipped."
		case s.client == development:
			plan = "" // it names no object
		case !i.Plan.Empty():
			var p page
			p.line(0, "Plan: %s", summary(i.Plan))
			p.plan(0, i.Task, i.Plan)
			p.findings(0, c.now(), i.Findings)
			plan = strings.TrimSuffix(p.String(), "\n")
		}
		log.Info("inspection results", "task_name", i.Task, "plan", plan)
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	log.Info("all tasks inspected")
	return nil
}

// hurried runs work with its own channel of stops: the first signal is logged and
// starts the time after which nothing is waited for any more. stopped tells
// whether one came.
func hurried(log hclog.Logger, signals <-chan struct{}, stopped *bool, work func(stop <-chan struct{}) error) error {
	stop, done := make(chan struct{}), make(chan struct{})
	forward := make(chan bool)
	go func() {
		came := false
		defer func() { forward <- came }()
		var late <-chan time.Time
		for {
			select {
			case <-signals:
				if !came {
					log.Info("signal received to initiate graceful shutdown")
					timer := time.NewTimer(legacyStop)
					defer timer.Stop()
					late, came = timer.C, true
				}
			case <-late:
			case <-done:
				return
			}
			select {
			case stop <- struct{}{}:
			case <-done:
				return
			}
		}
	}()
	err := work(stop)
	close(done)
	*stopped = <-forward
	return err
}
