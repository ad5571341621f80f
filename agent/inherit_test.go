package agent

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

// replace changes a task as the API does and waits for it.
func (b *bench) replace(t tasks.Task) {
	b.t.Helper()
	if _, err := b.engine.Replace(b.t.Context(), t, tasks.RunLater); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) task(name string) tasks.Task {
	s, _ := b.engine.State(name)
	return s.Task
}

func TestAGuardOfTheAPISurvivesARestart(t *testing.T) {
	file, api := taskNamed(t, "file"), taskNamed(t, "api")
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		b := startBench(t, store, &terraformFake{}, file)
		b.consulHas(1)
		pass(time.Minute)
		got := b.create(api, tasks.RunLater)
		if a := <-got; a.err != nil {
			t.Fatal(a.err)
		}
		for _, task := range []tasks.Task{file, api} {
			task.Guard = tasks.Guard{MaxDestroys: 0, AllowEmpty: true}
			b.replace(task)
		}
		b.stop()
		b = startBench(t, store, &terraformFake{}, file)
		for _, name := range []string{"file", "api"} {
			if g := b.task(name).Guard; g != (tasks.Guard{AllowEmpty: true}) {
				t.Errorf("%s: guard after a restart = %+v", name, g)
			}
		}
		b.stop()
	})
}

func TestADefinitionThatSaysNoGuardLeavesTheBlocks(t *testing.T) {
	file := taskNamed(t, "file")
	file.Guard = tasks.Guard{MaxDestroys: 1}
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		b := startBench(t, store, &terraformFake{}, file)
		b.consulHas(1)
		pass(time.Minute)
		off := file
		off.Enabled = false
		b.replace(off)
		b.stop()
		// As it was kept before a definition had a guard.
		d := store.definitions["file"]
		var wire map[string]any
		if err := json.Unmarshal(d.Task, &wire); err != nil || wire["guard"] == nil {
			t.Fatalf("kept = %s, %v; want its guard", d.Task, err)
		}
		delete(wire, "guard")
		d.Task, _ = json.Marshal(wire)
		store.definitions["file"] = d
		b = startBench(t, store, &terraformFake{}, file)
		if got := b.task("file"); got.Guard != file.Guard || got.Enabled {
			t.Errorf("task = %+v, want it disabled with the block's guard", got)
		}
		b.stop()
	})
}

func TestATaskOfTheAPIInheritsWhatAReloadChanges(t *testing.T) {
	plain, own := taskNamed(t, "plain"), taskNamed(t, "own")
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{})
		b.options.Config.Guard = tasks.Guard{MaxDestroys: 10}
		b.options.Config.Buffer = plain.Buffer
		b.reload()
		own.Guard, own.Buffer, own.OwnBuffer = tasks.Guard{MaxDestroys: 2}, tasks.Buffer{Enabled: true, Min: time.Hour, Max: time.Hour}, true
		b.consulHas(1)
		for _, task := range []tasks.Task{plain, own} {
			if a := <-b.create(task, tasks.RunLater); a.err != nil {
				t.Fatal(a.err)
			}
		}
		b.options.Config.Guard.MaxDestroys = 20
		b.options.Config.Buffer.Min = time.Second
		b.reload()
		if got := b.task("plain"); got.Guard.MaxDestroys != 20 || got.Buffer.Min != time.Second {
			t.Errorf("plain: %+v, %+v; want what the configuration says now", got.Guard, got.Buffer)
		}
		if got := b.task("own"); got.Guard.MaxDestroys != 2 || got.Buffer.Min != time.Hour {
			t.Errorf("own: %+v, %+v; want its own", got.Guard, got.Buffer)
		}
		b.stop()
	})
}

func TestAnOldListOfServicesIsNamedAsLongAsItIsSelected(t *testing.T) {
	old := webTask(t)
	old.OldServices = []string{"web"}
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		b := startBench(t, store, &terraformFake{}, old)
		b.consulHas(1)
		pass(time.Minute)
		runs := store.list()
		if diff := cmp.Diff([]string{"web"}, runs[0].Services); diff != "" {
			t.Errorf("the run keeps the services: %s", diff)
		}
		changed := old
		changed.Description = "new"
		b.replace(changed)
		b.stop()
		b = startBench(t, store, &terraformFake{}, old)
		if got := b.task("web"); got.Description != "new" || len(got.OldServices) != 1 {
			t.Errorf("after a change of something else and a restart: %+v", got)
		}
		b.consulHas(1)
		pass(time.Minute)
		services := *old.Condition.Services
		services.Names = []string{"db"}
		changed.Condition.Services = &services
		b.replace(changed)
		if got := b.task("web").OldServices; got != nil {
			t.Errorf("after another selection: %q", got)
		}
		b.stop()
	})
}

func TestABlockWithAnotherGuardOrListIsAnotherBlock(t *testing.T) {
	task := webTask(t)
	identity := func(edit func(*tasks.Task)) string {
		changed := task
		edit(&changed)
		d, err := identify(changed, config.Config{}.Buffer)
		if err != nil {
			t.Fatal(err)
		}
		return d.Short()
	}
	same := identity(func(*tasks.Task) {})
	for name, edit := range map[string]func(*tasks.Task){
		"a guard":     func(t *tasks.Task) { t.Guard.MaxDestroys++ },
		"an old list": func(t *tasks.Task) { t.OldServices = []string{"web"} },
	} {
		if identity(edit) == same {
			t.Errorf("%s makes no other block", name)
		}
	}
}
