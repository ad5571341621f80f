package config

import "patchbay/xds/mesh"

// XDS is the server that tells Envoys their configuration.
type XDS struct {
	// Address is the IP or host name to listen on, 127.0.0.1 by default.
	Address string
	// Port is 0 when the server is off, which it is without an xds block.
	Port int
	TLS  ServerTLS
}

// Enabled tells whether Envoys are served.
func (x XDS) Enabled() bool { return x.Port > 0 }

const defaultXDSPort = 8559

func (d *decoder) xds(f field) {
	if f.name == "" {
		return
	}
	x := &d.cfg.XDS
	x.Address, x.Port = defaultAddress, defaultXDSPort
	d.nested("", map[string]setter{
		"address": d.hostAddress(&x.Address), "port": d.integer(&x.Port, 0, maxPort), "tls": d.serverTLS("xds", "the xDS server", &x.TLS)})(f)
	if x.Enabled() && !isLoopback(x.Address) && !x.TLS.VerifyIncoming {
		d.warn(f.pos, "no Envoy of another host is let in; add tls with verify_incoming to xds")
	}
}

// observe decodes what tells of requests, for all sidecars and gateways.
func (d *decoder) observe(f field) {
	if f.name == "" {
		return
	}
	o := &d.cfg.Mesh.Observe
	n, ok := d.object(f)
	if !ok {
		return
	}
	p := place{decoder: d, path: "observe"}
	p.mark("", f.pos)
	format := "text"
	p.fields(n, map[string]setter{
		"access_log": p.str(&o.AccessLog), "access_log_format": p.oneOf(&format, "text", "json"),
		"tracing": p.sub("tracing", func(p place) map[string]setter {
			o.Sample = mesh.Whole
			return map[string]setter{"address": p.str(&o.Tracing), "sample_percent": p.percent(&o.Sample)}
		}),
		"tags": p.stringMap(&o.Tags)})
	o.JSON = format == "json"
	if at, there := d.spots[spotKey{"", "tracing"}]; there && o.Tracing == "" {
		d.missing(at, "write address = \"<host>:<port>\" of an OpenTelemetry collector", "tracing has no address")
	}
}
