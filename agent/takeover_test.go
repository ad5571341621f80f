package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/store"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// withProvider gives a task one provider block.
func withProvider(p tasks.Provider) makeInputs {
	return func(_ context.Context, _ tasks.Task, in tasks.Input) (templates.Inputs, error) {
		return templates.Inputs{Input: in, Providers: []tasks.Provider{p}, Backend: templates.Backend{Type: "local", Attributes: map[string]cty.Value{}}}, nil
	}
}

func fakeSync(more string) tasks.Provider {
	arguments := map[string]cty.Value{"name": cty.StringVal("handler"), "err": cty.True}
	if more != "" {
		arguments[more] = cty.True
	}
	return tasks.Provider{Name: "fake-sync", Arguments: tasks.NewSecretValue(cty.ObjectVal(arguments))}
}

func TestAFailingStepAfterAnApplyFailsTheRunAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, webTask(t), tasks.Record{})
		defer b.stop()
		b.runner.work.inputs = withProvider(fakeSync(""))
		b.consulHas(1)
		pass(3 * time.Second)
		if got := b.phase(); got != tasks.Retrying {
			t.Fatalf("phase = %s", got)
		}
		pass(10 * time.Second)
		b.wantCounts(4, 1) // the retries plan anew and find nothing to apply
		run := b.store.list()[0]
		if run.Error() != "error handler" || run.Attempts[0].Phase != tasks.Applying || run.Tries != 4 {
			t.Errorf("run = %+v", run)
		}
	})
}

func TestSuccessFirstSparesTheFirstRunOfAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, webTask(t), tasks.Record{})
		defer b.stop()
		b.runner.work.inputs = withProvider(fakeSync("success_first"))
		b.consulHas(1)
		pass(3 * time.Second)
		if got := b.phase(); got != tasks.Applied {
			t.Fatalf("phase of the first = %s", got)
		}
		b.consulHas(2)
		pass(8 * time.Second)
		if got := b.phase(); got != tasks.Retrying {
			t.Errorf("phase of the second = %s", got)
		}
	})
}

func TestFakeSyncStandsInMainTFAsInCTS(t *testing.T) {
	a := attempt{worker: &worker{task: webTask(t), inputs: withProvider(fakeSync("success_first"))}}
	files, err := a.render(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = "provider \"fake-sync\" {\n  err           = var.fake-sync.err\n  name          = var.fake-sync.name\n  success_first = var.fake-sync.success_first\n}\n"
	if got := string(files.Root["main.tf"].Content); !strings.Contains(got, want) {
		t.Errorf("main.tf =\n%s", got)
	}
}

func TestATaskMadeAtRunTimeSharesNoUserThatCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := webTask(t)
		first.Providers = []string{"panos.a"}
		b := newBench(t, first, tasks.Record{})
		defer b.stop()
		commits := func(alias string) tasks.Provider {
			return tasks.Provider{Name: "panos", Alias: alias, Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{
				"username": cty.StringVal("u"), "auto_commit": cty.True}))}
		}
		b.engine.rehire(config.Config{Providers: []tasks.Provider{commits("a"), commits("b")}})
		for provider, refused := range map[string]bool{"panos.a": true, "panos": true, "panos.b": false, "other": false} {
			second := taskNamed(t, "second")
			second.Enabled, second.Providers = false, []string{provider}
			a := <-b.create(second, tasks.RunInspect)
			if told := a.err != nil && strings.Contains(a.err.Error(), "provider with autocommit (panos.a) cannot be used by more than one task, and task web has it"); told != refused {
				t.Errorf("%s: err = %v", provider, a.err)
			}
		}
		first.Enabled = false
		if _, err := b.engine.Replace(t.Context(), first, tasks.RunInspect); err != nil {
			t.Errorf("the task itself: %v", err)
		}
	})
}

// panosDevice answers commits: with another one in the way while busy is true.
type panosDevice struct {
	*httptest.Server
	busy    atomic.Bool
	commits atomic.Int32
}

func newPanosDevice(t *testing.T) *panosDevice {
	d := &panosDevice{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("type") != "commit" || !strings.Contains(r.PostFormValue("cmd"), "<admin><member>cts</member></admin>") {
			t.Errorf("request = %v", r.PostForm)
		}
		d.commits.Add(1)
		answer := `<response status="success" code="19"><msg>There are no changes to commit.</msg></response>`
		if d.busy.Load() {
			answer = `<response status="error" code="13"><msg><line>Another commit/validate is in progress. Please try again later</line></msg></response>`
		}
		_, _ = io.WriteString(w, answer) // seen by the client
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *panosDevice) provider() tasks.Provider {
	host, port, _ := strings.Cut(strings.TrimPrefix(d.URL, "http://"), ":")
	return tasks.Provider{Name: "panos", Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{
		"hostname": cty.StringVal(host), "port": cty.StringVal(port), "protocol": cty.StringVal("http"), "username": cty.StringVal("cts"),
		"api_key": cty.StringVal("hunter2"), "auto_commit": cty.True}))}
}

