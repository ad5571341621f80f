package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// devices take four seconds for each apply, refuse those of the broken task, and
// remember who got one and how many were served at once.
type devices struct {
	mu        sync.Mutex
	broken    string
	hung      string // its apply ends with its context only
	now, most int
	applied   map[string]int
}

func (d *devices) Run(ctx context.Context, files tasks.Files, review func(tasks.Plan) bool) (tasks.Outcome, error) {
	d.count(1)
	defer d.count(-1)
	plan := tasks.Plan{Digest: catalog.NewHasher().String(files.Workspace).Sum(), Changes: []tasks.Change{{Address: "x", Action: tasks.Create}}}
	if !review(plan) {
		return tasks.Outcome{Plan: plan}, ctx.Err()
	}
	took := 4 * time.Second
	if files.Workspace == d.hung {
		took = 100 * 365 * 24 * time.Hour
	}
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return tasks.Outcome{Plan: plan}, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if files.Workspace == d.broken {
		return tasks.Outcome{Plan: plan}, errors.New("device said no")
	}
	d.applied[files.Workspace]++
	return tasks.Outcome{Plan: plan, Applied: true}, nil
}

func (d *devices) Remove(context.Context, tasks.Files) error { return nil }

func (d *devices) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now += n
	d.most = max(d.most, d.now)
}

func (d *devices) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = ""
}

// crowd makes n tasks of which change says what differs from the usual one.
func crowd(t *testing.T, n int, change func(*tasks.Task)) []tasks.Task {
	list := make([]tasks.Task, n)
	for i := range list {
		list[i] = taskNamed(t, fmt.Sprintf("t%03d", i))
		if change != nil {
			change(&list[i])
		}
	}
	return list
}

// firstPass starts the tasks over d, lets d serve parallel of them at once, and
// waits until time alone would have let all of them through.
func firstPass(t *testing.T, d *devices, parallel int, list []tasks.Task, check func(b *bench)) {
	t.Helper()
	d.applied = map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		b := startOver(t, parallel, newMemory(), d, list...)
		b.consulHas(1)
		pass(time.Duration(4*(len(list)+parallel-1)/parallel)*time.Second + time.Second)
		check(b)
		b.stop()
	})
}

func TestABrokenTaskHoldsUpNoOtherInTheFirstPass(t *testing.T) {
	d := &devices{broken: "t000"}
	firstPass(t, d, 1, crowd(t, 10, nil), func(b *bench) {
		pass(time.Minute)
		if len(d.applied) != 9 || d.applied["t000"] != 0 {
			t.Errorf("applied = %v, want all but t000", d.applied)
		}
		d.mend()
		pass(time.Hour)
		if d.applied["t000"] != 1 {
			t.Errorf("applied = %v, want t000 too once its device is well", d.applied)
		}
	})
}

func TestADeviceThatHangsHoldsUpNoOtherTask(t *testing.T) {
	d := &devices{hung: "t000"}
	firstPass(t, d, 2, crowd(t, 10, nil), func(b *bench) {
		pass(time.Minute)
		for n := range 3 {
			b.consulHas(2 + n)
			pass(time.Hour)
		}
		for n := 1; n < 10; n++ {
			if name := fmt.Sprintf("t%03d", n); d.applied[name] != 4 {
				t.Errorf("%s was applied %d times, want once and for each of three changes", name, d.applied[name])
			}
		}
		b.drain()
		b.interrupt()
	})
}

func TestTheFirstPassRunsAsManyTasksAtOnceAsAreAllowed(t *testing.T) {
	d := &devices{}
	firstPass(t, d, 10, crowd(t, 50, nil), func(*bench) {
		if d.most != 10 || len(d.applied) != 50 {
			t.Errorf("%d tasks ran at once, %d were applied; want 10 and 50", d.most, len(d.applied))
		}
	})
}

func TestHundredsOfScheduledTasksPassTheFirstPass(t *testing.T) {
	d := &devices{}
	list := crowd(t, 150, func(task *tasks.Task) {
		task.ModuleInputs = []tasks.ModuleInput{{Services: task.Condition.Services}}
		task.Condition = tasks.Condition{Schedule: &tasks.Schedule{Cron: "0 0 1 1 *"}}
	})
	firstPass(t, d, 10, list, func(b *bench) {
		if ok, reasons := b.engine.Ready(); !ok || len(d.applied) != 150 {
			t.Errorf("%d of 150 were applied, ready = %v %v", len(d.applied), ok, reasons)
		}
	})
}

