package agent

import (
	"context"
	"sync"

	"patchbay/tasks"
)

// feed tells listeners of every change of a task's state. A slow listener loses
// old states of a task, never its newest.
type feed struct {
	mu        sync.Mutex
	listeners map[*listener]bool
	told      map[string]glance
}

type listener struct {
	waiting map[string]tasks.State
	order   []string
	wake    chan struct{}
}

// glance is what tells one state of a task from the next.
type glance struct {
	enabled, held bool
	status        tasks.Status
	note, run     string
	phase         tasks.Phase
	tries         int
}

func newFeed() *feed {
	return &feed{listeners: map[*listener]bool{}, told: map[string]glance{}}
}

func (f *feed) publish(s tasks.State) {
	if f == nil {
		return
	}
	g := glance{enabled: s.Task.Enabled, held: s.Record.Held != nil, status: s.Status, note: s.Note}
	if s.Newest != nil {
		g.run, g.phase, g.tries = s.Newest.ID, s.Newest.Phase, s.Newest.Tries
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[s.Task.Name] == g {
		return
	}
	f.told[s.Task.Name] = g
	f.wake(s)
}

// appear tells of a task that is there from now on: who looks for it finds it.
func (f *feed) appear(s tasks.State) {
	f.forget(s.Task.Name)
	f.publish(s)
}

// vanish tells the last state of a task that is gone: who looks for it finds none.
func (f *feed) vanish(s tasks.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.told, s.Task.Name)
	f.wake(s)
}

// wake gives a state to every listener; f.mu is held.
func (f *feed) wake(s tasks.State) {
	for l := range f.listeners {
		if _, ok := l.waiting[s.Task.Name]; !ok {
			l.order = append(l.order, s.Task.Name)
		}
		l.waiting[s.Task.Name] = s
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// forget drops what was told of a name.
func (f *feed) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.told, name)
}

// listen gives changed states until ctx ends; then its channel is closed. The
// goroutine behind it ends with ctx, which is a request's.
func (f *feed) listen(ctx context.Context) <-chan tasks.State {
	l := &listener{waiting: map[string]tasks.State{}, wake: make(chan struct{}, 1)}
	f.mu.Lock()
	f.listeners[l] = true
	f.mu.Unlock()
	out := make(chan tasks.State)
	go f.pump(ctx, l, out)
	return out
}

func (f *feed) pump(ctx context.Context, l *listener, out chan<- tasks.State) {
	defer close(out)
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, l)
	}()
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		for s, ok := f.take(l); ok; s, ok = f.take(l) {
			select {
			case out <- s:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (f *feed) take(l *listener) (s tasks.State, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(l.order) == 0 {
		return s, false
	}
	s = l.waiting[l.order[0]]
	delete(l.waiting, l.order[0])
	l.order = l.order[1:]
	return s, true
}
