package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"patchbay/agent/config"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

const (
	// registerTries is how often a first registration is tried at once.
	registerTries = 1 + 8
	// lookEvery is how often the agent is asked whether it still has the service,
	// and how often a failed registration is tried again.
	lookEvery = 30 * time.Second
	// changeLimit bounds one registration or deregistration, which a stop waits for.
	changeLimit = 3 * time.Second
)

// Registration is how Patchbay appears in Consul as a service of the local agent.
type Registration struct {
	// Registration is the configured part; Name must be set.
	config.Registration
	// ID is the service's, unique on the agent.
	ID string
	// Port is that of the HTTP API, as it listens; TLS tells whether it is https.
	Port int
	TLS  bool
	// Tags of the service; nil gives the tag cts.
	Tags []string
	// Legacy gives check and log the names of Consul-Terraform-Sync.
	Legacy bool
}

// RegisterLoop registers the service and its check with the local agent and
// registers it anew whenever the agent has lost it, until ctx ends: then it takes
// the service off, which needs at most 6 s. End ctx only for a graceful stop; after
// any other end the check turns critical and Consul removes the service after 30
// minutes. A failure is logged once and tried again for ever: it stops nobody. It
// returns at once when the registration is not enabled.
func (c *Client) RegisterLoop(ctx context.Context, r Registration) {
	if r.Enabled {
		c.keep(ctx, r, lookEvery)
	}
}

func (c *Client) keep(ctx context.Context, r Registration, every time.Duration) {
	g := registrar{client: c, want: r, log: c.log.ResetNamed("registration").With("id", r.ID)}
	back := c.pulse.notify()
	defer c.pulse.forget(back)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			g.leave(ctx)
			return
		case <-timer.C:
		case <-back: // an agent that was away may have been restarted
		}
		g.settle(ctx)
		timer.Reset(jitter(every))
	}
}

// registrar keeps one registration. One goroutine owns it.
type registrar struct {
	client *Client
	want   Registration
	log    hclog.Logger
	// registered: the agent had the service when it was last asked.
	registered bool
	// placed: the agent may have the service, even where no answer told.
	placed bool
	// failing: a failure was told and none of its kind is told again.
	failing bool
}

// settle registers the service unless the agent still has it.
func (g *registrar) settle(ctx context.Context) {
	if g.registered {
		there, err := g.there(ctx)
		switch {
		case err != nil:
			g.log.Debug("service registration could not be read", "err", err)
			return
		case there:
			return
		}
		g.log.Warn("service registration was lost or changed, it is made anew")
		g.registered = false
	}
	err := g.register(ctx)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		g.registered, g.failing = true, false
		g.log.Info(g.want.product() + " registered as a service with Consul")
		return
	}
	if !g.failing {
		g.log.Error("error registering "+g.want.product()+" as a service with Consul", "err", err)
		g.log.Warn(g.want.short()+" will continue without registering itself as a service with Consul", "next", "it is tried again every "+lookEvery.String())
	}
	g.failing = true
}

// register tries up to 9 times, after a told failure once. A refusal is not tried
// again at once.
func (g *registrar) register(ctx context.Context) error {
	if !g.failing {
		g.log.Info("registering " + g.want.product() + " as a service with Consul")
	}
	tries := uint(registerTries)
	if g.failing {
		tries = 1
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := g.client.change(ctx, func(ctx context.Context) error {
			opts := api.ServiceRegisterOpts{ReplaceExistingChecks: true}.WithContext(ctx)
			return g.client.api.Agent().ServiceRegisterOpts(g.want.service(), opts)
		})
		if status := (api.StatusError{}); errors.As(err, &status) && status.Code/100 == 4 {
			return struct{}{}, backoff.Permanent(refused(status))
		}
		g.placed = true
		return struct{}{}, err
	}, backoff.WithBackOff(newPause()), backoff.WithMaxTries(tries), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return fmt.Errorf("register service %s: %w", g.want.ID, err)
	}
	return nil
}

