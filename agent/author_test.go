package agent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// taskNamed is a task as somebody creates it at run time.
func taskNamed(t *testing.T, name string) tasks.Task {
	task := webTask(t)
	task.Name = name
	return task
}

// call runs an operation beside the test, which plays Consul meanwhile.
func call[T any](f func() (T, error)) <-chan answer[T] {
	out := make(chan answer[T], 1)
	go func() {
		v, err := f()
		out <- answer[T]{v, err}
	}()
	return out
}

type answer[T any] struct {
	value T
	err   error
}

func (b *bench) create(task tasks.Task, mode tasks.RunMode) <-chan answer[tasks.Operation] {
	return call(func() (tasks.Operation, error) { return b.engine.Create(context.Background(), task, mode) })
}

func (b *bench) names() (out []string) {
	for _, s := range b.engine.States() {
		out = append(out, s.Task.Name)
	}
	return out
}

func TestOperations(t *testing.T) {
	tests := map[string]func(t *testing.T, b *bench, task tasks.Task){
		"create sets up and does not run; the next change does": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunLater)
			b.consulHas(1)
			if a := <-got; a.err != nil || len(a.value.Plan.Changes) != 1 {
				t.Fatalf("create = %+v, %v", a.value, a.err)
			}
			b.consulHas(1)
			pass(time.Hour)
			b.wantCounts(1, 0)
			if s, _ := b.engine.State(task.Name); s.Status != tasks.StatusUnknown {
				t.Errorf("status = %s, want unknown", s.Status)
			}
			b.consulHas(2)
			pass(time.Minute)
			b.wantCounts(2, 1)
		},
		"create run=now applies before it answers": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunNow)
			b.consulHas(1)
			if a := <-got; a.err != nil {
				t.Fatal(a.err)
			}
			b.wantCounts(1, 1)
			if s, _ := b.engine.State(task.Name); s.Status != tasks.StatusSuccessful {
				t.Errorf("status = %s, want successful", s.Status)
			}
		},
		"create run=now that fails leaves no task, and its name is free": func(t *testing.T, b *bench, task tasks.Task) {
			b.terraform.fail(errors.New("device said no"))
			got := b.create(task, tasks.RunNow)
			b.consulHas(1)
			if a := <-got; a.err == nil {
				t.Fatal("create succeeded")
			}
			if names := b.names(); len(names) != 0 || len(b.store.definitions) != 0 {
				t.Errorf("tasks = %v, definitions = %v; want none", names, b.store.definitions)
			}
			b.terraform.fail(nil)
			got = b.create(task, tasks.RunNow)
			b.consulHas(1)
			if a := <-got; a.err != nil {
				t.Fatal(a.err)
			}
		},
		"create run=inspect leaves nothing": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunInspect)
			b.consulHas(1)
			if a := <-got; a.err != nil || len(a.value.Plan.Changes) != 1 {
				t.Fatalf("inspect = %+v, %v", a.value, a.err)
			}
			b.wantCounts(1, 0)
			if len(b.names()) != 0 || len(b.store.runs) != 0 {
				t.Errorf("tasks = %v, runs = %v; want none", b.names(), b.store.runs)
			}
		},
		"a name is taken while it is being created and after": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunLater)
			synctest.Wait()
			if _, err := b.engine.Create(t.Context(), task, tasks.RunLater); !errors.Is(err, tasks.ErrTaskExists) {
				t.Errorf("second create while the first runs: %v", err)
			}
			b.consulHas(1)
			if a := <-got; a.err != nil {
				t.Fatal(a.err)
			}
			if _, err := b.engine.Create(t.Context(), task, tasks.RunLater); !errors.Is(err, tasks.ErrTaskExists) {
				t.Errorf("second create: %v", err)
			}
		},
		"disable stops triggers, enable makes today's data the baseline": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunNow)
			b.consulHas(1)
			<-got
			b.consulHas(1)
			off := task
			off.Enabled = false
			if _, err := b.engine.Replace(t.Context(), off, tasks.RunLater); err != nil {
				t.Fatal(err)
			}
			if s, _ := b.engine.State(task.Name); s.Task.Enabled {
				t.Error("a read right after the answer shows the task as it was")
			}
			if err := b.engine.RunNow(t.Context(), task.Name); !errors.Is(err, tasks.ErrDisabledTask) {
				t.Errorf("run of a disabled task: %v", err)
			}
			done := call(func() (tasks.Operation, error) { return b.engine.Replace(context.Background(), task, tasks.RunLater) })
			b.consulHas(2)
			if a := <-done; a.err != nil {
				t.Fatal(a.err)
			}
			b.consulHas(2)
			pass(time.Hour)
			b.wantCounts(2, 1)
			b.consulHas(3)
			pass(time.Minute)
			b.wantCounts(3, 2)
		},
		"a change during an apply is refused as busy": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunNow)
			b.consulHas(1)
			<-got
			b.consulHas(2)
			pass(6 * time.Second)
			if _, err := b.engine.Replace(t.Context(), task, tasks.RunLater); !errors.Is(err, tasks.ErrTaskBusy) {
				t.Errorf("replace during an apply: %v", err)
			}
		},
		"delete ends an idle task and keeps what it made": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunNow)
			b.consulHas(1)
			<-got
			if err := b.engine.Remove(t.Context(), task.Name, false); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(b.names()) != 0 || len(b.store.definitions) != 0 || b.terraform.removed != 0 {
				t.Errorf("tasks = %v, definitions = %v, removed = %d", b.names(), b.store.definitions, b.terraform.removed)
			}
		},
		"delete with destroy runs until all is gone": func(t *testing.T, b *bench, task tasks.Task) {
			got := b.create(task, tasks.RunNow)
			b.consulHas(1)
			<-got
			b.terraform.fail(errors.New("device said no"))
			if err := b.engine.Remove(t.Context(), task.Name, true); err != nil {
				t.Fatal(err)
			}
			pass(10 * time.Minute)
			if d := b.store.definitions[task.Name]; !d.Destroy || b.terraform.removed != 0 {
				t.Errorf("definition = %+v, removed = %d; want a destroy under way", d, b.terraform.removed)
			}
			b.terraform.fail(nil)
			pass(time.Hour)
			if len(b.names()) != 0 || len(b.store.definitions) != 0 || b.terraform.removed != 1 {
				t.Errorf("tasks = %v, definitions = %v, removed = %d", b.names(), b.store.definitions, b.terraform.removed)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			task := taskNamed(t, "fw")
			synctest.Test(t, func(t *testing.T) {
				b := startBench(t, newMemory(), &terraformFake{took: 3 * time.Second})
				test(t, b, task)
				b.stop()
			})
		})
	}
}

