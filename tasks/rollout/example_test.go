package rollout_test

import (
	"fmt"
	"time"

	"patchbay/tasks/rollout"
)

// A canary without tasks: each loop is one call of its owner, who stores the state
// and publishes the weights before the next.
func ExampleStep() {
	plan := rollout.DefaultPlan()
	plan.Service, plan.Stable.Name, plan.Candidate.Name = "web", "v1", "v2"
	plan.Steps = []rollout.Stage{{Weight: 500}, {Weight: rollout.Whole, Hold: 5 * time.Minute}}
	healthy := rollout.Instances{Total: 3, Passing: 3, Trusted: true}

	start := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	var state rollout.State
	for now := start; !now.IsZero(); now = rollout.Next(state, plan, now) {
		var events []rollout.Event
		state, events = rollout.Step(plan, state, rollout.Observations{Stable: healthy, Candidate: healthy}, now)
		for _, e := range events {
			fmt.Println(now.Sub(start), e.Kind, e.To, rollout.Weights(state))
		}
	}
	// Output:
	// 0s began 0% map[v1:9500 v2:500]
	// 0s stepped 5% map[v1:9500 v2:500]
	// 1m0s stepped 100% map[v1:0 v2:10000]
	// 6m0s succeeded 100% map[v1:0 v2:10000]
}
