package mesh

import (
	"cmp"
	"slices"
)

// anyone is the name of a source that stands for all.
const anyone = "*"

// Intentions say who may call a service.
type Intentions struct {
	// Deny tells that Consul denies what no intention speaks of.
	Deny bool
	List []Intention
}

// Intention is the word on one source. With Permissions it depends on the request,
// and on a request that none of them matches the default has the word.
type Intention struct {
	Source      Source
	Allow       bool
	Permissions []Permission
	// Precedence is Consul's: the highest that speaks of a source has the word.
	Precedence int
}

// Source names callers; "*" is any. Namespace and Partition are "" for the default.
type Source struct {
	Name, Namespace, Partition string
	// Peer is the cluster that callers come from, "" for the own one.
	Peer string
}

// Permission is the word on some requests: the first of an intention that matches
// has it.
type Permission struct {
	Allow bool
	Match Match
	// Token tells that Consul asks for a JSON Web Token too.
	Token bool
}

// Covers tells whether all callers that o names are among those that s names.
func (s Source) Covers(o Source) bool {
	part := func(a, b string) bool { return a == anyone || cmp.Or(a, defaultName) == cmp.Or(b, defaultName) }
	return s.Peer == o.Peer && part(s.Partition, o.Partition) && part(s.Namespace, o.Namespace) && (s.Name == anyone || s.Name == o.Name)
}

// Meets tells whether a caller may be one of both.
func (s Source) Meets(o Source) bool {
	part := func(a, b string) bool {
		return a == anyone || b == anyone || cmp.Or(a, defaultName) == cmp.Or(b, defaultName)
	}
	return s.Peer == o.Peer && part(s.Partition, o.Partition) && part(s.Namespace, o.Namespace) && part(s.Name, o.Name)
}

// Effective gives the intentions that have a word, the highest precedence first. One
// whose callers are all spoken of by a higher one has none. Callers of other clusters
// cannot show an identity that is trusted here, so intentions for them have none
// either.
func (i Intentions) Effective() (out []Intention) {
	sorted := slices.Clone(i.List)
	slices.SortStableFunc(sorted, func(a, b Intention) int { return cmp.Compare(b.Precedence, a.Precedence) })
	for _, next := range sorted {
		higher := func(h Intention) bool { return h.Source.Covers(next.Source) }
		if next.Source.Peer == "" && !slices.ContainsFunc(out, higher) {
			out = append(out, next)
		}
	}
	return out
}

// Mistakes tells why Envoy cannot be given a match; nil when it can.
func (m Match) Mistakes() []Mistake {
	r := &review{mesh: &Mesh{}}
	r.match(m)
	return r.list
}
