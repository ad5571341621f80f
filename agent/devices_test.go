package agent

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

// consulSees sends n registered instances of web of which the named ones are critical.
func (b *bench) consulSees(n int, ill ...string) {
	list := webView(n).Instances
	for i := range list {
		if slices.Contains(ill, list[i].ID) {
			list[i].Checks = []catalog.Check{{ID: "c", Name: "http /health", Status: catalog.Critical, Output: "refused\nand more", ServiceID: list[i].ID}}
		}
	}
	b.consul.send(catalog.NewSnapshot(catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, list)))
	synctest.Wait()
}

// tells gives what the newest run tells.
func (b *bench) tells() (out []string) {
	synctest.Wait()
	for _, d := range b.runner.state.Load().Newest.Devices {
		out = append(out, d.Text...)
	}
	return out
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func nginxTask(t *testing.T) tasks.Task {
	task := webTask(t)
	task.Module = "builtin/nginx"
	return task
}

// namedT gives the name of the module in the plan of the fake.
func namedT(task tasks.Task) tasks.Task {
	task.Name = "t"
	return task
}

func TestARunTellsSinceWhenTheAgentSawACheckFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, namedT(nginxTask(t)), tasks.Record{})
		b.consulSees(3)
		pass(time.Minute)
		wantLines(t, b.tells(), "upstream web 0 → 3 servers, + 10.0.0.1:8000, 10.0.0.1:8001, 10.0.0.1:8002")
		at := time.Now()
		b.consulSees(3, "web-1")
		pass(2 * time.Second)
		b.consulSees(3, "web-1", "web-2") // within the buffer, told with the first
		pass(time.Minute)
		wantLines(t, b.tells(), fmt.Sprintf("upstream web 3 → 1 server, − 10.0.0.1:8001, 10.0.0.1:8002 because check \"http /health\" is critical since %s to %s (refused)",
			at.Format(time.TimeOnly), at.Add(2*time.Second).Format(time.TimeOnly)))
		b.consulSees(3)
		pass(time.Minute)
		wantLines(t, b.tells(), `upstream web 1 → 3 servers, + 10.0.0.1:8001, 10.0.0.1:8002 because check "http /health" passes again after 1 min`)
		b.stop()
	})
}

func TestARetryTellsTheFirstTimeStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, namedT(nginxTask(t)), tasks.Record{})
		b.consulSees(2)
		pass(time.Minute)
		at := time.Now()
		b.terraform.fail(errors.New("device said no"))
		b.consulSees(2, "web-1")
		pass(10 * time.Minute)
		b.terraform.fail(nil)
		pass(time.Hour)
		if p := b.phase(); p != tasks.Applied {
			t.Fatalf("phase is %s", p)
		}
		wantLines(t, b.tells(), `upstream web 2 → 1 server, − 10.0.0.1:8001 because check "http /health" is critical since `+at.Format(time.TimeOnly)+" (refused)")
		b.stop()
	})
}

func TestARestartTellsThatItWasSoBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, terraform, task := newMemory(), &terraformFake{took: 3 * time.Second}, namedT(nginxTask(t))
		b := startBench(t, store, terraform, task)
		b.consulSees(3)
		pass(time.Minute)
		b.stop()
		b = startBench(t, store, terraform, task)
		at := time.Now()
		b.consulSees(2, "web-1")
		pass(time.Minute)
		wantLines(t, b.tells(), "upstream web 3 → 1 server",
			`  − 10.0.0.1:8001 because check "http /health" is critical since `+at.Format(time.TimeOnly)+" or earlier (refused)",
			"  − 10.0.0.1:8002 because it is gone from Consul")
		b.stop()
	})
}

func TestAHeldPlanIsToldAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, namedT(nginxTask(t)), tasks.Record{})
		b.consulSees(2)
		pass(time.Minute)
		b.consulSees(2, "web-0", "web-1")
		pass(time.Minute)
		if p := b.phase(); p != tasks.Held {
			t.Fatalf("phase is %s", p)
		}
		runs := b.store.list()
		kept := runs[len(runs)-1].Devices
		if len(kept) != 1 || kept[0].Size.After != 0 || kept[0].Items[0].Why.Check != "http /health" {
			t.Errorf("the record tells %+v", kept)
		}
		b.stop()
	})
}
