package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/e2e/internal/rig"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
)

// meshed is a world with sidecars that speak mutual TLS: "shop", whose program reaches
// "web" at call, and "web", beside a backend.
type meshed struct {
	*world
	shop, web *rig.Envoy
	// call is where the program of shop reaches web, edge where everybody does by the
	// gateway edge, inbound where the sidecar of web listens for other sidecars.
	call, edge, inbound string
	address             string // of the xDS server
}

// newMesh starts Consul with a CA, Patchbay and both sidecars. The protocol is that of
// web.
func newMesh(t *testing.T, protocol string) *meshed {
	t.Helper()
	m := emptyMesh(t, rig.NewConsulMesh)
	m.start(m.meshConfig(protocol))
	m.web, m.shop = m.sidecar("web"), m.sidecar("shop")
	return m
}

// emptyMesh starts Consul alone.
func emptyMesh(t *testing.T, start func(context.Context, string) (*rig.Consul, error)) *meshed {
	t.Helper()
	m := &meshed{world: emptyWorld(t)}
	m.backends = map[string]*rig.Backend{}
	t.Cleanup(m.saveLogs)
	var err error
	m.consul, err = start(t.Context(), filepath.Join(m.dir, "consul"))
	m.must(err)
	t.Cleanup(func() { m.consul.Kill() })
	m.serve("web", "web-1")
	return m
}

// meshConfig is a configuration of both sidecars, on free ports.
func (m *meshed) meshConfig(protocol string) string {
	m.t.Helper()
	ports, err := rig.Ports(4)
	m.must(err)
	at := func(n int) string { return fmt.Sprintf("127.0.0.1:%d", ports[n]) }
	m.address, m.call, m.inbound, m.edge = at(0), at(1), at(2), at(3)
	return m.config(local, fmt.Sprintf(`
xds { port = %d }

routes "web" { protocol = %q }

sidecar "shop" {
  connect = true
  upstream "web" { port = %d }
}

sidecar "web" {
  connect  = true
  protocol = %q
  port     = %d
  listen {
    address = "127.0.0.1"
    port    = %d
  }
}

gateway "edge" {
  connect = true
  listener {
    port     = %d
    protocol = %q
    service "web" {}
  }
}`, ports[0], protocol, ports[1], protocol, m.backends["web-1"].Port(), ports[2], ports[3], protocol))
}

// sidecar starts the Envoy of a service from the printed bootstrap.
func (m *meshed) sidecar(service string, more ...string) *rig.Envoy {
	m.t.Helper()
	return startEnvoy(m.t, filepath.Join(m.dir, "envoy-"+service), m.bootstrap(append(more, "-service", service)...))
}

func (m *meshed) bootstrap(flags ...string) string {
	m.t.Helper()
	return m.ask(append([]string{"xds", "bootstrap", "-address", m.address}, flags...)...)
}

// get asks web through the sidecar of shop and gives status and body.
func (m *meshed) get(path string) (status int, body string, err error) { return m.getAt(m.call, path) }

