package terraform

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
)

const (
	benchRoot = localBackend + "variable \"v\" {}\nmodule \"m\" {\n  source = \"./modules/m\"\n  v      = var.v\n}\n"
	builtIn   = "variable \"v\" {}\nresource \"terraform_data\" \"a\" {\n  input = var.v\n}\n"
	localFile = "terraform {\n  required_providers {\n    local = { source = \"hashicorp/local\" }\n  }\n}\nvariable \"v\" {}\n" +
		"resource \"local_file\" \"a\" {\n  filename = \"${path.root}/out\"\n  content  = var.v\n}\n"
)

// BenchmarkRun compares Run with a bare apply of the same module in the same warm
// directory, in turn: medians in milliseconds and their ratio.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct{ name, module string }{{"built-in", builtIn}, {"local", localFile}} {
		b.Run(c.name, func(b *testing.B) {
			if c.module == localFile {
				mirror(b)
			}
			dir := b.TempDir()
			binary, err := Find(b.Context(), Choice{Binary: tool(b, "terraform", "tofu")})
			if err != nil {
				b.Fatal(err)
			}
			r := New(binary, Options{})
			n := 0
			files := func() tasks.Files {
				n++
				return tasks.Files{Dir: dir, Workspace: "web", Root: map[string]tasks.File{
					"main.tf": text(benchRoot), "modules/m/main.tf": text(c.module),
					"terraform.tfvars": text(fmt.Sprintf("v = \"%d-%d\"\n", n, time.Now().UnixNano())),
				}}
			}
			run := func() {
				if out, err := r.Run(b.Context(), files(), yes); err != nil || !out.Applied {
					b.Fatal(out.Plan.Summary(), err)
				}
			}
			bare := func() {
				if err := os.WriteFile(filepath.Join(dir, "terraform.tfvars"), files().Root["terraform.tfvars"].Content, 0o600); err != nil {
					b.Fatal(err)
				}
				cmd := exec.CommandContext(b.Context(), binary.Path, "apply", "-auto-approve", "-input=false")
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
			}
			run()
			var ours, theirs []time.Duration
			for b.Loop() {
				ours, theirs = append(ours, timed(run)), append(theirs, timed(bare))
			}
			o, t := median(ours), median(theirs)
			b.ReportMetric(ms(o), "run-ms")
			b.ReportMetric(ms(t), "bare-ms")
			b.ReportMetric(float64(o)/float64(t), "ratio")
		})
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// mirror builds the local provider into a filesystem mirror of its own.
func mirror(b *testing.B) {
	b.Helper()
	tools, err := filepath.Abs("../../../e2e/tools/local")
	if err != nil {
		b.Fatal(err)
	}
	output := func(args ...string) string {
		cmd := exec.CommandContext(b.Context(), "go", args...)
		cmd.Dir = tools
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false")
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("go %v: %v", args, err)
		}
		return string(out)
	}
	root := b.TempDir()
	provider := filepath.Join(root, "provider")
	output("build", "-trimpath", "-ldflags=-s -w", "-o", provider, "github.com/terraform-providers/terraform-provider-local")
	for _, dir := range strings.Fields(output("run", "./mirrorpath")) {
		dir = filepath.Join(root, "mirror", dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.Link(provider, filepath.Join(dir, "terraform-provider-local_v2.9.0_x5")); err != nil {
			b.Fatal(err)
		}
	}
	config := filepath.Join(root, "config")
	text := fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror { path = %q }\n}\n", filepath.Join(root, "mirror"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Setenv(envConfigFile, config)
}
