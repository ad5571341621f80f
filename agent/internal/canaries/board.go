package canaries

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
)

// Views gives changed views of what is needed.
type Views interface {
	Need([]catalog.Query)
	// Changed is ready when Take has something to give.
	Changed() <-chan struct{}
	Take() []*catalog.View
}

// Store keeps records on disk.
type Store interface {
	SaveCanary(service string, value any) error
	ForgetCanary(service string) error
}

// Options is what a board is made with.
type Options struct {
	// Follow begins to follow Consul for one canary; end ends that.
	Follow func() (views Views, end func())
	Store  Store
	// Tasks are all that are given the weights of a service.
	Tasks func(service string) []rollout.Task
	// Moved is told after the traffic of any canary changed. It must not wait.
	Moved func()
	// Compile reads a Consul filter expression.
	Compile func(string) (tasks.Matcher, error)
	Log     hclog.Logger
	Now     func() time.Time
}

// Board is all canaries together. Its methods may be called at the same time.
type Board struct {
	opts       Options
	prometheus prometheus
	hires      chan *owner
	ended      chan struct{} // closed when Run takes no more

	mu       sync.RWMutex // guards what follows
	owners   []*owner
	watchers map[chan<- struct{}]bool
}

// New makes a board of the canaries that are declared, with what is stored of them by
// service. A new one begins here, so that the first weights that anybody sees are a
// canary's. What is stored and not declared any more is forgotten.
func New(opts Options, declared []Canary, stored map[string]Record) (*Board, error) {
	b := &Board{opts: opts, prometheus: newPrometheus(opts.Now), hires: make(chan *owner), ended: make(chan struct{}), watchers: map[chan<- struct{}]bool{}}
	for _, c := range declared {
		o, err := b.hire(c, stored[c.Plan.Service])
		if err != nil {
			return nil, err
		}
		b.owners = append(b.owners, o)
	}
	for service := range stored {
		if b.find(service) == nil {
			if err := b.forget(service); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// hire makes the owner of a canary.
func (b *Board) hire(c Canary, r Record) (*owner, error) {
	o := &owner{board: b, service: c.Plan.Service, requests: make(chan request), nudges: make(chan struct{}, 1), measured: make(chan measurement, 1),
		left: make(chan struct{}), done: make(chan struct{})}
	if err := o.declare(c); err != nil {
		return nil, err
	}
	if r.State.Phase == "" {
		r.Declared = c
		r.State, _ = rollout.Step(c.Plan, r.State, rollout.Observations{}, b.opts.Now())
		if err := b.opts.Store.SaveCanary(o.service, r); err != nil {
			return nil, err
		}
		b.opts.Log.Info("canary began", "canary", o.service, "stable", c.Stable.Name, "candidate", c.Candidate.Name)
	}
	o.record = r
	o.shown.Store(&r)
	return o, nil
}

// Run moves the canaries until ctx ends.
func (b *Board) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, o := range b.all() {
		group.Go(func() error { return o.run(ctx) })
	}
	defer close(b.ended)
	for {
		select {
		case o := <-b.hires:
			group.Go(func() error { return o.run(ctx) })
		case <-ctx.Done():
			return group.Wait()
		}
	}
}

// Declare takes over canaries that are new or changed; the others stay until [Board.Keep].
func (b *Board) Declare(declared []Canary) error {
	for _, c := range declared {
		if o := b.find(c.Plan.Service); o != nil {
			if _, err := o.ask(context.Background(), request{declare: &c}); err != nil {
				return fmt.Errorf("take over canary of %s: %w", c.Plan.Service, err)
			}
			continue
		}
		o, err := b.hire(c, Record{})
		if err != nil {
			return fmt.Errorf("take over canary of %s: %w", c.Plan.Service, err)
		}
		select {
		case b.hires <- o:
		case <-b.ended:
			return ErrStopping
		}
		b.mu.Lock()
		b.owners = append(b.owners, o)
		b.mu.Unlock()
		b.published(true)
	}
	return nil
}

// Keep ends the canaries that are not declared any more and forgets them: their
// services' traffic goes as the mesh says.
func (b *Board) Keep(declared []Canary) error {
	for _, o := range b.all() {
		if slices.ContainsFunc(declared, func(c Canary) bool { return c.Plan.Service == o.service }) {
			continue
		}
		o.leave()
		b.mu.Lock()
		b.owners = slices.DeleteFunc(b.owners, func(x *owner) bool { return x == o })
		b.mu.Unlock()
		if err := b.forget(o.service); err != nil {
			return err
		}
		b.opts.Moved()
	}
	return nil
}

func (b *Board) forget(service string) error {
	if err := b.opts.Store.ForgetCanary(service); err != nil {
		return err
	}
	b.opts.Log.Warn("canary is not declared any more and was forgotten, traffic goes as the routes say", "canary", service)
	return nil
}

// Records are all canaries as they stand, by service.
func (b *Board) Records() []Record {
	var out []Record
	for _, o := range b.all() {
		out = append(out, *o.shown.Load())
	}
	slices.SortFunc(out, func(x, y Record) int { return cmp.Compare(x.Service(), y.Service()) })
	return out
}

// Record gives one canary; ok is false when none of the service is declared.
func (b *Board) Record(service string) (r Record, ok bool) {
	o := b.find(service)
	if o == nil {
		return Record{}, false
	}
	return *o.shown.Load(), true
}

// Do obeys a command and gives the canary after it. The error is [ErrUnknown],
// [ErrRefused] with the reason, [ErrStopping] or a fault of the store. The number of
// the command is chosen here.
func (b *Board) Do(ctx context.Context, service string, c rollout.Command) (Record, error) {
	o := b.find(service)
	if o == nil {
		return Record{}, ErrUnknown
	}
	return o.ask(ctx, request{command: &c})
}

// Nudge lets every canary look anew at what tasks have applied.
func (b *Board) Nudge() {
	for _, o := range b.all() {
		select {
		case o.nudges <- struct{}{}:
		default:
		}
	}
}

// Watch gives a value after any record changed since the last one was taken, until ctx
// ends; then the channel is closed.
func (b *Board) Watch(ctx context.Context) <-chan struct{} {
	wake := make(chan struct{}, 1)
	b.mu.Lock()
	b.watchers[wake] = true
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, wake)
		close(wake)
	})
	return wake
}

// published tells of a record that changed.
func (b *Board) published(moved bool) {
	b.mu.RLock()
	for wake := range b.watchers {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	b.mu.RUnlock()
	if moved {
		b.opts.Moved()
	}
}

func (b *Board) all() []*owner {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.owners)
}

func (b *Board) find(service string) *owner {
	for _, o := range b.all() {
		if o.service == service {
			return o
		}
	}
	return nil
}
