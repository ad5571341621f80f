package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/canaries"
	"patchbay/agent/internal/filter"
	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"
)

// newCanaries makes the board of what is declared, with what an earlier process knew.
// moved gets a value when the traffic of any canary changed.
func (p *parts) newCanaries(cfg config.Config, e *engine) (board *canaries.Board, moved <-chan struct{}, err error) {
	stored, err := p.canaryRecords()
	if err != nil {
		return nil, nil, err
	}
	wake := make(chan struct{}, 1)
	board, err = canaries.New(canaries.Options{Store: p.store, Compile: filter.Compile, Log: p.log.Named("canary"), Now: time.Now, Tasks: e.weighed,
		Follow: func() (canaries.Views, func()) {
			views := p.consul.Follow()
			return views, views.Close
		},
		Moved: func() {
			e.reweigh()
			select {
			case wake <- struct{}{}:
			default:
			}
		}}, declaredCanaries(cfg), stored)
	if err != nil {
		return nil, nil, fmt.Errorf("take up canaries: %w", err)
	}
	p.records, p.applied = board.Records, board.Nudge
	p.metrics.canaries(board.Records)
	return board, wake, nil
}

// canaryRecords reads what is stored of canaries.
func (p *parts) canaryRecords() (map[string]canaries.Record, error) {
	texts, err := p.store.Canaries()
	if err != nil {
		return nil, err
	}
	out := map[string]canaries.Record{}
	for service, text := range texts {
		var r canaries.Record
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("decode canary of %s: %w", service, err)
		}
		out[service] = r
	}
	return out, nil
}

// lookAtCanaries lets tasks of one pass have the weights as they are stored.
func (p *parts) lookAtCanaries(cfg config.Config) error {
	stored, err := p.canaryRecords()
	if err != nil {
		return err
	}
	var list []canaries.Record
	for _, c := range cfg.Canaries {
		if r, ok := stored[c.Service]; ok {
			list = append(list, r)
		}
	}
	p.records = func() []canaries.Record { return list }
	return nil
}

// declaredCanaries are those of a configuration with the subsets of their routes.
func declaredCanaries(cfg config.Config) (out []canaries.Canary) {
	for _, c := range cfg.Canaries {
		subsets := cfg.Mesh.Service(mesh.Target{Service: c.Service}).Subsets
		find := func(name string) mesh.Subset {
			n := slices.IndexFunc(subsets, func(s mesh.Subset) bool { return s.Name == name })
			if n < 0 {
				return mesh.Subset{Name: name} // not reached: the configuration was checked
			}
			return subsets[n]
		}
		out = append(out, canaries.Canary{Plan: c.Plan, Prometheus: c.Prometheus, Stable: find(c.Stable.Name), Candidate: find(c.Candidate.Name)})
	}
	return out
}

// takeTraffic takes changed canaries and routes over. Weights that a canary gives win
// over the routes, so new canaries come first and removed ones go last: in between
// nothing is split by what neither configuration says.
func takeTraffic(board *canaries.Board, proxies *envoys, cfg config.Config) error {
	declared := declaredCanaries(cfg)
	if err := board.Declare(declared); err != nil {
		return err
	}
	return errors.Join(proxies.declare(cfg.Mesh), board.Keep(declared))
}

// boardOf implements [httpapi.Canaries].
type boardOf struct{ board *canaries.Board }

// Canaries implements [httpapi.Canaries].
func (b boardOf) Canaries() (out []httpapi.CanaryState) {
	for _, r := range b.board.Records() {
		out = append(out, canaryState(r))
	}
	return out
}

// Command implements [httpapi.Canaries].
func (b boardOf) Command(ctx context.Context, service string, c rollout.Command) (httpapi.CanaryState, error) {
	r, err := b.board.Do(ctx, service, c)
	for is, say := range map[error]error{canaries.ErrUnknown: httpapi.ErrNoCanary, canaries.ErrRefused: httpapi.ErrCanaryRefused, canaries.ErrStopping: tasks.ErrStopping} {
		if errors.Is(err, is) {
			err = fmt.Errorf("%w%s", say, strings.TrimPrefix(err.Error(), is.Error()))
		}
	}
	return canaryState(r), err
}

// Shifts implements [httpapi.Canaries]. A slow reader loses old states of a canary,
// never its newest.
func (b boardOf) Shifts(ctx context.Context) <-chan httpapi.CanaryState {
	wake, out := b.board.Watch(ctx), make(chan httpapi.CanaryState)
	told := map[string]canaries.Record{}
	for _, r := range b.board.Records() {
		told[r.Service()] = r
	}
	go func() { // ends with the request, whose context closes wake
		defer close(out)
		for range wake {
			for _, r := range b.board.Records() {
				if reflect.DeepEqual(told[r.Service()], r) {
					continue
				}
				told[r.Service()] = r
				select {
				case out <- canaryState(r):
				case <-ctx.Done():
				}
			}
		}
	}()
	return out
}

func canaryState(r canaries.Record) httpapi.CanaryState {
	return httpapi.CanaryState{Plan: r.Declared.Plan, State: r.State}
}
