package canaries

import (
	"errors"

	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"
)

// Errors of [Board.Do].
var (
	// ErrUnknown means that no canary of the service is declared.
	ErrUnknown = errors.New("there is no such canary")
	// ErrRefused means that the canary is where the command makes no sense.
	ErrRefused = errors.New("the command was refused")
	// ErrStopping means that no more commands are taken.
	ErrStopping = errors.New("patchbay is stopping")
)

// Canary is one that is declared.
type Canary struct {
	Plan rollout.Plan
	// Prometheus is the URL of the server that answers queries; "" when none does.
	Prometheus string
	// Stable and Candidate are the subsets as they are declared.
	Stable, Candidate mesh.Subset
}

// Record is what is known of a canary and is stored.
type Record struct {
	State rollout.State
	// Declared is the canary that the state was made for: it stays the former one
	// while a changed plan is refused.
	Declared Canary
}

// Service is whose traffic is split.
func (r Record) Service() string { return r.Declared.Plan.Service }

// subset gives the definition of a subset of the state by name.
func (r Record) subset(name string) mesh.Subset {
	if r.Declared.Stable.Name == name {
		return r.Declared.Stable
	}
	return r.Declared.Candidate
}

// Weights are the shares in percent that tasks are given: service, subset, percent.
func Weights(records []Record) map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for _, r := range records {
		shares := map[string]float64{}
		for name, share := range rollout.Weights(r.State) {
			shares[name] = float64(share) / (float64(rollout.Whole) / 100)
		}
		out[r.Service()] = shares
	}
	return out
}

// same tells whether two records give out the same traffic.
func same(a, b Record) bool {
	wa, wb := rollout.Weights(a.State), rollout.Weights(b.State)
	if len(wa) != len(wb) || a.State.Exposed() != b.State.Exposed() || a.Declared.Plan.Digest() != b.Declared.Plan.Digest() {
		return false
	}
	for name, share := range wa {
		if other, ok := wb[name]; !ok || other != share {
			return false
		}
	}
	return true
}

func query(service string) catalog.Query {
	return catalog.Query{Kind: catalog.ServiceHealth, Name: service}
}
