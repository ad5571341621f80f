package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Root is the repository's directory, found upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find repository: no go.mod in the working directory or above it")
		}
		dir = parent
	}
}

// Tool is the path of the first of the named programs that .tools/bin or else PATH has.
func Tool(names ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	for _, name := range names {
		path := filepath.Join(root, ".tools", "bin", name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s: neither in .tools/bin nor on PATH; run make tools", names[0])
}

// Env is the environment that Patchbay and Terraform get: nothing of the
// caller's but PATH, a home of its own, and providers from the mirror alone.
func Env(home string) ([]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	env := []string{
		"PATH=" + filepath.Join(root, ".tools", "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + home,
		"CHECKPOINT_DISABLE=1",
		// A binary with the race detector would else sleep a second at each exit.
		"GORACE=atexit_sleep_ms=10",
	}
	cli := filepath.Join(root, ".tools", "terraformrc")
	if _, err := os.Stat(cli); err == nil {
		env = append(env, "TF_CLI_CONFIG_FILE="+cli)
	}
	return env, nil
}
