package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheStateOfATaskLiesWhereTheBackendHasIt(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	for where, c := range map[string]struct{ backend, more, key, file string }{
		"Consul, by default":       {"", "", "consul-terraform-sync/terraform-env:web", ""},
		"Consul, below a kv_path":  {"", "consul {\n  kv_path = \"network/\"\n}", "network/terraform-env:web", ""},
		"Consul, at a path":        {"backend \"consul\" {\n    path = \"states\"\n  }", "", "states-env:web", ""},
		"local":                    {local, "", "", "terraform.tfstate.d/web/terraform.tfstate"},
		"local, in a directory":    {"backend \"local\" {\n    workspace_dir = \"states\"\n  }", "", "", "states/web/terraform.tfstate"},
		"local, where path is set": {"backend \"local\" {\n    path = \"other.tfstate\"\n  }", "", "", "terraform.tfstate.d/web/terraform.tfstate"},
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			w := base.beside(t, where)
			w.legacy()
			// A second file is merged with the first, as the block may be written once in each.
			first := w.file("first.hcl", w.config(c.backend, w.filesTask("web", "web", filepath.Join(w.dir, "made"))))
			second := w.file("second.hcl", c.more)
			w.says(0, "", []string{"start", "-config-file", first, "-config-file", second, "-once"}, "all tasks completed once")
			if c.key != "" {
				pair, _, err := w.consul.Client.KV().Get(c.key, nil)
				w.must(err)
				if pair == nil {
					t.Errorf("Consul has no key %s", c.key)
				}
				return
			}
			if _, err := os.Stat(w.taskDir("web", c.file)); err != nil {
				t.Errorf("the state: %v", err)
			}
		})
	}
}

func TestAWorkspaceWhoseStateIsGoneIsMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	made := filepath.Join(w.dir, "made")
	config := w.config("", w.filesTask("web", "web", made))
	w.start(config)
	w.eventful("web", "successful", 1)
	w.end(endings["after a graceful stop"])
	_, err := w.consul.Client.KV().DeleteTree("consul-terraform-sync/", nil)
	w.must(err)
	w.must(os.Remove(made))
	w.start(config)
	w.reads(made, "web-1")
	w.phase("web", "applied")
	w.state("web", true)
}
