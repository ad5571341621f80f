package rollout

import "time"

// Observations are what is known of a canary at the time of a [Step]. What is not
// known is left out: it holds the step and rolls nothing back.
type Observations struct {
	// Stable and Candidate are of the plan's subsets.
	Stable, Candidate Instances
	// Ejected is the share of the candidate's hosts that Envoy's outlier detection
	// has ejected; nil when it is not known.
	Ejected *Share
	// Measurements are the newest of each metric. One that was taken before the
	// step began or was judged already counts as missing.
	Measurements []Measurement
	// Tasks are all that are given the weights, with what each last applied.
	Tasks []Task
	// Commands are those that were not handled yet; [State.Handled] tells which were.
	Commands []Command
}

// Instances counts the instances of a subset.
type Instances struct {
	Total, Passing int
	// Trusted tells whether the view behind the numbers may be acted upon. Other
	// numbers are the last good ones.
	Trusted bool
	// Doubt says why it is not trusted.
	Doubt string
}

// Measurement is the outcome of one query.
type Measurement struct {
	// Metric is the name in the plan.
	Metric string
	Value  float64
	// At is when the query was answered or failed.
	At time.Time
	// Error is why there is no value; "" when there is one.
	Error string
}

// Task is a task that is given the weights.
type Task struct {
	Name string
	// Applied are the weights of its last successful run in the form of [Weights];
	// nil when it has applied none.
	Applied map[string]uint32
}

// Verb is what a command asks for.
type Verb string

// The verbs.
const (
	// Promote lets the next step come now: it passes a manual hold, the time that
	// is left, and missing or failed judgements that did not roll back. Tasks,
	// trusted views and a healthy candidate are waited for still. It ends a pause.
	Promote Verb = "promote"
	// Pause stops the steps until Resume or Promote.
	Pause  Verb = "pause"
	Resume Verb = "resume"
	// Abort takes all traffic back, also after success.
	Abort Verb = "abort"
	// Restart begins a canary anew that was rolled back or aborted, and takes over
	// a changed plan that was refused, with all traffic on its stable subset.
	Restart Verb = "restart"
)

// Command is a person's word.
type Command struct {
	// Number is greater than that of every command before, the first is 1. A
	// command whose number is not above [State.Handled] is ignored, so giving it
	// again after a crash does nothing twice.
	Number uint64
	Do     Verb
	By     string
	Reason string
}