// getAt asks web at an address.
func (m *meshed) getAt(address, path string) (status int, body string, err error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Get("http://" + address + path)
	if err != nil {
		return 0, "", err
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	return got.StatusCode, string(b), err
}

// becomes waits until web answers a path with a status.
func (m *meshed) becomes(path string, status int) {
	m.t.Helper()
	m.must(rig.Until(m.t.Context(), limit, func() error {
		got, body, err := m.get(path)
		if err == nil && got != status {
			err = fmt.Errorf("%s answers %d %q, want %d", path, got, body, status)
		}
		return err
	}))
}

// versions are those of what an Envoy has of a type, by name.
func (m *meshed) versions(e *rig.Envoy, kind string) map[string]string {
	m.t.Helper()
	dump, err := e.ConfigDump()
	m.must(err)
	out := map[string]string{}
	for _, r := range dump {
		if strings.HasSuffix(r.Type, "."+kind) && r.State == "active" {
			out[r.Name] = r.Version
		}
	}
	if len(out) == 0 {
		m.t.Fatalf("Envoy has no %s", kind)
	}
	return out
}

func TestSidecarsSpeakMutualTLSWithCertificatesOfConsulsCA(t *testing.T) {
	t.Parallel()
	m := newMesh(t, "http")
	m.becomes("/", http.StatusOK)
	if _, body, err := m.get("/"); err != nil || body != "web-1" {
		t.Errorf("web answers %q, %v", body, err)
	}
	stats, err := m.web.Stats("listener.127.0.0.1_" + m.inbound[strings.LastIndex(m.inbound, ":")+1:] + ".ssl.handshake")
	m.must(err)
	shaken := uint64(0)
	for _, n := range stats {
		shaken += n
	}
	if shaken == 0 {
		t.Errorf("the sidecar of web saw no TLS handshake: %v", stats)
	}
	m.refuses("without a certificate", &tls.Config{InsecureSkipVerify: true})
	plain, err := http.Get("http://" + m.inbound + "/")
	if err == nil {
		plain.Body.Close()
		t.Errorf("the sidecar of web answers %d without TLS", plain.StatusCode)
	}
}

// refuses tells that the sidecar of web takes no request over TLS of the kind.
func (m *meshed) refuses(how string, config *tls.Config) {
	m.t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	got, err := client.Get("https://" + m.inbound + "/")
	if err == nil {
		got.Body.Close()
		m.t.Errorf("the sidecar of web answers %d %s", got.StatusCode, how)
		return
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		m.t.Errorf("the sidecar of web could not be asked %s: %v", how, err)
	}
}

func TestACertificateIsRotatedWithoutADroppedRequest(t *testing.T) {
	t.Parallel()
	m := newMesh(t, "http")
	m.becomes("/", http.StatusOK)
	listeners := map[*rig.Envoy]map[string]string{m.web: m.versions(m.web, "Listener"), m.shop: m.versions(m.shop, "Listener")}
	clusters := m.versions(m.shop, "Cluster")
	before := map[*rig.Envoy]map[string]string{m.web: m.versions(m.web, "Secret"), m.shop: m.versions(m.shop, "Secret")}
	load := m.load()
	m.changeCA()
	for _, e := range []*rig.Envoy{m.web, m.shop} {
		m.must(rig.Until(t.Context(), limit, func() error {
			for name, version := range m.versions(e, "Secret") {
				if version == before[e][name] {
					return fmt.Errorf("%s is still the old one", name)
				}
			}
			return nil
		}))
	}
	m.becomes("/", http.StatusOK)
	requests, failures := load()
	if requests < 100 || len(failures) > 0 {
		t.Errorf("%d of %d requests failed: %v", len(failures), requests, failures)
	}
	t.Logf("%d requests, %d failed", requests, len(failures))
	for e, versions := range listeners {
		for name, version := range m.versions(e, "Listener") {
			if version != versions[name] {
				t.Errorf("listener %s was sent anew", name)
			}
		}
	}
	for name, version := range m.versions(m.shop, "Cluster") {
		if version != clusters[name] {
			t.Errorf("cluster %s was sent anew", name)
		}
	}
}

// load asks web all the time, each time by a new connection, until the function that
// it gives is called.
func (m *meshed) load() (end func() (requests int, failures []string)) {
	stop, done := make(chan struct{}), make(chan struct{})
	requests, failures := 0, []string(nil)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			requests++
			if status, body, err := m.get("/"); err != nil || status != http.StatusOK {
				failures = append(failures, fmt.Sprintf("request %d: %d %q %v", requests, status, body, err))
			}
		}
	}()
	return func() (int, []string) {
		close(stop)
		<-done
		return requests, failures
	}
}

// changeCA makes Consul's CA take another key, and with it all certificates anew.
func (m *meshed) changeCA() {
	m.t.Helper()
	config, _, err := m.consul.Client.Connect().CAGetConfig(nil)
	m.must(err)
	config.Config["PrivateKeyType"], config.Config["PrivateKeyBits"] = "rsa", 2048
	_, err = m.consul.Client.Connect().CASetConfig(config, &api.WriteOptions{})
	m.must(err)
}

// intend writes the intentions for web; none takes them away.
func (m *meshed) intend(sources ...*api.SourceIntention) {
	m.t.Helper()
	entries := m.consul.Client.ConfigEntries()
	if len(sources) == 0 {
		_, err := entries.Delete(api.ServiceIntentions, "web", nil)
		m.must(err)
		return
	}
	_, _, err := entries.Set(&api.ServiceIntentionsConfigEntry{Kind: api.ServiceIntentions, Name: "web", Sources: sources}, nil)
	m.must(err)
}

