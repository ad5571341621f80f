package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/google/go-cmp/cmp"
)

// fleet is a world with Envoys.
type fleet struct {
	*world
	port  int // of the xDS server
	doors []int
	// unchecked are instances that are registered without a check.
	unchecked bool
}

// newFleet makes a world with free ports for so many listeners of Envoys.
func newFleet(t *testing.T, doors int) *fleet {
	t.Helper()
	f := &fleet{world: newWorld(t)}
	ports, err := rig.Ports(doors + 1)
	f.must(err)
	f.port, f.doors = ports[0], ports[1:]
	return f
}

// declares is a configuration of this fleet.
func (f *fleet) declares(blocks ...string) string {
	return f.config(local, append([]string{fmt.Sprintf("xds {\n  port = %d\n}", f.port)}, blocks...)...)
}

// reload changes the configuration and has it taken over.
func (f *fleet) reload(blocks ...string) {
	f.t.Helper()
	f.file("patchbay.hcl", f.declares(blocks...))
	f.send("POST", "/v1/reload", "", 200)
}

// node is what an Envoy of the fleet calls itself.
func node(kind, name string) string { return kind + "-" + name }

// envoy starts an Envoy from the bootstrap that Patchbay prints: kind is service or
// gateway.
func (f *fleet) envoy(kind, name string) *rig.Envoy {
	f.t.Helper()
	return startEnvoy(f.t, filepath.Join(f.dir, node(kind, name)), f.bootstrap(kind, name))
}

func (f *fleet) bootstrap(kind, name string) string {
	f.t.Helper()
	return f.ask("xds", "bootstrap", "-"+kind, name, "-node", node(kind, name), "-address", fmt.Sprintf("127.0.0.1:%d", f.port))
}

// app starts apps that are instances of a service, with metadata as "name=value".
func (f *fleet) app(service, id string, meta ...string) *rig.App {
	f.t.Helper()
	a, err := rig.NewApp(id)
	f.must(err)
	f.t.Cleanup(func() { f.check(a.Close()) })
	f.register(service, id, a.Port(), meta...)
	return a
}

func (f *fleet) register(service, id string, port int, meta ...string) {
	f.t.Helper()
	i := rig.Instance{ID: id, Service: service, Port: port, Meta: map[string]string{}, Unchecked: f.unchecked}
	for _, m := range meta {
		name, value, _ := strings.Cut(m, "=")
		i.Meta[name] = value
	}
	f.must(f.consul.RegisterInstance(i))
}

// gatewayTo is a gateway "edge" with one listener, which leads to a service.
func (f *fleet) gatewayTo(service string) string {
	return fmt.Sprintf("gateway \"edge\" {\n  listener {\n    port = %d\n    service %q {}\n  }\n}", f.doors[0], service)
}

// caller makes requests of one address, over connections that are kept.
type caller struct {
	client *http.Client
	url    string
}

// knock makes a caller of a port of loopback.
func knock(t *testing.T, port int) caller {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return caller{url: fmt.Sprintf("http://127.0.0.1:%d", port), client: &http.Client{Transport: transport, Timeout: limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// reply is an answer; Echo is what the app said, if it was one.
type reply struct {
	Status int
	Header http.Header
	Body   string
	rig.Echo
}

// call makes a request as "METHOD /path" with headers as "name: value".
func (c caller) call(what string, headers ...string) (reply, error) {
	return c.send(nil, what, headers...)
}

// send is call with a body.
func (c caller) send(body io.Reader, what string, headers ...string) (reply, error) {
	method, path, _ := strings.Cut(what, " ")
	r, err := http.NewRequestWithContext(context.Background(), method, c.url+path, body)
	if err != nil {
		return reply{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Add(name, value); name == "Host" {
			r.Host = value
		}
	}
	got, err := c.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	out := reply{Status: got.StatusCode, Header: got.Header, Body: string(text)}
	_ = json.Unmarshal(text, &out.Echo) // what is none stays in Body
	return out, err
}

// served gives who answered a request that must succeed.
func (c caller) served(what string, headers ...string) (id string, err error) {
	got, err := c.call(what, headers...)
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", what, got.Status, got.Body)
	}
	return got.ID, err
}

// put is a request that the client's library never repeats by itself, so that every
// failure is seen: it has a body that can be read once.
func (c caller) put() (id string, err error) {
	got, err := c.send(io.MultiReader(strings.NewReader("x")), "POST /")
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("%d %s", got.Status, got.Body)
	}
	return got.ID, err
}

// eventually waits until a request is answered by one.
func (f *fleet) eventually(c caller, id string, headers ...string) {
	f.t.Helper()
	f.must(rig.Until(f.t.Context(), limit, func() error {
		got, err := c.served("GET /", headers...)
		if err == nil && got != id {
			err = fmt.Errorf("answered by %q, want %q", got, id)
		}
		return err
	}))
}

// shown is a resource in the table of xds show.
var shown = regexp.MustCompile(`(?m)^\s+([CELSR]DS)\s+(\S+)\s+(\S+)$`)

// agrees waits until what Patchbay shows of a node is what Envoy itself has,
// and that is something.
func (f *fleet) agrees(node string, e *rig.Envoy) {
	f.t.Helper()
	err := rig.Until(f.t.Context(), limit, func() error {
		told := map[string]string{}
		for _, m := range shown.FindAllStringSubmatch(f.ask("xds", "show", node), -1) {
			told[m[1]+" "+m[2]] = m[3]
			if m[1] == "EDS" { // Envoy does not tell the version of endpoints
				told["EDS "+m[2]] = ""
			}
		}
		has, err := taken(e)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(has, told); diff != "" || len(has) == 0 {
			return fmt.Errorf("%s (-Envoy +Patchbay):\n%s", node, diff)
		}
		return nil
	})
	f.check(err)
}

// taken is what an Envoy took of a server: the version of every resource.
func taken(e *rig.Envoy) (map[string]string, error) {
	resources, err := e.ConfigDump()
	if err != nil {
		return nil, err
	}
	short := map[string]string{"Cluster": "CDS", "Listener": "LDS", "RouteConfiguration": "RDS", "ClusterLoadAssignment": "EDS"}
	out := map[string]string{}
	for _, r := range resources {
		kind := short[r.Type[strings.LastIndex(r.Type, ".")+1:]]
		inline := kind == "EDS" && r.Name == "local_app" // the program beside a sidecar
		if kind != "" && r.State == "active" && !inline {
			out[kind+" "+r.Name] = r.Version
		}
	}
	return out, nil
}
