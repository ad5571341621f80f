package mesh

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const maxPort = 65535

// bound is an address that is listened on.
type bound struct {
	what    string
	address netip.Addr
	port    int
}

// listen looks at one more listener of an Envoy. An address that is "" is fallback; do
// says how a port is given.
func (r *review) listen(before []bound, what, address, fallback string, port int, do string) []bound {
	if address == "" {
		address = fallback
	}
	r.when(port == 0, "port", "it needs a port to listen on", do)
	r.when(port < 0 || port > maxPort, "port", fmt.Sprintf("%d is no port", port), "write 1 to 65535")
	r.when(!isIP(address), "address", fmt.Sprintf("%q is no IP address", short(address)), "write an address of this host, such as 127.0.0.1, or 0.0.0.0 for all")
	if !isIP(address) || port < 1 {
		return before
	}
	b := bound{what, netip.MustParseAddr(address), port}
	for _, other := range before {
		same := other.address == b.address || other.address.IsUnspecified() || b.address.IsUnspecified()
		if same && other.port == b.port {
			r.when(true, "port", fmt.Sprintf("port %d of the same address is that of %s", port, other.what), "give each a port of its own")
			break
		}
	}
	return append(before, b)
}

func (r *review) sidecar(s Sidecar) {
	r.named("", "service", s.Service)
	var taken []bound
	if in := s.Inbound; in != nil {
		r.when(in.LocalPort == 0, "", "it listens for a program whose port is not said", "write port = …, the port of the program on 127.0.0.1")
		r.when(in.LocalPort < 0 || in.LocalPort > maxPort, "port", fmt.Sprintf("%d is no port", in.LocalPort), "write 1 to 65535")
		r.protocol(in.Protocol)
		r.when(in.ConnectTimeout < 0 || in.Timeout < 0 || in.MaxConnections < 0, "", "a limit is negative", "write a number above 0")
		if in.LocalPort > 0 {
			taken = append(taken, bound{"the program itself", netip.MustParseAddr("127.0.0.1"), in.LocalPort})
		}
		r.within("listen", func() {
			taken = r.listen(taken, "listen", in.Address, "0.0.0.0", in.Port, "write listen { port = … }")
		})
	}
	r.when(s.Inbound == nil && len(s.Upstreams) == 0, "", "it has nothing to do", "write port and listen { … }, or upstream \"<service>\" { … }")
	for _, u := range s.Upstreams {
		r.begin(u.Position, fmt.Sprintf("sidecar %q, upstream %q", s.Service, short(u.Target.Service)), "")
		r.target(u.Target)
		taken = r.listen(taken, fmt.Sprintf("upstream %q", short(u.Target.Service)), u.Address, "127.0.0.1", u.Port, `write port = …, or "<service>:<port>" in a list`)
	}
}

func (r *review) gateway(g Gateway) {
	r.named("", "gateway", g.Name)
	r.when(len(g.Listeners) == 0, "", "it has no listener", "write listener { port = … }")
	var taken []bound
	for n, l := range g.Listeners {
		name := fmt.Sprintf("gateway %q, listener %d", short(g.Name), n+1)
		r.begin(l.Position, name, "")
		taken = r.listen(taken, fmt.Sprintf("listener %d", n+1), l.Address, "127.0.0.1", l.Port, "write port = …, 1 to 65535")
		r.protocol(l.Protocol)
		r.when(len(l.Hosts) == 0, "", "it leads to no service", "write service \"<name>\" { … }")
		r.hosts(l)
	}
}

// hosts looks at what is behind one listener: each name leads to one service.
func (r *review) hosts(l Door) {
	seen := map[string]bool{}
	for n, h := range l.Hosts {
		field := fmt.Sprintf("service[%d]", n)
		r.within(field, func() { r.target(h.Target) })
		names := h.Names
		if len(names) == 0 {
			r.when(seen["*"], field, "two services are for all hosts", "write hosts = [ … ] in all but one")
			seen["*"] = true
		}
		for _, name := range names {
			r.when(!isHost(strings.TrimPrefix(name, "*.")), field+".hosts", fmt.Sprintf("%q is no name of a host", short(name)),
				"write a name such as web.example.com or *.example.com; leave hosts out for all")
			lower := strings.ToLower(name)
			r.when(seen[lower], field+".hosts", fmt.Sprintf("host %q is there twice", short(name)), "give each host to one service")
			seen[lower] = true
		}
	}
}

var tagName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)

func (r *review) observe(o Observe) {
	why := text(o.AccessLog, maxValue)
	r.when(o.AccessLog != "" && o.AccessLog[0] != '/', "access_log", "it is no absolute path", "write a path such as /dev/stdout")
	r.when(why != "", "access_log", "it is no path: "+why, "write a path such as /dev/stdout")
	if o.Tracing != "" {
		colon := strings.LastIndexByte(o.Tracing, ':')
		at := strings.TrimSuffix(strings.TrimPrefix(o.Tracing[:max(colon, 0)], "["), "]")
		n, bad := strconv.ParseUint(o.Tracing[colon+1:], 10, 16)
		r.when(colon < 1 || bad != nil || n == 0 || !isHost(at) && !isIP(at), "tracing.address", fmt.Sprintf("%q is no address of a collector", short(o.Tracing)),
			"write host:port, such as 127.0.0.1:4317")
	}
	r.when(o.Sample > Whole, "tracing.sample_percent", "it is more than all", "write 0 to 100")
	for _, name := range slices.Sorted(maps.Keys(o.Tags)) {
		why := text(o.Tags[name], maxName)
		r.when(!tagName.MatchString(name), "tags", fmt.Sprintf("%q is no name of a tag", short(name)), "use a letter first, then letters, digits, _, . and -")
		r.when(why != "", "tags", fmt.Sprintf("the value of %q is none: %s", short(name), why), "correct it")
	}
}
