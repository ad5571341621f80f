package consul

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"patchbay/xds"
	"patchbay/xds/mesh"

	"github.com/hashicorp/consul/api"
)

const (
	// maxIntentions bounds the intentions for one service, maxPermissions those of one
	// intention, maxRoots the certificates that are trusted at once.
	maxIntentions, maxPermissions, maxRoots = 10_000, 256, 64
	maxDomain                               = 253
)

// readRoots takes all certificates over that Consul's CA trusts now. During a change
// of the CA there are several: sidecars must trust the new one before anybody shows a
// certificate of it, and the old one until nobody does.
func (c *Connect) readRoots(opts *api.QueryOptions) (*api.QueryMeta, error) {
	got, meta, err := c.client.api.Connect().CARoots(opts)
	if err != nil {
		return nil, fmt.Errorf("read roots: %w", err)
	}
	text, err := authorities(got)
	if err != nil {
		return nil, refusal("roots", err)
	}
	secret, err := xds.NewRoots(got.TrustDomain, text)
	if err != nil {
		return nil, refusal("roots", err)
	}
	c.tell(xds.News{Roots: secret, Authorities: text}, mesh.Trust{Domain: got.TrustDomain})
	return meta, nil
}

func authorities(list *api.CARootList) (string, error) {
	if list == nil || len(list.Roots) == 0 || len(list.Roots) > maxRoots {
		return "", fmt.Errorf("it lists no certificate, or more than %d", maxRoots)
	}
	if d := list.TrustDomain; d == "" || len(d) > maxDomain || (&url.URL{Host: d}).Hostname() != d || strings.ContainsAny(d, "/?#@ ") {
		return "", errors.New("its trust domain is no name")
	}
	var out strings.Builder
	for _, r := range list.Roots {
		block, _ := pem.Decode([]byte(r.RootCertPEM))
		if block == nil {
			return "", fmt.Errorf("root %q is no certificate", r.ID)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("root %q is no certificate: %w", r.ID, err)
		}
		if !cert.IsCA {
			return "", fmt.Errorf("root %q is not of a CA", r.ID)
		}
		out.Write(pem.EncodeToMemory(block))
	}
	return out.String(), nil
}

// leafReader reads the certificate and key of a service. Consul's agent renews it in
// time, which ends the wait.
func (c *Connect) leafReader(service string) func(*api.QueryOptions) (*api.QueryMeta, error) {
	return func(opts *api.QueryOptions) (*api.QueryMeta, error) {
		got, meta, err := c.client.api.Agent().ConnectCALeaf(url.PathEscape(service), opts)
		if err != nil {
			return nil, fmt.Errorf("read certificate of %s: %w", service, err)
		}
		datacenter, err := checkLeaf(service, got)
		if err != nil {
			return nil, refusal("certificate of "+service, err)
		}
		secret, err := xds.NewLeaf(service, got.CertPEM, got.PrivateKeyPEM)
		if err != nil {
			return nil, refusal("certificate of "+service, err)
		}
		c.client.log.Debug("certificate was taken", "service", service, "serial", got.SerialNumber, "until", got.ValidBefore)
		c.tell(xds.News{Leaves: map[string]*xds.Resource{service: secret}}, mesh.Trust{Datacenter: datacenter})
		return meta, nil
	}
}

// checkLeaf tells whether a certificate is one of the service with its key, and in
// which datacenter. Errors never hold what was read.
func checkLeaf(service string, leaf *api.LeafCert) (datacenter string, err error) {
	pair, err := tls.X509KeyPair([]byte(leaf.CertPEM), []byte(leaf.PrivateKeyPEM))
	if err != nil {
		return "", errors.New("certificate and key are not of each other")
	}
	if len(pair.Leaf.URIs) != 1 {
		return "", errors.New("it has no identity, or several")
	}
	id, ok := mesh.ParseID(pair.Leaf.URIs[0])
	if !ok || id.Service != service {
		return "", errors.New("it is of somebody else")
	}
	return id.Datacenter, nil
}

