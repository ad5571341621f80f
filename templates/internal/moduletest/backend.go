package moduletest

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// Patience bounds each wait of these tests; none passes by waiting that long.
const Patience = 30 * time.Second

// Instance is one entry of a module's services; attributes that are empty are left out.
type Instance struct {
	ID      string            `json:"id,omitempty"`
	Name    string            `json:"name"`
	Address string            `json:"address"`
	Port    int               `json:"port"`
	Node    string            `json:"node_address,omitempty"`
	Status  string            `json:"status,omitempty"`
	Tags    []string          `json:"tags,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
	User    map[string]string `json:"cts_user_defined_meta,omitempty"`
}

// HostPort is the instance's address as a dialer takes it.
func (i Instance) HostPort() string { return net.JoinHostPort(i.Address, strconv.Itoa(i.Port)) }

// With gives a changed copy.
func (i Instance) With(change func(*Instance)) Instance {
	change(&i)
	return i
}

// Instances makes count passing instances of a service in 10.0.0.0/8 with port 8080.
func Instances(service string, count int) []Instance {
	out := make([]Instance, count)
	for n := range out {
		out[n] = Instance{Name: service, Address: fmt.Sprintf("10.%d.%d.%d", n/62500, n/250%250, n%250+1), Port: 8080, Status: "passing"}
	}
	return out
}

// Backend serves its name over HTTP on loopback and is a passing instance of service
// web, until the test ends.
func Backend(tb testing.TB, name string) Instance {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	return Serve(tb, l, name)
}

// Serve is [Backend] on a listener.
func Serve(tb testing.TB, l net.Listener, name string) Instance {
	tb.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	tb.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	addr := l.Addr().(*net.TCPAddr)
	return Instance{Name: "web", Address: addr.IP.String(), Port: addr.Port, Status: "passing"}
}

// FreeAddr gives a host:port on loopback that nobody listens on.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Wait waits until done says so, at most [Patience].
func Wait(tb testing.TB, otherwise string, done func() bool) {
	tb.Helper()
	for end := time.Now().Add(Patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal(otherwise)
		}
	}
}
