package tasks

// RunMode says what an operation on a task does besides changing it.
type RunMode string

// The modes. RunNow applies before the operation answers; RunInspect plans as if
// the task were changed and changes nothing.
const (
	RunLater   RunMode = ""
	RunNow     RunMode = "now"
	RunInspect RunMode = "inspect"
)

// Operation is what came of creating or changing a task.
type Operation struct {
	Task Task
	// Plan, Findings and Text are of the run, with RunNow and RunInspect.
	Plan     Plan
	Findings []Finding
	// Text is Terraform's own human-readable plan; "" when nothing changes.
	Text string
}
