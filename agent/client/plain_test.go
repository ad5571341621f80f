package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"patchbay/tasks"
)

// changes are the requests of every method that changes something.
func changes(ctx context.Context, c *Client) map[string]func() error {
	return map[string]func() error{
		"PATCH": func() error {
			_, err := c.PatchTask(ctx, "web", Fields{"enabled": true}, tasks.RunInspect)
			return err
		},
		"DELETE": func() error { return c.DeleteTask(ctx, "web", false) },
		"POST": func() error {
			_, err := c.CreateTask(ctx, Fields{"name": "web"}, tasks.RunNow)
			return err
		},
		"GET": func() error { return c.Health(ctx) },
	}
}

func TestAPlainRequestToATLSServerIsToldWhateverItsMethod(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a plain request was handled") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	client := newClient(t, Options{Address: strings.Replace(s.URL, "https://", "http://", 1)})
	for method, call := range changes(t.Context(), client) {
		t.Run(method, func(t *testing.T) {
			if err := call(); !errors.Is(err, ErrPlain) || !strings.Contains(err.Error(), "sent an HTTP request to an HTTPS server") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// cutting is a server that answers GET and hangs up, or writes garbage, on
// everything else; it counts the former.
func cutting(t *testing.T, garbage string) (address string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked.Add(1)
			_, _ = io.WriteString(w, "{}")
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, garbage)
		_ = conn.Close()
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestAConnectionThatIsCutForAnotherReasonKeepsItsError(t *testing.T) {
	for sentence, c := range map[string]struct{ garbage, want string }{
		"without a word":   {"", "EOF"},
		"in a TLS alert":   {"\x15\x03\x01\x00\x02\x02\x0a", "malformed HTTP"},
		"within an answer": {"HTTP/1.1 200 OK\r\n", "unexpected EOF"},
	} {
		t.Run(sentence, func(t *testing.T) {
			address, asked := cutting(t, c.garbage)
			err := newClient(t, Options{Address: address}).DeleteTask(t.Context(), "web", false)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("it was asked %d times for the reason, want once", n)
			}
		})
	}
}

func TestARefusedConnectionIsNotAskedForAReason(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := newClient(t, Options{Address: address}).DeleteTask(t.Context(), "web", false); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error is %v", err)
	}
}

func TestHTTPSToAPlainServerAndAnUnknownCAAreToldWhateverTheMethod(t *testing.T) {
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was handled") })
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for sentence, c := range map[string]struct {
		options Options
		want    string
	}{
		"plain server": {Options{Address: strings.Replace(plain.URL, "http://", "https://", 1), SkipVerify: true}, "server gave HTTP response to HTTPS client"},
		"unknown CA":   {Options{Address: secure.URL}, "signed by unknown authority"},
	} {
		client := newClient(t, c.options)
		for method, call := range changes(t.Context(), client) {
			t.Run(fmt.Sprintf("%s, %s", sentence, method), func(t *testing.T) {
				if err := call(); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error is %v, want %q", err, c.want)
				}
			})
		}
	}
}
