package canaries

import (
	"fmt"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"
)

// selection tells which instances a subset has.
type selection struct {
	match       tasks.Matcher
	onlyPassing bool
}

func newSelection(s mesh.Subset, compile func(string) (tasks.Matcher, error)) (selection, error) {
	match, err := compile(s.Filter)
	if err != nil {
		return selection{}, fmt.Errorf("read filter of subset %s: %w", s.Name, err)
	}
	return selection{match, s.OnlyPassing}, nil
}

// count counts the instances of a view, which is nil before the first answer. One
// passes when Envoys send it requests: also with a warning, unless the subset is of
// passing instances only.
func (s selection) count(v *catalog.View) (out rollout.Instances) {
	if v == nil {
		out.Doubt = "Consul has not answered yet"
		return out
	}
	for _, i := range v.Instances {
		if s.match != nil && !s.match(i) {
			continue
		}
		out.Total++
		if status := i.Status(); status == catalog.Passing || status == catalog.Warning && !s.onlyPassing {
			out.Passing++
		}
	}
	out.Trusted = v.Verdict.Trust == catalog.Trusted
	if !out.Trusted {
		out.Doubt = string(v.Verdict.Trust)
		if evidence := v.Verdict.Evidence; len(evidence) > 0 {
			out.Doubt = evidence[0]
		}
	}
	return out
}
