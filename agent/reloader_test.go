package agent

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/templates"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// filed is a configuration in files that a test changes.
type filed struct {
	*reloader
	cfg    config.Config
	err    error
	forced []config.Config
	broken error // what taking over fails with
	log    bytes.Buffer
}

func newFiled(start config.Config) *filed {
	f := &filed{cfg: start}
	f.reloader = &reloader{log: hclog.New(&hclog.LoggerOptions{Output: &f.log}), requests: make(chan chan<- reloaded), ended: make(chan struct{}),
		started: start, newest: start}
	f.inForce.Store(&start)
	f.load = func() (config.Config, error) { return f.cfg, f.err }
	f.force = func(cfg config.Config) error {
		f.forced = append(f.forced, cfg)
		return f.broken
	}
	return f
}

func started() config.Config {
	return config.Config{Port: 8558, WorkingDir: "/srv", Consul: config.Consul{Address: "a:8500", Token: tasks.NewSecret("first")},
		Driver: config.Driver{Backend: templates.Backend{Type: "consul", Attributes: map[string]cty.Value{"address": cty.StringVal("a:8500")}}},
		Tasks:  []tasks.Task{{Name: "web", WorkingDir: "/srv/web"}, {Name: "own", WorkingDir: "/own"}}}
}

func TestAReloadPutsInForceWhatNeedsNoRestart(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Config)
		// force is what counts of the change.
		force   func(*config.Config)
		changes []string
		restart []string
	}{
		"nothing": {change: func(*config.Config) {}, force: func(*config.Config) {}},
		"a task and the port": {func(c *config.Config) {
			c.Port = 9000
			c.Tasks = append(c.Tasks[:1:1], tasks.Task{Name: "own", WorkingDir: "/own", Description: "new"})
		}, func(c *config.Config) {
			c.Port = 9000 // known, though nobody listens there
			c.Tasks = append(c.Tasks[:1:1], tasks.Task{Name: "own", WorkingDir: "/own", Description: "new"})
		}, []string{"port changes from 8558 to 9000; restart the agent for it", "task own changes: description"}, []string{"port"}},
		"a token of the same Consul": {func(c *config.Config) { c.Consul.Token = tasks.NewSecret("hunter2") },
			func(c *config.Config) { c.Consul.Token = tasks.NewSecret("hunter2") }, []string{"consul.token changes"}, nil},
		"a token of another Consul goes to neither": {func(c *config.Config) {
			c.Consul.Token, c.Consul.Address = tasks.NewSecret("hunter2"), "b:8500"
			c.Driver.Backend.Attributes = map[string]cty.Value{"address": cty.StringVal("b:8500")}
		}, func(*config.Config) {}, []string{"consul.address changes; restart the agent for it", "consul.token changes; restart the agent for it",
			"the attributes of driver.terraform.backend changes; restart the agent for it"},
			[]string{"consul.address", "consul.token", "the attributes of driver.terraform.backend"}},
		"another working directory moves no task": {func(c *config.Config) {
			c.WorkingDir = "/new"
			c.Tasks = []tasks.Task{{Name: "web", WorkingDir: "/new/web"}, {Name: "own", WorkingDir: "/own"}}
		}, func(*config.Config) {}, []string{"working_dir changes from /srv to /new; restart the agent for it"}, []string{"working_dir"}},
		"another Vault": {func(c *config.Config) {
			c.Vault = config.Vault{Enabled: true, Address: "http://v", Token: tasks.NewSecret("hunter2")}
		},
			func(c *config.Config) {
				c.Vault = config.Vault{Enabled: true, Address: "http://v", Token: tasks.NewSecret("hunter2")}
			},
			[]string{"vault changes"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFiled(started())
			c.change(&f.cfg)
			f.cfg.Warnings = []string{"web.hcl:1: doubtful"}
			got, err := f.reload()
			if err != nil {
				t.Fatal(err)
			}
			want := httpapi.Reload{Changes: c.changes, Restart: c.restart, Warnings: []string{"web.hcl:1: doubtful"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answer: %s", diff)
			}
			force := started()
			c.force(&force)
			force.Warnings = f.cfg.Warnings
			if diff := cmp.Diff([]config.Config{force}, f.forced, cmp.Comparer(func(a, b tasks.Secret) bool { return a == b }),
				cmp.Comparer(func(a, b cty.Value) bool { return a.RawEquals(b) })); diff != "" {
				t.Errorf("in force: %s", diff)
			}
			again, err := f.reload()
			if diff := cmp.Diff(httpapi.Reload{Restart: c.restart, Warnings: f.cfg.Warnings}, again); diff != "" || err != nil {
				t.Errorf("the same files again: %v %s", err, diff)
			}
			if log := f.log.String(); strings.Contains(log, "hunter2") {
				t.Errorf("a secret is in the log: %s", log)
			}
		})
	}
}

