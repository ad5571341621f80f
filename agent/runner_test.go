package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// consulFake gives every watcher the newest snapshot of the test.
type consulFake struct {
	mu       sync.Mutex
	newest   *catalog.Snapshot
	watchers map[chan catalog.Snapshot]bool
}

func (c *consulFake) Watch(ctx context.Context, _ []catalog.Want) <-chan catalog.Snapshot {
	out := make(chan catalog.Snapshot, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[out] = true
	if c.newest != nil {
		out <- *c.newest
	}
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, out)
		close(out)
	})
	return out
}

func (c *consulFake) send(s catalog.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = &s
	for out := range c.watchers {
		select {
		case <-out:
		default:
		}
		out <- s
	}
}

// terraformFake plans a change whenever the input differs from what it applied.
type terraformFake struct {
	mu      sync.Mutex
	applied string
	applies []string
	plans   int
	removed int
	serial  uint64
	took    time.Duration // of an apply
	broken  error         // what an apply fails with
}

func (f *terraformFake) Run(ctx context.Context, files tasks.Files, review func(tasks.Plan) bool) (tasks.Outcome, error) {
	input := string(files.Root["terraform.tfvars"].Content)
	if !bytes.Contains(files.Root["main.tf"].Content, []byte("module \"")) {
		input = "" // without the module all that it made goes
	}
	f.mu.Lock()
	f.plans++
	plan := tasks.Plan{Serial: f.serial, Digest: catalog.NewHasher().String(f.applied, input).Sum()}
	if input != f.applied {
		plan.Changes = []tasks.Change{{Address: "module.t.terraform_data.x", Type: "terraform_data", Action: tasks.Replace}}
	}
	f.mu.Unlock()
	if plan.Empty() || !review(plan) {
		return tasks.Outcome{Plan: plan}, ctx.Err()
	}
	select {
	case <-time.After(f.took):
	case <-ctx.Done():
		return tasks.Outcome{Plan: plan}, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return tasks.Outcome{Plan: plan}, f.broken
	}
	f.applied = input
	f.serial++
	f.applies = append(f.applies, input)
	return tasks.Outcome{Plan: plan, Applied: true}, nil
}

func (f *terraformFake) Remove(context.Context, tasks.Files) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removed++
	return nil
}

func (f *terraformFake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *terraformFake) count() (plans, applies int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.plans, len(f.applies)
}

// memory keeps runs and records as the store does.
type memory struct {
	mu          sync.Mutex
	runs        map[string]tasks.Run
	records     map[string]tasks.Record
	definitions map[string]tasks.Definition
	broken      error // what saving a definition fails with
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

func newMemory() *memory {
	return &memory{runs: map[string]tasks.Run{}, records: map[string]tasks.Record{}, definitions: map[string]tasks.Definition{}}
}

func (m *memory) Definitions() (map[string]tasks.Definition, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.definitions), nil
}

func (m *memory) SaveDefinition(task string, d *tasks.Definition) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	if d == nil {
		delete(m.definitions, task)
		return nil
	}
	m.definitions[task] = *d
	return nil
}

func (m *memory) SaveRun(r tasks.Run) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs[r.ID] = r
	return nil
}

func (m *memory) SaveRecord(task string, r tasks.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[task] = r
	return nil
}

// list gives the runs in the order in which they were made.
func (m *memory) list() (out []tasks.Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(m.runs)) {
		out = append(out, m.runs[id])
	}
	return out
}

// bench is an engine with one task and fakes round it.
type bench struct {
	t         *testing.T
	consul    *consulFake
	terraform *terraformFake
	store     *memory
	runner    *runner
	engine    *engine
	options   Options
	drain     context.CancelFunc
	interrupt context.CancelFunc
	ended     chan struct{}
}

func webTask(t *testing.T) tasks.Task {
	return tasks.Task{Name: "web", Enabled: true, Module: "./m", WorkingDir: t.TempDir(), Guard: tasks.Guard{MaxDestroys: 10},
		Buffer: tasks.Buffer{Enabled: true, Min: 5 * time.Second, Max: 20 * time.Second},
		Condition: tasks.Condition{UseAsModuleInput: true,
			Services: &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}}}}
}

