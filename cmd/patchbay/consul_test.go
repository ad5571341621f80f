package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// newConsul is a Consul with a leader and the service web, of which there is no
// instance, and with nothing else. It answers in what the environment calls CONSUL.
func newConsul(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Consul-Index", "5")
		w.Header().Set("X-Consul-Knownleader", "true")
		w.Header().Set("X-Consul-Lastcontact", "0")
		switch {
		case r.URL.Path == "/v1/status/leader":
			_, _ = io.WriteString(w, `"127.0.0.1:8300"`)
		case r.URL.Path != "/v1/health/service/web":
			http.NotFound(w, r)
		case r.URL.Query().Get("index") == "5":
			<-r.Context().Done() // nothing changes
		default:
			_, _ = io.WriteString(w, "[]")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}