func TestAReloadOfFilesWithMistakesChangesNothing(t *testing.T) {
	f := newFiled(started())
	f.err = &config.Error{Problems: []config.Problem{{Position: config.Position{File: "a.hcl", Line: 1, Column: 2}, What: "no"}}}
	f.cfg.Port = 1
	_, err := f.reload()
	if e, is := errors.AsType[*config.Error](err); !is || len(e.Problems) != 1 {
		t.Errorf("error = %v, want the mistakes", err)
	}
	if len(f.forced) != 0 || f.inForce.Load().Port != 8558 || f.newest.Port != 8558 {
		t.Errorf("something was taken over: %v", f.forced)
	}
}

func TestWhatWasNotTakenOverIsToldAgain(t *testing.T) {
	f := newFiled(started())
	f.cfg.Port, f.broken = 1, errors.New("no space left on device")
	if _, err := f.reload(); err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "reload again") {
		t.Errorf("error = %v", err)
	}
	f.broken = nil
	if got, err := f.reload(); err != nil || len(got.Changes) != 1 {
		t.Errorf("the next reload = %+v, %v; want the same change", got, err)
	}
}

func TestReloadsComeFromSignalsAndRequestsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFiled(started())
		ctx, stop := context.WithCancel(t.Context())
		signals := make(chan os.Signal, 1)
		go f.run(ctx, signals)
		signals <- syscall.SIGHUP
		synctest.Wait()
		answers := []<-chan answer[httpapi.Reload]{}
		for range 3 {
			answers = append(answers, call(func() (httpapi.Reload, error) { return f.Reload(t.Context()) }))
		}
		for _, a := range answers {
			if got := <-a; got.err != nil {
				t.Error(got.err)
			}
		}
		if len(f.forced) != 4 {
			t.Errorf("%d reloads, want 4", len(f.forced))
		}
		f.err = errors.New("no such file")
		signals <- syscall.SIGHUP
		synctest.Wait()
		if !strings.Contains(f.log.String(), "configuration was not reloaded") || len(f.forced) != 4 {
			t.Errorf("log: %s", &f.log)
		}
		stop()
		synctest.Wait()
		if _, err := f.Reload(t.Context()); !errors.Is(err, tasks.ErrStopping) {
			t.Errorf("after the stop: %v", err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		f.ended = nil
		if _, err := f.Reload(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("for a caller that has gone: %v", err)
		}
	})
}

func TestAReloadBeginsTasksAnewWhoseSurroundingsChanged(t *testing.T) {
	fw, other := taskNamed(t, "fw"), taskNamed(t, "other")
	fw.Providers = []string{"fw"}
	block := func(password string) []tasks.Provider {
		return []tasks.Provider{{Name: "fw", Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{"password": cty.StringVal(password)}))}}
	}
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{}, fw, other)
		b.consulHas(1)
		pass(time.Minute)
		b.wantPlans(2)
		b.options.Config.Providers = block("first")
		b.reload(fw, other)
		b.wantPlans(3) // fw alone
		b.reload(fw, other)
		b.wantPlans(3)
		b.options.Config.Providers = block("second")
		b.reload(fw, other)
		b.wantPlans(4)
		b.options.Config.Driver.Backend.Type = "local"
		b.reload(fw, other)
		b.wantPlans(6)
		b.options.Config.Buffer.Min = time.Second
		b.reload(fw, other)
		if got := b.engine.inherited().Buffer.Min; got != time.Second {
			t.Errorf("tasks inherit a buffer of %s, want 1s", got)
		}
		b.stop()
	})
}

