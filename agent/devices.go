package agent

import (
	"patchbay/tasks"
	"patchbay/tasks/diff"
)

// tell gives the run its plan in the words of the devices, before the plan is made
// brief.
func (a *attempt) tell(p tasks.Plan) {
	list, more := diff.Of(diff.Given{
		Task: a.task, Plan: p, Applied: a.record.Applied, Wanted: a.input, Views: a.snapshot.Views(),
		Seen: a.seen, Causes: a.run.Causes, Destroyed: a.destroy,
	})
	a.run.Devices, a.run.MoreDevices = diff.Write(list, a.now()), more
}
