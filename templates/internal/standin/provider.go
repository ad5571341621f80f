package standin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Provider is what a stand-in provider consists of.
type Provider struct {
	// Source is its address without a host, such as f5networks/bigip.
	Source string
	Schema *Schema
	// Configure is called with the provider block, once for each start that the real
	// provider would have: it logs in as that does and gives the calls of the session.
	Configure func(ctx context.Context, config Object) (Calls, error)
	// Check refuses arguments of a resource that its schema allows, by the resource's
	// name; optional. A value that is not known yet is nil.
	Check map[string]func(config Object) error
}

// Calls are what a configured provider does, by the name of the resource, or "data."
// and the name of the data source.
type Calls map[string]Call

// Call is how a resource reaches its device. Errors are shown by Terraform as they are.
type Call struct {
	// Create makes planned, in which what only the device can tell is nil, and gives it
	// complete. An object beside an error is kept in the state, tainted; without one
	// Terraform knows of none.
	Create func(ctx context.Context, planned Object) (Object, error)
	// Read gives what the device has, nil when the object is gone. What the real
	// provider does not read back stays as in state. For a data source, state is the
	// block's configuration.
	Read func(ctx context.Context, state Object) (Object, error)
	// Update makes planned of prior and gives it complete. Beside an error nil keeps
	// planned in the state, as the SDK of the real providers does.
	Update func(ctx context.Context, prior, planned Object) (Object, error)
	// Delete removes it. After an error it stays in the state.
	Delete func(ctx context.Context, state Object) error
}

// Fault breaks calls on their way between Terraform and a device.
type Fault struct {
	// Call is configure, create, read, update or delete; empty is each of them.
	Call string
	// Resource is its type; empty is each of them.
	Resource string
	// Skip lets that many matching calls pass first.
	Skip int
	// Times is how many calls it breaks, at least one.
	Times int
	// Before fails the call before it reaches the device, After when the device has
	// done it, so that its answer is lost. Delay comes before either.
	Before, After error
	Delay         time.Duration
}

// Inject makes faults happen to the calls that come. The first that fits a call
// happens.
func (s *Server) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Times = cmp.Or(f.Times, 1)
		s.faults = append(s.faults, &f)
	}
}

// Count tells how many calls there were: of configure (resource is then empty), create,
// read, update or delete, of a resource's type or, if empty, of all.
func (s *Server) Count(call, resource string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, c := range s.calls {
		if c.call == call && (resource == "" || c.resource == resource) {
			count++
		}
	}
	return count
}

type made struct{ call, resource string }

// next records a call and gives the fault that happens to it.
func (s *Server) next(call, resource string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, made{call, resource})
	n := slices.IndexFunc(s.faults, func(f *Fault) bool {
		return (f.Call == "" || f.Call == call) && (f.Resource == "" || f.Resource == resource)
	})
	if n < 0 {
		return Fault{}
	}
	f := s.faults[n]
	if f.Skip > 0 {
		f.Skip--
		return Fault{}
	}
	if f.Times--; f.Times == 0 {
		s.faults = slices.Delete(s.faults, n, n+1)
	}
	return *f
}

// through makes a call, with the fault that is due. What the device answered is nil
// when the answer was lost.
func (s *Server) through(ctx context.Context, call, resource string, do func() (Object, error)) (Object, error) {
	f := s.next(call, resource)
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.Before != nil {
		return nil, fmt.Errorf("%s %s: %w", call, resource, f.Before)
	}
	out, err := do()
	if f.After != nil {
		return nil, fmt.Errorf("%s %s: %w", call, resource, f.After)
	}
	return out, err
}
