package chain

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const registeredFile = "testdata/registration/shop.txtar"

func TestARegistrationIsTakenOverOrNamed(t *testing.T) {
	a, err := txtar.ParseFile(registeredFile)
	if err != nil {
		t.Fatal(err)
	}
	s, unserved, err := Sidecar("shop", a.Files[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(brief(t, map[string]any{"Sidecar": s, "Unserved": unserved}), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		a.Files = append(a.Files[:1:1], txtar.File{Name: "want.json", Data: got})
		if err := os.WriteFile(registeredFile, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(a.Files[1].Data), string(got)); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestARegistrationThatCannotBeServedIsRefusedOrNamed(t *testing.T) {
	in := func(proxy string) string {
		return `{"Datacenter":"dc1","Port":21000,"Proxy":{"DestinationServiceName":"shop","LocalServicePort":8080,` + proxy + `}}`
	}
	for name, c := range map[string]struct {
		text, refused string
		unserved      []string
	}{
		"no JSON":                     {"{", "unexpected end", nil},
		"another service's":           {`{"Port":1,"Proxy":{"DestinationServiceName":"web"}}`, `it is that of "web"`, nil},
		"two listeners on one port":   {in(`"Upstreams":[{"DestinationName":"web","LocalBindPort":21000}]`), "port 21000 of the same address", nil},
		"an upstream without a port":  {in(`"Upstreams":[{"DestinationName":"web"}]`), "needs a port to listen on", nil},
		"an address that is a name":   {in(`"Config":{"bind_address":"example.com"}`), "no IP address", nil},
		"a port below nothing":        {in(`"Config":{"bind_port":-5}`), "is no port", nil},
		"a limit below nothing":       {in(`"Config":{"max_inbound_connections":-1}`), "a limit is negative", nil},
		"a time that is none":         {in(`"Upstreams":[{"DestinationName":"web","LocalBindPort":1,"Config":{"passive_health_check":{"interval":"soon"}}}]`), "outlier_detection.interval: it is negative", nil},
		"settings without a listener": {in(`"Upstreams":[{"DestinationName":"web","CentrallyConfigured":true}]`), "", nil},
		"a prepared query":            {in(`"Upstreams":[{"DestinationType":"prepared_query","DestinationName":"q","LocalBindPort":1}]`), "", []string{"upstream q: it is a prepared_query"}},
		"an upstream of a peer":       {in(`"Upstreams":[{"DestinationName":"web","DestinationPeer":"other","LocalBindPort":1}]`), "", []string{"upstream web of peer other: instances of a cluster peer cannot be reached"}},
		"an upstream at a socket":     {in(`"Upstreams":[{"DestinationName":"web","LocalBindSocketPath":"/x"}]`), "", []string{"upstream web at the socket /x"}},
		"another admin partition":     {in(`"Upstreams":[{"DestinationName":"web","DestinationPartition":"p","LocalBindPort":1}]`), "", []string{"upstream web of admin partition p"}},
		"Envoy's own configuration":   {in(`"Upstreams":[{"DestinationName":"web","LocalBindPort":1,"Config":{"envoy_cluster_json":"{}"}}]`), "", []string{"upstream web: envoy_cluster_json"}},
		"a transparent proxy":         {in(`"Mode":"transparent"`), "", []string{"mode transparent: only upstreams with a port are served"}},
		"what is not known":           {in(`"Later":{"Mode":"x"}`), "", []string{"Proxy.Later has no counterpart"}},
		"logs in a format of its own": {in(`"AccessLogs":{"Enabled":true,"TextFormat":"%START_TIME%"}`), "", []string{"format of the access log: Patchbay's own is used"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, unserved, err := Sidecar("shop", []byte(c.text))
			switch {
			case c.refused == "" && err != nil:
				t.Fatal(err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
				t.Fatalf("%q is not the reason: %v", c.refused, err)
			}
			if d := cmp.Diff(c.unserved, unserved); d != "" {
				t.Errorf("unserved (-want +got):\n%s", d)
			}
		})
	}
}

// FuzzAHostileRegistrationIsValidOrRefused reads any text.
func FuzzAHostileRegistrationIsValidOrRefused(f *testing.F) {
	a, err := txtar.ParseFile(registeredFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.Files[0].Data)
	for _, text := range []string{"", "null", "{}", `{"Proxy":{"DestinationServiceName":"shop","Config":{"bind_port":1e300}}}`,
		`{"Proxy":{"DestinationServiceName":"shop","Upstreams":[null,{"Config":{"passive_health_check":{"interval":"soon"}}}]}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, _, err := Sidecar("shop", text)
		if err != nil {
			return
		}
		if err := validate(s); err != nil || s.Service != "shop" {
			t.Errorf("%v is taken: %v", s, err)
		}
	})
}
