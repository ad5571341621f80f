package mesh

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of what is declared.
const (
	// maxShares bounds a split that is multiplied out, with those of the services
	// that it leads to.
	maxShares = 256
	// maxRing and minRing are Envoy's limits where none are set.
	maxRing = 8 << 20
	minRing = 1024
)

func (r *review) service(s Service) {
	r.named("", "service", s.Name)
	for _, part := range []struct{ what, name string }{{"datacenter", s.Datacenter}, {"namespace", s.Namespace}} {
		if part.name != "" {
			r.named(part.what, part.what, part.name)
		}
	}
	r.protocol(s.Protocol)
	r.subsets(s)
	r.when(s.ConnectTimeout < 0, "connect_timeout", "it is negative", "write a duration above 0")
	r.when(s.Panic < 0 || s.Panic > 100, "panic_threshold", "it is no percentage", "write 0 to 100")
	r.within("load_balancer", func() { r.balance(s.Balance) })
	if s.Outlier != nil {
		r.within("outlier_detection", func() { r.outlier(*s.Outlier) })
	}
	r.breaker(s.Breaker)
	r.failover(s)
	if s.Sticky != nil {
		r.within("sticky", func() {
			r.cookie("cookie", *s.Sticky)
			r.within("cookie", func() { r.cookieValue(Field{Name: s.Sticky.Name}) })
		})
	}
	r.split(s, s.Default)
	r.circle(s)
	r.plain(s)
	names, all := map[string]bool{}, ""
	for n, route := range s.Routes {
		r.begin(route.Position, fmt.Sprintf("%s, route %s", serviceName(s), called(route, n)), "")
		r.when(route.Name != "" && names[route.Name], "", "the service has another route of that name", "give each route a name of its own")
		r.when(all != "", "", fmt.Sprintf("no request reaches it: route %s before it takes all", all), "put it before that one, or remove it")
		names[route.Name] = true
		if all == "" && route.Match.all() {
			all = called(route, n)
		}
		r.route(s, route)
	}
}

// called is how people call a route.
func called(r Route, n int) string {
	if r.Name == "" {
		return fmt.Sprint(n + 1)
	}
	return fmt.Sprintf("%q", short(r.Name))
}

func (r *review) subsets(s Service) {
	seen := map[string]bool{}
	for n, x := range s.Subsets {
		field := fmt.Sprintf("subset[%d]", n)
		r.named(field, "subset", x.Name)
		r.when(seen[x.Name], field, fmt.Sprintf("the service has another subset %q", short(x.Name)), "give each subset a name of its own")
		seen[x.Name] = true
	}
	r.when(!s.HasSubset(s.DefaultSubset), "default_subset", fmt.Sprintf("service %q has no subset %q", short(s.Name), short(s.DefaultSubset)),
		fmt.Sprintf("declare subset %q { … }%s", short(s.DefaultSubset), others(s)))
}

func (r *review) balance(b Balance) {
	policies := []string{RoundRobin, LeastRequest, Random, RingHash, Maglev}
	r.when(b.Policy != "" && !slices.Contains(policies, b.Policy), "policy", fmt.Sprintf("%q is no known policy", short(b.Policy)), "write one of "+strings.Join(policies, ", "))
	r.when(b.Choices != 0 && b.Policy != LeastRequest, "choices", "it is for least_request alone", `write policy = "least_request", or remove it`)
	r.when(b.Choices != 0 && b.Choices < 2, "choices", "there is nothing to choose from", "write 2 or more")
	r.when((b.MinRing != 0 || b.MaxRing != 0) && b.Policy != RingHash, "min_ring", "sizes of the ring are for ring_hash alone", `write policy = "ring_hash", or remove them`)
	r.when(b.MinRing < 0 || b.MinRing > maxRing || b.MaxRing < 0 || b.MaxRing > maxRing, "max_ring", "the size of the ring is out of range", fmt.Sprintf("write 1 to %d", maxRing))
	r.when(b.MaxRing != 0 && cmp.Or(b.MinRing, minRing) > b.MaxRing, "max_ring", fmt.Sprintf("it is less than min_ring, which is %d unless it is set", minRing), "set min_ring to at most max_ring")
	r.when(len(b.Hash) > 0 && b.Policy != RingHash && b.Policy != Maglev, "hash", "nothing is chosen by a hash", `write policy = "maglev" or "ring_hash", or remove it`)
	r.hashes(b.Hash)
}

func (r *review) hashes(list []Hash) {
	for n, h := range list {
		r.within(fmt.Sprintf("hash[%d]", n), func() { r.hash(h) })
	}
}

func (r *review) hash(h Hash) {
	set := 0
	for _, there := range []bool{h.Header != "", h.Query != "", h.Cookie != nil, h.SourceIP} {
		if there {
			set++
		}
	}
	r.when(set != 1, "", "a hash is of exactly one thing", "write one of header, cookie, query and source_ip")
	r.when(h.Header != "" && !token.MatchString(h.Header), "header", fmt.Sprintf("%q is no name of a header", short(h.Header)), "use the letters, digits and signs that HTTP allows in names")
	if h.Query != "" {
		r.named("query", "query parameter", h.Query)
	}
	if h.Cookie != nil {
		r.cookie("cookie", *h.Cookie)
	}
}

