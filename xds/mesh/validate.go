package mesh

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mistake is one thing wrong with what is declared.
type Mistake struct {
	// Position is that of the declaration, Name what people call it, such as
	// routes "web"; Field is the part of it that is wrong, such as to[1].weight, ""
	// for the whole.
	Position, Name, Field string
	// What is wrong and what to Do about it.
	What, Do string
}

// Error implements [error].
func (m Mistake) Error() string {
	at := m.Name
	for _, part := range []string{m.Field, m.What, m.Do} {
		if part != "" {
			at += ": " + part
		}
	}
	if m.Position != "" {
		at = m.Position + ": " + at
	}
	return at
}

// Validate lists everything that is wrong; nil when nothing is. What depends on the
// catalog of the moment, such as a subset without instances, is no mistake. The filters
// of subsets are not read here.
func (m *Mesh) Validate() []Mistake {
	r := &review{mesh: m}
	seen := map[Target]Service{}
	for _, s := range m.Services {
		r.begin(s.Position, serviceName(s), "")
		first, twice := seen[s.Own("")]
		r.when(twice, "", "it is declared twice", "put both into one; the other is at "+first.Position)
		seen[s.Own("")] = s
		r.service(s)
	}
	sidecars, gateways := map[string]string{}, map[string]string{}
	for _, s := range m.Sidecars {
		r.begin(s.Position, fmt.Sprintf("sidecar %q", s.Service), "")
		first, twice := sidecars[s.Service]
		r.when(twice, "", "it is declared twice", "put both into one; the other is at "+first)
		sidecars[s.Service] = s.Position
		r.sidecar(s)
	}
	for _, g := range m.Gateways {
		r.begin(g.Position, fmt.Sprintf("gateway %q", g.Name), "")
		first, twice := gateways[g.Name]
		r.when(twice, "", "it is declared twice", "put both into one; the other is at "+first)
		gateways[g.Name] = g.Position
		r.gateway(g)
	}
	r.begin("", "observe", "")
	r.observe(m.Observe)
	return r.list
}

func serviceName(s Service) string {
	name := fmt.Sprintf("routes %q", s.Name)
	if s.Datacenter != "" {
		name += fmt.Sprintf(" in datacenter %q", s.Datacenter)
	}
	if s.Namespace != "" {
		name += fmt.Sprintf(" in namespace %q", s.Namespace)
	}
	return name
}

// review gathers mistakes of one declaration after another.
type review struct {
	mesh *Mesh
	list []Mistake
	// at, name and prefix are of the declaration and the part that are looked at.
	at, name, prefix string
}

func (r *review) begin(at, name, prefix string) { r.at, r.name, r.prefix = at, name, prefix }

func (r *review) when(wrong bool, field, what, do string) {
	if wrong {
		r.list = append(r.list, Mistake{Position: r.at, Name: r.name, Field: strings.TrimSuffix(r.prefix+field, "."), What: what, Do: do})
	}
}

// within looks at a part.
func (r *review) within(part string, look func()) {
	before := r.prefix
	r.prefix += part + "."
	look()
	r.prefix = before
}

const (
	maxName  = 255
	maxValue = 4096
)

// text tells why a text is not taken; "" when it is.
func text(s string, most int) string {
	switch {
	case len(s) > most:
		return fmt.Sprintf("it is longer than %d bytes", most)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "it holds control characters or is not UTF-8"
	}
	return ""
}

// named looks at a name that must be there.
func (r *review) named(field, what, name string) {
	r.when(name == "", field, "the name of the "+what+" is empty", "write its name")
	why := text(name, maxName)
	r.when(why != "", field, fmt.Sprintf("%q is no name of a %s: %s", short(name), what, why), fmt.Sprintf("use 1 to %d printable characters", maxName))
}

// short keeps messages readable.
func short(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// target looks at a target and whether its subset is declared.
func (r *review) target(t Target) {
	r.named("service", "service", t.Service)
	for _, part := range []struct{ what, name string }{{"subset", t.Subset}, {"datacenter", t.Datacenter}, {"namespace", t.Namespace}} {
		if part.name != "" {
			r.named(part.what, part.what, part.name)
		}
	}
	s := r.mesh.Service(t)
	r.when(!s.HasSubset(t.Subset), "subset", fmt.Sprintf("service %q has no subset %q", short(t.Service), short(t.Subset)),
		fmt.Sprintf("declare subset %q { … } in routes %q%s", short(t.Subset), short(t.Service), others(s)))
}

// others names the subsets that are there.
func others(s Service) string {
	if len(s.Subsets) == 0 {
		return ""
	}
	names := make([]string, len(s.Subsets))
	for n, x := range s.Subsets {
		names[n] = x.Name
	}
	return ", or use one of " + short(strings.Join(names, ", "))
}

var (
	// token is RFC 9110's, of which names of headers and cookies are made.
	token  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$")
	method = regexp.MustCompile(`^[A-Z][A-Z-]{0,31}$`)
	host   = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$`)
)

func isHost(s string) bool { return len(s) <= maxName && host.MatchString(s) }

// isIP tells whether Envoy can listen on the address.
func isIP(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == "" && !a.Is4In6()
}

func isProtocol(p Protocol) bool { return p == "" || p == TCP || p.L7() }

func (r *review) protocol(p Protocol) {
	r.when(!isProtocol(p), "protocol", fmt.Sprintf("%q is no known protocol", short(string(p))), "write tcp, http, http2 or grpc")
}