// scheduled is a task that a clock starts; its input is the service web.
func scheduled(t *testing.T, cron string) tasks.Task {
	task := taskNamed(t, "nightly")
	task.ModuleInputs = []tasks.ModuleInput{{Services: task.Condition.Services}}
	task.Condition = tasks.Condition{Schedule: &tasks.Schedule{Cron: cron}}
	return task
}

func TestAScheduleThatNeverComesFiresNever(t *testing.T) {
	task := scheduled(t, "0 0 30 2 *")
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, task, tasks.Record{})
		b.consulHas(1)
		pass(time.Minute)
		b.consulHas(2)
		pass(10 * 365 * 24 * time.Hour)
		b.wantCounts(1, 1)
		if got := len(b.store.list()); got != 1 {
			t.Errorf("%d runs in ten years, want that of the first pass alone", got)
		}
		b.stop()
	})
}

func TestAScheduledTaskThatIsCreatedAppliesAtItsNextTick(t *testing.T) {
	task := scheduled(t, "0 * * * *")
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{})
		got := b.create(task, tasks.RunLater)
		b.consulHas(1)
		if a := <-got; a.err != nil {
			t.Fatal(a.err)
		}
		b.consulHas(1)
		b.wantCounts(1, 0)
		pass(time.Hour + time.Minute)
		b.wantCounts(2, 1)
		pass(5 * time.Hour)
		b.wantCounts(2, 1)
		b.stop()
	})
}

func TestAScheduledTaskThatIsEnabledAppliesAtItsNextTick(t *testing.T) {
	task := scheduled(t, "0 * * * *")
	synctest.Test(t, func(t *testing.T) {
		off := task
		off.Enabled = false
		b := newBench(t, off, tasks.Record{})
		done := call(func() (tasks.Operation, error) { return b.engine.Replace(context.Background(), task, tasks.RunLater) })
		b.consulHas(1)
		if a := <-done; a.err != nil {
			t.Fatal(a.err)
		}
		b.consulHas(1)
		b.wantCounts(1, 0)
		pass(time.Hour + time.Minute)
		b.wantCounts(2, 1)
		b.stop()
	})
}

func TestATaskThatStartsDisabledHasItsBufferOnceItIsEnabled(t *testing.T) {
	task := webTask(t)
	synctest.Test(t, func(t *testing.T) {
		off := task
		off.Enabled = false
		b := newBench(t, off, tasks.Record{})
		done := call(func() (tasks.Operation, error) { return b.engine.Replace(context.Background(), task, tasks.RunNow) })
		b.consulHas(1)
		if a := <-done; a.err != nil {
			t.Fatal(a.err)
		}
		b.consulHas(1)
		b.wantCounts(1, 1)
		for n := range 4 {
			b.consulHas(2 + n)
			pass(4 * time.Second)
		}
		b.wantCounts(1, 1)
		pass(4 * time.Second)
		b.wantCounts(2, 2)
		b.stop()
	})
}

func TestADisabledTaskIsLeftAloneUntilItIsEnabled(t *testing.T) {
	task := webTask(t)
	task.Enabled = false
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, task, tasks.Record{})
		b.consulHas(1)
		pass(time.Hour)
		b.wantCounts(0, 0)
		if n := len(b.consul.watchers); n != 0 {
			t.Errorf("%d queries are watched for it", n)
		}
		if ok, reasons := b.engine.Ready(); !ok {
			t.Errorf("the agent waits for it: %v", reasons)
		}
		b.stop()
	})
}

