package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Backend is a tiny HTTP service: it answers its own id, and on /health whether it
// is well.
type Backend struct {
	// ID is what it answers and its id in Consul.
	ID       string
	listener net.Listener
	server   *http.Server
	sick     atomic.Bool
	done     chan error
}

// NewBackend starts a backend on a free port of loopback.
func NewBackend(id string) (*Backend, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start backend %s: %w", id, err)
	}
	b := &Backend{ID: id, listener: l, done: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, id) })
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if b.sick.Load() {
			http.Error(w, "sick", http.StatusServiceUnavailable)
		}
	})
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { b.done <- b.server.Serve(l) }()
	return b, nil
}

// Port is where the backend listens.
func (b *Backend) Port() int { return b.listener.Addr().(*net.TCPAddr).Port }

// Addr is host:port.
func (b *Backend) Addr() string { return b.listener.Addr().String() }

// SetSick makes /health answer 503; the service itself goes on.
func (b *Backend) SetSick(sick bool) { b.sick.Store(sick) }

// Close lets requests in flight finish and ends the backend.
func (b *Backend) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := b.server.Shutdown(ctx)
	if served := <-b.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
