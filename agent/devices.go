package agent

import (
	"patchbay/tasks"
	"patchbay/tasks/diff"
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"
)

// tell gives the run its plan in the words of the devices, before the plan is made
// brief.
func (a *attempt) tell(p tasks.Plan) {
	list, more := diff.Of(diff.Given{Plan: p, Causes: a.run.Causes, Given: reason.Given{
		Task: a.task, Applied: a.record.Applied, Wanted: a.input, Views: a.snapshot.Views(), Seen: a.seen, Destroyed: a.destroy,
	}})
	a.run.Devices, a.run.MoreDevices = text.Write(list, a.now()), more
}
