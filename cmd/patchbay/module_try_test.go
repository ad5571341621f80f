package main

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/tasks"
)

func TestATrialWarnsOfOneObjectPerInstance(t *testing.T) {
	members := func(n int) (p tasks.Plan) {
		for i := range n {
			p.Changes = append(p.Changes, tasks.Change{Address: fmt.Sprintf("module.trial.fw_member.m[%q]", fmt.Sprint(i)), Action: tasks.Create})
		}
		return p
	}
	for name, tt := range map[string]struct {
		set  triedSet
		want bool
	}{
		"as many objects as instances": {triedSet{Set: "hundred", Instances: 100, Planned: true, Plan: members(100)}, true},
		"two for each instance":        {triedSet{Set: "hundred", Instances: 100, Planned: true, Plan: members(200)}, true},
		"one for all":                  {triedSet{Set: "hundred", Instances: 100, Planned: true, Plan: members(1)}, false},
		"few instances":                {triedSet{Set: "three", Instances: 3, Planned: true, Plan: members(3)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var p page
			p.trial("fw", []triedSet{tt.set}, 0)
			if got := strings.Contains(p.String(), "Warning: set hundred makes one object or more per instance (fw_member.m x "); got != tt.want {
				t.Errorf("it warns: %t, want %t\n%s", got, tt.want, p.String())
			}
		})
	}
}

func TestTheFirstSentenceOfAREADMEIsPlainText(t *testing.T) {
	for readme, want := range map[string]string{
		"# a\n\nKeeps `x` and\n[y](z.md) at 1.5 s. And more.\n": "Keeps x and y at 1.5 s.",
		"# a\n## b\n\nNo end\n\nNext.":                          "No end",
		"":                                                      "",
		"# only a heading":                                      "",
	} {
		if got := firstSentence(readme); got != want {
			t.Errorf("%q gives %q, want %q", readme, got, want)
		}
	}
}

func TestTypesAreShownOnOneLine(t *testing.T) {
	for given, want := range map[string]string{
		"string": "string",
		"map(object({\n    name = string # a\n    port = optional(number,\n      80)\n\n    # b\n    meta  = map(string)\n  }))": "map(object({ name = string, port = optional(number, 80), meta = map(string) }))",
		"[\n  \"a\",\n  \"b\",\n]": `[ "a", "b" ]`,
	} {
		if got := oneLineOf(given); got != want {
			t.Errorf("%q gives\n%s, want\n%s", given, got, want)
		}
	}
}