func newBench(t *testing.T, task tasks.Task, record tasks.Record) *bench {
	store := newMemory()
	store.records[task.Name] = record
	return startBench(t, store, &terraformFake{took: 3 * time.Second}, task)
}

// startBench is a start of the daemon with these tasks in its configuration.
func startBench(t *testing.T, store *memory, terraform *terraformFake, file ...tasks.Task) *bench {
	return startOver(t, 1, store, terraform, file...)
}

// startOver runs as many tasks at once as parallel says, all of them over one
// workspace.
func startOver(t *testing.T, parallel int, store *memory, terraform tasks.Workspace, file ...tasks.Task) *bench {
	b := &bench{t: t, consul: &consulFake{watchers: map[chan catalog.Snapshot]bool{}}, store: store, ended: make(chan struct{})}
	b.terraform, _ = terraform.(*terraformFake)
	var n atomic.Int64
	n.Store(int64(len(store.runs)))
	b.engine = &engine{source: b.consul, feed: newFeed(), definitions: store, creations: make(chan creation), reloads: make(chan reloading), ended: make(chan struct{}),
		reserved: map[string]bool{}, files: map[string]catalog.Digest{}, answering: func() (bool, string) { return true, "" }}
	b.engine.past = func(name string) (tasks.Record, []tasks.Run, error) {
		store.mu.Lock()
		defer store.mu.Unlock()
		return store.records[name], nil, nil
	}
	hire := func(task tasks.Task) (*worker, error) {
		filters, err := compileFilters(task)
		if err != nil {
			return nil, err
		}
		schedule, err := compileSchedule(task)
		return &worker{task: task, filters: filters, schedule: schedule, workspace: terraform, inspector: terraform, store: store,
			metrics: newMetrics(), now: time.Now, log: hclog.NewNullLogger(),
			inputs: func(_ context.Context, _ tasks.Task, in tasks.Input) (templates.Inputs, error) {
				return templates.Inputs{Input: in, Backend: templates.Backend{Type: "local", Attributes: map[string]cty.Value{}}}, nil
			},
			newID: func(time.Time) string { return fmt.Sprintf("run-%04d", n.Add(1)) }}, err
	}
	b.engine.hirer = func(config.Config) func(tasks.Task) (*worker, error) { return hire }
	b.engine.rehire(config.Config{})
	decode := func(base config.Config, text json.RawMessage) (tasks.Task, error) {
		var wire httpapi.Task
		if err := json.Unmarshal(text, &wire); err != nil {
			return tasks.Task{}, err
		}
		made := webTask(t)
		made.Name, made.Enabled, made.Description = wire.Name, wire.Enabled, wire.Description
		made.Buffer, made.Guard = base.Buffer, base.Guard
		if wire.Guard != nil {
			made.Guard = tasks.Guard(*wire.Guard)
		}
		return made, nil
	}
	b.options = Options{Config: config.Config{Tasks: file}, Log: hclog.NewNullLogger(), Decode: decode}
	if err := b.engine.load(b.options); err != nil {
		t.Fatal(err)
	}
	if len(b.engine.runners) > 0 {
		b.runner = b.engine.runners[0]
	}
	var hard, soft context.Context
	hard, b.interrupt = context.WithCancel(context.Background())
	soft, b.drain = context.WithCancel(hard)
	go func() {
		defer close(b.ended)
		if err := b.engine.runAll(soft, hard, parallel); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
	return b
}

// stop ends the runner as the first signal does and waits for it.
func (b *bench) stop() {
	b.drain()
	<-b.ended
	b.interrupt()
}

// consulHas sends a snapshot in which n passing instances of web are registered.
func (b *bench) consulHas(n int, departures ...catalog.Departure) {
	v := webView(n)
	v.Departures = departures
	if len(departures) > 0 {
		v.Verdict.Confirmed = 2
	}
	b.consul.send(catalog.NewSnapshot(v))
	synctest.Wait()
}

// consulDoubts shows the last good answer of n instances while a newer one is
// being confirmed.
func (b *bench) consulDoubts(n int) {
	v := webView(n)
	v.Verdict.Trust = catalog.Suspicious
	b.consul.send(catalog.NewSnapshot(v))
	synctest.Wait()
}

func webView(n int) *catalog.View {
	var list []catalog.Instance
	for i := range n {
		list = append(list, catalog.Instance{ID: fmt.Sprint("web-", i), Name: "web", Address: "10.0.0.1", Port: 8000 + i, Node: catalog.Node{Name: "n1", Datacenter: "dc1"}})
	}
	return catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, list)
}