// process is what a task has of one process of the daemon: a start reads what the
// one before kept on disk.
type process struct {
	t         *testing.T
	dir       string
	task      tasks.Task
	terraform *terraformFake
	device    *panosDevice
	log       bytes.Buffer
	record    tasks.Record
	work      *worker
	kept      *store.Store
}

func (p *process) start() {
	p.t.Helper()
	kept, err := store.Open(p.dir, store.Keep{Runs: 10, Age: time.Hour})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.record, err = kept.Record("web"); err != nil {
		p.t.Fatal(err)
	}
	p.kept = kept
	p.work = &worker{task: p.task, workspace: p.terraform, inspector: p.terraform, store: kept, metrics: newMetrics(), now: time.Now,
		newID: store.NewRunID, log: hclog.New(&hclog.LoggerOptions{Output: &p.log, Level: hclog.Trace}), inputs: withProvider(p.device.provider())}
}

func (p *process) restart() {
	p.t.Helper()
	if err := p.kept.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.start()
}

// attempt makes one attempt with n instances, as the runner makes it.
func (p *process) attempt(n int, change ...func(*job)) result {
	p.t.Helper()
	snapshot := catalog.NewSnapshot(webView(n))
	j := job{run: *p.work.newRun(tasks.Changed, nil), snapshot: snapshot, input: p.work.project(snapshot), record: p.record}
	for _, c := range change {
		c(&j)
	}
	res := p.work.attempt(p.t.Context(), p.t.Context(), j)
	if res.saved {
		p.record = res.record
	}
	return res
}

func newProcess(t *testing.T) *process {
	p := &process{t: t, dir: t.TempDir(), task: webTask(t), terraform: &terraformFake{}, device: newPanosDevice(t)}
	p.start()
	t.Cleanup(func() {
		if err := p.kept.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(p.log.String(), "hunter2") {
			t.Errorf("a secret is in the log:\n%s", p.log.String())
		}
	})
	return p
}

func TestAnApplyIsFollowedByOneCommit(t *testing.T) {
	p := newProcess(t)
	wants := []struct {
		instances int
		phase     tasks.Phase
		commits   int32
	}{{1, tasks.Applied, 1}, {1, tasks.Unchanged, 1}, {2, tasks.Applied, 2}, {2, tasks.Unchanged, 2}}
	for n, want := range wants {
		res := p.attempt(want.instances)
		if res.err != nil || res.run.Phase != want.phase || p.device.commits.Load() != want.commits {
			t.Errorf("attempt %d: %s, %d commits, %v; want %+v", n+1, res.run.Phase, p.device.commits.Load(), res.err, want)
		}
		if _, ok := res.run.Took[stageAfterApply]; !ok {
			t.Errorf("attempt %d: took %v", n+1, res.run.Took)
		}
	}
}

func TestACommitThatFailedIsOwedOverRestartsUntilOneSucceeds(t *testing.T) {
	p := newProcess(t)
	if res := p.attempt(1); res.err != nil {
		t.Fatal(res.err)
	}
	p.device.busy.Store(true)
	res := p.attempt(2)
	if res.err == nil || !strings.Contains(res.err.Error(), "Another commit/validate is in progress") || res.run.Phase != tasks.Retrying {
		t.Fatalf("phase %s, err %v", res.run.Phase, res.err)
	}
	if members := p.record.Applied.Members; len(members) != 1 {
		t.Errorf("the guard's baseline has %d members; what is not committed is not in force", len(members))
	}
	p.restart()
	if res := p.attempt(2); res.err == nil {
		t.Error("the second commit did not fail")
	}
	p.device.busy.Store(false)
	p.restart()
	res = p.attempt(2)
	if res.err != nil || res.run.Phase != tasks.Unchanged || p.device.commits.Load() != 4 {
		t.Errorf("phase %s, %d commits, err %v", res.run.Phase, p.device.commits.Load(), res.err)
	}
	p.restart()
	if res := p.attempt(2); res.err != nil || p.device.commits.Load() != 4 || p.record.Applied.Run == "" {
		t.Errorf("%d commits, record %+v, err %v", p.device.commits.Load(), p.record.Applied, res.err)
	}
	if _, applies := p.terraform.count(); applies != 2 {
		t.Errorf("%d applies", applies)
	}
}

