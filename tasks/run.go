package tasks

import (
	"time"

	"patchbay/tasks/catalog"
)

// Phase is where a run is or how it ended.
type Phase string

// The phases. Waiting to Applying are of a run under way, Retrying waits for the
// next attempt, the rest are ends.
const (
	Waiting   Phase = "waiting"
	Rendering Phase = "rendering"
	Planning  Phase = "planning"
	Applying  Phase = "applying"
	Retrying  Phase = "retrying"

	// Applied: the devices are as wanted.
	Applied Phase = "applied"
	// Unchanged: the plan was empty.
	Unchanged Phase = "unchanged"
	// Held: the guard wants a person's approval; nothing was changed.
	Held Phase = "held"
	// Inspected: planned only, as asked.
	Inspected Phase = "inspected"
	// Failed: given up for a newer input or at the end of the process.
	Failed Phase = "failed"
	// Interrupted: stopped on request before the plan was applied wholly.
	Interrupted Phase = "interrupted"
)

// Ended tells whether nothing more happens in a run of this phase.
func (p Phase) Ended() bool {
	switch p {
	case Applied, Unchanged, Held, Inspected, Failed, Interrupted:
		return true
	}
	return false
}

// Success tells whether the run ended with devices as wanted.
func (p Phase) Success() bool { return p == Applied || p == Unchanged }

// Trigger is what started a run.
type Trigger string

// The triggers of a run.
const (
	FirstPass Trigger = "first pass"
	Changed   Trigger = "change"
	Asked     Trigger = "asked"
	Approved  Trigger = "approval"
	Once      Trigger = "once"
	Inspect   Trigger = "inspect"
	Scheduled Trigger = "schedule"
	Destroyed Trigger = "destroy"
)

// Attempt is one failed try of a run.
type Attempt struct {
	At    time.Time `json:"at"`
	Phase Phase     `json:"phase"`
	Error string    `json:"error"`
}

// MaxAttempts is how many failed attempts a run keeps: the first and the newest.
const MaxAttempts = 10

// MaxCauses is how many causes a run keeps; Run.MoreCauses counts the rest.
const MaxCauses = 100

// Run is the record of one piece of work on a task: one plan and apply with its
// retries.
type Run struct {
	// ID sorts by time of start.
	ID      string  `json:"id"`
	Task    string  `json:"task"`
	Trigger Trigger `json:"trigger"`
	// Causes are what changed in Consul since the last run.
	Causes     []catalog.Delta `json:"causes,omitempty"`
	MoreCauses int             `json:"more_causes,omitempty"`
	Phase      Phase           `json:"phase"`
	// Input identifies what the module was given.
	Input catalog.Digest `json:"input"`
	// Plan is the last one made; zero before the first.
	Plan Plan `json:"plan"`
	// Devices tell that plan in the words of the devices, at most [MaxDevices] of
	// them; MoreDevices counts the rest.
	Devices     []DeviceChange `json:"devices,omitempty"`
	MoreDevices int            `json:"more_devices,omitempty"`
	// Findings are what the guard said of it.
	Findings []Finding `json:"findings,omitempty"`
	// Attempts are the failed tries: the first, then the newest.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Tries counts all tries.
	Tries   int                     `json:"tries"`
	Started time.Time               `json:"started"`
	Updated time.Time               `json:"updated"`
	Took    map[Stage]time.Duration `json:"took,omitempty"`
	// Module is the resolved source that was run.
	Module string `json:"module"`
	// Providers are the task's at that time.
	Providers []string `json:"providers,omitempty"`
	// Services are the names of the task's old services list at that time.
	Services []string `json:"services,omitempty"`
}

// Error is the newest error; "" when the last try succeeded or none failed.
func (r Run) Error() string {
	if len(r.Attempts) == 0 || r.Phase.Success() || r.Phase == Held {
		return ""
	}
	return r.Attempts[len(r.Attempts)-1].Error
}

// Fail adds a failed attempt. It keeps the first and the newest, so that the
// cause that began it all is not lost.
func (r *Run) Fail(at time.Time, err error) {
	r.Attempts = append(r.Attempts, Attempt{At: at, Phase: r.Phase, Error: err.Error()})
	if len(r.Attempts) > MaxAttempts {
		r.Attempts = append(r.Attempts[:1:1], r.Attempts[len(r.Attempts)-MaxAttempts+1:]...)
	}
}

// HeldPlan is a plan that waits for a person. It keeps what was reviewed as digests
// and never Terraform's plan file, which holds secrets in clear.
type HeldPlan struct {
	Task     string         `json:"task"`
	Run      string         `json:"run"`
	Input    catalog.Digest `json:"input"`
	Changes  catalog.Digest `json:"changes"`
	Serial   uint64         `json:"serial"`
	Findings []Finding      `json:"findings"`
	Since    time.Time      `json:"since"`
}

// Approval makes the approval of exactly this plan.
func (h HeldPlan) Approval(by, reason string) Approval {
	return Approval{Input: h.Input, Changes: h.Changes, Serial: h.Serial, By: by, Reason: reason}
}

// AppliedInput is the last input that reached the devices: the guard's baseline.
type AppliedInput struct {
	Run     string           `json:"run,omitempty"`
	Input   catalog.Digest   `json:"input"`
	Members []catalog.Member `json:"members"`
	// Sets are in the form of [Input.Sets]; nil in records of an older Patchbay.
	Sets map[string][]string `json:"sets,omitempty"`
	// Traits are in the form of [Input.Traits]; nil where they are not known.
	Traits map[string]Trait `json:"traits,omitzero"`
	At     time.Time        `json:"at"`
}

// Record is what must survive a restart of one task besides its runs.
type Record struct {
	// Applied is nil when nothing was applied yet.
	Applied *AppliedInput `json:"applied,omitempty"`
	// Held is nil when no plan waits.
	Held *HeldPlan `json:"held,omitempty"`
	// Approval was given and not used yet.
	Approval *Approval `json:"approval,omitempty"`
	Memory   Memory    `json:"memory"`
}