func (r *review) cookie(field string, c Cookie) {
	r.when(c.Name == "", field, "the cookie has no name", "write cookie = \"<name>\"")
	r.when(c.Name != "" && !token.MatchString(c.Name), field, fmt.Sprintf("%q is no name of a cookie", short(c.Name)), "use the letters, digits and signs that HTTP allows in names")
	r.when(c.TTL < 0, "ttl", "it is negative", "write a duration, or leave it out for a session's cookie")
	r.when(c.TTL%time.Second != 0, "ttl", "cookies count whole seconds", "leave the fraction out")
	bad := c.Path != "" && (c.Path[0] != '/' || text(c.Path, maxValue) != "" || strings.ContainsAny(c.Path, ";,"))
	r.when(bad, "path", "it is no path of a cookie", "begin it with / and leave ; and , out")
}

func (r *review) outlier(o Outlier) {
	r.when(o.Failures < 0, "failures", "it is negative", "write 1 or more")
	r.when(o.Interval < 0, "interval", "it is negative", "write a duration above 0")
	r.when(o.Ejection < 0, "ejection", "it is negative", "write a duration above 0")
	r.when(o.MaxPercent < 0 || o.MaxPercent > 100, "max_percent", "it is no percentage", "write 1 to 100")
}

func (r *review) breaker(b *Breaker) {
	if b == nil {
		return
	}
	for _, limit := range []struct {
		name string
		n    int
	}{{"connections", b.Connections}, {"pending", b.Pending}, {"requests", b.Requests}, {"retries", b.Retries}} {
		r.when(limit.n < 0, "circuit_breaker."+limit.name, "it is negative", "write 1 or more")
	}
}

func (r *review) failover(s Service) {
	r.spares(s.Own(""), s.Failover)
	for n, x := range s.Subsets {
		r.within(fmt.Sprintf("subset[%d]", n), func() { r.spares(s.Own(x.Name), x.Failover) })
	}
}

// spares looks at who stands in for a target.
func (r *review) spares(own Target, list []Target) {
	seen := map[Target]bool{own: true}
	for n, t := range list {
		field := fmt.Sprintf("failover[%d]", n)
		r.within(field, func() { r.target(t) })
		r.when(t == own, field, "a service that has failed cannot stand in for itself", "name another service, subset or datacenter")
		r.when(t != own && seen[t], field, "it is there twice", "keep the first")
		seen[t] = true
	}
}

// split looks at the shares of a split; none is none.
func (r *review) split(s Service, legs []Leg) {
	sum := uint64(0)
	for n, leg := range legs {
		sum += uint64(leg.Weight)
		r.within(fmt.Sprintf("to[%d]", n), func() {
			r.target(leg.Target)
			r.headers("request_headers", leg.Request)
			r.headers("response_headers", leg.Response)
			r.when(!s.Protocol.L7() && (!leg.Request.Empty() || !leg.Response.Empty()), "", "a tcp service has no headers", notL7)
		})
	}
	r.when(len(legs) > 0 && sum != Whole, "to", fmt.Sprintf("the weights add up to %s %%, not 100", percent(sum)), "correct the weights")
	if len(legs) > 0 {
		count := r.shares(legs, map[Target]int{})
		r.when(count > maxShares, "to", fmt.Sprintf("multiplied out, the split has more than %d shares", maxShares), "split less, or less deeply")
	}
}

// percent writes hundredths.
func percent(n uint64) string {
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%02d", n/100, n%100), "0"), ".")
}

// shares counts the shares of a split that is multiplied out.
func (r *review) shares(legs []Leg, known map[Target]int) (n int) {
	for _, leg := range legs {
		s := r.mesh.Service(leg.Target)
		own := s.Own("")
		count, done := known[own]
		switch {
		case leg.Exact || leg.Target.Subset != "" || len(s.Default) == 0:
			count = 1
		case !done:
			known[own] = 1 // what comes back here is a share of its own
			count = r.shares(s.Default, known)
			known[own] = count
		}
		n = min(n+count, maxShares+1)
	}
	return n
}

// circle finds a split that leads through other services back to its own.
func (r *review) circle(s Service) {
	var walk func(at Service, path []string, seen map[Target]bool) bool
	walk = func(at Service, path []string, seen map[Target]bool) bool {
		for n, leg := range at.Default {
			next := r.mesh.Service(leg.Target)
			switch {
			case leg.Exact || leg.Target.Subset != "" || next.Own("") == at.Own(""):
			case next.Own("") == s.Own(""):
				field := "to"
				if len(path) == 1 {
					field = fmt.Sprintf("to[%d]", n)
				}
				r.when(true, field, "the split leads round in a circle: "+strings.Join(append(path, s.Name), " → "), "name a subset where it leads back, or take that share out")
				return true
			case !seen[next.Own("")]:
				seen[next.Own("")] = true
				if walk(next, append(path, short(next.Name)), seen) {
					return true
				}
			}
		}
		return false
	}
	walk(s, []string{s.Name}, map[Target]bool{})
}

const notL7 = `write protocol = "http", or remove it`

// plain looks for rules that need requests on a service that has none.
func (r *review) plain(s Service) {
	if s.Protocol.L7() {
		return
	}
	r.when(len(s.Routes) > 0, "route", "a tcp service has no requests to route", notL7)
	r.when(s.Sticky != nil, "sticky", "a tcp service has no cookies", notL7)
	for n, h := range s.Balance.Hash {
		r.when(!h.SourceIP, fmt.Sprintf("load_balancer.hash[%d]", n), "a tcp service has no requests to hash", `write source_ip = true, or protocol = "http"`)
	}
}
