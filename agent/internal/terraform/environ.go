package terraform

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// The variables that need a word of their own.
const (
	envConfigFile  = "TF_CLI_CONFIG_FILE"
	envDataDir     = "TF_DATA_DIR"
	envPluginCache = "TF_PLUGIN_CACHE_DIR"
	envCheckpoint  = "CHECKPOINT_DISABLE"
	envTmp         = "TMPDIR"
	envGC          = "GOGC"
)

// environment is what Terraform processes inherit.
type environment struct {
	vars map[string]string
	// dropped are the names left out, each with the reason.
	dropped map[string]string
}

// newEnvironment takes environ (KEY=value) without what would change what a
// command does. TF_VAR_* has no effect on a rendered root module, which sets every
// variable that it declares in files that win over the environment; the rest is
// decided per command by terraform-exec, which refuses these names.
func newEnvironment(environ []string) environment {
	e := environment{vars: map[string]string{}, dropped: map[string]string{}}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			e.vars[k] = v
		}
	}
	for _, k := range tfexec.ProhibitedEnv(e.vars) {
		if e.vars[k] != "" {
			e.dropped[k] = "Patchbay decides it for each command"
		}
		delete(e.vars, k)
	}
	if e.vars[envDataDir] != "" {
		e.dropped[envDataDir] = "all tasks would share one data directory"
	}
	delete(e.vars, envDataDir)
	if path := e.vars[envConfigFile]; path != "" {
		if _, err := os.Stat(path); err != nil {
			e.dropped[envConfigFile] = "it points at nothing readable"
			delete(e.vars, envConfigFile)
		}
	}
	if e.vars[envCheckpoint] == "" {
		e.vars[envCheckpoint] = "1"
	}
	return e
}

// names lists what was dropped, sorted.
func (e environment) names() []string {
	var out []string
	for k := range e.dropped {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// sharedCache tells whether inits share a plugin cache, which Terraform does not
// make safe for concurrent use (hashicorp/terraform issue 31964).
func (e environment) sharedCache() bool {
	if e.vars[envPluginCache] != "" {
		return true
	}
	path := e.vars[envConfigFile]
	if path == "" {
		path = filepath.Join(e.vars["HOME"], ".terraformrc")
	}
	text, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(text), "plugin_cache_dir")
}
