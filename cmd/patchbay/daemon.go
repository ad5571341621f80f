package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"patchbay/agent"
	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/templates"
)

// daemon is what start and validate need of the agent; tests put their own in.
type daemon struct {
	load    func(paths []string) (config.Config, error)
	run     func(context.Context, agent.Options) error
	once    func(context.Context, agent.Options) error
	inspect func(context.Context, agent.Options, []string) ([]agent.Inspection, error)
	compare func(context.Context, agent.Options) ([]agent.Comparison, error)
	try     func(context.Context, agent.Trial) ([]agent.Tried, error)
}

// newDaemon gives the real one; legacy lets the configuration have the defaults
// of Consul-Terraform-Sync.
func newDaemon(legacy bool) daemon {
	load := func(paths []string) (config.Config, error) { return load(paths, legacy) }
	return daemon{load: load, run: agent.Run, once: agent.Once, inspect: agent.Inspect, compare: agent.Compare, try: agent.TryModule}
}

// load reads the configuration of this process.
func load(paths []string, legacy bool) (config.Config, error) {
	o, err := surroundings(legacy)
	if err != nil {
		return config.Config{}, err
	}
	return config.Load(paths, o)
}

// surroundings are what a configuration depends on besides its files: the
// process's environment, its directory and the modules that it ships.
func surroundings(legacy bool) (config.Options, error) {
	dir, err := os.Getwd()
	if err != nil {
		return config.Options{}, fmt.Errorf("find working directory: %w", err)
	}
	return config.Options{Env: os.Getenv, WorkDir: dir, Legacy: legacy, Builtin: func(name string) bool {
		_, ok := templates.Builtin(name)
		return ok
	}}, nil
}

// decoder reads tasks of the HTTP API as load reads those of files.
func decoder(legacy bool) func(config.Config, json.RawMessage) (tasks.Task, error) {
	return func(base config.Config, body json.RawMessage) (tasks.Task, error) {
		o, err := surroundings(legacy)
		if err != nil {
			return tasks.Task{}, err
		}
		return config.TaskFromAPI(body, base, o)
	}
}
