package config

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
}