func (b *bench) wantCounts(plans, applies int) {
	b.t.Helper()
	synctest.Wait()
	if p, a := b.terraform.count(); p != plans || a != applies {
		b.t.Fatalf("plans, applies = %d, %d; want %d, %d", p, a, plans, applies)
	}
}

func (b *bench) phase() tasks.Phase {
	synctest.Wait()
	s := b.runner.state.Load()
	if s.Newest == nil {
		return ""
	}
	return s.Newest.Phase
}

// pass lets the clock go on.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRunner(t *testing.T) {
	tests := map[string]func(t *testing.T, b *bench){
		"the first snapshot runs at once, a change waits for its buffer": func(t *testing.T, b *bench) {
			b.consulHas(1)
			pass(3 * time.Second)
			b.wantCounts(1, 1)
			b.consulHas(2)
			pass(5*time.Second - 1)
			b.wantCounts(1, 1)
			pass(1)
			b.wantCounts(2, 1)
			pass(3 * time.Second)
			b.wantCounts(2, 2)
		},
		"many changes close together become one run with the newest data": func(t *testing.T, b *bench) {
			b.consulHas(1)
			pass(time.Minute)
			for n := range 8 {
				b.consulHas(2 + n)
				pass(time.Second)
			}
			pass(time.Minute)
			b.wantCounts(2, 2)
			if got := len(b.runner.record.Applied.Members); got != 9 {
				t.Errorf("applied members = %d, want 9", got)
			}
		},
		"a change waits while a newer answer is being confirmed": func(t *testing.T, b *bench) {
			b.consulHas(3)
			pass(time.Minute)
			b.consulHas(1) // the first part of a mass failure
			pass(time.Second)
			b.consulDoubts(1)
			pass(time.Minute)
			b.wantCounts(1, 1)
			b.consulHas(0)
			pass(time.Minute)
			b.wantCounts(2, 1)
			b.wantApplied(3)
		},
		"a change goes on once the newer answer was contradicted": func(t *testing.T, b *bench) {
			b.consulHas(3)
			pass(time.Minute)
			b.consulHas(2)
			b.consulDoubts(2)
			pass(time.Minute)
			b.wantCounts(1, 1)
			b.consulHas(2)
			pass(time.Minute)
			b.wantApplied(2)
		},
		"a change that is taken back within the buffer starts nothing": func(t *testing.T, b *bench) {
			b.consulHas(2)
			pass(time.Minute)
			b.consulHas(1)
			pass(time.Second)
			b.consulHas(2)
			pass(time.Minute)
			b.wantCounts(1, 1)
		},
		"changes during an apply give exactly one run afterwards": func(t *testing.T, b *bench) {
			b.consulHas(1)
			pass(time.Minute)
			b.terraform.took = time.Minute
			b.consulHas(2)
			pass(10 * time.Second)
			if p := b.phase(); p != tasks.Applying {
				t.Fatalf("phase = %s, want applying", p)
			}
			for n := range 1000 {
				b.consulHas(3 + n%7)
			}
			pass(10 * time.Minute)
			b.wantCounts(3, 3)
		},
		"a failing run is tried again for ever and heals without a change": func(t *testing.T, b *bench) {
			b.terraform.fail(errors.New("device said no"))
			b.consulHas(1)
			pass(24 * time.Hour)
			if p, a := b.terraform.count(); p < 90 || a != 0 {
				t.Fatalf("plans, applies in a day = %d, %d; want one about every 15 min", p, a)
			}
			if s := b.engine.States()[0].Status; s != tasks.StatusErrored {
				t.Errorf("status = %s, want errored", s)
			}
			b.terraform.fail(nil)
			pass(20 * time.Minute)
			if _, a := b.terraform.count(); a != 1 {
				t.Fatalf("applies after healing = %d, want 1", a)
			}
			runs := b.store.list()
			if len(runs) != 1 || runs[0].Phase != tasks.Applied || runs[0].Attempts[0].Error != "device said no" {
				t.Errorf("runs = %+v, want one that applied at last and kept its first error", runs)
			}
		},
		"a newer input takes the place of a failing one": func(t *testing.T, b *bench) {
			b.terraform.fail(errors.New("device said no"))
			b.consulHas(1)
			pass(time.Hour)
			b.terraform.fail(nil)
			b.consulHas(2)
			pass(10 * time.Second)
			b.wantApplied(2)
			if runs := b.store.list(); runs[0].Phase != tasks.Failed || runs[1].Phase != tasks.Applied {
				t.Errorf("phases = %s, %s; want failed, applied", runs[0].Phase, runs[1].Phase)
			}
		},
		"a service that loses all members is held until a person approves": func(t *testing.T, b *bench) {
			b.consulHas(3)
			pass(time.Minute)
			b.consulHas(0)
			pass(time.Minute)
			b.wantCounts(2, 1)
			held, err := b.engine.Approve(t.Context(), "web", httpapi.ApproveRequest{By: "night shift"})
			if err != nil {
				t.Fatal(err)
			}
			if held.Findings[0].Rule != tasks.RuleAllMembersLost {
				t.Errorf("held by %s", held.Findings[0].Rule)
			}
			pass(time.Minute)
			b.wantCounts(3, 2)
			b.wantApplied(0)
			if _, err := b.engine.Approve(t.Context(), "web", httpapi.ApproveRequest{}); !errors.Is(err, tasks.ErrNothingHeld) {
				t.Errorf("second approval: %v, want ErrNothingHeld", err)
			}
		},
		"a held plan heals when the members come back": func(t *testing.T, b *bench) {
			b.consulHas(3)
			pass(time.Minute)
			b.consulHas(0)
			pass(time.Hour)
			b.consulHas(3)
			pass(time.Minute)
			if s := b.runner.state.Load(); s.Record.Held != nil || s.Newest.Phase != tasks.Unchanged {
				t.Errorf("held = %v, phase = %s; want nothing held and unchanged", s.Record.Held, s.Newest.Phase)
			}
			b.wantCounts(3, 1)
		},
		"evidence that the last member was deregistered releases a held plan": func(t *testing.T, b *bench) {
			b.consulHas(1)
			pass(time.Minute)
			m := b.runner.record.Applied.Members[0]
			b.consulHas(0)
			pass(time.Minute)
			b.wantCounts(2, 1)
			b.consulHas(0, catalog.Departure{Member: m, Cause: catalog.Deregistered})
			pass(time.Minute)
			b.wantApplied(0)
		},
		"an approval of a plan that is not the held one is refused": func(t *testing.T, b *bench) {
			b.consulHas(3)
			pass(time.Minute)
			b.consulHas(0)
			pass(time.Minute)
			other := catalog.NewHasher().String("other").Sum()
			if _, err := b.engine.Approve(t.Context(), "web", httpapi.ApproveRequest{Changes: other}); !errors.Is(err, tasks.ErrOtherPlan) {
				t.Errorf("approval: %v, want ErrOtherPlan", err)
			}
			pass(time.Minute)
			b.wantCounts(2, 1)
		},
		"a stop lets the apply in flight finish": func(t *testing.T, b *bench) {
			b.terraform.took = time.Minute
			b.consulHas(1)
			pass(time.Second)
			b.drain()
			pass(time.Second)
			if err := b.engine.RunNow(t.Context(), "web"); !errors.Is(err, tasks.ErrStopping) {
				t.Errorf("run during a stop: %v, want ErrStopping", err)
			}
			<-b.ended
			b.wantApplied(1)
			if runs := b.store.list(); runs[0].Phase != tasks.Applied {
				t.Errorf("phase = %s, want applied", runs[0].Phase)
			}
		},
		"an interrupt ends an apply and leaves its record": func(t *testing.T, b *bench) {
			b.terraform.took = time.Hour
			b.consulHas(1)
			pass(time.Second)
			b.drain()
			pass(time.Minute)
			b.interrupt()
			<-b.ended
			if runs := b.store.list(); runs[0].Phase != tasks.Interrupted {
				t.Errorf("phase = %s, want interrupted", runs[0].Phase)
			}
		},
		"a run that is asked for does not wait for the buffer": func(t *testing.T, b *bench) {
			b.consulHas(1)
			pass(time.Minute)
			if err := b.engine.RunNow(t.Context(), "web"); err != nil {
				t.Fatal(err)
			}
			b.wantCounts(2, 1)
		},
		"nothing runs before Consul has answered, whoever asks": func(t *testing.T, b *bench) {
			if err := b.engine.RunNow(t.Context(), "web"); err != nil {
				t.Fatal(err)
			}
			pass(time.Hour)
			b.wantCounts(0, 0)
			if ok, reasons := b.engine.Ready(); ok || len(reasons) != 1 {
				t.Errorf("ready = %v %q, want one reason", ok, reasons)
			}
			b.consulHas(1)
			pass(time.Minute)
			b.wantCounts(1, 1)
			if ok, reasons := b.engine.Ready(); !ok {
				t.Errorf("not ready: %q", reasons)
			}
		},
		"a run tells which instance changed": func(t *testing.T, b *bench) {
			b.consulHas(1)
			pass(time.Minute)
			b.consulHas(2)
			pass(time.Minute)
			got := b.store.list()[1].Causes
			want := []catalog.Delta{{Service: "web", Instance: "web-1.n1.dc1", What: "added", From: "passing", To: "10.0.0.1:8001"}}
			if !slices.Equal(got, want) {
				t.Errorf("causes = %+v, want %+v", got, want)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			task := webTask(t)
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, task, tasks.Record{})
				test(t, b)
				b.stop()
			})
		})
	}
}