func TestATaskThatBeginsAnewKeepsWhatTheAPIMadeOfItMeanwhile(t *testing.T) {
	web := webTask(t)
	synctest.Test(t, func(t *testing.T) {
		terraform := &terraformFake{}
		b := startBench(t, newMemory(), terraform, web)
		b.consulHas(1)
		pass(time.Minute)
		terraform.took = time.Minute
		b.consulHas(2)
		changed := web
		changed.Description = "by the API"
		got := call(func() (tasks.Operation, error) { return b.engine.Replace(t.Context(), changed, tasks.RunNow) })
		pass(10 * time.Second) // its apply is under way
		opts := b.options
		opts.Config.Driver.Backend.Type = "local"
		if err := b.engine.take(opts); err != nil {
			t.Error(err)
		}
		if a := <-got; a.err != nil {
			t.Fatal(a.err)
		}
		pass(10 * time.Minute)
		b.wantPlans(3) // the first pass, the API's, and the one that begins anew
		if s, _ := b.engine.State("web"); s.Task.Description != "by the API" {
			t.Errorf("description = %q", s.Task.Description)
		}
		b.stop()
	})
}

func TestAReloadThatFailsCanBeRepeated(t *testing.T) {
	web, comes := webTask(t), taskNamed(t, "comes")
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{}, web)
		b.consulHas(1)
		pass(time.Minute)
		full := errors.New("no space left on device")
		b.store.fail(full)
		opts := b.options
		opts.Config.Tasks = []tasks.Task{web, comes}
		if err := b.engine.take(opts); !errors.Is(err, full) {
			t.Errorf("error = %v", err)
		}
		b.store.fail(nil)
		b.reload(web, comes)
		if got := b.names(); len(got) != 2 {
			t.Errorf("tasks = %v, want both", got)
		}
		b.stop()
		if err := b.engine.take(opts); !errors.Is(err, tasks.ErrStopping) {
			t.Errorf("after the stop: %v", err)
		}
	})
}

func TestAReloadWaitsForNoTaskThatTheAPIIsBusyWith(t *testing.T) {
	made := taskNamed(t, "made")
	synctest.Test(t, func(t *testing.T) {
		terraform := &terraformFake{}
		b := startBench(t, newMemory(), terraform)
		got := b.create(made, tasks.RunNow) // waits for Consul
		synctest.Wait()
		opts := b.options
		opts.Config.Tasks = []tasks.Task{made}
		if err := b.engine.take(opts); !errors.Is(err, tasks.ErrTaskBusy) || !strings.Contains(err.Error(), "being created") {
			t.Errorf("while it is created: %v", err)
		}
		b.consulHas(1)
		if a := <-got; a.err != nil {
			t.Fatal(a.err)
		}
		b.reload(made)
		if got := b.names(); len(got) != 1 {
			t.Errorf("tasks = %v, want one", got)
		}
		terraform.took = time.Hour
		if err := b.engine.Remove(t.Context(), "made", true); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		opts.Config.Tasks[0].Description = "changed"
		if err := b.engine.take(opts); !errors.Is(err, tasks.ErrTaskBusy) || !strings.Contains(err.Error(), "being deleted") {
			t.Errorf("while it is destroyed: %v", err)
		}
		pass(2 * time.Hour)
		b.reload(opts.Config.Tasks...)
		if got := b.names(); len(got) != 1 {
			t.Errorf("after its end: tasks = %v, want it anew", got)
		}
		b.stop()
	})
}
