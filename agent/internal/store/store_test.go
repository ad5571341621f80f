package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 11, 21, 22, 50, 26, 0, time.UTC)

func open(t *testing.T, dir string, keep Keep) *Store {
	t.Helper()
	s, err := Open(dir, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run makes the nth run of a task, one minute after the one before.
func run(task string, n int) tasks.Run {
	at := start.Add(time.Duration(n) * time.Minute)
	return tasks.Run{ID: fmt.Sprintf("%s-%03d", task, n), Task: task, Trigger: tasks.Changed, Phase: tasks.Applied,
		Started: at, Updated: at.Add(time.Second), Tries: 1}
}

func ids(t *testing.T, s *Store, task string, limit int) []string {
	t.Helper()
	runs, err := s.Runs(task, limit)
	must(t, err)
	out := []string{}
	for _, r := range runs {
		out = append(out, r.ID)
	}
	return out
}

func fullRun() tasks.Run {
	r := run("web", 1)
	r.Causes = []catalog.Delta{}
	r.Causes = nil
	r.Input = catalog.NewHasher().String("input").Sum()
	r.Plan = tasks.Plan{Changes: []tasks.Change{{Address: `module.web.terraform_data.f["a"]`, Type: "terraform_data", Action: tasks.Create,
		Fields: []tasks.Field{{Path: "input", Before: "", After: "x"}}}}, Digest: catalog.NewHasher().String("plan").Sum(), Serial: 4, Lineage: "l"}
	r.Findings = []tasks.Finding{{Rule: tasks.RuleDestroyBudget, Decision: tasks.Hold, Evidence: []string{"e"}, Release: "r", Since: start}}
	r.Attempts = []tasks.Attempt{{At: start, Phase: tasks.Planning, Error: "exit status 1"}}
	r.Took = map[tasks.Stage]time.Duration{tasks.StagePlan: 3 * time.Second}
	r.Module, r.Providers = "builtin/nginx", []string{"fw", "fw.b"}
	return r
}

func TestARunAndARecordAreTheSameAfterReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Keep{Runs: 10})
	want := fullRun()
	record := tasks.Record{
		Applied: &tasks.AppliedInput{Run: want.ID, Input: want.Input, At: start,
			Members: []catalog.Member{{Key: "a.n.dc1", Service: "web", Node: "n", Address: "10.0.0.1", Port: 80}}},
		Held:     &tasks.HeldPlan{Task: "web", Run: want.ID, Changes: want.Plan.Digest, Serial: 4, Findings: want.Findings, Since: start},
		Approval: &tasks.Approval{By: "kim"},
		Memory:   tasks.Memory{HeldSince: map[string]time.Time{tasks.RuleDestroyBudget: start}},
	}
	must(t, s.SaveRun(want))
	must(t, s.SaveRecord("web", record))
	must(t, s.SaveRecord("db", tasks.Record{}))
	must(t, s.Close())

	s = open(t, dir, Keep{Runs: 10})
	got, ok, err := s.Run(want.ID)
	if diff := cmp.Diff(want, got); err != nil || !ok || diff != "" {
		t.Fatalf("Run: ok %v, err %v, diff:\n%s", ok, err, diff)
	}
	gotRecord, err := s.Record("web")
	if diff := cmp.Diff(record, gotRecord); err != nil || diff != "" {
		t.Fatalf("Record: err %v, diff:\n%s", err, diff)
	}
	names, err := s.Tasks()
	if diff := cmp.Diff([]string{"db", "web"}, names); err != nil || diff != "" {
		t.Fatalf("Tasks: err %v, diff:\n%s", err, diff)
	}
}

func TestWhatWasNeverSavedIsEmptyAndNoError(t *testing.T) {
	s := open(t, t.TempDir(), Keep{})
	if runs, err := s.Runs("none", 5); err != nil || len(runs) != 0 {
		t.Errorf("Runs: %v, %v", runs, err)
	}
	if _, ok, err := s.Run("none"); err != nil || ok {
		t.Errorf("Run: %v, %v", ok, err)
	}
	if r, err := s.Record("none"); err != nil || !cmp.Equal(r, tasks.Record{}) {
		t.Errorf("Record: %v, %v", r, err)
	}
	if names, err := s.Tasks(); err != nil || len(names) != 0 {
		t.Errorf("Tasks: %v, %v", names, err)
	}
}

func TestRunsAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		keep   Keep
		record tasks.Record
		saved  int
		want   []string
	}{
		"by count, oldest first":         {Keep{Runs: 3}, tasks.Record{}, 5, []string{"web-004", "web-003", "web-002"}},
		"by age, measured to the newest": {Keep{Runs: 99, Age: 90 * time.Second}, tasks.Record{}, 5, []string{"web-004", "web-003"}},
		"by both":                        {Keep{Runs: 2, Age: time.Hour}, tasks.Record{}, 5, []string{"web-004", "web-003"}},
		"never to nothing":               {Keep{Runs: 0, Age: time.Nanosecond}, tasks.Record{}, 3, []string{"web-002"}},
		"but not below the bound":        {Keep{Runs: 9}, tasks.Record{}, 2, []string{"web-001", "web-000"}},
		"without the run last applied": {Keep{Runs: 2, Age: time.Second}, tasks.Record{Applied: &tasks.AppliedInput{Run: "web-001"}}, 5,
			[]string{"web-004", "web-001"}},
		"without the run that is held": {Keep{Runs: 1}, tasks.Record{Held: &tasks.HeldPlan{Run: "web-000"}}, 4, []string{"web-003", "web-000"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), c.keep)
			must(t, s.SaveRecord("web", c.record))
			must(t, s.SaveRun(run("other", 0)))
			for n := range c.saved {
				must(t, s.SaveRun(run("web", n)))
			}
			if diff := cmp.Diff(c.want, ids(t, s, "web", 0)); diff != "" {
				t.Error(diff)
			}
			for n := range c.saved {
				id := run("web", n).ID
				if _, ok, err := s.Run(id); err != nil || ok != slices.Contains(c.want, id) {
					t.Errorf("Run(%s): %v, %v", id, ok, err)
				}
			}
			if diff := cmp.Diff([]string{"other-000"}, ids(t, s, "other", 0)); diff != "" {
				t.Error("another task lost runs: " + diff)
			}
		})
	}
}

func TestAReleasedRunGoesAtTheNextInsert(t *testing.T) {
	s := open(t, t.TempDir(), Keep{Runs: 1})
	must(t, s.SaveRecord("web", tasks.Record{Held: &tasks.HeldPlan{Run: "web-000"}}))
	must(t, s.SaveRun(run("web", 0)))
	must(t, s.SaveRun(run("web", 1)))
	must(t, s.SaveRecord("web", tasks.Record{}))
	must(t, s.SaveRun(run("web", 2)))
	if diff := cmp.Diff([]string{"web-002"}, ids(t, s, "web", 0)); diff != "" {
		t.Error(diff)
	}
}

func TestSavingARunAgainReplacesItInItsPlace(t *testing.T) {
	s := open(t, t.TempDir(), Keep{Runs: 9})
	first := run("web", 0)
	first.Phase = tasks.Planning
	must(t, s.SaveRun(first))
	must(t, s.SaveRun(run("web", 1)))
	first.Phase = tasks.Failed
	must(t, s.SaveRun(first))
	if diff := cmp.Diff([]string{"web-001", "web-000"}, ids(t, s, "web", 0)); diff != "" {
		t.Error(diff)
	}
	if got, _, _ := s.Run("web-000"); got.Phase != tasks.Failed {
		t.Errorf("phase %s", got.Phase)
	}
	if diff := cmp.Diff([]string{"web-001"}, ids(t, s, "web", 1)); diff != "" {
		t.Error("limit 1: " + diff)
	}
}

func TestAClockThatJumpsBackDoesNotMakeAnOldRunTheNewest(t *testing.T) {
	s := open(t, t.TempDir(), Keep{Runs: 9})
	must(t, s.SaveRun(run("web", 50)))
	must(t, s.SaveRun(run("web", 1)))
	if diff := cmp.Diff([]string{"web-001", "web-050"}, ids(t, s, "web", 0)); diff != "" {
		t.Error(diff)
	}
}

