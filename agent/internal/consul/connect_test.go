package consul

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
)

// pair makes a certificate that signs itself, and its key, both in PEM.
func pair(t *testing.T, ca bool, ids ...string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true}
	for _, id := range ids {
		u, err := url.Parse(id)
		if err != nil {
			t.Fatal(err)
		}
		form.URIs = append(form.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", secret)
}

func TestACertificateIsTakenWithItsKeyAndForItsServiceAlone(t *testing.T) {
	const id = "spiffe://td.consul/ns/default/dc/dc7/svc/web"
	good, goodKey := pair(t, false, id)
	_, otherKey := pair(t, false, id)
	two, twoKey := pair(t, false, id, id+"2")
	none, noneKey := pair(t, false)
	shop, shopKey := pair(t, false, "spiffe://td.consul/ns/default/dc/dc7/svc/shop")
	agent, agentKey := pair(t, false, "spiffe://td.consul/agent/client/dc/dc7/id/web")
	for name, c := range map[string]struct {
		cert, key, fault string
	}{
		"a certificate of the service": {good, goodKey, ""},
		"the key of another":           {good, otherKey, "not of each other"},
		"no key":                       {good, "", "not of each other"},
		"no certificate":               {"nothing", goodKey, "not of each other"},
		"two identities":               {two, twoKey, "or several"},
		"no identity":                  {none, noneKey, "no identity"},
		"another service":              {shop, shopKey, "somebody else"},
		"an agent":                     {agent, agentKey, "somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			datacenter, err := checkLeaf("web", &api.LeafCert{CertPEM: c.cert, PrivateKeyPEM: c.key})
			switch {
			case c.fault == "" && (err != nil || datacenter != "dc7"):
				t.Errorf("got %q, %v", datacenter, err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("got %v, want %q", err, c.fault)
			case err != nil && c.key != "" && strings.Contains(err.Error(), c.key):
				t.Error("the error tells the key")
			}
		})
	}
}

func TestRootsAreCertificatesOfAuthorities(t *testing.T) {
	one, _ := pair(t, true)
	two, _ := pair(t, true)
	leaf, _ := pair(t, false)
	root := func(list ...string) *api.CARootList {
		out := &api.CARootList{TrustDomain: "td.consul"}
		for _, text := range list {
			out.Roots = append(out.Roots, &api.CARoot{ID: "r", RootCertPEM: text})
		}
		return out
	}
	odd := root(one)
	odd.TrustDomain = "td.consul/ns"
	for name, c := range map[string]struct {
		list *api.CARootList
		want int
	}{
		"one":                         {root(one), 1},
		"two during a change":         {root(one, two), 2},
		"none":                        {root(), 0},
		"no answer":                   {nil, 0},
		"no certificate":              {root("nothing"), 0},
		"one that is not of a CA":     {root(one, leaf), 0},
		"a trust domain with a slash": {odd, 0},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := authorities(c.list)
			if got := strings.Count(text, "BEGIN CERTIFICATE"); got != c.want || (err == nil) != (c.want > 0) {
				t.Errorf("%d certificates, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestAnIntentionThatCannotBeEnforcedDenies(t *testing.T) {
	source := mesh.Source{Name: "shop", Namespace: "default"}
	denies := mesh.Intention{Source: source, Precedence: 9}
	for name, c := range map[string]struct {
		text  string
		want  mesh.Intention
		fault string
	}{
		"an allow":       {`"Action": "allow"`, mesh.Intention{Source: source, Precedence: 9, Allow: true}, ""},
		"a deny":         {`"Action": "deny"`, denies, ""},
		"no word":        {`"Description": "x"`, denies, ""},
		"a permission":   {`"Permissions": [{"Action": "allow", "HTTP": {"PathExact": "/a"}}]`, mesh.Intention{Source: source, Precedence: 9, Permissions: []mesh.Permission{{Allow: true, Match: mesh.Match{Path: "/a"}}}}, ""},
		"a token of all": {`"Action": "allow", "JWT": {"Providers": [{"Name": "idp"}]}`, denies, "JSON Web Token"},
		"a token of one permission": {`"Permissions": [{"Action": "allow", "JWT": {"Providers": []}}]`,
			mesh.Intention{Source: source, Precedence: 9, Permissions: []mesh.Permission{{Allow: true, Token: true}}}, ""},
		"an expression that Envoy refuses": {`"Permissions": [{"Action": "allow", "HTTP": {"PathRegex": "/(a"}}]`, denies, "permission 1"},
		"a header whose name is none":      {`"Permissions": [{"Action": "allow", "HTTP": {"Header": [{"Name": "a b", "Present": true}]}}]`, denies, "permission 1"},
		"a permission that is null":        {`"Permissions": [null]`, denies, "null"},
		"a sameness group":                 {`"Action": "allow", "SourceSamenessGroup": "all"`, denies, "sameness"},
		"more permissions than are taken":  {`"Permissions": [` + strings.Repeat(`{"Action": "allow"},`, maxPermissions) + `{"Action": "allow"}]`, denies, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			var i intention
			text := `{"SourceName": "shop", "SourceNS": "default", "Precedence": 9, ` + c.text + `}`
			if err := json.Unmarshal([]byte(text), &i); err != nil {
				t.Fatal(err)
			}
			got, err := i.decode()
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
			if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
}