// intention is one with what the library leaves out: the demand of a token that holds
// for all that the intention allows.
type intention struct {
	api.Intention
	JWT json.RawMessage
}

// intentionReader reads who may call a service.
func (c *Connect) intentionReader(service string) func(*api.QueryOptions) (*api.QueryMeta, error) {
	query := url.Values{"by": {"destination"}, "name": {service}}
	var told mesh.Intentions
	return func(opts *api.QueryOptions) (*api.QueryMeta, error) {
		var got map[string][]*intention
		ctx := context.WithValue(opts.Context(), queryKey{}, query)
		meta, err := c.client.api.Raw().Query("/v1/connect/intentions/match", &got, opts.WithContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("read intentions for %s: %w", service, err)
		}
		list, there := got[service]
		if !there || len(list) > maxIntentions {
			return nil, refusal("intentions for "+service, fmt.Errorf("it does not tell of the service, or lists more than %d", maxIntentions))
		}
		out := mesh.Intentions{Deny: meta.DefaultACLPolicy == "deny"}
		var faults []string
		for _, i := range list {
			if i == nil {
				return nil, refusal("intentions for "+service, errors.New("one is null"))
			}
			one, why := i.decode()
			if why != nil {
				faults = append(faults, fmt.Sprintf("from %q: %v", i.SourceName, why))
			}
			out.List = append(out.List, one)
		}
		if len(faults) > 0 && !reflect.DeepEqual(out, told) {
			c.client.log.Warn("intentions cannot be enforced as they are, they deny", "service", service, "why", strings.Join(faults[:min(len(faults), 10)], "; "))
		}
		told = out
		c.tell(xds.News{Intentions: map[string]mesh.Intentions{service: out}}, mesh.Trust{})
		return meta, nil
	}
}

// decode takes an intention over. One that Envoy could not be given, or that wants a
// token, denies all its callers, and why is said.
func (i *intention) decode() (mesh.Intention, error) {
	out := mesh.Intention{Precedence: i.Precedence, Allow: i.Action == api.IntentionActionAllow,
		Source: mesh.Source{Name: i.SourceName, Namespace: i.SourceNS, Partition: i.SourcePartition, Peer: i.SourcePeer}}
	permissions, err := decodePermissions(i.Permissions)
	switch {
	case i.SourceSamenessGroup != "":
		err = errors.New("its source is a sameness group")
	case len(i.JWT) > 0 && string(i.JWT) != "null":
		err = errors.New("it wants a JSON Web Token, which is not checked here")
	}
	if err != nil {
		out.Allow = false
		return out, err
	}
	out.Permissions = permissions
	return out, nil
}

func decodePermissions(list []*api.IntentionPermission) (out []mesh.Permission, err error) {
	if len(list) > maxPermissions {
		return nil, fmt.Errorf("it has more than %d permissions", maxPermissions)
	}
	for n, p := range list {
		if p == nil {
			return nil, fmt.Errorf("permission %d is null", n+1)
		}
		one := mesh.Permission{Allow: p.Action == api.IntentionActionAllow, Token: p.JWT != nil}
		if p.HTTP != nil {
			one.Match = decodeMatch(p.HTTP)
		}
		if wrong := one.Match.Mistakes(); len(wrong) > 0 {
			return nil, fmt.Errorf("permission %d: %w", n+1, wrong[0])
		}
		out = append(out, one)
	}
	return out, nil
}

func decodeMatch(p *api.IntentionHTTPPermission) mesh.Match {
	out := mesh.Match{Path: p.PathExact, Prefix: p.PathPrefix, Regex: p.PathRegex, Methods: p.Methods}
	for _, h := range p.Header {
		if h.Regex != "" && h.IgnoreCase { // so that its size is judged as Envoy does
			h.Regex, h.IgnoreCase = "(?i)"+h.Regex, false
		}
		out.Headers = append(out.Headers, mesh.Field{Name: h.Name, Exact: h.Exact, Prefix: h.Prefix, Suffix: h.Suffix,
			Contains: h.Contains, Regex: h.Regex, IgnoreCase: h.IgnoreCase, Absent: h.Invert})
	}
	return out
}
