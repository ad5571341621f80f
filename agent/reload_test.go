package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"patchbay/tasks"
)

func (b *bench) reload(file ...tasks.Task) {
	opts := b.options
	opts.Config.Tasks = file
	if err := b.engine.take(opts); err != nil {
		b.t.Error(err)
	}
	pass(time.Minute)
}

func (b *bench) wantPlans(n int) {
	b.t.Helper()
	if plans, _ := b.terraform.count(); plans != n {
		b.t.Fatalf("plans = %d, want %d", plans, n)
	}
}

func TestAReloadTakesOverWhatChanged(t *testing.T) {
	stays, changes, goes, comes := taskNamed(t, "stays"), taskNamed(t, "changes"), taskNamed(t, "goes"), taskNamed(t, "comes")
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{}, stays, changes, goes)
		b.consulHas(1)
		pass(time.Minute)
		b.wantPlans(3)

		changed := changes
		changed.Description = "other"
		b.reload(stays, changed, comes)
		b.wantPlans(5) // changes and comes alone
		if got := b.names(); len(got) != 3 || got[0] != "stays" || got[1] != "changes" || got[2] != "comes" {
			t.Errorf("tasks = %v, want stays, changes, comes", got)
		}
		if s, _ := b.engine.State("changes"); s.Task.Description != "other" {
			t.Errorf("task was not changed: %+v", s.Task)
		}
		b.reload(stays, changed, comes)
		b.wantPlans(5)
		if b.terraform.removed != 0 {
			t.Errorf("%d workspaces were removed by a reload", b.terraform.removed)
		}
		b.reload(stays, changed, comes, goes)
		if got := b.names(); len(got) != 4 {
			t.Errorf("tasks = %v, want the one that was gone again", got)
		}
		b.stop()
	})
}
