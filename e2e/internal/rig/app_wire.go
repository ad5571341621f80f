package rig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// WireApp is a service that speaks something else than plain HTTP.
type WireApp struct {
	listener net.Listener
	stop     func()
	work     sync.WaitGroup
	served   error
}

// Port is where the app listens.
func (a *WireApp) Port() int { return a.listener.Addr().(*net.TCPAddr).Port }

// Close ends the app.
func (a *WireApp) Close() error {
	a.stop()
	a.work.Wait()
	return a.served
}

func newWireApp(id string) (*WireApp, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start app %s: %w", id, err)
	}
	return &WireApp{listener: l}, nil
}

// NewGRPCApp starts a gRPC server with the service grpc.health.v1.Health; every answer
// has its id in the header x-app.
func NewGRPCApp(id string) (*WireApp, error) {
	a, err := newWireApp(id)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if err := grpc.SetHeader(ctx, metadata.Pairs("x-app", id)); err != nil {
			return nil, err
		}
		return next(ctx, r)
	}))
	healthpb.RegisterHealthServer(server, health.NewServer())
	a.stop = server.Stop
	a.work.Go(func() { a.served = server.Serve(a.listener) })
	return a, nil
}

// NewTLSApp starts a server that greets every TLS connection with its id and the name
// that the client asked for, as "id name", and ends it.
func NewTLSApp(id, cert, key string) (*WireApp, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("start app %s: %w", id, err)
	}
	a, err := newWireApp(id)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	a.stop = func() { _ = a.listener.Close() } // accepting ends by it
	a.work.Go(func() { a.served = a.greet(id, config) })
	return a, nil
}

func (a *WireApp) greet(id string, config *tls.Config) error {
	for {
		c, err := a.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		a.work.Go(func() {
			defer c.Close()
			secure := tls.Server(c, config)
			if secure.Handshake() == nil { // one that fails is the client's to tell
				_, _ = io.WriteString(secure, id+" "+secure.ConnectionState().ServerName)
				_ = secure.Close()
			}
		})
	}
}
