package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"

	"patchbay/agent/client"

	"github.com/spf13/cobra"
)

// api are the flags of a command that asks a running agent.
type api struct {
	cmd     *cobra.Command
	options client.Options
	verify  bool
	port    int
}

// apiFlags adds the client flags to a command.
func apiFlags(cmd *cobra.Command) *api {
	a := &api{cmd: cmd}
	f := cmd.Flags()
	f.StringVar(&a.options.Address, "http-addr", "", "URL of the agent (PATCHBAY_ADDRESS, CTS_ADDRESS; default "+client.DefaultAddress+")")
	f.IntVar(&a.port, "port", 0, "deprecated: port of the agent; use -http-addr")
	f.StringVar(&a.options.CACert, "ca-cert", "", "file with a trusted CA (PATCHBAY_CACERT, CTS_CACERT)")
	f.StringVar(&a.options.CAPath, "ca-path", "", "directory with trusted CAs (PATCHBAY_CAPATH, CTS_CAPATH)")
	f.StringVar(&a.options.ClientCert, "client-cert", "", "client certificate (PATCHBAY_CLIENT_CERT, CTS_CLIENT_CERT)")
	f.StringVar(&a.options.ClientKey, "client-key", "", "its key (PATCHBAY_CLIENT_KEY, CTS_CLIENT_KEY)")
	f.BoolVar(&a.verify, "ssl-verify", true, "verify the agent's certificate (PATCHBAY_SSL_VERIFY, CTS_SSL_VERIFY)")
	return a
}

// connect makes the client: a flag wins over the environment, that over the default.
func (a *api) connect(c *cli) (*client.Client, error) {
	o, err := client.Environment(os.Getenv)
	if err != nil {
		return nil, fail("unable to read the environment", err)
	}
	given := a.cmd.Flags().Changed
	for flag, to := range map[string]struct {
		target *string
		value  string
	}{
		"http-addr": {&o.Address, a.options.Address}, "ca-cert": {&o.CACert, a.options.CACert}, "ca-path": {&o.CAPath, a.options.CAPath},
		"client-cert": {&o.ClientCert, a.options.ClientCert}, "client-key": {&o.ClientKey, a.options.ClientKey},
	} {
		if given(flag) {
			*to.target = to.value
		}
	}
	if given("ssl-verify") {
		o.SkipVerify = !a.verify
	}
	if given("port") {
		fmt.Fprintln(c.stderr, "Warning: 'port' option is deprecated and will be removed in a later version, use 'http-addr' instead")
		if !given("http-addr") {
			o.Address = withPort(o.Address, a.port)
		}
	}
	api, err := client.New(o)
	if err != nil {
		return nil, fail("unable to create client", err)
	}
	return api, nil
}

// withPort replaces the port of an address; one that is no URL is left for the
// client to refuse.
func withPort(address string, port int) string {
	if address == "" {
		address = client.DefaultAddress
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(port))
	return u.String()
}

// refused makes the error of a call: what could not be done, why, what to do.
func refused(what string, err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return fail(what, err, "Is the agent running? Start it with 'patchbay start -config-file FILE', or name its address with -http-addr.")
	}
	return fail(what, err)
}
