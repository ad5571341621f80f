package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"

	"patchbay/tasks"
	"patchbay/xds"

	"github.com/spf13/cobra"
)

// bootstrapFlags are the flags of xds bootstrap.
type bootstrapFlags struct {
	service, gateway, node, address, admin string
	proxy, tokenFile                       string
	grpc                                   bool
	out                                    xds.Bootstrap
}

func (c *cli) xdsBootstrap() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bootstrap -service NAME | -gateway NAME | -grpc", DisableFlagsInUseLine: true,
		Short: "Print what an Envoy or a gRPC client is started with",
		Long: "Print what an Envoy is started with: envoy -c FILE\n\n" +
			"With -grpc print what a program is started with that asks gRPC for\nxds:///SERVICE: GRPC_XDS_BOOTSTRAP=FILE",
		Args: c.noArguments,
	}
	var b bootstrapFlags
	f := cmd.Flags()
	f.StringVar(&b.service, "service", "", "service whose sidecar the Envoy is")
	f.StringVar(&b.gateway, "gateway", "", "gateway that the Envoy is")
	f.BoolVar(&b.grpc, "grpc", false, "for a program whose gRPC library routes by itself")
	f.StringVar(&b.node, "node", "", "name of this client among all, service or gateway and host name by default")
	f.StringVar(&b.proxy, "proxy-id", "", "id of the proxy of -service that is registered in Consul, in place of -node")
	f.StringVar(&b.out.NodeName, "node-name", "", "Consul's node where that proxy is registered; needed when one id is used on several")
	f.StringVar(&b.address, "address", "127.0.0.1:8559", "host:port of the xds block")
	f.StringVar(&b.admin, "admin", "127.0.0.1:19000", "host:port of Envoy's own pages; port 0 chooses one")
	f.StringVar(&b.out.CAFile, "ca-file", "", "file of the CA that signed the server's certificate; turns TLS on")
	f.StringVar(&b.out.CertFile, "cert-file", "", "file of this Envoy's certificate")
	f.StringVar(&b.out.KeyFile, "key-file", "", "file of the certificate's key")
	f.StringVar(&b.out.ServerName, "server-name", "", "name in the server's certificate, the host of -address by default")
	f.StringVar(&b.tokenFile, "token-file", "", "file of a Consul token with service:write on the service, CONSUL_HTTP_TOKEN_FILE by default;\nwhat is printed then holds the token")
	f.StringToStringVar(&b.out.Tags, "tag", nil, "name=value that is added to every statistic, repeatable")
	paths := configFlags(f)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.observeTags(*paths, &b.out); err != nil {
			return err
		}
		if err := cmp.Or(b.complete(), b.readToken()); err != nil {
			return c.flagError(cmd, err)
		}
		text, err := b.text()
		if err != nil {
			return fail("unable to make the bootstrap", err)
		}
		if _, err := c.stdout.Write(text); err != nil {
			return fail("unable to write the bootstrap", err)
		}
		return nil
	}
	return cmd
}

func (b *bootstrapFlags) text() ([]byte, error) {
	if b.grpc {
		return xds.GRPCBootstrap{Node: b.out.Node, Server: net.JoinHostPort(b.out.Address, strconv.Itoa(b.out.Port)),
			CAFile: b.out.CAFile, CertFile: b.out.CertFile, KeyFile: b.out.KeyFile}.JSON()
	}
	return b.out.JSON()
}

// complete reads the flags together.
func (b *bootstrapFlags) complete() (err error) {
	switch {
	case b.grpc && b.service+b.gateway != "", !b.grpc && (b.service == "") == (b.gateway == ""):
		return errors.New("give either -service, -gateway or -grpc")
	case b.grpc && b.out.ServerName != "":
		return errors.New("gRPC takes no -server-name: its certificate must have the host of -address")
	case b.proxy != "" && (b.service == "" || b.node != ""):
		return errors.New("-proxy-id goes with -service and without -node")
	case b.out.NodeName != "" && b.proxy == "":
		return errors.New("-node-name goes with -proxy-id")
	case b.grpc && b.tokenFile != "":
		return errors.New("gRPC shows no token: give -cert-file, or let the program run on the host of -address")
	case (b.out.CertFile == "") != (b.out.KeyFile == ""):
		return errors.New("-cert-file and -key-file go together")
	case b.out.CertFile != "" && b.out.CAFile == "":
		return errors.New("-cert-file needs -ca-file")
	}
	b.out.Cluster, b.out.Role = b.service, xds.SidecarRole(b.service)
	if b.gateway != "" {
		b.out.Cluster, b.out.Role = b.gateway, xds.GatewayRole(b.gateway)
	}
	if b.grpc {
		b.out.Cluster, b.out.Role = xds.GRPCRole, xds.GRPCRole
	}
	if b.node = cmp.Or(b.node, b.proxy); b.node == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("read host name, give -node: %w", err)
		}
		b.node = b.out.Cluster + "@" + host
	}
	b.out.Node = b.node
	if b.out.Address, b.out.Port, err = hostPort("address", b.address); err != nil {
		return err
	}
	b.out.AdminAddress, b.out.AdminPort, err = hostPort("admin", b.admin)
	return err
}

// maxTokenFile bounds the file of a token, in bytes.
const maxTokenFile = 4096

// readToken reads the token that an Envoy shows. It is never taken from the command
// line, which all users of a machine can see.
func (b *bootstrapFlags) readToken() error {
	path := cmp.Or(b.tokenFile, os.Getenv("CONSUL_HTTP_TOKEN_FILE"))
	if path == "" || b.grpc {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxTokenFile+1))
	token := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return fmt.Errorf("read token: %w", err)
	case token == "" || len(text) > maxTokenFile || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("read token from %s: it holds no token", path)
	}
	b.out.Token = tasks.NewSecret(token)
	return nil
}

func hostPort(flag, text string) (string, int, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, fmt.Errorf("-%s is %q, want host:port", flag, text)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("-%s is %q, want a port of 0 to 65535", flag, text)
	}
	return cmp.Or(host, "127.0.0.1"), int(n), nil
}

// observeTags adds the tags of the observe block, where a configuration is named;
// those of flags win.
func (c *cli) observeTags(paths []string, out *xds.Bootstrap) error {
	if len(paths) == 0 {
		return nil
	}
	cfg, err := c.daemon.load(paths)
	if err != nil {
		return badConfig("the configuration is not valid; nothing was printed", err)
	}
	tags := map[string]string{}
	maps.Copy(tags, cfg.Mesh.Observe.Tags)
	maps.Copy(tags, out.Tags)
	out.Tags = tags
	return nil
}
