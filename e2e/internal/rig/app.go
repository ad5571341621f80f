package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
)

// Echo is what an [App] answers: who it is and what it was asked.
type Echo struct {
	ID, Method, Path, Host, Proto string
	Header                        http.Header
}

// App is an HTTP service that tells what it was asked, by HTTP/1.1 and by HTTP/2
// without TLS.
type App struct {
	// ID is what it calls itself.
	ID       string
	listener net.Listener
	server   *http.Server
	status   atomic.Int64
	delay    atomic.Int64
	requests atomic.Int64
	held     atomic.Int64
	release  chan struct{}
	done     chan error
}

// HoldHeader is that of requests which an app answers only after [App.Release].
const HoldHeader = "X-Hold"

// NewApp starts an app on a free port of loopback.
func NewApp(id string) (*App, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start app %s: %w", id, err)
	}
	a := &App{ID: id, listener: l, release: make(chan struct{}), done: make(chan error, 1)}
	a.status.Store(http.StatusOK)
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: 10 * time.Second, Protocols: protocols}
	go func() { a.done <- a.server.Serve(l) }()
	return a, nil
}

// ServeHTTP implements [http.Handler].
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	select {
	case <-time.After(time.Duration(a.delay.Load())):
	case <-r.Context().Done():
	}
	if r.Header.Get(HoldHeader) != "" {
		a.held.Add(1)
		<-a.release
	}
	w.Header().Set("X-App", a.ID)
	w.WriteHeader(int(a.status.Load()))
	// A client that left does not want it.
	_ = json.NewEncoder(w).Encode(Echo{ID: a.ID, Method: r.Method, Path: r.RequestURI, Host: r.Host, Proto: r.Proto, Header: r.Header})
}

// SetStatus makes it answer with a status; 200 is the one at first.
func (a *App) SetStatus(code int) { a.status.Store(int64(code)) }

// SetDelay makes it wait before each answer.
func (a *App) SetDelay(d time.Duration) { a.delay.Store(int64(d)) }

// Held counts the requests that came with the header [HoldHeader].
func (a *App) Held() int { return int(a.held.Load()) }

// Release answers all that are held; it is called once.
func (a *App) Release() { close(a.release) }

// Requests counts those that came.
func (a *App) Requests() int { return int(a.requests.Load()) }

// Port is where the app listens.
func (a *App) Port() int { return a.listener.Addr().(*net.TCPAddr).Port }

// Close lets requests in flight finish and ends the app.
func (a *App) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := a.server.Shutdown(ctx)
	if served := <-a.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Instance is a program on loopback as Consul is told of it.
type Instance struct {
	ID, Service string
	Port        int
	Meta        map[string]string
	// Unchecked has no check of its own, and so none that a restart of Consul makes
	// critical until it is told anew.
	Unchecked bool
}

// RegisterInstance registers instances or changes them; the health of those with a
// check is told as that of [Consul.Register].
func (c *Consul) RegisterInstance(instances ...Instance) error {
	for _, i := range instances {
		var check *api.AgentServiceCheck
		if !i.Unchecked {
			check = &api.AgentServiceCheck{CheckID: "check:" + i.ID, Name: "told by the test", TTL: "1h", Status: api.HealthPassing}
		}
		err := c.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{
			ID: i.ID, Name: i.Service, Address: "127.0.0.1", Port: i.Port, Meta: i.Meta, Check: check,
		})
		if err != nil {
			return fmt.Errorf("register %s of %s: %w", i.ID, i.Service, err)
		}
	}
	return nil
}
