package mesh

import (
	"cmp"
	"net/url"
	"strings"
)

// Trust is what identities of Consul Connect are made of; the zero value is that of
// nobody, until Consul's CA was asked.
type Trust struct {
	// Domain is the trust domain, Datacenter the agent's own.
	Domain, Datacenter string
}

// Connect is what Consul says of identities. It is immutable.
type Connect struct {
	Trust Trust
	// Intentions are those for a service, by its name.
	Intentions map[string]Intentions
}

// Says gives what Consul says, the zero value until it is known.
func (m *Mesh) Says() Connect {
	if m.Connect == nil {
		return Connect{}
	}
	return *m.Connect
}

// ID is the identity that the sidecars of a target's service have, as a URI.
func (t Trust) ID(of Target) string {
	u := url.URL{Scheme: "spiffe", Host: t.Domain,
		Path: "/ns/" + cmp.Or(of.Namespace, defaultName) + "/dc/" + cmp.Or(of.Datacenter, t.Datacenter) + ofService + of.Service}
	return u.String()
}

// ServerName is what a client says in its TLS greeting that it wants to reach.
func (t Trust) ServerName(of Target) string {
	name := of.Service + "." + cmp.Or(of.Namespace, defaultName) + "." + cmp.Or(of.Datacenter, t.Datacenter) + ".internal." + t.Domain
	if of.Subset != "" {
		name = of.Subset + "." + name
	}
	return name
}

// defaultName is that of Consul's namespace and partition where none is named.
const defaultName = "default"

// Bounds are how the identities of a source begin and end, in any datacenter; begin is
// never "". What is "*" stands for any one name. Texts are used where Consul has a
// regular expression: for a long name Envoy would refuse it.
func (t Trust) Bounds(s Source) (begin, end string) {
	part := func(name string) string { return (&url.URL{Path: name}).EscapedPath() }
	begin = "spiffe://" + t.Domain
	if s.Partition != "" && s.Partition != defaultName {
		begin += "/ap/" + part(s.Partition)
	}
	begin += "/ns/"
	if s.Namespace != anyone {
		begin += part(cmp.Or(s.Namespace, defaultName)) + "/dc/"
	}
	if s.Name == anyone {
		return begin, ""
	}
	return begin, ofService + part(s.Name)
}

// ofService is before the name of the service in an identity. A name has no slash
// there: it would be escaped.
const ofService = "/svc/"

// ParseID reads an identity of a service, in any trust domain and the default
// partition; ok is false for anything else.
func ParseID(u *url.URL) (of Target, ok bool) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if u.Scheme != "spiffe" || len(parts) != 6 || parts[0] != "ns" || parts[2] != "dc" || parts[4] != "svc" {
		return of, false
	}
	for n, dst := range map[int]*string{1: &of.Namespace, 3: &of.Datacenter, 5: &of.Service} {
		text, err := url.PathUnescape(parts[n])
		if err != nil || text == "" {
			return Target{}, false
		}
		*dst = text
	}
	return of, true
}