func TestWhatTheAPIMadeSurvivesARestart(t *testing.T) {
	api, file := taskNamed(t, "api"), taskNamed(t, "file")
	synctest.Test(t, func(t *testing.T) {
		store, terraform := newMemory(), &terraformFake{}
		b := startBench(t, store, terraform, file)
		b.consulHas(1)
		got := b.create(api, tasks.RunLater)
		pass(time.Second)
		b.consulHas(1)
		if a := <-got; a.err != nil {
			t.Fatal(a.err)
		}
		off := file
		off.Enabled = false
		if _, err := b.engine.Replace(t.Context(), off, tasks.RunLater); err != nil {
			t.Fatal(err)
		}
		b.stop()

		b = startBench(t, store, terraform, file)
		if got := b.names(); len(got) != 2 || got[0] != "file" || got[1] != "api" {
			t.Errorf("tasks = %v, want file and api", got)
		}
		if s, _ := b.engine.State("file"); s.Task.Enabled || s.Task.WorkingDir != file.WorkingDir {
			t.Errorf("file's task after a restart = %+v, want it disabled in its directory", s.Task)
		}
		b.stop()

		changed := file
		changed.Module = "./other"
		b = startBench(t, store, terraform, changed)
		if s, _ := b.engine.State("file"); !s.Task.Enabled || s.Task.Module != "./other" {
			t.Errorf("file's task after its block changed = %+v, want the block's", s.Task)
		}
		if err := b.engine.Remove(t.Context(), "file", false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.stop()

		b = startBench(t, store, terraform, changed)
		if got := b.names(); len(got) != 1 || got[0] != "api" {
			t.Errorf("tasks after a delete = %v, want api alone", got)
		}
		b.stop()
		b = startBench(t, store, terraform, file)
		if got := b.names(); len(got) != 2 {
			t.Errorf("tasks after the deleted block changed = %v, want both", got)
		}
		b.stop()
	})
}

func TestAScheduleRunsOnlyWhenAnInputChanged(t *testing.T) {
	task := taskNamed(t, "nightly")
	task.Condition = tasks.Condition{Schedule: &tasks.Schedule{Cron: "0 * * * *"}}
	task.ModuleInputs = []tasks.ModuleInput{{Services: &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}}}}
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{}, task)
		b.consulHas(1)
		pass(time.Minute)
		b.wantCounts(1, 1)
		b.consulHas(2)
		pass(50 * time.Minute)
		b.wantCounts(1, 1)
		pass(time.Hour)
		b.wantCounts(2, 2)
		pass(3 * time.Hour)
		b.wantCounts(2, 2)
		runs := b.store.list()
		if last := runs[len(runs)-1]; last.Trigger != tasks.Scheduled || last.Phase != tasks.Unchanged {
			t.Errorf("last run = %s, %s; want a scheduled one without changes", last.Trigger, last.Phase)
		}
		b.stop()
	})
}

func TestKeysThatAllVanishAreHeld(t *testing.T) {
	task := taskNamed(t, "fw")
	task.Condition = tasks.Condition{ConsulKV: &tasks.ConsulKV{Path: "fw/", Recurse: true}, UseAsModuleInput: true}
	keys := func(pairs map[string]string) catalog.Snapshot {
		return catalog.NewSnapshot(catalog.NewPairsView(task.Condition.ConsulKV.Query(), pairs))
	}
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{}, task)
		b.consul.send(keys(map[string]string{"fw/a": "1", "fw/b": "2"}))
		pass(time.Minute)
		b.wantCounts(1, 1)
		b.consul.send(keys(map[string]string{}))
		pass(time.Minute)
		b.wantCounts(2, 1)
		if s, _ := b.engine.State("fw"); s.Record.Held == nil {
			t.Error("the plan is not held")
		}
		b.stop()
	})
}

func TestAListenerGetsTheNewestStateOfEachTask(t *testing.T) {
	task := taskNamed(t, "web")
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{}, task)
		ctx, cancel := context.WithCancel(t.Context())
		events := b.engine.Events(ctx)
		synctest.Wait()
		b.consulHas(1)
		pass(time.Minute)
		var last tasks.State
		for n := 0; n < 3; n++ {
			select {
			case last = <-events:
			default:
			}
			synctest.Wait()
		}
		if last.Newest == nil || last.Newest.Phase != tasks.Applied {
			t.Errorf("newest event = %+v, want the applied run", last.Newest)
		}
		cancel()
		for range events {
		}
		b.stop()
	})
}