func TestAChangeThatFailsLeavesTheTaskAsItWas(t *testing.T) {
	task := webTask(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, task, tasks.Record{})
		b.consulHas(1)
		pass(time.Minute)
		before, kept := b.runner.state.Load().Task, maps.Clone(b.store.definitions)
		other := task
		other.Description = "other"
		other.Condition.Services = &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}, UserMeta: map[string]string{"k": "v"}}
		b.terraform.fail(errors.New("device said no"))
		done := call(func() (tasks.Operation, error) { return b.engine.Replace(context.Background(), other, tasks.RunNow) })
		synctest.Wait()
		if _, err := b.engine.Replace(t.Context(), task, tasks.RunLater); !errors.Is(err, tasks.ErrTaskBusy) {
			t.Errorf("a second change beside the first: %v, want ErrTaskBusy", err)
		}
		if a := <-done; a.err == nil {
			t.Fatal("the change succeeded")
		}
		compare := cmp.Comparer(func(a, b cty.Value) bool { return a.RawEquals(b) })
		if diff := cmp.Diff(before, b.runner.state.Load().Task, compare); diff != "" {
			t.Errorf("the task (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(kept, b.store.definitions); diff != "" {
			t.Errorf("what is kept of it (-before +after):\n%s", diff)
		}
		b.terraform.fail(nil)
		b.stop()
	})
}

func TestATaskIsDeletedBeforeItsFirstRun(t *testing.T) {
	task := webTask(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, task, tasks.Record{})
		if err := b.engine.Remove(t.Context(), task.Name, false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if names := b.names(); len(names) != 0 {
			t.Errorf("tasks = %v, want none", names)
		}
		got := b.create(task, tasks.RunNow)
		b.consulHas(1)
		if a := <-got; a.err != nil {
			t.Fatalf("the name cannot be used again: %v", a.err)
		}
		b.wantCounts(1, 1)
		b.stop()
	})
}

func TestDisablingATaskWithRunNowStoresNoRun(t *testing.T) {
	task := webTask(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, task, tasks.Record{})
		b.consulHas(1)
		pass(time.Minute)
		off := task
		off.Enabled = false
		if _, err := b.engine.Replace(t.Context(), off, tasks.RunNow); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		b.wantCounts(1, 1)
		if got := len(b.store.list()); got != 1 {
			t.Errorf("%d runs, want the one before", got)
		}
		b.stop()
	})
}

func TestACreateThatCameToNothingWatchesConsulNoLonger(t *testing.T) {
	for name, mode := range map[string]tasks.RunMode{"a failed one": tasks.RunNow, "an inspection": tasks.RunInspect} {
		t.Run(name, func(t *testing.T) {
			task := taskNamed(t, "fw")
			synctest.Test(t, func(t *testing.T) {
				b := startBench(t, newMemory(), &terraformFake{broken: errors.New("device said no")})
				got := b.create(task, mode)
				b.consulHas(1)
				if a := <-got; (a.err != nil) != (mode == tasks.RunNow) {
					t.Fatal(a.err)
				}
				synctest.Wait()
				if n := len(b.consul.watchers); n != 0 {
					t.Errorf("%d queries are still watched", n)
				}
				b.stop()
			})
		})
	}
}

func TestATaskTakesTheProviderBlockThatItNames(t *testing.T) {
	block := func(name, alias, host string) tasks.Provider {
		return tasks.Provider{Name: name, Alias: alias, Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{"host": cty.StringVal(host)}))}
	}
	aliased, plain := block("fw", "east", "east"), block("fw", "", "plain")
	for name, c := range map[string]struct {
		blocks []tasks.Provider
		asked  string
		want   string
	}{
		"the plain one though an aliased one stands first": {[]tasks.Provider{aliased, plain}, "fw", "plain"},
		"the aliased one": {[]tasks.Provider{plain, aliased}, "fw.east", "east"},
		"an aliased one where no other has the name": {[]tasks.Provider{block("x", "", "x"), aliased}, "fw", "east"},
	} {
		t.Run(name, func(t *testing.T) {
			got := providersOf(tasks.Task{Providers: []string{c.asked}}, c.blocks)
			if len(got) != 1 || got[0].Arguments.Reveal().GetAttr("host").AsString() != c.want {
				t.Errorf("%s is the block of %v, want that of %s", c.asked, got, c.want)
			}
		})
	}
}

