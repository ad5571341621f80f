package standin

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
)

// attachment is how Terraform finds a provider that runs already.
type attachment struct {
	Protocol        string
	ProtocolVersion int
	Pid             int
	Test            bool
	Addr            struct{ Network, String string }
}

// Start serves a provider from this process until the test ends. It asks nothing of
// any registry; Terraform needs no lock file for it.
func Start(tb testing.TB, p Provider) *Server {
	tb.Helper()
	quiet(tb)
	s := &Server{provider: p}
	ctx, stop := context.WithCancel(context.Background())
	attach, closed, failed := make(chan *plugin.ReattachConfig, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		failed <- tf5server.Serve(p.Source, func() tfprotov5.ProviderServer { return wire{Server: s} },
			tf5server.WithDebug(ctx, attach, closed), tf5server.WithGoPluginLogger(hclog.NewNullLogger()))
	}()
	tb.Cleanup(func() {
		stop()
		<-closed
		if err := <-failed; err != nil {
			tb.Errorf("serve provider: %v", err)
		}
	})
	select {
	case a := <-attach:
		s.attach = attachment{Protocol: string(a.Protocol), ProtocolVersion: a.ProtocolVersion, Pid: a.Pid, Test: true}
		s.attach.Addr.Network, s.attach.Addr.String = a.Addr.Network(), a.Addr.String()
	case <-time.After(time.Minute):
		tb.Fatal("serve provider: it did not listen within a minute")
	}
	return s
}

// quiet keeps the protocol's library from writing each request to standard error,
// unless someone asked it to. It is told so by environment alone.
func quiet(tb testing.TB) {
	const level = "TF_LOG_SDK_PROTO"
	if _, ok := os.LookupEnv(level); ok {
		return
	}
	if err := os.Setenv(level, "off"); err != nil {
		tb.Fatalf("set %s: %v", level, err)
	}
}

// Reattach gives the line of environment by which Terraform and OpenTofu use the
// running stand-ins.
func Reattach(servers ...*Server) string {
	all := map[string]attachment{}
	for _, s := range servers {
		all[s.provider.Source] = s.attach
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings and numbers
	}
	return "TF_REATTACH_PROVIDERS=" + string(text)
}
