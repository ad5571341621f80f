package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"patchbay/tasks"

	"github.com/zclconf/go-cty/cty"
)

var taskName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

const builtinPrefix = "builtin/"

// taskBlock is a task while it is decoded.
type taskBlock struct {
	tasks.Task
	path string
	at   Position
	// where tells the position of an attribute that was set; absent when not.
	where map[string]Position
	// inputs tells the position of the input for each of the module's variables.
	inputs map[string]Position
	// old are the values of deprecated names.
	old struct {
		source   string
		sourceAt Position
		services field
	}
	// variables are the values of the block and of the files, which win.
	variables, fromFiles map[string]cty.Value
}

// task decodes one task block and appends it to the configuration.
func (d *decoder) task(f field, guard tasks.Guard) {
	n, ok := d.object(f)
	if !ok {
		return
	}
	t := &taskBlock{path: f.path, at: f.pos, where: map[string]Position{}, inputs: map[string]Position{},
		variables: map[string]cty.Value{}, fromFiles: map[string]cty.Value{}}
	t.Enabled, t.Buffer, t.Guard, t.Position = true, d.cfg.Buffer, guard, f.pos.line()
	d.block(n, t.path, d.taskFields(t))
	d.oldNames(t)
	d.checkName(t)
	d.checkModule(t)
	d.checkInputs(t)
	if t.WorkingDir == "" {
		t.WorkingDir = filepath.Join(d.cfg.WorkingDir, t.Name)
	}
	d.checkOthers(t)
	d.checkAfterApply(t)
	d.checkSchedule(t)
	t.Variables = t.variables
	for name, v := range t.fromFiles {
		t.Variables[name] = v
	}
	d.cfg.Tasks = append(d.cfg.Tasks, t.Task)
}

func (d *decoder) taskFields(t *taskBlock) map[string]setter {
	at := func(name string, set setter) setter {
		return func(f field) {
			t.where[name] = f.pos
			set(f)
		}
	}
	return map[string]setter{
		"name": at("name", d.str(&t.Name)), "description": d.str(&t.Description), "enabled": d.boolean(&t.Enabled),
		"module": at("module", d.str(&t.Module)), "version": d.str(&t.Version),
		"providers":      func(f field) { d.taskProviders(t, f) },
		"condition":      at("condition", func(f field) { d.condition(t, f) }),
		"module_input":   func(f field) { d.moduleInput(t, f) },
		"source":         func(f field) { d.source(t, f) },
		"source_input":   func(f field) { d.sourceInput(t, f) },
		"services":       func(f field) { t.old.services = f },
		"variable_files": func(f field) { d.variableFiles(t, f) },
		"variables":      func(f field) { d.variables(t, f) },
		"working_dir":    d.path(&t.WorkingDir),
		"buffer_period":  at("buffer_period", func(f field) { d.taskBuffer(t, f) }),
		"guard":          func(f field) { t.Guard = d.guard(f, t.path, t.Guard) },
	}
}

// taskBuffer decodes a task's buffer: an empty block sets nothing and leaves the
// global one.
func (d *decoder) taskBuffer(t *taskBlock, f field) {
	if n, ok := f.value.objects(); ok && len(n) == 1 && len(n[0].fields) == 0 {
		return
	}
	t.Buffer, t.OwnBuffer = d.buffer(f, t.path, taskBuffer(d.cfg.Buffer)), true
}

func (d *decoder) checkName(t *taskBlock) {
	switch {
	case t.Name == "":
		d.missing(t.at, "write name = \"…\"", "unique name for the task is required")
	case !taskName.MatchString(t.Name):
		d.problem(t.where["name"], "rename the task",
			"a task name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes: %q", t.Name)
	}
}

// checkOthers compares the task with those before it.
func (d *decoder) checkOthers(t *taskBlock) {
	for _, other := range d.cfg.Tasks {
		switch {
		case t.Name == "" || t.Name != other.Name && t.WorkingDir != other.WorkingDir:
		case t.Name == other.Name:
			d.problem(t.where["name"], "rename one; the other is at "+other.Position, "duplicate task name: %s", t.Name)
		default:
			d.problem(t.at, "give each task a directory of its own; the other is at "+other.Position, "tasks %s and %s have the same working_dir", other.Name, t.Name)
		}
	}
}

// checkModule makes a local module absolute and looks whether it is there.
func (d *decoder) checkModule(t *taskBlock) {
	at := t.where["module"]
	name, builtin := strings.CutPrefix(t.Module, builtinPrefix)
	switch {
	case t.Module == "":
		d.missing(t.at, "write module = \"…\" with a Terraform module source", "module for the task is required")
	case builtin && !d.Builtin(name):
		d.problem(at, "see templates/README.md for the modules that are shipped", "no module %q is built in", name)
	case strings.HasPrefix(t.Module, "./"), strings.HasPrefix(t.Module, "../"):
		source := t.Module
		t.Module, t.WrittenModule = absolute(d.WorkDir, source), source
		entries, err := os.ReadDir(t.Module)
		if err != nil {
			d.problem(at, "correct the path; it starts at "+d.WorkDir, "cannot read module %q: %v", source, cause(err))
		} else if !slices.ContainsFunc(entries, isTerraform) {
			d.problem(at, "name the directory that holds the module's .tf files", "module %q holds no .tf file", source)
		}
	}
}

func isTerraform(e os.DirEntry) bool {
	return !e.IsDir() && slices.ContainsFunc([]string{".tf", ".tf.json", ".tofu", ".tofu.json"},
		func(ext string) bool { return strings.HasSuffix(e.Name(), ext) })
}

func (d *decoder) taskProviders(t *taskBlock, f field) {
	names := map[string]bool{}
	t.Providers = nil
	for _, e := range elements(f) {
		id, ok := d.text(e)
		if !ok {
			continue
		}
		name, alias, _ := strings.Cut(id, ".")
		known := slices.ContainsFunc(d.cfg.Providers, func(p tasks.Provider) bool { return p.ID() == id })
		switch {
		case name == "":
			d.problem(e.pos, "write the name of a provider", "providers holds an empty name")
			continue
		case names[name]:
			d.problem(e.pos, "keep one of them", "only one provider instance per task: %s", name)
		case alias != "" && !known:
			d.problem(e.pos, "write "+writeProvider+" with this alias", "no terraform_provider block is %s", id)
		}
		names[name] = true
		t.Providers = append(t.Providers, id)
	}
}
