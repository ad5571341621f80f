package agent

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"patchbay/agent/internal/canaries"
	"patchbay/tasks"
	"patchbay/tasks/rollout"
	"patchbay/templates"
)

// shifted is the trigger of a run that brings the weights of canaries.
const shifted tasks.Trigger = "canary weights"

// maxModuleFile bounds what is read of a module's file, in bytes.
const maxModuleFile = 4 << 20

// weights are shares in percent: service, subset, percent.
type weights = map[string]map[string]float64

// weighing is what canaries must know of a task.
type weighing struct {
	takes bool
	// applied are the weights of the last run that succeeded in this process; nil
	// before the first.
	applied weights
}

// weights gives what the task's module is to be given; nil when it takes none.
func (w *worker) weights() weights { return w.given(w.takes) }

func (w *worker) given(takes bool) weights {
	if !takes || w.records == nil {
		return nil
	}
	out := weights{}
	for service, shares := range canaries.Weights(w.records()) {
		if concerns(w.task, service) {
			out[service] = shares
		}
	}
	return out
}

// concerns tells whether a task has to do with a service. One without a selection of
// services may have to do with any.
func concerns(t tasks.Task, service string) bool {
	s, ok := t.InputServices()
	return !ok || s.Selects(service)
}

// takesWeights tells whether the module of a task declares the variable. A value that
// the task itself sets wins.
func takesWeights(t tasks.Task) bool {
	if _, own := t.Variables[templates.CanaryVariable]; own {
		return false
	}
	if name, ok := strings.CutPrefix(t.Module, "builtin/"); ok {
		files, _ := templates.Builtin(name)
		return templates.TakesCanaryWeights(files)
	}
	dir := t.Module
	if !filepath.IsAbs(dir) {
		dir = downloaded(t)
	}
	return dir != "" && templates.TakesCanaryWeights(moduleFiles(dir))
}

// downloaded is where Terraform keeps the module of a task; "" before its first init.
func downloaded(t tasks.Task) string {
	text, err := readBounded(filepath.Join(t.WorkingDir, ".terraform", "modules", "modules.json"))
	if err != nil {
		return ""
	}
	var manifest struct {
		Modules []struct{ Key, Dir string }
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return ""
	}
	for _, m := range manifest.Modules {
		if m.Key == t.Name && m.Dir != "" {
			return filepath.Join(t.WorkingDir, m.Dir)
		}
	}
	return ""
}

// moduleFiles reads the files that may declare variables. What cannot be read declares
// none, and Terraform tells why.
func moduleFiles(dir string) map[string][]byte {
	out := map[string][]byte{}
	for _, pattern := range []string{"*.tf", "*.tf.json"} {
		names, err := filepath.Glob(filepath.Join(globEscape(dir), pattern))
		if err != nil {
			continue
		}
		for _, name := range names {
			if text, err := readBounded(name); err == nil {
				out[filepath.Base(name)] = text
			}
		}
	}
	return out
}

func globEscape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxModuleFile))
}

// reweigh asks for a run when the weights are others than those of the newest one.
func (r *runner) reweigh() {
	if r.snapshot == nil || !r.ran.once || r.removal != nil || !r.work.task.Enabled {
		return
	}
	if now := r.work.weights(); !reflect.DeepEqual(now, r.ran.weights) {
		r.want(shifted)
	}
}

// showWeighing makes what canaries see of the task.
func (r *runner) showWeighing() {
	now := weighing{takes: r.work.takes && r.work.task.Enabled && r.removal == nil, applied: r.applied}
	if before := r.weighing.Swap(&now); (before == nil || !reflect.DeepEqual(*before, now)) && r.work.applied != nil {
		r.work.applied()
	}
}

// weighed lists the tasks that are given the weights of a service.
func (e *engine) weighed(service string) (out []rollout.Task) {
	for _, r := range e.all() {
		w := r.weighing.Load()
		if w == nil || !w.takes || !concerns(r.state.Load().Task, service) {
			continue
		}
		t := rollout.Task{Name: r.name}
		if shares := w.applied[service]; shares != nil {
			t.Applied = map[string]uint32{}
			for subset, percent := range shares {
				t.Applied[subset] = uint32(percent*float64(rollout.Whole)/100 + 0.5)
			}
		}
		out = append(out, t)
	}
	return out
}

// reweigh lets every task look at the weights of the canaries.
func (e *engine) reweigh() {
	for _, r := range e.all() {
		select {
		case r.nudges <- struct{}{}:
		default:
		}
	}
}