func refused(status api.StatusError) error {
	text := status.Body[:min(maxQuoted, len(status.Body))]
	if status.Code == http.StatusForbidden {
		return fmt.Errorf("consul refused the token (403, %q); give it service:write on the service, "+
			"or set service_registration { enabled = false }", text)
	}
	return fmt.Errorf("consul answered %d, %q; check service_registration", status.Code, text)
}

// there tells whether the agent has the service as it was registered. Its health
// does not count.
func (g *registrar) there(ctx context.Context) (ok bool, err error) {
	want := g.want.service()
	err = g.client.local(ctx, func(ctx context.Context) error {
		opts := (&api.QueryOptions{Namespace: want.Namespace}).WithContext(ctx)
		_, found, err := g.client.api.Agent().AgentHealthServiceByIDOpts(url.PathEscape(want.ID), opts)
		if err != nil || found == nil || found.Service == nil {
			return err
		}
		s := found.Service
		ok = s.Service == want.Name && s.Address == want.Address && s.Port == want.Port && slices.Equal(s.Tags, want.Tags) &&
			(want.Check == nil || slices.ContainsFunc(found.Checks, func(c *api.HealthCheck) bool {
				return c != nil && c.CheckID == want.Check.CheckID
			}))
		return nil
	})
	return ok, err
}

// leave takes the service off the agent, though ctx has ended.
func (g *registrar) leave(ctx context.Context) {
	if !g.placed {
		return
	}
	err := g.client.change(ctx, func(ctx context.Context) error {
		opts := (&api.QueryOptions{Namespace: g.want.Namespace}).WithContext(ctx)
		return g.client.api.Agent().ServiceDeregisterOpts(url.PathEscape(g.want.ID), opts)
	})
	status := (api.StatusError{})
	switch gone := errors.As(err, &status) && status.Code == http.StatusNotFound; {
	case gone || err != nil && !g.registered:
		g.log.Debug("service was not registered at the end", "err", err)
		return
	case err != nil:
		g.log.Warn("service could not be deregistered, its check will turn critical", "err", err)
		return
	}
	g.log.Info(g.want.product() + " deregistered from Consul")
}

// change makes a request of the local agent that a stop does not cut off: one that
// was sent may count later, when the service is off already.
func (c *Client) change(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeLimit)
	defer cancel()
	return c.local(ctx, request)
}

// local makes a request that the local agent answers by itself. It tells nothing
// of whether Consul's servers answer.
func (c *Client) local(ctx context.Context, request func(context.Context) error) error {
	_, err := c.short(ctx, func(ctx context.Context) (answer, error) { return answer{}, request(ctx) })
	return err
}

func (r Registration) product() string {
	if r.Legacy {
		return "Consul-Terraform-Sync"
	}
	return "Patchbay"
}

func (r Registration) short() string {
	if r.Legacy {
		return "CTS"
	}
	return "Patchbay"
}

// service is what the agent is asked to register. The tag cts is what scripts look
// for, under either name of the program.
func (r Registration) service() *api.AgentServiceRegistration {
	tags := r.Tags
	if tags == nil {
		tags = []string{"cts"}
	}
	s := &api.AgentServiceRegistration{ID: r.ID, Name: r.Name, Tags: tags, Address: r.Address, Port: r.Port, Namespace: r.Namespace}
	if !r.Check {
		return s
	}
	address := r.CheckAddress
	if address == "" {
		address = "http://localhost:" + strconv.Itoa(r.Port)
		if r.TLS {
			address = "https://localhost:" + strconv.Itoa(r.Port)
		}
	}
	s.Check = &api.AgentServiceCheck{CheckID: r.ID + "-health", Name: r.short() + " Health Status",
		Notes: "Check created by " + r.product(), HTTP: address + "/v1/health", Interval: "10s", Timeout: "2s",
		Status: api.HealthCritical, DeregisterCriticalServiceAfter: "30m",
		// The certificate names the host and not localhost, and the check sends nothing.
		TLSSkipVerify: true}
	return s
}
