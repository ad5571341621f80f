package azure

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/templates/internal/azure/rules"
)

// What every stand-in has: one subscription with one resource group, and one client that
// may log in.
const (
	Subscription  = rules.Subscription
	Tenant        = "00000000-0000-0000-0000-00000000cafe"
	ResourceGroup = rules.ResourceGroup
	clientID      = "00000000-0000-0000-0000-00000000c11e"
	clientSecret  = "not-a-secret"
)

// maxBody is what ARM takes in one request.
const maxBody = 4 << 20

// Body is a JSON object.
type Body = rules.Body

// Request is one that the stand-in answered, also with an error.
type Request struct {
	Method, Path string
	Status       int
	Body         []byte
}

// Server is a running stand-in. It serves on loopback until its test ends.
type Server struct {
	web *httptest.Server
	ca  string

	mu         sync.Mutex
	objects    map[string]*rules.Object
	operations map[string]*operation
	faults     []*Fault
	requests   []Request
	revision   int
	delay      bool
	waited     time.Duration
}

// Start runs a stand-in that holds one empty resource group.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{objects: map[string]*rules.Object{}, operations: map[string]*operation{}}
	s.web = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.web.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.web.StartTLS()
	tb.Cleanup(s.web.Close)
	s.ca = filepath.Join(tb.TempDir(), "ca.pem")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.web.Certificate().Raw})
	if err := os.WriteFile(s.ca, authority, 0o600); err != nil {
		tb.Fatalf("write certificate: %v", err)
	}
	return s
}

// Host is the stand-in's host:port, which the provider's metadata_host takes.
func (s *Server) Host() string { return s.web.Listener.Addr().String() }

// Env is the environment by which the azurerm provider finds and trusts the stand-in.
func (s *Server) Env() []string {
	return []string{
		"ARM_METADATA_HOSTNAME=" + s.Host(), "SSL_CERT_FILE=" + s.ca,
		"ARM_SUBSCRIPTION_ID=" + Subscription, "ARM_TENANT_ID=" + Tenant,
		"ARM_CLIENT_ID=" + clientID, "ARM_CLIENT_SECRET=" + clientSecret,
		"ARM_USE_CLI=false", "ARM_USE_MSI=false", "ARM_USE_OIDC=false",
	}
}

// ID makes the id of an object in the stand-in's resource group, of a path such as
// Microsoft.Network/ipGroups/web.
func ID(path string) string { return rules.ID(path) }

// Requests gives those since the start or the last Forget, without logins.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Forget clears the list of requests.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Count tells how many requests had the method and a path that contains part.
func (s *Server) Count(method, part string) int {
	count := 0
	for _, r := range s.Requests() {
		if r.Method == method && strings.Contains(strings.ToLower(r.Path), strings.ToLower(part)) {
			count++
		}
	}
	return count
}

// Delay makes clients wait 10 s before they poll, as ARM's own do; otherwise answers
// carry the header that lets them do without.
func (s *Server) Delay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = true
}

// Client trusts the stand-in.
func (s *Server) Client() *http.Client { return s.web.Client() }

// Pass counts time that a client of Azure would have waited, for polls and retries: no
// test waits for it.
func (s *Server) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited += d
}

// Waited is the time that was passed since the start.
func (s *Server) Waited() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waited
}

// answer is what goes back to a client.
type answer struct {
	status int
	header map[string]string
	body   any
}

// told puts a refusal into ARM's shape of an error.
func told(r *rules.Refusal) answer {
	return answer{status: r.Status, body: Body{"error": Body{"code": r.Code, "message": r.Message}}}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, cut := s.answer(r, body)
	if strings.HasPrefix(r.URL.Path, "/subscriptions/") {
		s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Status: a.status, Body: body})
	}
	if cut {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	if !s.delay {
		w.Header().Set(SkipDelay, "true")
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	_ = json.NewEncoder(w).Encode(a.body)
}

// answer finds what a request is for. cut means that the client gets no answer.
func (s *Server) answer(r *http.Request, body []byte) (a answer, cut bool) {
	switch path := strings.ToLower(r.URL.Path); {
	case path == "/metadata/endpoints":
		return s.metadata(), false
	case path == "/"+Tenant+"/oauth2/v2.0/token":
		return token(r, body), false
	case !strings.HasPrefix(path, "/subscriptions/"):
		return told(rules.Refuse(http.StatusNotFound, "InvalidResourceType", "there is nothing at %s", r.URL.Path)), false
	}
	if refused := admit(r, body); refused != nil {
		return told(refused), false
	}
	return s.manage(r, body)
}
