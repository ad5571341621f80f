package config

import (
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/rogpeppe/go-internal/txtar"
)

func FuzzHCL(f *testing.F)  { fuzz(f, "hcl") }
func FuzzJSON(f *testing.F) { fuzz(f, "json") }

// fuzz reads any text as one file. It must not panic; then there is either a
// Config or a list of problems, each with its place.
func fuzz(f *testing.F, ext string) {
	for _, seed := range seeds(f, ext) {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newReport()
		cfg := build([]source{{"fuzz." + ext, text}}, testOptions(dir, nil), r)
		err := r.err()
		if err == nil {
			check(t, cfg)
			return
		}
		list, ok := err.(*Error)
		if !ok || len(list.Problems) == 0 {
			t.Fatalf("an error of type %T without problems", err)
		}
		for _, p := range list.Problems {
			if p.File == "" || p.Line < 1 || p.Column < 1 || p.What == "" || p.Do == "" {
				t.Errorf("incomplete problem: %q, %q", p, p.Do)
			}
		}
	})
}

// check holds a Config against its own promises.
func check(t *testing.T, cfg Config) {
	t.Helper()
	names := map[string]bool{}
	for _, task := range cfg.Tasks {
		switch {
		case names[task.Name], !taskName.MatchString(task.Name), task.Module == "", task.Position == "", !strings.HasPrefix(task.WorkingDir, "/"):
			t.Errorf("task %+v", task)
		case task.Buffer.Min < 0, task.Buffer.Min > task.Buffer.Max, task.Guard.MaxDestroys < 0:
			t.Errorf("task %s: buffer %+v, guard %+v", task.Name, task.Buffer, task.Guard)
		}
		if s := task.Condition.Schedule; s != nil && (checkCron(s.Cron) != nil || task.Buffer != tasks.Buffer{}) {
			t.Errorf("task %s: schedule %q, buffer %+v", task.Name, s.Cron, task.Buffer)
		}
		if kv := task.Condition.ConsulKV; kv != nil && kv.Path == "" && !kv.Recurse {
			t.Errorf("task %s: %+v", task.Name, kv)
		}
		filled := map[string]int{}
		for _, in := range task.Given() {
			filled[variableOf(in)]++
		}
		if filled["consul_kv"] > 1 || filled["nodes"] > 1 {
			t.Errorf("task %s fills variables more than once: %v", task.Name, filled)
		}
		names[task.Name] = true
		for _, s := range task.Selectors() {
			if err := s.Validate(); err != nil {
				t.Error(err)
			}
		}
	}
	if cfg.Port < 0 || cfg.Port > maxPort || cfg.MaxParallelTasks < 1 || cfg.History.Runs < 1 || cfg.ShutdownGrace < 0 || cfg.Consul.Address == "" {
		t.Errorf("config %+v", cfg)
	}
	if mistakes := cfg.Mesh.Validate(); mistakes != nil {
		t.Errorf("the mesh has mistakes: %v", mistakes)
	}
	for _, s := range cfg.Mesh.Services {
		for _, target := range cfg.Mesh.Targets(s.Own("")) {
			if s.Position == "" || !cfg.Mesh.Service(target).HasSubset(target.Subset) {
				t.Errorf("routes %q lead to %s", s.Name, target)
			}
		}
	}
	dump(t, cfg, true)
}

// seeds are the files of the golden cases.
func seeds(f *testing.F, ext string) (out [][]byte) {
	f.Helper()
	for _, name := range goldenCases(f) {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, "."+ext) {
				out = append(out, file.Data)
			}
		}
	}
	return out
}