func (b *bench) wantApplied(members int) {
	b.t.Helper()
	synctest.Wait()
	a := b.runner.state.Load().Record.Applied
	if a == nil || len(a.Members) != members {
		b.t.Fatalf("applied = %+v, want %d members", a, members)
	}
}

func TestARestartJudgesAgainstWhatWasApplied(t *testing.T) {
	task := webTask(t)
	synctest.Test(t, func(t *testing.T) {
		before := &tasks.AppliedInput{Members: []catalog.Member{{Key: "web-0.n1.dc1", Service: "web"}, {Key: "web-1.n1.dc1", Service: "web"}}}
		b := newBench(t, task, tasks.Record{Applied: before})
		b.consulHas(0)
		pass(time.Minute)
		b.wantCounts(1, 0)
		if p := b.phase(); p != tasks.Held {
			t.Errorf("phase = %s, want held", p)
		}
		if got := len(b.store.list()[0].Causes); got != 2 {
			t.Errorf("causes = %d, want both members gone", got)
		}
		b.stop()
	})
}

func TestWhatAnEarlierToolAppliedIsTheBaselineEvenAfterAnInspection(t *testing.T) {
	task := webTask(t)
	tfvars := filepath.Join(task.WorkingDir, "terraform.tfvars")
	old := `services = {
  "web-0.n1.dc1" = {
    id   = "web-0"
    name = "web"
    node = "n1"
    port = 80
    address = "10.0.0.1"
  }
}
`
	if err := os.WriteFile(tfvars, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, task, tasks.Record{})
		b.stop()
		snapshot := catalog.NewSnapshot(catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, nil))
		w := b.runner.work
		input := w.project(snapshot)
		run := w.newRun(tasks.Inspect, nil)
		res := w.attempt(t.Context(), t.Context(), job{run: *run, snapshot: snapshot, input: input, inspect: true})
		if res.err != nil || !slices.ContainsFunc(res.run.Findings, func(f tasks.Finding) bool { return f.Decision == tasks.Hold }) {
			t.Errorf("inspection: %v, findings %+v; want a hold", res.err, res.run.Findings)
		}
		if err := os.WriteFile(tfvars, []byte("services = {\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if a := b.store.records["web"].Applied; a == nil || len(a.Members) != 1 || a.Members[0].Key != "web-0.n1.dc1" {
			t.Errorf("baseline = %+v, want the one member of the old file", a)
		}
	})
}
