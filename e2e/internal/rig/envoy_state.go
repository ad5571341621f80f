package rig

import (
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Stats gives the counters and gauges whose names begin with the prefix.
func (e *Envoy) Stats(prefix string) (map[string]uint64, error) {
	lines, err := e.stats(prefix)
	if err != nil {
		return nil, err
	}
	out := map[string]uint64{}
	for name, value := range lines {
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			out[name] = n
		}
	}
	return out, nil
}

// Texts gives the stats that are texts and whose names begin with the prefix. Those
// that end in version_text are what was accepted last, of endpoints by
// cluster.NAME.version_text.
func (e *Envoy) Texts(prefix string) (map[string]string, error) {
	lines, err := e.stats(prefix)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, value := range lines {
		if text, err := strconv.Unquote(value); err == nil {
			out[name] = text
		}
	}
	return out, nil
}

func (e *Envoy) stats(prefix string) (map[string]string, error) {
	b, err := e.admin("/stats?filter=" + url.QueryEscape("^"+regexp.QuoteMeta(prefix)))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			out[name] = value
		}
	}
	return out, nil
}

// Listeners gives host:port of every listener by its name; where the bootstrap says
// port 0 it is the port that was taken.
func (e *Envoy) Listeners() (map[string]string, error) {
	var answer struct {
		Statuses []struct {
			Name    string
			Address address `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := e.adminJSON("/listeners?format=json", &answer); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, l := range answer.Statuses {
		out[l.Name] = l.Address.String()
	}
	return out, nil
}

// Host is an endpoint of a cluster as Envoy sees it.
type Host struct {
	// Addr is host:port.
	Addr string
	// Health is what the control plane said: HEALTHY, UNHEALTHY, DRAINING, TIMEOUT,
	// DEGRADED or UNKNOWN.
	Health string
	// Ejected tells that outlier detection took it out.
	Ejected  bool
	Weight   uint32
	Priority uint32
	// Zone is the locality's.
	Zone string
	// Stats are its counters and gauges, like rq_total and rq_error.
	Stats map[string]uint64
}

// Clusters gives the endpoints of every cluster; one that has none is there, empty.
func (e *Envoy) Clusters() (map[string][]Host, error) {
	var answer struct {
		Statuses []struct {
			Name  string
			Hosts []hostStatus `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	if err := e.adminJSON("/clusters?format=json", &answer); err != nil {
		return nil, err
	}
	out := map[string][]Host{}
	for _, c := range answer.Statuses {
		out[c.Name] = []Host{}
		for _, h := range c.Hosts {
			out[c.Name] = append(out[c.Name], h.host())
		}
	}
	return out, nil
}

// address is envoy.config.core.v3.Address.
type address struct {
	Socket struct {
		Address string
		Port    int `json:"port_value"`
	} `json:"socket_address"`
}

// String is host:port.
func (a address) String() string {
	return net.JoinHostPort(a.Socket.Address, strconv.Itoa(a.Socket.Port))
}

// hostStatus is envoy.admin.v3.HostStatus; what is zero is left out there.
type hostStatus struct {
	Address address
	Health  struct {
		EDS     string `json:"eds_health_status"`
		Ejected bool   `json:"failed_outlier_check"`
	} `json:"health_status"`
	Weight   uint32
	Priority uint32
	Locality struct{ Zone string }
	Stats    []struct {
		Name  string
		Value uint64 `json:",string"`
	}
}

func (h hostStatus) host() Host {
	out := Host{
		Addr: h.Address.String(), Health: h.Health.EDS, Ejected: h.Health.Ejected,
		Weight: h.Weight, Priority: h.Priority, Zone: h.Locality.Zone, Stats: map[string]uint64{},
	}
	for _, s := range h.Stats {
		out.Stats[s.Name] = s.Value
	}
	return out
}
