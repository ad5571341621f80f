package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"patchbay/agent"
	"patchbay/agent/client"
	"patchbay/agent/config"

	"github.com/spf13/cobra"
)

// serve runs the daemon, which reads its configuration anew at every SIGHUP.
func (c *cli) serve(ctx context.Context, l agent.Options, paths []string) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	l.Reload, l.Decode = hangups, decoder(c.legacy)
	l.Load = func() (config.Config, error) {
		cfg, err := c.daemon.load(paths)
		if c.legacy {
			cfg.ShutdownGrace = min(cfg.ShutdownGrace, legacyGrace)
		}
		return cfg, err
	}
	return c.daemon.run(ctx, l)
}

func (c *cli) reload() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Let the daemon read its configuration anew",
		Long: "Let the daemon read its configuration anew, and tell what that changed. What needs a restart is\n" +
			"named. Files with a mistake change nothing: every mistake is told and the exit code is 11.",
		Args: c.noArguments,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.reloadAgent(cmd.Context(), a, *o) }
	return cmd
}

func (c *cli) reloadAgent(ctx context.Context, a *api, o output) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	done, err := api.Reload(ctx)
	if err != nil {
		return notReloaded(err)
	}
	return c.show(o, done, func(p *page) { p.reloaded(done) })
}

// notReloaded shows each mistake of the files in a line of its own.
func notReloaded(err error) error {
	const what = "unable to reload the configuration"
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusBadRequest {
		return &failure{code: exitError, what: what, details: strings.Split(e.Message, "\n")}
	}
	return refused(what, err)
}

func (p *page) reloaded(r client.Reload) {
	if len(r.Changes) == 0 {
		p.line(0, "==> The configuration was read anew: it says what it said before")
	} else {
		p.line(0, "==> The configuration was read anew: %s", count(len(r.Changes), "change"))
	}
	for _, change := range r.Changes {
		p.line(4, "%s", change)
	}
	if len(r.Restart) > 0 {
		p.line(0, "Only a restart takes over: %s", strings.Join(r.Restart, ", "))
	}
	for _, w := range r.Warnings {
		p.line(0, "Warning: %s", w)
	}
}