func TestAnApplyThatFailedIsCommittedOnceItIsWhole(t *testing.T) {
	p := newProcess(t)
	if res := p.attempt(1); res.err != nil {
		t.Fatal(res.err)
	}
	p.terraform.fail(errors.New("half of it"))
	if res := p.attempt(2); res.err == nil || p.device.commits.Load() != 1 {
		t.Fatalf("%d commits, err %v", p.device.commits.Load(), res.err)
	}
	p.terraform.fail(nil)
	// The change is taken back before the next try: nothing is left to apply, and
	// yet the device may hold half of it.
	res := p.attempt(1)
	if res.err != nil || res.run.Phase != tasks.Unchanged || p.device.commits.Load() != 2 {
		t.Errorf("phase %s, %d commits, err %v", res.run.Phase, p.device.commits.Load(), res.err)
	}
}

func TestNothingIsCommittedWithoutAnApply(t *testing.T) {
	tests := map[string]struct {
		instances int
		change    func(*job)
		phase     tasks.Phase
	}{
		"by an inspection":       {1, func(j *job) { j.inspect = true }, tasks.Inspected},
		"while the plan is held": {0, func(*job) {}, tasks.Held},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			p.record = tasks.Record{Applied: &tasks.AppliedInput{Members: []catalog.Member{{Service: "web", Key: "a"}, {Service: "web", Key: "b"}}}}
			p.terraform.applied = "something"
			res := p.attempt(tc.instances, tc.change)
			if res.err != nil || res.run.Phase != tc.phase || p.device.commits.Load() != 0 {
				t.Errorf("phase %s, %d commits, err %v", res.run.Phase, p.device.commits.Load(), res.err)
			}
		})
	}
}

func TestWhatADestroyTakesAwayIsCommittedBeforeTheStateGoes(t *testing.T) {
	p := newProcess(t)
	if res := p.attempt(1); res.err != nil {
		t.Fatal(res.err)
	}
	p.device.busy.Store(true)
	destroy := func(j *job) { j.destroy = true }
	if res := p.attempt(1, destroy); res.err == nil || p.terraform.removed != 0 {
		t.Fatalf("%d removals, err %v", p.terraform.removed, res.err)
	}
	p.device.busy.Store(false)
	if res := p.attempt(1, destroy); res.err != nil || p.terraform.removed != 1 || p.device.commits.Load() != 3 {
		t.Errorf("%d removals, %d commits, err %v", p.terraform.removed, p.device.commits.Load(), res.err)
	}
}

// servedBefore writes what an earlier tool gave a task: n instances of web.
func servedBefore(t *testing.T, task tasks.Task, n int) (path string) {
	var text strings.Builder
	text.WriteString("services = {\n")
	for i := range n {
		fmt.Fprintf(&text, "  \"web-%d.n1.dc1\" = {\n    id = \"web-%d\"\n    name = \"web\"\n    node = \"n1\"\n    node_datacenter = \"dc1\"\n    address = \"10.0.0.%d\"\n    port = 80\n  }\n", i, i, i+1)
	}
	text.WriteString("}\n")
	path = filepath.Join(task.WorkingDir, "terraform.tfvars")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheBaselineOfAnEarlierToolOutlivesAnInspection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		task := webTask(t)
		tfvars := servedBefore(t, task, 3)
		task.Enabled = false
		b := newBench(t, task, tasks.Record{})
		defer b.stop()
		task.Enabled = true
		got := call(func() (tasks.Operation, error) { return b.engine.Replace(t.Context(), task, tasks.RunInspect) })
		b.consulHas(1)
		if a := <-got; a.err != nil {
			t.Fatal(a.err)
		}
		// The inspection wrote what it would want over the file.
		if err := os.WriteFile(tfvars, []byte("services = {\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.consulHas(0)
		b.terraform.mu.Lock()
		b.terraform.applied = "something"
		b.terraform.mu.Unlock()
		got = call(func() (tasks.Operation, error) { return b.engine.Replace(t.Context(), task, tasks.RunNow) })
		synctest.Wait()
		<-got
		if got := b.phase(); got != tasks.Held {
			t.Errorf("phase = %s", got)
		}
	})
}

func TestTheBaselineOfAnEarlierToolOutlivesAFailedFirstAttempt(t *testing.T) {
	p := newProcess(t)
	tfvars := servedBefore(t, p.task, 3)
	p.terraform.fail(errors.New("the device is away"))
	if res := p.attempt(1); res.err == nil {
		t.Fatal("the first attempt did not fail")
	}
	// The attempt wrote what it wanted over the file.
	if err := os.WriteFile(tfvars, []byte("services = {\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.terraform.fail(nil)
	var keys []string
	for _, m := range p.record.Applied.Members {
		keys = append(keys, m.Key)
	}
	if d := cmp.Diff([]string{"web-0.n1.dc1", "web-1.n1.dc1", "web-2.n1.dc1"}, keys); d != "" {
		t.Errorf("baseline, want (-), got (+):\n%s", d)
	}
	if res := p.attempt(0); res.run.Phase != tasks.Held {
		t.Errorf("phase = %s, err %v", res.run.Phase, res.err)
	}
}
