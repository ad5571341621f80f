package chain

import (
	"errors"
	"time"

	"patchbay/xds/mesh"
)

// resolve takes a resolver over: its target, how instances are chosen and who stands
// in for them.
func (c *compiler) resolve(n *node) (mesh.Target, error) {
	t, err := c.target(n.Resolver.Target)
	if err != nil {
		return t, err
	}
	s := c.service(t)
	s.Balance = c.balance(t, n.LoadBalancer)
	f := n.Resolver.Failover
	if f == nil {
		return t, nil
	}
	if p := f.Policy; p != nil && (p.Mode != "" && p.Mode != "sequential" || len(p.Regions) > 0) {
		c.leave("failover policy %s of %s: its targets are tried in order", p.Mode, t)
	}
	spares := []mesh.Target{}
	for _, id := range f.Targets {
		spare, err := c.target(id)
		switch {
		case errors.Is(err, errPeer):
			c.leave("failover of %s to %s: %s", t, clip(id), errPeer)
		case err != nil:
			return t, err
		case spare != t:
			spares = append(spares, spare)
		}
	}
	if t.Datacenter != s.Datacenter {
		c.leave("failover of %s, which is in another datacenter itself", t)
		return t, nil
	}
	if t.Subset == "" {
		s.Failover = spares
	}
	for i := range s.Subsets {
		if s.Subsets[i].Name == t.Subset {
			s.Subsets[i].Failover = spares
		}
	}
	return t, nil
}

func (c *compiler) balance(t mesh.Target, in *balancer) (out mesh.Balance) {
	if in == nil {
		return out
	}
	out.Policy = in.Policy
	if in.LeastRequestConfig != nil && out.Policy == mesh.LeastRequest {
		out.Choices = int(in.LeastRequestConfig.ChoiceCount)
	}
	if r := in.RingHashConfig; r != nil && out.Policy == mesh.RingHash {
		out.MinRing, out.MaxRing = bounded(r.MinimumRingSize), bounded(r.MaximumRingSize)
	}
	for _, h := range in.HashPolicies {
		switch {
		case out.Policy != mesh.RingHash && out.Policy != mesh.Maglev:
			c.leave("hash policies of %s: policy %s chooses by no hash", t, out.Policy)
		case !c.protocol.L7() && !h.SourceIP:
			c.leave("hash by %s %s of %s: tcp has no requests", h.Field, h.FieldValue, t)
		default:
			out.Hash = append(out.Hash, c.hash(t, h))
		}
	}
	return out
}

// bounded keeps a number that is too large for a ring too large.
func bounded(n uint64) int { return int(min(n, 1<<30)) }

func (c *compiler) hash(t mesh.Target, in hashPolicy) mesh.Hash {
	out := mesh.Hash{SourceIP: in.SourceIP, Terminal: in.Terminal}
	switch in.Field {
	case "header":
		out.Header = in.FieldValue
	case "query_parameter":
		out.Query = in.FieldValue
	case "cookie":
		out.Cookie = &mesh.Cookie{Name: in.FieldValue}
		if in.CookieConfig == nil {
			c.leave("hash by cookie %s of %s: the cookie is made where it is absent", in.FieldValue, t)
			break
		}
		ttl := time.Duration(in.CookieConfig.TTL)
		out.Cookie.TTL, out.Cookie.Path = ttl.Truncate(time.Second), in.CookieConfig.Path
		if ttl%time.Second != 0 {
			c.leave("fraction of a second in the TTL of cookie %s of %s", in.FieldValue, t)
		}
	}
	return out
}
