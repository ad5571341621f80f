package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// limit bounds every wait.
const limit = 5 * time.Minute

// module is what the tasks of a measurement run.
type module struct{ name, text string }

const services = `variable "services" {
  type = map(object({ id = string, address = string, port = number }))
}
locals {
  members = { for key, s in var.services : key => "${s.address}:${s.port}" }
}
`

var modules = []module{
	{"built-in", services + "resource \"terraform_data\" \"members\" {\n  input = local.members\n}\n"},
	{"hashicorp/local", services + `terraform {
  required_providers {
    local = { source = "hashicorp/local" }
  }
}
resource "local_file" "members" {
  filename = "${path.root}/members.json"
  content  = jsonencode(local.members)
}
`},
}

// sizes are how many tasks run and how many changes each size gets.
var sizes = []struct{ tasks, changes int }{{1, 15}, {10, 4}, {50, 2}}

// bench is one module's measurement.
type bench struct {
	dir    string
	module module
	consul *rig.Consul
	port   int
}

func measure(ctx context.Context, m module) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "patchbay-bench-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, module: m, port: 20000}
	if err := os.MkdirAll(filepath.Join(dir, "module"), 0o755); err != nil {
		return nil, fmt.Errorf("make module: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "module", "main.tf"), []byte(m.text), 0o644); err != nil {
		return nil, fmt.Errorf("make module: %w", err)
	}
	if b.consul, err = rig.NewConsul(ctx, filepath.Join(dir, "consul"), true); err != nil {
		return nil, err
	}
	defer b.consul.Kill()
	if err := b.change(); err != nil {
		return nil, err
	}
	for _, size := range sizes {
		more, err := b.size(ctx, size.tasks, size.changes)
		if err != nil {
			return nil, fmt.Errorf("%d tasks: %w", size.tasks, err)
		}
		rows = append(rows, more...)
	}
	bare := slices.IndexFunc(rows, func(r row) bool { return r.what == bareApply })
	for n := range rows {
		if rows[n].what == bareApply || rows[n].what == count(1) {
			rows[n].ratio = float64(quantile(rows[n].times, 0.5)) / float64(quantile(rows[bare].times, 0.5))
		}
	}
	return rows, nil
}

// quiet is the time before each change: changes that follow each other at once would
// measure how seldom Patchbay asks Consul for the same thing.
const quiet = 1500 * time.Millisecond

func rest(ctx context.Context) error {
	select {
	case <-time.After(quiet):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// change moves the service's one instance to another port.
func (b *bench) change() error {
	b.port++
	err := b.consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: "web-1", Name: "web", Address: "127.0.0.1", Port: b.port})
	if err != nil {
		return fmt.Errorf("change the instance: %w", err)
	}
	return nil
}

// size measures a start with some tasks and then changes. With one task each change
// takes turns with a bare apply, so that what else the machine does meets both.
func (b *bench) size(ctx context.Context, tasks, changes int) ([]row, error) {
	fmt.Fprintf(os.Stderr, "%s: a start with %s, then %d changes\n", b.module.name, count(tasks), changes)
	root, err := rig.Root()
	if err != nil {
		return nil, err
	}
	program := rig.Program{Binary: filepath.Join(root, "bin", "patchbay"), Dir: filepath.Join(b.dir, fmt.Sprintf("with-%d", tasks))}
	if err := os.MkdirAll(program.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	began := time.Now()
	p, err := program.Start(ctx, b.config(tasks))
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	first, err := applied(ctx, p, tasks, began)
	if err != nil {
		return nil, err
	}
	boot, _, err := rig.Usage(p.PID())
	if err != nil {
		return nil, err
	}
	rows := []row{b.startRow(tasks, first, boot)}
	var bare *bareSide
	if tasks == 1 {
		if bare, err = b.newBare(filepath.Join(program.Dir, "sync-tasks", taskName(0))); err != nil {
			return nil, err
		}
	}
	r := row{module: b.module.name, what: count(tasks)}
	for range changes {
		times, err := b.round(ctx, p, tasks, bare)
		if err != nil {
			return nil, err
		}
		r.times = append(r.times, times...)
	}
	cpu, memory, err := rig.Usage(p.PID())
	if err != nil {
		return nil, err
	}
	r.cpu, r.memory = (cpu-boot)/time.Duration(changes*tasks), memory
	rows = append(rows, r)
	if bare != nil {
		rows = append([]row{bare.row(b.module.name)}, rows...)
	}
	return rows, p.Stop(time.Minute)
}

// round makes one change and gives how long each task took to apply it.
func (b *bench) round(ctx context.Context, p *rig.Patchbay, tasks int, bare *bareSide) ([]time.Duration, error) {
	if bare != nil {
		if err := rest(ctx); err != nil {
			return nil, err
		}
		if err := bare.apply(ctx); err != nil {
			return nil, err
		}
	}
	if err := rest(ctx); err != nil {
		return nil, err
	}
	at := time.Now()
	if err := b.change(); err != nil {
		return nil, err
	}
	return applied(ctx, p, tasks, at)
}

func (b *bench) startRow(tasks int, first []time.Duration, cpu time.Duration) row {
	whole := slices.Max(first)
	return row{
		module: b.module.name, what: "start, " + count(tasks), times: first, cpu: cpu / time.Duration(tasks),
		note: fmt.Sprintf("all after %.1f s, %.0f %% of %d CPUs", whole.Seconds(),
			100*cpu.Seconds()/whole.Seconds()/float64(runtime.NumCPU()), runtime.NumCPU()),
	}
}

func count(tasks int) string {
	if tasks == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", tasks)
}

func taskName(n int) string { return fmt.Sprintf("task-%02d", n) }

func (b *bench) config(tasks int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "port = 0\nid = \"patchbay-bench\"\nbuffer_period {\n  enabled = false\n}\nconsul {\n  address = %q\n}\ndriver \"terraform\" {\n  backend \"local\" {}\n}\n", b.consul.Addr)
	for n := range tasks {
		fmt.Fprintf(&s, "task {\n  name   = %q\n  module = %q\n  condition \"services\" {\n    names = [\"web\"]\n  }\n}\n",
			taskName(n), filepath.Join(b.dir, "module"))
	}
	return s.String()
}

// applied waits until all tasks applied a run that began after a time, and gives
// how long after it each of them ended.
func applied(ctx context.Context, p *rig.Patchbay, tasks int, since time.Time) (times []time.Duration, err error) {
	for n := range tasks {
		run, err := p.AwaitRun(ctx, taskName(n), limit, func(r rig.Run) bool { return r.Phase == "applied" && r.Started.After(since) })
		if err != nil {
			return nil, err
		}
		times = append(times, run.Updated.Sub(since))
	}
	return times, nil
}

// quantile gives the time that a share q of all does not exceed.
func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
