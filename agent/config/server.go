package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
)

// api decodes the listener of the HTTP API.
func (d *decoder) api(f field) {
	a := &d.cfg.API
	d.nested("", map[string]setter{
		"address": d.hostAddress(&a.Address), "token": d.secret(&a.Token), "allow_remote_writes": d.boolean(&a.AllowRemoteWrites)})(f)
	d.apiAt = f.pos
}

// hostAddress decodes where a server listens.
func (d *decoder) hostAddress(dst *string) setter {
	return func(f field) {
		s, ok := d.text(f)
		if !ok {
			return
		}
		if s == "" || strings.ContainsAny(s, "/[] ") || strings.Contains(s, ":") && net.ParseIP(s) == nil {
			d.problem(f.pos, "write an IP address or a host name; the port has its own setting, port", "address is not an address to listen on")
			return
		}
		*dst = s
	}
}

// serverTLS decodes the certificate of a server, what, and whom it trusts. path is
// the block that it stands in.
func (d *decoder) serverTLS(path, what string, t *ServerTLS) setter {
	return func(f field) {
		at := map[string]Position{}
		file := func(dst *string) setter {
			return func(f field) {
				at[strings.ToLower(f.name)] = f.value.pos
				d.path(dst)(f)
			}
		}
		d.withEnabled(path, &t.Enabled, map[string]setter{
			"cert": file(&t.Cert), "key": file(&t.Key), "verify_incoming": d.boolean(&t.VerifyIncoming),
			"ca_cert": file(&t.CACert), "ca_path": file(&t.CAPath)})(f)
		if t.Enabled {
			d.checkPair(f.pos, what, at, *t)
			d.checkCAs(f.pos, what, at, t)
		}
	}
}

func (d *decoder) checkPair(block Position, what string, at map[string]Position, t ServerTLS) {
	if t.Cert == "" || t.Key == "" {
		d.missing(block, "write cert = \"…\" and key = \"…\"", "key and cert are required if TLS is enabled on %s", what)
		return
	}
	cert, certErr := readBounded(t.Cert)
	key, keyErr := readBounded(t.Key)
	switch {
	case certErr != nil:
		d.problem(at["cert"], "correct the path or its permissions", "cannot read cert: %v", cause(certErr))
	case keyErr != nil:
		d.problem(at["key"], "correct the path or its permissions", "cannot read key: %v", cause(keyErr))
	default:
		if _, err := tls.X509KeyPair(cert, key); err != nil {
			d.problem(at["cert"], "name a certificate and its key, both in PEM form", "cannot use cert and key: %v", err)
		}
	}
}

// checkCAs keeps one of the two places of CAs.
func (d *decoder) checkCAs(block Position, what string, at map[string]Position, t *ServerTLS) {
	if t.CACert != "" && t.CAPath != "" {
		d.warn(at["ca_path"], "ca_cert and ca_path are both set; ca_cert counts")
		t.CAPath = ""
	}
	switch {
	case t.CACert != "":
		data, err := readBounded(t.CACert)
		if err != nil {
			d.problem(at["ca_cert"], "correct the path or its permissions", "cannot read ca_cert: %v", cause(err))
		} else if !x509.NewCertPool().AppendCertsFromPEM(data) {
			d.problem(at["ca_cert"], "name a file with certificates in PEM form", "ca_cert holds no certificate")
		}
	case t.CAPath != "":
		d.readable(new(string))(field{name: "ca_path", pos: at["ca_path"], value: node{kind: kindString, text: t.CAPath, pos: at["ca_path"]}})
	case t.VerifyIncoming:
		d.missing(block, "write ca_cert = \"…\"", "either ca_cert or ca_path is required if verify_incoming is enabled on %s", what)
	}
}

// checkAPI looks at the listener and its certificate together.
func (d *decoder) checkAPI() {
	a := d.cfg.API
	if !a.Token.Empty() && !a.TLS.Enabled && !isLoopback(a.Address) {
		d.warn(d.apiAt, "the API's token is sent in clear text by other hosts; add a tls block")
	}
}

func isLoopback(address string) bool {
	ip := net.ParseIP(address)
	return address == "localhost" || ip != nil && ip.IsLoopback()
}

// facilities are those of syslog.
var facilities = []string{"KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV", "FTP",
	"LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7"}

// Syslog tells whether log lines also go to the syslog daemon of this machine.
type Syslog struct {
	Enabled bool
	// Facility is one of syslog's names in upper case, LOCAL0 by default.
	Facility string
	// Name is the tag of every line, patchbay by default, consul-terraform-sync with
	// Options.Legacy: 1 to 48 printable ASCII characters without space, : [ and ].
	Name string
}

// maxTag bounds the name of a program in syslog, in bytes: longer ones are cut by
// some daemons.
const maxTag = 48

// syslog decodes where logs go besides standard error.
func (d *decoder) syslog(f field) {
	s := &d.cfg.Syslog
	facility, name := field{}, field{}
	d.withEnabled("", &s.Enabled, map[string]setter{"facility": func(f field) {
		if text, ok := d.text(f); ok {
			f.value.text = strings.ToUpper(text)
			facility = f
		}
	}, "name": func(f field) {
		d.str(&s.Name)(f)
		name = f
	}})(f)
	if facility.name != "" {
		d.oneOf(&s.Facility, facilities...)(facility)
	}
	if name.name != "" && !isTag(s.Name) {
		d.problem(name.value.pos, fmt.Sprintf("write 1 to %d letters, digits, -, _, . or /", maxTag), "name is none that syslog allows for a program")
	}
}

// isTag tells whether syslog daemons take a name for that of a program.
func isTag(s string) bool {
	return s != "" && len(s) <= maxTag && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(":[]", r)
	}) < 0
}

// license checks what names a license and says once that none is needed.
func (d *decoder) license(p parts) {
	at := p.license.pos
	switch {
	case p.license.name != "":
		d.nested("", map[string]setter{"path": d.str(new(string)),
			"auto_retrieval": d.nested("license", map[string]setter{"enabled": d.boolean(new(bool))})})(p.license)
	case p.licensePath.name != "":
		at = p.licensePath.pos
	case d.env("CONSUL_LICENSE", "CONSUL_LICENSE_PATH") != "":
		at = Position{File: "environment variable CONSUL_LICENSE or CONSUL_LICENSE_PATH"}
	default:
		return
	}
	if p.licensePath.name != "" {
		d.str(new(string))(p.licensePath)
	}
	d.warn(at, "Patchbay needs no license; it is ignored")
}
