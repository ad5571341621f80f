package text_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"patchbay/tasks"
	"patchbay/tasks/diff/text"

	"github.com/google/go-cmp/cmp"
)

func TestCleanEscapesAndBounds(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                 "plain",
		`a "q" \ b`:             `a "q" \ b`,
		"\x1b[31mred\nnext":     `\x1b[31mred\nn…`,
		"a\u202eb":              `a\u202eb`,
		"\xff":                  `\xff`,
		"überlänge überlänge":   "überlänge über…",
		strings.Repeat("x", 99): strings.Repeat("x", 14) + "…",
		"":                      "",
	} {
		if got := text.Clean(in, 15); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
	if got := text.Clean(strings.Repeat("ü", 1000000), 100); utf8.RuneCountInString(got) != 100 || !utf8.ValidString(got) {
		t.Errorf("a long text gives %d characters", utf8.RuneCountInString(got))
	}
}

func TestEachReasonIsASentence(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	change := func(what string, n int, w tasks.Why) []tasks.DeviceChange {
		return []tasks.DeviceChange{{Object: "pool web", Action: tasks.Update, Unit: "members", Size: &tasks.Size{Before: 1, After: 0},
			Items: []tasks.ItemChange{{What: what, Items: []string{"x", "y"}[:n], Why: &w}}}}
	}
	tests := map[string][]tasks.DeviceChange{
		"− x because it is in maintenance since 12:00:00":                          change(tasks.ItemRemoved, 1, tasks.Why{Kind: tasks.WhyMaintenance, Since: noon}),
		"− x, y because they are in maintenance since 12:00:00 (CHG-1)":            change(tasks.ItemRemoved, 2, tasks.Why{Kind: tasks.WhyMaintenance, Since: noon, Output: "CHG-1"}),
		"− x, y because they were deregistered at 12:00:00 to 12:00:05":            change(tasks.ItemRemoved, 2, tasks.Why{Kind: tasks.WhyDeregistered, Since: noon, Last: noon.Add(5 * time.Second)}),
		"− x because it is gone from Consul":                                       change(tasks.ItemRemoved, 1, tasks.Why{Kind: tasks.WhyGone}),
		"− x because it is critical since 2026-11-20 12:00:00":                     change(tasks.ItemRemoved, 1, tasks.Why{Kind: tasks.WhyCheck, Status: "critical", Since: noon.Add(-24 * time.Hour)}),
		`− x because check "a "b"" is critical since 12:00:00 or earlier`:          change(tasks.ItemRemoved, 1, tasks.Why{Kind: tasks.WhyCheck, Check: `a "b"`, Status: "critical", Since: noon, Earlier: true}),
		"− x because the task selects service web no longer":                       change(tasks.ItemRemoved, 1, tasks.Why{Kind: tasks.WhySelection, Service: "web"}),
		"− x because the deletion of the task with all that it made was asked for": change(tasks.ItemRemoved, 1, tasks.Why{Kind: tasks.WhyDestroyed}),
		"+ x because maintenance has ended after 3 h":                              change(tasks.ItemAdded, 1, tasks.Why{Kind: tasks.WhyPasses, Status: "maintenance", Check: "m", After: 3 * time.Hour}),
		"+ x because its checks pass again after 2 d":                              change(tasks.ItemAdded, 1, tasks.Why{Kind: tasks.WhyPasses, After: 50 * time.Hour}),
		"+ x, y because they came while this agent did not run":                    change(tasks.ItemAdded, 2, tasks.Why{Kind: tasks.WhyAway}),
		"+ x because a newer reason":                                               change(tasks.ItemAdded, 1, tasks.Why{Kind: "a newer reason"}),
	}
	for want, list := range tests {
		if d := cmp.Diff([]string{"pool web 1 → 0 members, " + want}, text.Text(list, 0, noon.Add(time.Minute))); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
}

func TestTimesAreOfTheReadersZone(t *testing.T) {
	since := time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC)
	list := []tasks.DeviceChange{{Object: "x", Items: []tasks.ItemChange{{What: tasks.ItemRemoved, Items: []string{"a"}, Why: &tasks.Why{Kind: tasks.WhyDeregistered, Since: since}}}}}
	for zone, want := range map[*time.Location]string{
		time.UTC:                          "~ x: 1 removed, − a because it was deregistered at 2026-11-21 23:30:00",
		time.FixedZone("east", 2*60*60):   "~ x: 1 removed, − a because it was deregistered at 01:30:00",
		time.FixedZone("west", -10*60*60): "~ x: 1 removed, − a because it was deregistered at 13:30:00",
	} {
		if got := text.Write(list, since.Add(time.Hour).In(zone))[0].Text[0]; got != want {
			t.Errorf("%s: %q, want %q", zone, got, want)
		}
	}
	if list[0].Text != nil {
		t.Error("what was given has lines now")
	}
}
