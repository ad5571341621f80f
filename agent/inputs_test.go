package agent

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"patchbay/agent/config"
	"patchbay/agent/internal/consul"
	"patchbay/tasks"
	"patchbay/templates"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func TestEveryRunGetsTheConsulTokenOfItsTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	cfg := config.Config{Driver: config.Driver{Backend: templates.Backend{Type: "consul"}},
		Consul: config.Consul{Address: "127.0.0.1:1", Token: tasks.NewSecret("first"), TokenFile: file}}
	client, err := consul.New(cfg.Consul, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	fill := func(_ context.Context, p tasks.Provider) (tasks.Provider, error) { return p, nil }
	inputs := inputs(cfg, "", fill, client.Token)
	for _, token := range []string{"first", "second"} {
		write(token)
		in, err := inputs(t.Context(), webTask(t), tasks.Input{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, value := range in.Env {
			got[name] = value.Reveal()
		}
		want := map[string]string{"CONSUL_HTTP_ADDR": "127.0.0.1:1", "CONSUL_HTTP_TOKEN": token, "CONSUL_HTTP_TOKEN_FILE": file}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
