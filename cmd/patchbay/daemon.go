package main

import (
	"context"
	"fmt"
	"os"

	"patchbay/agent"
	"patchbay/agent/config"
	"patchbay/templates"
)

// daemon is what start and validate need of the agent; tests put their own in.
type daemon struct {
	load    func(paths []string) (config.Config, error)
	run     func(context.Context, agent.Options) error
	once    func(context.Context, agent.Options) error
	inspect func(context.Context, agent.Options, []string) ([]agent.Inspection, error)
}

func newDaemon() daemon {
	return daemon{load: load, run: agent.Run, once: agent.Once, inspect: agent.Inspect}
}

// load reads the configuration of this process: its environment, its directory
// and the modules that it ships.
func load(paths []string) (config.Config, error) {
	dir, err := os.Getwd()
	if err != nil {
		return config.Config{}, fmt.Errorf("find working directory: %w", err)
	}
	return config.Load(paths, config.Options{Env: os.Getenv, WorkDir: dir, Builtin: func(name string) bool {
		_, ok := templates.Builtin(name)
		return ok
	}})
}