func TestADeniedIntentionIsRefused(t *testing.T) {
	t.Parallel()
	m := newMesh(t, "http")
	_, _, err := m.consul.Client.ConfigEntries().Set(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web", Protocol: "http"}, nil)
	m.must(err)
	m.becomes("/", http.StatusOK)
	listeners := m.versions(m.web, "Listener")
	m.intend(&api.SourceIntention{Name: "*", Action: api.IntentionActionDeny})
	m.becomes("/", http.StatusForbidden)
	long := strings.Repeat("payments-of-the-north.", 5) + "eu" // longer than a pattern that Envoy takes
	m.intend(&api.SourceIntention{Name: "shop", Action: api.IntentionActionAllow}, &api.SourceIntention{Name: long, Action: api.IntentionActionAllow},
		&api.SourceIntention{Name: "*", Action: api.IntentionActionDeny})
	m.becomes("/", http.StatusOK)
	m.intend(&api.SourceIntention{Name: "shop", Permissions: []*api.IntentionPermission{
		{Action: api.IntentionActionDeny, HTTP: &api.IntentionHTTPPermission{PathPrefix: "/admin"}},
		{Action: api.IntentionActionAllow, HTTP: &api.IntentionHTTPPermission{PathPrefix: "/", Methods: []string{"GET"}}},
		{Action: api.IntentionActionDeny, HTTP: &api.IntentionHTTPPermission{PathPrefix: "/"}},
	}})
	m.becomes("/admin", http.StatusForbidden)
	for path, want := range map[string]int{"/": http.StatusOK, "/admin/x": http.StatusForbidden, "//admin": http.StatusForbidden,
		"/x/../admin": http.StatusForbidden, "/x?y=/admin": http.StatusOK} {
		if got, body, err := m.get(path); err != nil || got != want {
			t.Errorf("%s answers %d %q, %v, want %d", path, got, body, err, want)
		}
	}
	posted, err := http.Post("http://"+m.call+"/", "text/plain", strings.NewReader("x"))
	m.must(err)
	posted.Body.Close()
	if posted.StatusCode != http.StatusForbidden {
		t.Errorf("POST answers %d", posted.StatusCode)
	}
	m.intend()
	m.becomes("/admin", http.StatusOK)
	if diff := cmp.Diff(listeners, m.versions(m.web, "Listener")); diff != "" {
		t.Errorf("an intention changed a listener, which drains its connections:\n%s", diff)
	}
}

func TestADeniedConnectionOfTCPIsClosed(t *testing.T) {
	t.Parallel()
	m := newMesh(t, "tcp")
	m.becomes("/", http.StatusOK)
	m.intend(&api.SourceIntention{Name: "shop", Action: api.IntentionActionDeny})
	m.must(rig.Until(t.Context(), limit, func() error {
		if status, _, err := m.get("/"); err == nil {
			return fmt.Errorf("web still answers %d", status)
		}
		return nil
	}))
	denied, err := m.web.Stats("tcp.connect_authz")
	m.must(err)
	more, err := m.web.Stats("connect_authz")
	m.must(err)
	if denied["tcp.connect_authz.rbac.denied"]+more["connect_authz.rbac.denied"] == 0 {
		t.Errorf("the sidecar of web denied nothing: %v %v", denied, more)
	}
	m.intend()
	m.becomes("/", http.StatusOK)
}

func TestAnEnvoyIsAdmittedByTheTokenOfItsService(t *testing.T) {
	t.Parallel()
	m := emptyMesh(t, rig.NewConsulGuarded)
	secrets := map[string]string{}
	token := func(name, rules string) (file string) {
		secret, err := m.consul.NewToken(name, rules)
		m.must(err)
		secrets[name] = secret
		file = filepath.Join(m.dir, name+".token")
		m.must(os.WriteFile(file, []byte(secret+"\n"), 0o600))
		return file
	}
	token("patchbay", `service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
service "web" { policy = "write" }
service "shop" { policy = "write" }
service_prefix "patchbay" { policy = "write" }`)
	shop, web := token("shop", `service "shop" { policy = "write" }`), token("web", `service "web" { policy = "write" }`)
	m.start(strings.Replace(m.meshConfig("http"), "consul {\n", "consul {\n  token = "+rig.HCLString(secrets["patchbay"])+"\n", 1))
	m.web, m.shop = m.sidecar("web", "-token-file", web), m.sidecar("shop", "-token-file", shop)
	m.becomes("/", http.StatusForbidden) // Consul denies by default, and no intention allows
	m.intend(&api.SourceIntention{Name: "shop", Action: api.IntentionActionAllow})
	m.becomes("/", http.StatusOK)
	thief, err := rig.LaunchEnvoy(t.Context(), filepath.Join(m.dir, "envoy-thief"), m.bootstrap("-service", "web", "-node", "thief", "-token-file", shop))
	m.must(err)
	endWith(t, thief.Process)
	m.must(rig.Until(t.Context(), limit, func() error {
		if !strings.Contains(thief.Output(), "does not entitle") {
			return errors.New("the Envoy with the token of another service was not refused")
		}
		return nil
	}))
	dump, err := thief.ConfigDump()
	m.must(err)
	for _, r := range dump {
		if strings.HasSuffix(r.Type, ".Secret") || strings.HasSuffix(r.Type, ".Listener") {
			t.Errorf("it has %s %s", r.Type, r.Name)
		}
	}
	log := m.patchbay.Output()
	for name, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("the token of %s is in the log", name)
		}
	}
	if strings.Contains(log, "PRIVATE KEY") {
		t.Error("a key is in the log")
	}
}

func TestAGatewayReachesASidecarByItsOwnIdentity(t *testing.T) {
	t.Parallel()
	m := emptyMesh(t, rig.NewConsulMesh)
	m.start(m.meshConfig("http"))
	m.web = m.sidecar("web")
	startEnvoy(t, filepath.Join(m.dir, "envoy-edge"), m.bootstrap("-gateway", "edge"))
	answers := func(want int) {
		t.Helper()
		m.must(rig.Until(t.Context(), limit, func() error {
			got, body, err := m.getAt(m.edge, "/")
			if err == nil && got != want {
				err = fmt.Errorf("the gateway answers %d %q, want %d", got, body, want)
			}
			return err
		}))
	}
	answers(http.StatusOK)
	m.intend(&api.SourceIntention{Name: "edge", Action: api.IntentionActionDeny})
	answers(http.StatusForbidden)
	m.intend(&api.SourceIntention{Name: "edge", Action: api.IntentionActionAllow}, &api.SourceIntention{Name: "*", Action: api.IntentionActionDeny})
	answers(http.StatusOK)
}
