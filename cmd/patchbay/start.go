package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"patchbay/agent"
	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
)

// paths is the value of -config-file and -config-dir: both add to one list, so
// that the order on the command line is the order of merging.
type paths struct{ list *[]string }

func (p paths) String() string {
	if p.list == nil {
		return ""
	}
	return strings.Join(*p.list, ",")
}

func (p paths) Type() string { return "path" }

func (p paths) Set(v string) error {
	if v == "" {
		return errors.New("the path is empty")
	}
	*p.list = append(*p.list, v)
	return nil
}

// configFlags adds the flags that name the configuration.
func configFlags(f *pflag.FlagSet) *[]string {
	list := &[]string{}
	f.Var(paths{list}, "config-file", "configuration file, .hcl or .json (repeatable)")
	f.Var(paths{list}, "config-dir", "directory of configuration files (repeatable)")
	return list
}

// starting is one start command.
type starting struct {
	paths         *[]string
	once, inspect bool
	// raw shows Terraform's plan of an inspection.
	raw    bool
	names  []string
	output *output
	// client is the value of a hidden flag: see [development].
	client string
	// install and uninstall are of the form without command.
	install, uninstall bool
}

// development is the client type that runs no Terraform; any other is as none, as in
// Consul-Terraform-Sync.
const development = "development"

func (c *cli) start() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the daemon, run every task once, or show what it would do",
		Long: "Run the daemon until it gets SIGINT, SIGTERM or SIGQUIT. The first signal lets an apply in\n" +
			"flight finish, the second interrupts Terraform, the third ends the process.",
		Args: c.noArguments,
	}
	f := cmd.Flags()
	flagsFirst(cmd)
	s := &starting{paths: configFlags(f)}
	f.BoolVar(&s.once, "once", false, "run every enabled task once and end")
	f.BoolVar(&s.inspect, "inspect", false, "show what every task would change and end")
	f.StringArrayVar(&s.names, "inspect-task", nil, "show what this task would change and end (repeatable)")
	f.StringVar(&s.client, "client-type", "", "development runs no Terraform and looks for none")
	_ = f.MarkHidden("client-type") // it was just added
	if c.legacy {
		if c.bare {
			f.BoolVar(&s.install, "autocomplete-install", false, "install the autocomplete")
			f.BoolVar(&s.uninstall, "autocomplete-uninstall", false, "uninstall the autocomplete")
		}
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.legacyBegin(cmd.Context(), s) }
		return cmd
	}
	s.output = outputFlag(cmd)
	f.BoolVar(&s.raw, "raw", false, "with -inspect, show Terraform's plan, object by object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.begin(cmd.Context(), s) }
	return cmd
}

func (c *cli) begin(ctx context.Context, s *starting) error {
	if len(*s.paths) == 0 {
		return c.misuse("start", "unable to start patchbay", "no config file provided")
	}
	cfg, err := c.daemon.load(*s.paths)
	if err != nil {
		return badConfig("the configuration is not valid; nothing was started", err)
	}
	for _, name := range s.names {
		if !slices.ContainsFunc(cfg.Tasks, func(t tasks.Task) bool { return t.Name == name }) {
			return &failure{code: exitConfig, what: fmt.Sprintf("task not found: %s", name),
				details: []string{"Nothing was started; the configuration has no task of this name."}}
		}
	}
	l := agent.Options{Config: cfg, Log: c.logger(cfg), Version: build().Version}
	l.Log.Named("cli").Info("started", "version", l.Version, "commit", build().Commit)
	for _, w := range cfg.Warnings {
		l.Log.Named("config").Warn("configuration is doubtful", "warning", w)
	}
	if len(cfg.Tasks) == 0 && s.once {
		l.Log.Info("no tasks configured")
	}
	l.Development = s.client == development
	return signals(func(stop <-chan struct{}) error {
		l.Stop = stop
		switch {
		case s.inspect || len(s.names) > 0:
			return c.inspectTasks(ctx, l, s)
		case s.once:
			return ended(c.daemon.once(ctx, l), "unable to run every task once")
		}
		err := c.serve(ctx, l, *s.paths)
		if errors.Is(err, tasks.ErrStopping) {
			return nil // before there was anything to stop
		}
		return ended(err, "the agent ended")
	})
}

// logger writes to standard error, and to syslog, as the configuration says.
func (c *cli) logger(cfg config.Config) hclog.Logger {
	level := hclog.LevelFromString(cfg.LogLevel)
	if strings.EqualFold(cfg.LogLevel, "ERR") {
		level = hclog.Error
	}
	out, err := agent.LogOutput(cfg.Syslog, c.stderr)
	log := hclog.New(&hclog.LoggerOptions{Level: level, Output: out, JSONFormat: strings.EqualFold(cfg.LogFormat, "json")})
	if err != nil {
		log.Warn("syslog was not reached", "err", err)
	}
	return log
}

// signals runs work with a channel that gives one value per signal to stop.
func signals(work func(stop <-chan struct{}) error) error {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(caught)
	stop, done := make(chan struct{}), make(chan struct{})
	var forward errgroup.Group
	forward.Go(func() error {
		for {
			select {
			case <-caught:
			case <-done:
				return nil
			}
			select {
			case stop <- struct{}{}:
			case <-done:
				return nil
			}
		}
	})
	err := work(stop)
	close(done)
	return errors.Join(err, forward.Wait())
}

// ended gives the exit code that belongs to the agent's error.
func ended(err error, what string) error {
	if err == nil {
		return nil
	}
	f := &failure{code: exitError, what: what, cause: err}
	switch {
	case errors.Is(err, agent.ErrKilled):
		f.code = exitStopped
		f.advice = []string{"Terraform may have left a state lock behind; the next start tells."}
	case errors.Is(err, agent.ErrTerraform):
		f.code = exitTerraform
		f.advice = []string{`Nothing was changed. Put terraform or tofu on PATH, or name one: driver "terraform" { binary = "/path/to/terraform" }.`}
	case errors.Is(err, agent.ErrConsul):
		f.code = exitConfig
		f.advice = []string{"Nothing was changed. Check consul { address } and that the Consul servers have a leader."}
	}
	return f
}

// badConfig shows every problem of a configuration, one per line.
func badConfig(what string, err error) error {
	f := &failure{code: exitConfig, what: what}
	for _, p := range problems(err) {
		f.details = append(f.details, p.String())
	}
	return f
}
