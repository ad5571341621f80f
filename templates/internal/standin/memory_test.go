package standin_test

import (
	"context"
	"fmt"
	"path"
	"sync"
	"testing"

	"patchbay/templates/internal/moduletest"
	"patchbay/templates/internal/standin"
)

// memory is a device that takes whatever it is given, under the resource's first
// argument as key.
type memory struct {
	mu   sync.Mutex
	has  map[string]standin.Object
	seen []standin.Object // provider blocks
}

func (m *memory) configure(_ context.Context, config standin.Object) (standin.Calls, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, config)
	if config.String("password") == "wrong" {
		return nil, fmt.Errorf("log in: 401 Unauthorized")
	}
	return standin.Calls{
		"bigip_event_service_discovery": m.keyed("taskid", nil),
		"bigip_ltm_pool":                m.keyed("name", standin.Object{"load_balancing_mode": "round-robin", "allow_nat": "yes"}),
		"bigip_as3":                     m.keyed("as3_json", nil),
		"azurerm_application_gateway":   m.keyed("name", nil),
	}, nil
}

// get gives what the device has of a key, nil if nothing.
func (m *memory) get(key string) standin.Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.has[key]
}

func (m *memory) firstConfig() standin.Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[0]
}

// edit changes what the device has behind Terraform's back.
func (m *memory) edit(change func(has map[string]standin.Object)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.has)
}

// keyed makes the calls of a resource; computed is what the device adds.
func (m *memory) keyed(key string, computed standin.Object) standin.Call {
	write := func(_ context.Context, o standin.Object) (standin.Object, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for name, x := range computed {
			if o[name] == nil {
				o[name] = x
			}
		}
		o["id"] = o.String(key)
		m.has[o.String("id")] = o
		return o, nil
	}
	return standin.Call{
		Create: write,
		Update: func(ctx context.Context, _, planned standin.Object) (standin.Object, error) {
			return write(ctx, planned)
		},
		Read: func(_ context.Context, state standin.Object) (standin.Object, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.has[state.String("id")], nil
		},
		Delete: func(_ context.Context, state standin.Object) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.has, state.String("id"))
			return nil
		},
	}
}

// rig is a root module on a stand-in of f5networks/bigip.
type rig struct {
	*memory
	server *standin.Server
	stack  *moduletest.Stack
}

func newRig(t *testing.T, resources string) rig {
	t.Helper()
	return newRigOf(t, standin.Provider{Source: "f5networks/bigip", Schema: standin.BigIP()}, resources)
}

func newRigOf(t *testing.T, p standin.Provider, resources string) rig {
	t.Helper()
	r := rig{memory: &memory{has: map[string]standin.Object{}}}
	p.Configure = r.configure
	r.server = standin.Start(t, p)
	r.stack = &moduletest.Stack{Dir: t.TempDir(), Binary: moduletest.Binary(t), Env: []string{standin.Reattach(r.server)}}
	r.stack.Write(t, "versions.tf", fmt.Appendf(nil, "terraform {\n  required_providers {\n    %s = { source = %q }\n  }\n}\n", path.Base(p.Source), p.Source))
	r.write(t, resources)
	r.stack.Init(t)
	return r
}

func (r rig) write(t *testing.T, resources string) {
	t.Helper()
	r.stack.Write(t, "main.tf", []byte(resources))
}
