package moduletest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/templates"
)

// Stack is a root module in a directory of its own that calls one shipped module as
// module.edge, and its state. Root variables services and, where the module has them,
// instance_weights and canary_weights are passed on; output edge is the module's outputs.
type Stack struct {
	// Dir is the directory of the root module, Binary the Terraform or OpenTofu it is run with.
	Dir, Binary string
	// Env are NAME=value pairs added to the environment of Terraform.
	Env []string
}

// Binary gives the Terraform of the tests: the program that TEST_TERRAFORM names, or
// else the first of terraform and tofu on PATH.
func Binary(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{os.Getenv("TEST_TERRAFORM"), "terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	tb.Fatal("neither terraform nor tofu is on PATH: install one of them")
	return ""
}

// passed are root variables that a module is given if it declares them.
var passed = []string{"services", "instance_weights", "canary_weights"}

// New writes a root module that calls a shipped module and initialises it. Arguments are
// lines of HCL for its module block. What else the root needs, such as provider blocks,
// is written by [Stack.Write] before [Stack.Init] is called again.
func New(tb testing.TB, module string, arguments ...string) *Stack {
	tb.Helper()
	s := Bare(tb, module, arguments...)
	s.Init(tb)
	return s
}

// Bare is [New] without the initialisation.
func Bare(tb testing.TB, module string, arguments ...string) *Stack {
	tb.Helper()
	files, ok := templates.Builtin(module)
	if !ok {
		tb.Fatalf("module %s is not built in", module)
	}
	s := &Stack{Dir: tb.TempDir(), Binary: Binary(tb)}
	var declared strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		s.Write(tb, filepath.Join(module, name), files[name])
		declared.Write(files[name])
	}
	var main strings.Builder
	for _, v := range passed {
		if strings.Contains(declared.String(), fmt.Sprintf("variable %q", v)) {
			fmt.Fprintf(&main, "variable %q {\n  type    = any\n  default = {}\n}\n", v)
			arguments = append(arguments, fmt.Sprintf("%s = var.%s", v, v))
		}
	}
	fmt.Fprintf(&main, "module \"edge\" {\n  source = \"./%s\"\n  %s\n}\noutput \"edge\" { value = module.edge }\n",
		module, strings.Join(arguments, "\n  "))
	s.Write(tb, "main.tf", []byte(main.String()))
	return s
}

// Init runs terraform init.
func (s *Stack) Init(tb testing.TB) {
	tb.Helper()
	s.Must(tb, "init")
}

// Write writes a file below the root module.
func (s *Stack) Write(tb testing.TB, name string, content []byte) {
	tb.Helper()
	path := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatalf("make directory: %v", err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		tb.Fatalf("write file: %v", err)
	}
}

// Set gives a root variable its value.
func (s *Stack) Set(tb testing.TB, variable string, value any) {
	tb.Helper()
	content, err := json.Marshal(map[string]any{variable: value})
	if err != nil {
		tb.Fatalf("encode variable: %v", err)
	}
	s.Write(tb, variable+".auto.tfvars.json", content)
}

// Give sets what the module gets as services: each has the key of its place, see [Key].
func (s *Stack) Give(tb testing.TB, services ...Instance) {
	tb.Helper()
	keyed := map[string]Instance{}
	for n, i := range services {
		keyed[Key(n)] = i
	}
	s.Set(tb, "services", keyed)
}

// Key is the key of the nth instance that [Stack.Give] gives; keys are in the order of n.
func Key(n int) string { return fmt.Sprintf("web-%05d.n1.dc1", n) }

// Run runs Terraform and gives all it said.
func (s *Stack) Run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, s.Binary, append(args, "-no-color")...)
	command.Dir = s.Dir
	command.Env = append(os.Environ(), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	command.Env = append(command.Env, s.Env...)
	out, err := command.CombinedOutput()
	return string(out), err
}

// Must is [Stack.Run] that has to succeed.
func (s *Stack) Must(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := s.Run(args...)
	if err != nil {
		tb.Fatalf("%s %s: %v:\n%s", s.Binary, strings.Join(args, " "), err, out)
	}
	return out
}

// Apply plans and applies.
func (s *Stack) Apply(tb testing.TB) {
	tb.Helper()
	s.Must(tb, "apply", "-auto-approve", "-input=false")
}

// Refused runs an apply that must fail, and gives what Terraform said, on one line
// per paragraph: without the frame and the line breaks that it puts into errors.
func (s *Stack) Refused(tb testing.TB) string {
	tb.Helper()
	out, err := s.Run("apply", "-auto-approve", "-input=false")
	if err == nil {
		tb.Fatalf("the apply succeeded, want an error:\n%s", out)
	}
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(out)), " ")
}

// Settled fails unless a plan would change nothing.
func (s *Stack) Settled(tb testing.TB) {
	tb.Helper()
	if out, err := s.Run("plan", "-detailed-exitcode", "-input=false"); err != nil {
		tb.Fatalf("the second plan is not empty: %v:\n%s", err, out)
	}
}

// Output decodes one output of the module.
func (s *Stack) Output(tb testing.TB, name string, to any) {
	tb.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s.Must(tb, "output", "-json", "edge")), &all); err != nil {
		tb.Fatalf("decode outputs: %v", err)
	}
	if err := json.Unmarshal(all[name], to); err != nil {
		tb.Fatalf("decode output %s: %v", name, err)
	}
}
