package httpapi

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAStopLetsTheRequestUnderWayFinish(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	entered, leave := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "done")
	})
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h) }()
	answered := make(chan string, 1)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	go func() {
		res, err := (&http.Client{Transport: transport}).Get("http://" + l.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answered <- string(body)
	}()
	<-entered
	stop()
	// The listener closes first: from then on nobody gets in.
	for {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-served:
		t.Fatalf("Serve returned before its request: %v", err)
	default:
	}
	close(leave)
	if got := <-answered; got != "done" {
		t.Errorf("the request got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeTellsWhyItCannotGoOn(t *testing.T) {
	l := listen(t)
	l.Close()
	if err := Serve(t.Context(), l, http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), "serve HTTP API on 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

func TestARealConnectionMayApproveAndHugeHeadersAreRefused(t *testing.T) {
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	f := newFake()
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, checked(t, New(Options{Reader: f, Operator: f, Prober: f}))) }()
	address := l.Addr().String()
	for request, want := range map[string]string{
		"POST /v1/tasks/web/approve HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}": "HTTP/1.1 200 OK",
		"POST /v1/tasks/web/run HTTP/1.1\r\nHost: " + address + "\r\n\r\n":                                                              "HTTP/1.1 202 Accepted",
		"POST /v1/tasks/web/run HTTP/1.1\r\nHost: evil.example\r\n\r\n":                                                                 "HTTP/1.1 403 Forbidden",
		"GET /v1/tasks/web HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n":                                  "HTTP/1.1 431 Request Header Fields Too Large",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, request)
		got, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%.40q: %q, %v", request, got, err)
		}
		c.Close()
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
