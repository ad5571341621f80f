package tasks

import (
	"testing"

	"patchbay/tasks/catalog"
)

func TestWeightsStartARunOfAModuleThatIsGivenThem(t *testing.T) {
	heavy := instance("a", catalog.Passing)
	heavy.Weights.Passing = 5
	for module, starts := range map[string]bool{"builtin/nginx": true, "acme/rules/fw": false, "./builtin/nginx": false} {
		t.Run(module, func(t *testing.T) {
			task := webTask("")
			task.Module = module
			before := NewInput(task, snapshotOf(instance("a", catalog.Passing)), noFilter)
			after := NewInput(task, snapshotOf(heavy), noFilter)
			if (before.Condition != after.Condition) != starts || (before.Digest != after.Digest) != starts {
				t.Errorf("condition differs: %v, input differs: %v; want %v", before.Condition != after.Condition, before.Digest != after.Digest, starts)
			}
		})
	}
}