func TestTheConsulBackendHasEveryCertificateOfTheConsulBlock(t *testing.T) {
	cfg := config.Config{Consul: config.Consul{Address: "c:8501", TLS: config.TLS{Enabled: true, CACert: "/ca.pem", CAPath: "/cas",
		Cert: "/cert.pem", Key: "/key.pem", ServerName: "server.dc1.consul"}}}
	cfg.Driver.Backend.Type = "consul"
	got := map[string]string{}
	for name, value := range backendEnv(cfg) {
		got[name] = value.Reveal()
	}
	want := map[string]string{"CONSUL_HTTP_ADDR": "c:8501", "CONSUL_CACERT": "/ca.pem", "CONSUL_CAPATH": "/cas", "CONSUL_CLIENT_CERT": "/cert.pem",
		"CONSUL_CLIENT_KEY": "/key.pem", "CONSUL_TLS_SERVER_NAME": "server.dc1.consul"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	cfg.Driver.Backend.Type = "local"
	if got := slices.Collect(maps.Keys(backendEnv(cfg))); len(got) != 0 {
		t.Errorf("another backend gets %v", got)
	}
}

func TestUnderTheOldNameTheLogTellsOfRunsInTheOldWords(t *testing.T) {
	task := webTask(t)
	var out bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, task, tasks.Record{})
		b.runner.work.legacy = newLegacyLog(Options{Log: log, Legacy: true})
		b.terraform.fail(errors.New("device said no"))
		b.consulHas(2)
		pass(3 * time.Second)
		b.terraform.fail(nil)
		pass(time.Minute)
		b.consulHas(0)
		pass(time.Minute)
		b.stop()
	})
	want := `[INFO]  tasksmanager: executing task: task_name=web
[ERROR] tasksmanager: error running task: task_name=web error="could not apply changes for task web: device said no"
[INFO]  tasksmanager: executing task: task_name=web
[INFO]  tasksmanager: task completed: task_name=web
[INFO]  tasksmanager: executing task: task_name=web
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if l := newLegacyLog(Options{Log: log}); l != nil {
		t.Error("the other name has the old words too")
	}
}

func TestOneRunEndsWhenConsulRefusesAQueryOfItsTask(t *testing.T) {
	for _, trigger := range []tasks.Trigger{tasks.Once, tasks.Inspect} {
		t.Run(string(trigger), func(t *testing.T) {
			task := webTask(t)
			synctest.Test(t, func(t *testing.T) {
				b := startBench(t, newMemory(), &terraformFake{}, task)
				w := *b.runner.work
				w.missing = func() error { return errors.New("No path to datacenter") }
				var got result
				start := time.Now()
				err := newRunner(&w, b.consul, tasks.Record{}, nil).single(t.Context(), t.Context(), trigger, func(_ *runner, res result) error {
					got = res
					return nil
				})
				if err != nil || got.err == nil || !strings.Contains(got.err.Error(), "unable to retrieve data from Consul: ") || !strings.Contains(got.err.Error(), "No path to datacenter") {
					t.Errorf("errors %v and %v, want what Consul said", err, got.err)
				}
				if waited := time.Since(start); waited != consulWait || got.run.Task != "web" {
					t.Errorf("task %q ended after %s, want web after %s", got.run.Task, waited, consulWait)
				}
				b.stop()
			})
		})
	}
}

func TestUnderTheOldNameAQueryThatConsulRefusesEndsTheFirstPass(t *testing.T) {
	tests := map[string]func(t *testing.T, b *bench) string{
		"no answer for a minute": func(*testing.T, *bench) string { return "No path to datacenter" },
		"a failed run": func(_ *testing.T, b *bench) string {
			b.terraform.fail(errors.New("device said no"))
			b.consulHas(1)
			return "device said no"
		},
		"none": func(t *testing.T, b *bench) string {
			b.consulHas(1)
			pass(time.Hour)
			b.drain()
			return ""
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			task := webTask(t)
			synctest.Test(t, func(t *testing.T) {
				b := startBench(t, newMemory(), &terraformFake{}, task)
				b.engine.missing = func() error { return errors.New("No path to datacenter") }
				b.engine.failed = make(chan error, 1)
				b.runner.failed = b.engine.failed
				ctx, cancel := context.WithCancel(t.Context())
				failed := make(chan error, 1)
				go func() { failed <- b.engine.firstFailure(ctx) }()
				want := test(t, b)
				pass(2 * time.Minute)
				cancel()
				if err := <-failed; (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want one with %q", err, want)
				}
				b.terraform.fail(nil)
				b.stop()
			})
		})
	}
}
