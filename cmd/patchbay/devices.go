package main

import (
	"time"

	"patchbay/tasks"
	devicetext "patchbay/tasks/diff/text"

	"github.com/spf13/cobra"
)

// rawFlag adds the flag that shows Terraform's plan in place of the device's words.
func rawFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("raw", false, "show Terraform's plan, object by object")
}

// effect is a plan with what it means for the devices.
type effect struct {
	task string
	plan tasks.Plan
	list []tasks.DeviceChange
	more int
}

func effectOf(r tasks.Run) effect { return effect{r.Task, r.Plan, r.Devices, r.MoreDevices} }

// summary tells in one line what a plan does: in the words of the devices, or by the
// number of objects when those are not known.
func (e effect) summary() string {
	if s := devicetext.Summary(e.list, e.more); s != "" {
		return clip(s, maxValue)
	}
	return summary(e.plan)
}

// devices shows what a plan does with the devices; Terraform's own objects when that
// is asked for, or not known, as of a run of an older Patchbay.
func (p *page) devices(indent int, now time.Time, e effect) {
	if p.raw || len(e.list) == 0 {
		p.plan(indent, e.task, e.plan)
		return
	}
	for _, line := range devicetext.Text(e.list, e.more, now.Local()) {
		p.line(indent, "%s", line)
	}
	if e.plan.Outputs {
		p.line(indent, "outputs of the module change")
	}
}
