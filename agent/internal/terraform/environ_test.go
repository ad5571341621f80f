package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/tasks"
)

func TestHostileEnvironmentDoesNotFailARun(t *testing.T) {
	for k, v := range map[string]string{
		"TF_VAR_v": "from the environment", "TF_CLI_ARGS": "-nonsense", "TF_CLI_ARGS_plan": "-destroy", "TF_LOG": "TRACE",
		"TF_LOG_PATH": "/nowhere/log", "TF_WORKSPACE": "elsewhere", "TF_INPUT": "1", "TF_DATA_DIR": t.TempDir(),
		"TF_REATTACH_PROVIDERS": "{", "TF_CLI_CONFIG_FILE": "/nowhere/config", "TF_IN_AUTOMATION": "", "TF_APPEND_USER_AGENT": "x",
	} {
		t.Setenv(k, v)
	}
	b := newBench(t, func(o *Options) { o.PersistLog = true })
	files := b.root("variable \"v\" {}\n" + data("a", "input = var.v"))
	files.Root["terraform.tfvars"] = text("v = \"from the file\"\n")
	files.Env = map[string]tasks.Secret{"TF_VAR_v": tasks.NewSecret("from the task"), "TF_WORKSPACE": tasks.NewSecret("other")}
	b.run(t, files)
	if out := b.run(t, files); !out.Plan.Empty() {
		t.Errorf("second run: %s", out.Plan.Summary())
	}
	if got := find(t, b.dir, "from the file"); len(got) == 0 || len(b.state(t)) != 1 {
		t.Errorf("the value is in %v, the state has %v", got, b.state(t))
	}
	for _, name := range []string{"TF_VAR_v", "TF_CLI_ARGS_plan", "TF_DATA_DIR", "TF_CLI_CONFIG_FILE"} {
		if strings.Count(b.log.String(), name) != 1 {
			t.Errorf("%s is not told once:\n%s", name, b.log)
		}
	}
	info, err := os.Stat(filepath.Join(b.dir, logName))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("persisted log: %v %v", info, err)
	}
}

func TestInitsShareAPluginCacheOneByOne(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv(envConfigFile, "")
	t.Setenv(envPluginCache, "")
	if newEnvironment(os.Environ()).sharedCache() {
		t.Error("a cache was found where none is")
	}
	if err := os.WriteFile(filepath.Join(home, ".terraformrc"), []byte("plugin_cache_dir = \"/x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !newEnvironment(os.Environ()).sharedCache() {
		t.Error("the cache of .terraformrc was not found")
	}
	cache := t.TempDir()
	t.Setenv("HOME", t.TempDir())
	t.Setenv(envPluginCache, cache)
	b := newBench(t, nil)
	if b.oneInit == nil || b.env.vars[envPluginCache] != cache {
		t.Error("the cache of the environment was not found or not passed on")
	}
	b.run(t, b.root(data("a", "input = 1")))
}
