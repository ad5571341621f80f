package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"patchbay/agent/internal/terraform"
	"patchbay/tasks"
	"patchbay/templates"
	"patchbay/templates/source"
	"patchbay/templates/trial"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// Trial is a module that is to be planned with sets of services.
type Trial struct {
	// Module is an absolute directory, or builtin/<name>.
	Module string
	// Variables are given beside what a task gives by itself.
	Variables map[string]cty.Value
	Sets      []trial.Set
	// Binary is the name or path of a Terraform or OpenTofu; "" is the one that a
	// task is run with by default.
	Binary string
	Log    hclog.Logger
	// Stop ends the trial.
	Stop <-chan struct{}
}

// Tried is what Terraform made of one set.
type Tried struct {
	Set trial.Set
	// Plan is over an empty state.
	Plan tasks.Plan
	// Took is the time of init, plan and show together.
	Took time.Duration
	// Err is why there is no plan.
	Err error
}

// trialName is the name of the task that a module is tried in.
const trialName = "trial"

// ErrModule is returned for a module that cannot be tried at all.
var ErrModule = errors.New("module cannot be tried")

// TryModule plans a module with each set, as the module of a task would be and over
// an empty state, and applies nothing: it has no way to. Files are in a directory of
// its own that is removed at the end. The error is of what concerns all sets.
func TryModule(ctx context.Context, t Trial) (out []Tried, err error) {
	err = untilStopped(ctx, t.Stop, func(ctx context.Context) (err error) {
		out, err = t.run(ctx)
		return err
	})
	return out, err
}

func (t Trial) run(ctx context.Context) (out []Tried, err error) {
	module, err := moduleAt(t.Module)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	asked, err := t.asked(module.Variables())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	binary, err := terraform.Find(ctx, terraform.Choice{Binary: t.Binary})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTerraform, err)
	}
	t.Log.Info("terraform found", "product", binary.Product, "version", binary.Version, "path", binary.Path)
	dir, err := os.MkdirTemp("", "patchbay-module-")
	if err != nil {
		return nil, fmt.Errorf("make directory to plan in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	planner := terraform.NewReadOnly(binary, terraform.Options{Log: t.Log.Named("terraform")})
	for _, s := range t.Sets {
		start := time.Now()
		one := Tried{Set: s}
		one.Plan, one.Err = t.plan(ctx, planner, dir, s, asked)
		one.Took = time.Since(start)
		if ctx.Err() != nil {
			return nil, tasks.ErrStopping
		}
		out = append(out, one)
	}
	return out, nil
}

// moduleAt reads a module from where it is.
func moduleAt(place string) (*source.Module, error) {
	var files fs.FS
	if name, ok := strings.CutPrefix(place, "builtin/"); ok {
		if files, ok = templates.BuiltinFS(name); !ok {
			return nil, fmt.Errorf("no module %q is shipped", place)
		}
	} else {
		files = os.DirFS(place)
	}
	return source.Read(files)
}

// asked lists the variables of Consul that the module cannot do without, and those of
// canaries if it takes them. Any other one without a default must be in Variables.
func (t Trial) asked(variables []source.Variable) (asked []string, err error) {
	var missing []string
	for _, v := range variables {
		_, given := t.Variables[v.Name]
		switch v.Name {
		case templates.CanaryVariable:
			if !given {
				asked = append(asked, v.Name)
			}
		case "services", "instance_weights":
		default:
			consul := slices.Contains([]string{tasks.VariableKV, tasks.VariableCatalogServices, tasks.VariableNodes}, v.Name)
			switch {
			case given || !v.Required:
			case consul:
				asked = append(asked, v.Name)
			default:
				missing = append(missing, v.Name)
			}
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("it has variables without a default: %s; nothing was planned: give them by -variables FILE, as name = value", strings.Join(missing, ", "))
	}
	return asked, nil
}

// plan plans one set. The directory is that of the sets before, so that providers are
// fetched once.
func (t Trial) plan(ctx context.Context, planner planner, dir string, s trial.Set, asked []string) (tasks.Plan, error) {
	task := tasks.Task{Name: trialName, Enabled: true, Module: t.Module, WrittenModule: t.Module, WorkingDir: dir, Variables: maps.Clone(t.Variables),
		Condition: tasks.Condition{Services: &tasks.Services{}, UseAsModuleInput: true}}
	in := templates.Inputs{Input: s.Input(asked)}
	if slices.Contains(asked, templates.CanaryVariable) {
		in.CanaryWeights = map[string]map[string]float64{}
		maps.Copy(in.CanaryWeights, s.Canaries)
	}
	files, err := templates.Render(task, in)
	if err != nil {
		return tasks.Plan{}, err
	}
	return planner.Plan(ctx, files, terraform.Copied{Local: true})
}
