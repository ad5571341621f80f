package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/consul/api"
)

// consulStart bounds the time that a Consul server has to elect itself.
const consulStart = 60 * time.Second

// Consul is a single real Consul server that can be stopped and started again
// over the same ports, with or without its data.
type Consul struct {
	// Addr is host:port of the HTTP API.
	Addr   string
	Client *api.Client
	// GRPC is host:port of its xDS server; "" without one.
	GRPC string
	// Management is a token that may do all; "" where nothing asks for tokens.
	Management string
	*Process
	dir string
	dev bool
}

// NewConsul starts a Consul server whose data is kept below dir; a dev agent keeps
// it in memory instead.
func NewConsul(ctx context.Context, dir string, dev bool) (*Consul, error) {
	return newConsul(ctx, dir, dev, false, "")
}

// NewConsulMesh starts a dev agent with Connect: a CA of its own and an xDS server.
func NewConsulMesh(ctx context.Context, dir string) (*Consul, error) {
	return newConsul(ctx, dir, true, true, "")
}

// NewConsulGuarded is [NewConsulMesh] with ACLs that deny by default; its Client has the
// token of Management.
func NewConsulGuarded(ctx context.Context, dir string) (*Consul, error) {
	return newConsul(ctx, dir, true, true, "5f0a5f6e-8a3b-4e0a-9a39-6f5fd2a1c001")
}

func newConsul(ctx context.Context, dir string, dev, mesh bool, management string) (*Consul, error) {
	ports, err := Ports(4)
	if err != nil {
		return nil, err
	}
	c := &Consul{Addr: fmt.Sprintf("127.0.0.1:%d", ports[0]), dir: dir, dev: dev, Management: management}
	if c.Client, err = api.NewClient(&api.Config{Address: c.Addr, Token: management}); err != nil {
		return nil, fmt.Errorf("make Consul client: %w", err)
	}
	config := map[string]any{
		"server": true, "node_name": "node-1", "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
		"disable_update_check": true, "performance": map[string]any{"raft_multiplier": 1},
		"ports": map[string]int{
			"http": ports[0], "server": ports[1], "serf_lan": ports[2],
			"dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1,
		},
	}
	if !dev {
		config["bootstrap_expect"], config["data_dir"] = 1, c.data()
	}
	if mesh {
		c.GRPC = fmt.Sprintf("127.0.0.1:%d", ports[3])
		config["ports"].(map[string]int)["grpc"] = ports[3]
		config["connect"] = map[string]any{"enabled": true}
	}
	if management != "" {
		config["acl"] = map[string]any{"enabled": true, "default_policy": "deny",
			"tokens": map[string]string{"initial_management": management, "agent": management}}
	}
	b, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write Consul configuration: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write Consul configuration: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "consul.json"), b, 0o644); err != nil {
		return nil, fmt.Errorf("write Consul configuration: %w", err)
	}
	return c, c.Start(ctx)
}

func (c *Consul) data() string { return filepath.Join(c.dir, "data") }

// Start starts the server again and waits until it leads and answers.
func (c *Consul) Start(ctx context.Context) error {
	binary, err := Tool("consul")
	if err != nil {
		return err
	}
	args := []string{"agent", "-config-file", filepath.Join(c.dir, "consul.json")}
	if c.dev {
		args = append(args, "-dev")
	}
	if c.Process, err = start("Consul", filepath.Join(c.dir, "consul.log"), exec.Command(binary, args...)); err != nil {
		return err
	}
	err = Until(ctx, consulStart, func() error {
		if c.Exited() {
			return final{errors.New("it exited")}
		}
		nodes, _, err := c.Client.Health().Node("node-1", nil)
		if err == nil && len(nodes) == 0 {
			return errors.New("its node is not in the catalog")
		}
		return err
	})
	if err != nil {
		c.Kill()
		return fmt.Errorf("start Consul: %w\n%s", err, tail(c.Output(), 15))
	}
	return nil
}

// Wipe removes the data of a stopped server.
func (c *Consul) Wipe() error {
	if err := os.RemoveAll(c.data()); err != nil {
		return fmt.Errorf("wipe Consul: %w", err)
	}
	return nil
}

// Register registers a backend as an instance of a service, or changes it. Its
// health is a TTL check, passing until [Consul.SetHealth] says otherwise.
func (c *Consul) Register(service string, b *Backend) error { return c.RegisterAs(b.ID, service, b) }

// RegisterAs is [Consul.Register] under another id: an instance that moves keeps its
// own while another backend takes its place.
func (c *Consul) RegisterAs(id, service string, b *Backend) error {
	return c.register(id, service, b, &api.AgentServiceCheck{
		CheckID: "check:" + id, Name: "told by the test", TTL: "1h", Status: api.HealthPassing,
	})
}

