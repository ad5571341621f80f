package store

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// model is what the store must look like: runs per task in the order of saving.
type model struct {
	keep    Keep
	runs    map[string][]tasks.Run
	records map[string]tasks.Record
}

func (m *model) save(r tasks.Run) {
	list := m.runs[r.Task]
	if n := slices.IndexFunc(list, func(old tasks.Run) bool { return old.ID == r.ID }); n >= 0 {
		list[n] = r
		return
	}
	list = append(list, r)
	// Oldest first: a run goes while there are too many or it is too old, up to
	// the first that may stay for both reasons.
	excess, record := len(list)-max(1, m.keep.Runs), m.records[r.Task]
	var kept []tasks.Run
	for n, old := range list {
		if excess <= 0 && (m.keep.Age <= 0 || r.Started.Sub(old.Started) <= m.keep.Age) {
			kept = append(kept, list[n:]...)
			break
		}
		excess--
		applied := record.Applied != nil && record.Applied.Run == old.ID
		held := record.Held != nil && record.Held.Run == old.ID
		if applied || held || n == len(list)-1 {
			kept = append(kept, old)
		}
	}
	m.runs[r.Task] = kept
}

func TestTheStoreIsAMapWithBoundsHoweverItIsUsed(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		ok(t, err)
		m := &model{
			keep:    Keep{Runs: rapid.IntRange(0, 5).Draw(t, "runs"), Age: time.Duration(rapid.IntRange(0, 9).Draw(t, "age")) * time.Minute},
			runs:    map[string][]tasks.Run{},
			records: map[string]tasks.Record{},
		}
		s, err := Open(dir, m.keep)
		ok(t, err)
		s.db.NoSync = true // nothing is killed here: save the time of the fsyncs
		defer func() { s.Close() }()
		task := rapid.SampledFrom([]string{"web", "db", "ü\n\x00"})
		number := rapid.IntRange(0, 12)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { same(t, s, m, task.Draw(t, "looked at")) },
			"save": func(t *rapid.T) {
				name := task.Draw(t, "task")
				r := run(name, number.Draw(t, "number"))
				r.Module = rapid.String().Draw(t, "module")
				ok(t, s.SaveRun(r))
				m.save(r)
			},
			"record": func(t *rapid.T) {
				name := task.Draw(t, "task")
				record := tasks.Record{
					Applied: &tasks.AppliedInput{Run: run(name, number.Draw(t, "applied")).ID},
					Held:    &tasks.HeldPlan{Run: run(name, number.Draw(t, "held")).ID},
				}
				ok(t, s.SaveRecord(name, record))
				m.records[name] = record
			},
			"reopen": func(t *rapid.T) {
				ok(t, s.Close())
				s, err = Open(dir, m.keep)
				ok(t, err)
				s.db.NoSync = true
			},
		})
	})
}

// same compares one task, which of them is drawn, and the list of tasks.
func same(t *rapid.T, s *Store, m *model, task string) {
	got, err := s.Runs(task, 0)
	ok(t, err)
	slices.Reverse(got)
	want := m.runs[task]
	if !slices.EqualFunc(want, got, sameRun) {
		t.Fatalf("runs of %q:\n%s", task, cmp.Diff(want, got))
	}
	id := run(task, rapid.IntRange(0, 12).Draw(t, "id")).ID
	_, found, err := s.Run(id)
	ok(t, err)
	if want := slices.ContainsFunc(want, func(r tasks.Run) bool { return r.ID == id }); found != want {
		t.Fatalf("run %q: %v, want %v", id, found, want)
	}
	record, err := s.Record(task)
	ok(t, err)
	if diff := cmp.Diff(m.records[task], record); diff != "" {
		t.Fatalf("record of %q:\n%s", task, diff)
	}
	names := map[string]bool{}
	for task := range m.runs {
		names[task] = true
	}
	for task := range m.records {
		names[task] = true
	}
	listed, err := s.Tasks()
	ok(t, err)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(names)), listed, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("tasks:\n%s", diff)
	}
}

// sameRun compares what the model varies; go-cmp is too slow for every step.
func sameRun(a, b tasks.Run) bool {
	return a.ID == b.ID && a.Task == b.Task && a.Module == b.Module && a.Started.Equal(b.Started)
}

func ok(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}
