package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

const (
	services  = 100
	instances = 20
	// pause lies between two changes: a service that changes all the time is read
	// no more than twice a second.
	pause = time.Second
)

// measurePatchbay measures sidecars of one role with 100 subscriptions each.
func measurePatchbay(ctx context.Context, sidecars, changes int) (r row, err error) {
	fmt.Printf("Patchbay with %d sidecars\n", sidecars)
	dir, err := os.MkdirTemp("", "bench-xds")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	consul, err := rig.NewConsul(ctx, filepath.Join(dir, "consul"), true)
	if err != nil {
		return r, err
	}
	defer consul.Kill()
	names := make([]string, services)
	for n := range names {
		names[n] = fmt.Sprintf("service-%03d", n)
		if err := fill(consul, names[n]); err != nil {
			return r, err
		}
	}
	ports, err := rig.Ports(1)
	if err != nil {
		return r, err
	}
	p, err := startPatchbay(ctx, dir, consul, ports[0], names)
	if err != nil {
		return r, err
	}
	defer p.Kill()
	r = row{server: "patchbay", sidecars: sidecars, subscriptions: services}
	before, err := heap(p)
	if err != nil {
		return r, err
	}
	f, err := begin(ctx, fleet{Server: fmt.Sprintf("127.0.0.1:%d", ports[0]), Count: sidecars, Node: "shop-%d", Cluster: "shop"})
	if err != nil {
		return r, err
	}
	defer f.end()
	r.storm = f.storm
	if err := r.changes(ctx, f, p.PID(), changes, names[0], func(weight int) error { return weigh(consul, names[0], weight) }); err != nil {
		return r, err
	}
	after, err := heap(p)
	r.heap = (after - before) / int64(sidecars)
	return r, err
}

// changes makes and measures changes of a service's weight.
func (r *row) changes(ctx context.Context, f *running, pid, changes int, service string, put func(weight int) error) error {
	cpu, _, err := rig.Usage(pid)
	if err != nil {
		return err
	}
	for n := range changes {
		weight := 2 + n
		start := time.Now()
		if err := f.send(change{Service: service, Weight: uint32(weight), Start: start.UnixNano()}); err != nil {
			return err
		}
		if err := put(weight); err != nil {
			return err
		}
		a, err := f.answer()
		if err != nil {
			return err
		}
		r.took = append(r.took, a.Took...)
		r.others += a.Others
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	slices.Sort(r.took)
	used, memory, err := rig.Usage(pid)
	r.cpu = (used - cpu) / time.Duration(changes*r.sidecars)
	r.rss = memory
	return err
}

func startPatchbay(ctx context.Context, dir string, consul *rig.Consul, port int, names []string) (*rig.Patchbay, error) {
	root, err := rig.Root()
	if err != nil {
		return nil, err
	}
	upstreams := make([]string, len(names))
	for n, name := range names {
		upstreams[n] = fmt.Sprintf("%q", name+":"+strconv.Itoa(20000+n))
	}
	config := fmt.Sprintf(`port = 0
log_level = "INFO"
consul {
  address = %q
  service_registration { enabled = false }
}
xds { port = %d }
sidecar "shop" {
  upstreams = [%s]
}
`, consul.Addr, port, strings.Join(upstreams, ", "))
	work := filepath.Join(dir, "patchbay")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	return rig.Program{Binary: filepath.Join(root, "bin", "patchbay"), Dir: work}.Start(ctx, config)
}

// fill registers a service's instances on a node without an agent.
func fill(c *rig.Consul, service string) error {
	for n := range instances {
		if err := register(c, service, n, 1); err != nil {
			return err
		}
	}
	return nil
}

func weigh(c *rig.Consul, service string, weight int) error { return register(c, service, 0, weight) }

func register(c *rig.Consul, service string, n, weight int) error {
	_, err := c.Client.Catalog().Register(&api.CatalogRegistration{Node: "rack", Address: "127.0.0.1", Service: &api.AgentService{
		ID: fmt.Sprintf("%s-%d", service, n), Service: service, Address: fmt.Sprintf("10.0.%d.%d", n, n+1), Port: 8080,
		Weights: api.AgentWeights{Passing: weight, Warning: 1}}}, nil)
	if err != nil {
		return fmt.Errorf("register %s: %w", service, err)
	}
	return nil
}

// heap reads what the daemon's heap held that was in use at its last collection: with
// the default pace, the next one is due at twice that.
func heap(p *rig.Patchbay) (bytes int64, err error) {
	r, err := http.Get(p.API + "/metrics")
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "go_memstats_next_gc_bytes ")
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("read metrics: %w", err)
		}
		return int64(v) / 2, nil
	}
	return 0, errors.Join(errors.New("read metrics: the heap is not among them"), lines.Err())
}

// running is a fleet in a process of its own.
type running struct {
	cmd *exec.Cmd
	in  interface {
		Write([]byte) (int, error)
		Close() error
	}
	out   *json.Decoder
	storm time.Duration
}

// begin starts a fleet and waits until all of it has everything.
func begin(ctx context.Context, f fleet) (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &running{cmd: exec.CommandContext(ctx, self, "-simulate")}
	r.cmd.Stderr = os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = json.NewDecoder(out)
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start sidecars: %w", err)
	}
	if err := r.send(f); err != nil {
		return nil, err
	}
	a, err := r.answer()
	if err != nil {
		r.end()
		return nil, err
	}
	r.storm = time.Duration(a.Took[0]) * time.Microsecond
	fmt.Printf("  all connected after %s\n", r.storm.Round(time.Millisecond))
	return r, nil
}

func (r *running) send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := r.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("tell the sidecars: %w", err)
	}
	return nil
}

func (r *running) answer() (a arrival, err error) {
	if err := r.out.Decode(&a); err != nil {
		return a, fmt.Errorf("hear from the sidecars: %w", err)
	}
	return a, nil
}

func (r *running) end() {
	// Its standard input ends, and so does it.
	_ = r.in.Close()
	_ = r.cmd.Wait()
}