// RegisterProbed registers a backend under an id; Consul itself probes its health
// every second.
func (c *Consul) RegisterProbed(id, service string, b *Backend) error {
	return c.register(id, service, b, &api.AgentServiceCheck{
		CheckID: "check:" + id, Name: "HTTP /health", HTTP: "http://" + b.Addr() + "/health",
		Interval: "1s", Timeout: "2s", Status: api.HealthPassing,
	})
}

func (c *Consul) register(id, service string, b *Backend, check *api.AgentServiceCheck) error {
	err := c.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		ID: id, Name: service, Address: "127.0.0.1", Port: b.Port(), Check: check,
	})
	if err != nil {
		return fmt.Errorf("register %s of %s: %w", id, service, err)
	}
	return nil
}

// NewToken makes a token with the rights of the rules, and gives its secret.
func (c *Consul) NewToken(name, rules string) (secret string, err error) {
	if _, _, err := c.Client.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil); err != nil {
		return "", fmt.Errorf("make token %s: %w", name, err)
	}
	token, _, err := c.Client.ACL().TokenCreate(&api.ACLToken{Description: name, Policies: []*api.ACLLink{{Name: name}}}, nil)
	if err != nil {
		return "", fmt.Errorf("make token %s: %w", name, err)
	}
	return token.SecretID, nil
}

// SetHealth sets the health of a registered instance: passing, warning or critical.
func (c *Consul) SetHealth(id, status string) error {
	if err := c.Client.Agent().UpdateTTL("check:"+id, "the test says "+status, status); err != nil {
		return fmt.Errorf("set health of %s: %w", id, err)
	}
	return nil
}

// rack is a node without an agent: what tells of its checks writes to the catalog.
const rack = "rack-2"

// RegisterOnRack registers backends as instances of a service on another node, all
// passing; [Consul.SetHealthTogether] changes their health.
func (c *Consul) RegisterOnRack(service string, backends ...*Backend) error {
	for _, b := range backends {
		_, err := c.Client.Catalog().Register(&api.CatalogRegistration{
			Node: rack, Address: "127.0.0.1",
			Service: &api.AgentService{ID: b.ID, Service: service, Address: "127.0.0.1", Port: b.Port()},
			Checks:  api.HealthChecks{rackCheck(service, b.ID, api.HealthPassing)},
		}, nil)
		if err != nil {
			return fmt.Errorf("register %s of %s: %w", b.ID, service, err)
		}
	}
	return nil
}

// SetHealthTogether sets the health of instances of the rack in one transaction.
func (c *Consul) SetHealthTogether(service, status string, ids ...string) error {
	var ops api.TxnOps
	for _, id := range ids {
		ops = append(ops, &api.TxnOp{Check: &api.CheckTxnOp{Verb: api.CheckSet, Check: *rackCheck(service, id, status)}})
	}
	ok, answer, _, err := c.Client.Txn().Txn(ops, nil)
	if err == nil && !ok {
		err = fmt.Errorf("%v", answer.Errors)
	}
	if err != nil {
		return fmt.Errorf("set health of %v: %w", ids, err)
	}
	return nil
}

func rackCheck(service, id, status string) *api.HealthCheck {
	return &api.HealthCheck{
		Node: rack, CheckID: "check:" + id, Name: "the rack's monitor", Status: status,
		Output: "the monitor says " + status, ServiceID: id, ServiceName: service,
	}
}

// Deregister takes an instance away.
func (c *Consul) Deregister(id string) error {
	if err := c.Client.Agent().ServiceDeregister(id); err != nil {
		return fmt.Errorf("deregister %s: %w", id, err)
	}
	return nil
}

// AwaitService waits by blocking queries until a service's instances are as asked,
// and tells when Consul answered so.
func (c *Consul) AwaitService(ctx context.Context, service string, limit time.Duration, ok func([]*api.ServiceEntry) bool) (time.Time, error) {
	deadline := time.Now().Add(limit)
	index := uint64(0)
	for time.Now().Before(deadline) {
		entries, meta, err := c.Client.Health().Service(service, "", false,
			(&api.QueryOptions{WaitIndex: index, WaitTime: time.Until(deadline)}).WithContext(ctx))
		if err != nil {
			return time.Time{}, fmt.Errorf("watch %s: %w", service, err)
		}
		if ok(entries) {
			return time.Now(), nil
		}
		index = meta.LastIndex
	}
	return time.Time{}, fmt.Errorf("watch %s: Consul did not show the change within %s", service, limit)
}
