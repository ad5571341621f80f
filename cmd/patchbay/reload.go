package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"patchbay/agent"
	"patchbay/agent/config"

	"golang.org/x/sync/errgroup"
)

// serve runs the daemon and reads its configuration anew at every SIGHUP.
func (c *cli) serve(ctx context.Context, l agent.Options, paths []string) error {
	var newest atomic.Pointer[config.Config]
	newest.Store(&l.Config)
	l.Decode = decoder(func() config.Config { return *newest.Load() }, c.legacy)
	reload := make(chan config.Config)
	l.Reload = reload
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	around, leave := context.WithCancel(ctx)
	var group errgroup.Group
	group.Go(func() error {
		for {
			select {
			case <-hangups:
			case <-around.Done():
				return nil
			}
			cfg, err := c.daemon.load(paths)
			if err != nil {
				l.Log.Error("configuration was not reloaded, nothing changed", "err", err)
				continue
			}
			for _, w := range cfg.Warnings {
				l.Log.Named("config").Warn("configuration is doubtful", "warning", w)
			}
			changes := config.Diff(*newest.Load(), cfg)
			select {
			case reload <- cfg:
				newest.Store(&cfg)
				for _, change := range changes {
					l.Log.Info("configuration changed", "change", change)
				}
				l.Log.Info("configuration was reloaded", "changes", len(changes), "tasks", len(cfg.Tasks))
			case <-around.Done():
				return nil
			}
		}
	})
	err := c.daemon.run(ctx, l)
	leave()
	_ = group.Wait() // it gives no error
	return err
}
