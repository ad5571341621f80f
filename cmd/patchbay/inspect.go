package main

import (
	"context"
	"errors"
	"fmt"

	"patchbay/agent"
	"patchbay/tasks"
)

// inspected is an inspection as -o json writes it.
type inspected struct {
	Task     string     `json:"task"`
	Disabled bool       `json:"disabled"`
	Held     bool       `json:"held"`
	Plan     tasks.Plan `json:"plan"`
	// Devices tell the plan in the words of the devices; MoreDevices counts those
	// that are not listed.
	Devices     []tasks.DeviceChange `json:"devices,omitempty"`
	MoreDevices int                  `json:"more_devices,omitempty"`
	Findings    []tasks.Finding      `json:"findings"`
	Error       string               `json:"error,omitempty"`
}

// inspectTasks shows what tasks would change; nothing is applied.
func (c *cli) inspectTasks(ctx context.Context, l agent.Options, s *starting) error {
	list, err := c.daemon.inspect(ctx, l, s.names)
	if err != nil {
		return ended(err, "unable to inspect the tasks")
	}
	out := make([]inspected, 0, len(list))
	var failed []error
	for _, i := range list {
		x := inspected{Task: i.Task, Disabled: i.Disabled, Plan: i.Plan, Devices: i.Devices, MoreDevices: i.MoreDevices, Findings: i.Findings,
			Held: tasks.Verdict{Findings: i.Findings}.Held()}
		if i.Err != nil {
			x.Error = i.Err.Error()
			failed = append(failed, fmt.Errorf("task %s: %w", i.Task, i.Err))
		}
		out = append(out, x)
	}
	value := struct {
		Tasks []inspected `json:"tasks"`
	}{out}
	if err := c.show(*s.output, value, func(p *page) {
		p.raw = s.raw
		p.inspections(c, out)
	}); err != nil {
		return err
	}
	if len(failed) > 0 {
		return ended(errors.Join(failed...), "unable to inspect "+count(len(failed), "task"))
	}
	return nil
}

func (p *page) inspections(c *cli, list []inspected) {
	if len(list) == 0 {
		p.line(0, "No tasks are configured.")
	}
	for n, i := range list {
		if n > 0 {
			p.blank()
		}
		switch {
		case i.Error != "":
			p.line(0, "%s: cannot be planned", i.Task)
			p.text(2, i.Error)
			continue
		case i.Disabled:
			p.line(0, "%s: is disabled, inspection was skipped", i.Task)
			continue
		case i.Plan.Empty():
			p.line(0, "%s: nothing would change", i.Task)
			continue
		}
		p.line(0, "%s: would be %s", i.Task, summary(i.Plan))
		p.devices(2, c.now(), effect{i.Task, i.Plan, i.Devices, i.MoreDevices})
		p.findings(2, c.now(), i.Findings)
		if i.Held {
			p.line(2, "The plan would be held until one of the above releases it.")
		}
	}
}
