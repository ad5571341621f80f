package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/agent/internal/testconsul"
	"patchbay/tasks"

	"github.com/hashicorp/consul/api"
)

// consul starts a real server and gives a client of it.
func consul(t *testing.T) (*api.Client, string) {
	t.Helper()
	server := testconsul.Start(t, nil)
	client, err := api.NewClient(&api.Config{Address: server.HTTPAddr})
	if err != nil {
		t.Fatal(err)
	}
	return client, server.HTTPAddr
}

func consulRoot(b *bench, address, main string) tasks.Files {
	f := b.root("")
	f.Root["main.tf"] = text(fmt.Sprintf("terraform {\n  backend \"consul\" {\n    address = %q\n    gzip    = true\n"+
		"    path    = \"consul-terraform-sync/terraform\"\n  }\n}\n", address) + main)
	return f
}

func keys(t *testing.T, c *api.Client) string {
	t.Helper()
	got, _, err := c.KV().Keys("consul-terraform-sync/", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(got, " ")
}

func TestTheStateIsKeptInConsulAndNoLockIsLeft(t *testing.T) {
	client, address := consul(t)
	const state = "consul-terraform-sync/terraform-env:web"
	b := newBench(t, nil)
	done, open := filepath.Join(t.TempDir(), "done"), filepath.Join(t.TempDir(), "open")
	files := consulRoot(b, address, slow(4, done, open))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := b.Run(ctx, files, yes)
		ended <- err
	}()
	waitFor(t.Context(), t, "the third object", func() bool {
		text, _ := os.ReadFile(done)
		return strings.Count(string(text), "\n") >= 3
	})
	locked := consulRoot(b, address, slow(4, done, open))
	other := newBench(t, func(o *Options) { o.LockTimeout = 1 })
	locked.Dir = other.dir
	_, err := other.Run(t.Context(), locked, yes)
	if err == nil || !strings.Contains(err.Error(), "Who:") || !strings.Contains(err.Error(), "Created:") || !strings.Contains(err.Error(), "force-unlock") {
		t.Errorf("a lock of another one: %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if got := keys(t, client); got != state {
		t.Errorf("keys after the stop: %s", got)
	}
	if err := os.WriteFile(open, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := b.run(t, files); out.Plan.Count(tasks.Create)+out.Plan.Count(tasks.Replace) != 2 || out.Plan.Lineage == "" {
		t.Errorf("the next run planned %s over %q", out.Plan.Summary(), out.Plan.Lineage)
	}
	if out := b.run(t, files); !out.Plan.Empty() || keys(t, client) != state {
		t.Errorf("then %s, keys %s", out.Plan.Summary(), keys(t, client))
	}
	// Consul loses its data: the workspace is made again and the plan tells it.
	if _, err := client.KV().DeleteTree("consul-terraform-sync/", nil); err != nil {
		t.Fatal(err)
	}
	if out := b.run(t, files); out.Plan.Count(tasks.Create) != 4 || keys(t, client) != state {
		t.Errorf("after the loss %s, keys %s", out.Plan.Summary(), keys(t, client))
	}
}

func TestAMoveToConsulWithLocalStateLeftIsRefused(t *testing.T) {
	client, address := consul(t)
	b := newBench(t, nil)
	b.run(t, b.root(data("a", "input = 1")))
	_, err := b.Run(t.Context(), consulRoot(b, address, data("a", "input = 1")), yes)
	if err == nil || !strings.Contains(err.Error(), "init -migrate-state") {
		t.Errorf("error is %v", err)
	}
	if got := keys(t, client); got != "" || len(b.state(t)) != 1 {
		t.Errorf("keys %q, local state %v", got, b.state(t))
	}
	if out := b.run(t, b.root(data("a", "input = 1"))); !out.Plan.Empty() {
		t.Errorf("back with the local backend: %s", out.Plan.Summary())
	}
}