func TestNamesThatCouldNotBeFoundAgainAreRefused(t *testing.T) {
	s := open(t, t.TempDir(), Keep{})
	other := run("web", 0)
	must(t, s.SaveRun(other))
	other.Task = "db"
	for name, err := range map[string]error{
		"no task":               s.SaveRun(tasks.Run{ID: "1"}),
		"no ID":                 s.SaveRun(tasks.Run{Task: "web"}),
		"a long task name":      s.SaveRun(tasks.Run{ID: "1", Task: strings.Repeat("x", maxName+1)}),
		"an ID that is no text": s.SaveRun(tasks.Run{ID: "\xff", Task: "web"}),
		"a record of no task":   s.SaveRecord("", tasks.Record{}),
		"an ID of another task": s.SaveRun(other),
	} {
		if err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	if diff := cmp.Diff([]string{"web-000"}, ids(t, s, "web", 0)); diff != "" {
		t.Error(diff)
	}
}

func TestHostileTextLosesNoRun(t *testing.T) {
	s := open(t, t.TempDir(), Keep{Runs: 99})
	for n, text := range []string{"\xff\xfe", "a\x00b", "\u2028</script>", strings.Repeat("ü", 1<<20), `"}]`, "${x}"} {
		r := run("web", n)
		r.Attempts = []tasks.Attempt{{At: start, Phase: tasks.Planning, Error: text}}
		r.Phase = tasks.Failed
		r.Took = map[tasks.Stage]time.Duration{tasks.Stage(text): 1}
		must(t, s.SaveRun(r))
		got, ok, err := s.Run(r.ID)
		if want := strings.ToValidUTF8(text, "\ufffd\ufffd"); err != nil || !ok || got.Error() != want {
			t.Errorf("%.10q: ok %v, err %v, error text %.20q", text, ok, err, got.Error())
		}
	}
	if got := len(ids(t, s, "web", 0)); got != 6 {
		t.Errorf("%d runs of 6", got)
	}
}

func TestFilesAreClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, dirName), 0o777))
	must(t, os.Chmod(filepath.Join(dir, dirName), 0o777))
	open(t, dir, Keep{})
	l, err := Acquire(dir, Owner{ID: "a", PID: 1})
	must(t, err)
	defer l.Release()
	for path, want := range map[string]os.FileMode{"": 0o700 | os.ModeDir, fileName: 0o600, lockName: 0o600} {
		stat, err := os.Stat(filepath.Join(dir, dirName, path))
		must(t, err)
		if stat.Mode() != want {
			t.Errorf("%s: mode %v, want %v", path, stat.Mode(), want)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, dirName))
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestASecondAgentIsRefusedByTheNameOfTheFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	first := Owner{ID: "patchbay-a", PID: 4711, Host: "lb\n1", Address: "127.0.0.1:1", Started: start}
	l, err := Acquire(dir, first)
	must(t, err)
	must(t, l.Announce("127.0.0.1:8558"))
	_, err = Acquire(dir, Owner{ID: "patchbay-b", PID: 4712})
	var locked *LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("got %v", err)
	}
	first.Address = "127.0.0.1:8558"
	if diff := cmp.Diff(first, locked.Owner); diff != "" {
		t.Error(diff)
	}
	want := "lock working directory " + dir + `: agent "patchbay-a" (pid 4711 on host "lb\n1", API at "127.0.0.1:8558", since 2026-11-21T22:50:26Z) works in it; ` +
		"two agents would overwrite each other's files and state; nothing was changed; stop that agent first, or give this one another working_dir"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	must(t, l.Release())
	l, err = Acquire(dir, Owner{ID: "b", PID: 1})
	must(t, err)
	must(t, l.Release())
}

func TestALockWithoutAReadableOwnerIsStillALock(t *testing.T) {
	dir := t.TempDir()
	l, err := Acquire(dir, Owner{ID: "a", PID: 1})
	must(t, err)
	defer l.Release()
	must(t, os.WriteFile(filepath.Join(dir, dirName, lockName), []byte("{"), 0o600))
	if _, err = Acquire(dir, Owner{ID: "b", PID: 2}); err == nil || !strings.Contains(err.Error(), "has not told its name") {
		t.Errorf("got %v", err)
	}
}

func TestRunIDsSortByTime(t *testing.T) {
	last := ""
	for n := range 1000 {
		id := NewRunID(start.Add(time.Duration(n) * 250 * time.Nanosecond))
		if id <= last || len(id) != 36 || id[14] != '7' {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
	if a, b := NewRunID(start), NewRunID(start); a == b {
		t.Errorf("one ID twice: %s", a)
	}
}
