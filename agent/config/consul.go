package config

import (
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"patchbay/tasks"
)

const (
	defaultConsul = "localhost:8500"
	defaultKVPath = "consul-terraform-sync/"
	// defaultPolls leaves room below the 200 connections that an agent takes of one
	// address; with Envoys to serve, less of it is left. Over TLS many polls share a
	// connection (HTTP/2).
	defaultPolls, defaultPollsXDS, defaultPollsTLS = 100, 180, 2000
)

func defaultTransport() Transport {
	return Transport{DialKeepAlive: 30 * time.Second, DialTimeout: 30 * time.Second, IdleConnTimeout: 5 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 100}
}

// consul decodes the consul block over the environment; f is the zero field when
// there is no block.
func (d *decoder) consul(f field) {
	c := &d.cfg.Consul
	d.consulEnv(c)
	tlsSet := false
	if f.name != "" {
		if n, ok := d.object(f); ok {
			tlsSet = d.consulBlock(c, n)
		}
	}
	if c.Address == "" {
		c.Address = defaultConsul
	}
	if ssl, err := strconv.ParseBool(d.env("CONSUL_HTTP_SSL")); err == nil && ssl && !tlsSet {
		c.TLS.Enabled = true
	}
	if strings.HasPrefix(c.Address, "https://") {
		c.TLS.Enabled = true
	}
	if c.TLS.Key == "" {
		c.TLS.Key = c.TLS.Cert // one file may hold both
	}
	d.tokenFile(c)
}

// polls gives how many blocking queries may be open where no file says it.
func (d *decoder) polls() {
	switch c := &d.cfg.Consul; {
	case c.MaxPolls > 0:
	case c.TLS.Enabled:
		c.MaxPolls = defaultPollsTLS
	case d.cfg.XDS.Enabled():
		c.MaxPolls = defaultPollsXDS
	default:
		c.MaxPolls = defaultPolls
	}
}

// consulEnv sets what the environment gives where no file sets it.
func (d *decoder) consulEnv(c *Consul) {
	*c = Consul{Address: d.env("CONSUL_HTTP_ADDR"), Token: tasks.NewSecret(d.env("CONSUL_TOKEN", "CONSUL_HTTP_TOKEN")),
		Registration: Registration{Enabled: true, Name: d.pick(defaultService, legacyService), Check: true},
		KVPath:       defaultKVPath, Transport: defaultTransport(),
		Namespace: d.env("CONSUL_NAMESPACE"), Partition: d.env("CONSUL_PARTITION"),
		TLS: TLS{Verify: true, CACert: d.envPath("CONSUL_CACERT"), CAPath: d.envPath("CONSUL_CAPATH"),
			Cert: d.envPath("CONSUL_CLIENT_CERT"), Key: d.envPath("CONSUL_CLIENT_KEY"), ServerName: d.env("CONSUL_TLS_SERVER_NAME")}}
	if verify, err := strconv.ParseBool(d.env("CONSUL_HTTP_SSL_VERIFY")); err == nil {
		c.TLS.Verify = verify
	}
	if auth := d.env("CONSUL_HTTP_AUTH"); auth != "" {
		user, password, _ := strings.Cut(auth, ":")
		c.Auth = Auth{Enabled: true, Username: user, Password: tasks.NewSecret(password)}
	}
}

func (d *decoder) envPath(name string) string { return absolute(d.WorkDir, d.env(name)) }

// consulBlock decodes the block and tells whether it sets tls.enabled by itself.
func (d *decoder) consulBlock(c *Consul, n node) (tlsSet bool) {
	d.block(n, "consul", map[string]setter{
		"address": d.str(&c.Address), "token": d.secret(&c.Token), "kv_path": d.str(&c.KVPath),
		"kv_namespace": d.str(new(string)), // as CTS: accepted and unused
		"max_polls":    d.integer(&c.MaxPolls, 1, math.MaxInt32),
		"auth": d.withEnabled("consul", &c.Auth.Enabled, map[string]setter{
			"username": d.str(&c.Auth.Username), "password": d.secret(&c.Auth.Password)}),
		"tls": func(f field) {
			tlsSet = find(f.value.block().fields, "enabled", 0) >= 0
			d.withEnabled("consul", &c.TLS.Enabled, d.tlsFields(&c.TLS))(f)
		},
		"transport":            d.nested("consul", d.transportFields(&c.Transport)),
		"service_registration": d.registration,
	})
	return tlsSet
}

// tlsFields are those of a client's tls block, without enabled.
func (d *decoder) tlsFields(t *TLS) map[string]setter {
	return map[string]setter{
		"ca_cert": d.readable(&t.CACert), "ca_path": d.readable(&t.CAPath), "cert": d.readable(&t.Cert), "key": d.readable(&t.Key),
		"server_name": d.str(&t.ServerName), "verify": d.boolean(&t.Verify)}
}

func (d *decoder) transportFields(t *Transport) map[string]setter {
	return map[string]setter{
		"dial_keep_alive": d.duration(&t.DialKeepAlive), "dial_timeout": d.duration(&t.DialTimeout),
		"idle_conn_timeout": d.duration(&t.IdleConnTimeout), "tls_handshake_timeout": d.duration(&t.TLSHandshakeTimeout),
		"disable_keep_alives": d.boolean(&t.DisableKeepAlives), "max_idle_conns": d.integer(&t.MaxIdleConns, 0, math.MaxInt32),
		"max_idle_conns_per_host": d.integer(&t.MaxIdleConnsPerHost, 0, math.MaxInt32)}
}

// withEnabled gives a setter for a block whose enabled is true by itself when
// anything else in it is set.
func (d *decoder) withEnabled(path string, enabled *bool, known map[string]setter) setter {
	return func(f field) {
		if n, ok := d.object(f); ok && autoEnabled(n) {
			*enabled = true
		}
		known["enabled"] = d.boolean(enabled)
		d.nested(path, known)(f)
	}
}

// readable decodes the path of a file or directory that must be there.
func (d *decoder) readable(dst *string) setter {
	return func(f field) {
		d.path(dst)(f)
		if *dst == "" {
			return
		}
		file, err := os.Open(*dst)
		if err != nil {
			d.problem(f.value.pos, "correct the path or its permissions", "cannot read %s: %v", f.name, cause(err))
			return
		}
		_ = file.Close() // opened for reading only
	}
}

// tokenFile reads the token that beats all others, as Consul's own client does.
func (d *decoder) tokenFile(c *Consul) {
	path := d.envPath("CONSUL_HTTP_TOKEN_FILE")
	if path == "" {
		return
	}
	data, err := readBounded(path)
	if err != nil {
		d.problem(Position{File: "environment variable CONSUL_HTTP_TOKEN_FILE"}, "correct the path or its permissions, or unset the variable",
			"cannot read the token: %v", cause(err))
		return
	}
	if token := strings.TrimSpace(string(data)); token != "" {
		c.Token = tasks.NewSecret(token)
	}
	c.TokenFile = path // an empty one may hold a token later
}
