package terraform

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// freeport keeps a goroutine for the life of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/consul/sdk/freeport.checkFreedPorts"))
}

func pause() { time.Sleep(10 * time.Millisecond) }

func data(name, body string) string {
	return "resource \"terraform_data\" \"" + name + "\" {\n" + body + "\n}\n"
}

func TestAPlanShowsExactlyWhatAnApplyDoes(t *testing.T) {
	b := newBench(t, nil)
	change := func(action tasks.Action, fields ...tasks.Field) tasks.Change {
		return tasks.Change{Address: "terraform_data.a", Type: "terraform_data", Provider: "terraform.io/builtin/terraform", Action: action, Fields: fields}
	}
	with := func(c tasks.Change, l tasks.List) tasks.Change {
		c.Lists = []tasks.List{l}
		return c
	}
	tags := []tasks.Element{{"": "x"}}
	id := func(before, after string) tasks.Field { return tasks.Field{Path: "id", Before: before, After: after} }
	steps := []struct {
		name, main string
		want       []tasks.Change
		state      []string
	}{
		{"an object is created", data("a", `input = { port = 80, tags = ["x"] }`), []tasks.Change{with(change(tasks.Create,
			id("", "(known after apply)"),
			tasks.Field{Path: "input.port", After: "80"}, tasks.Field{Path: "input.tags[0]", After: "x"},
			tasks.Field{Path: "output", After: "(known after apply)"},
		), tasks.List{Path: "input.tags", After: 1, Added: tags})}, []string{"terraform_data.a"}},
		{"nothing changes", data("a", `input = { port = 80, tags = ["x"] }`), nil, []string{"terraform_data.a"}},
		{"an attribute changes", data("a", `input = { port = 81, tags = ["x"] }`), []tasks.Change{change(tasks.Update,
			tasks.Field{Path: "input.port", Before: "80", After: "81"},
			tasks.Field{Path: "output", After: "(known after apply)"},
			tasks.Field{Path: "output.port", Before: "80"}, tasks.Field{Path: "output.tags[0]", Before: "x"},
		)}, []string{"terraform_data.a"}},
		{"an object is replaced", data("a", "input = 1\ntriggers_replace = \"v2\""), []tasks.Change{with(change(tasks.Replace,
			id("<id>", "(known after apply)"),
			tasks.Field{Path: "input", After: "1"}, tasks.Field{Path: "input.port", Before: "81"}, tasks.Field{Path: "input.tags[0]", Before: "x"},
			tasks.Field{Path: "output", After: "(known after apply)"},
			tasks.Field{Path: "output.port", Before: "81"}, tasks.Field{Path: "output.tags[0]", Before: "x"},
			tasks.Field{Path: "triggers_replace", After: "v2"},
		), tasks.List{Path: "input.tags", Before: 1, Removed: tags})}, []string{"terraform_data.a"}},
		{"an object is deleted", "", []tasks.Change{change(tasks.Delete,
			id("<id>", ""), tasks.Field{Path: "input", Before: "1"}, tasks.Field{Path: "output", Before: "1"}, tasks.Field{Path: "triggers_replace", Before: "v2"},
		)}, nil},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			var reviewed []tasks.Plan
			out, err := b.Run(t.Context(), b.root(step.main), func(p tasks.Plan) bool {
				reviewed = append(reviewed, p)
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := min(len(step.want), 1); len(reviewed) != want || out.Applied != (want == 1) {
				t.Fatalf("reviewed %d times, applied %v", len(reviewed), out.Applied)
			}
			if len(reviewed) == 1 && !cmp.Equal(reviewed[0], out.Plan) {
				t.Error("the outcome's plan is not the reviewed one")
			}
			for _, c := range out.Plan.Changes {
				for i, f := range c.Fields {
					if f.Path == "id" && f.Before != "" {
						c.Fields[i].Before = "<id>"
					}
				}
			}
			if diff := cmp.Diff(step.want, out.Plan.Changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(step.state, b.state(t)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADeclinedReviewAppliesNothing(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Text = true })
	calls := 0
	out, err := b.Run(t.Context(), b.root(data("a", "input = 1")), func(tasks.Plan) bool { calls++; return false })
	if err != nil || calls != 1 || out.Applied || out.Plan.Count(tasks.Create) != 1 {
		t.Fatalf("got %v, %d reviews, applied %v, plan %s", err, calls, out.Applied, out.Plan.Summary())
	}
	if got := b.state(t); got != nil || slices.Contains(b.commands(t), "apply") {
		t.Errorf("state has %v, commands were %v", got, b.commands(t))
	}
	if !strings.Contains(out.Text, "# terraform_data.a will be created") {
		t.Errorf("text is %q", out.Text)
	}
}

func TestAModuleWithoutAVariableOfConsulFailsInCTSsWords(t *testing.T) {
	b := newBench(t, nil)
	files := b.root("variable \"services\" {}\nvariable \"catalog_services\" {}\nmodule \"web\" {\n source = \"./own\"\n" +
		" services = var.services\n catalog_services = var.catalog_services\n}\n")
	files.Root["own/main.tf"] = tasks.File{Content: []byte(data("a", "input = 1"))}
	files.Root["terraform.tfvars"] = tasks.File{Content: []byte("services = {}\ncatalog_services = {}\n")}
	_, err := b.Run(t.Context(), files, yes)
	if err == nil {
		t.Fatal("it ran")
	}
	for _, want := range []string{
		`module for task "web" is missing the "services" variable`,
		`module for task "web" is missing the "catalog_services" variable, add to module or set "use_as_module_input" to false`,
	} {
		if !strings.Contains(err.Error(), want+"\n") && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error does not say %s:\n%v", want, err)
		}
	}
	if got := b.state(t); got != nil {
		t.Errorf("state has %v", got)
	}
}

func TestInitRunsOnlyWhenNeeded(t *testing.T) {
	b := newBench(t, nil)
	module := filepath.Join(t.TempDir(), "module")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(module, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("main.tf", "variable \"v\" {}\n"+data("a", "input = var.v"))
	files := func(v string) tasks.Files {
		f := b.root("variable \"v\" {}\nmodule \"m\" {\n source = \"" + module + "\"\n v = var.v\n}\n")
		f.Root["terraform.tfvars"] = tasks.File{Content: []byte("v = \"" + v + "\"\n")}
		return f
	}
	expect := func(why string, f tasks.Files, want ...string) {
		t.Helper()
		b.forget(t)
		b.run(t, f)
		if diff := cmp.Diff(want, b.commands(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", why, diff)
		}
	}
	expect("the first run", files("1"), "version", "init", "workspace select", "workspace new", "plan", "apply")
	expect("a changed value", files("2"), "plan", "apply")
	expect("no change", files("2"), "plan")
	write("more.tf", data("b", "input = var.v"))
	expect("a changed module", files("2"), "init", "plan", "apply")
	f := files("3")
	f.Root["main.tf"] = tasks.File{Content: append(f.Root["main.tf"].Content, "# note\n"...)}
	expect("a changed main.tf", f, "init", "plan", "apply")
	f.Root["providers.tf.json"] = tasks.File{Content: []byte("{\"locals\": {\"x\": 1}}\n")}
	expect("a new JSON file", f, "init", "plan")
	expect("the same JSON file", f, "plan")
	if err := os.RemoveAll(filepath.Join(b.dir, ".terraform/modules")); err != nil {
		t.Fatal(err)
	}
	expect("modules that somebody removed", f, "plan", "init", "plan")
	if err := os.RemoveAll(filepath.Join(b.dir, ".terraform")); err != nil {
		t.Fatal(err)
	}
	expect("a removed .terraform", f, "init", "version", "init", "init", "workspace select", "plan")
	changed := f
	changed.Root = map[string]tasks.File{"terraform.tfvars": f.Root["terraform.tfvars"]}
	changed.Root["main.tf"] = tasks.File{Content: []byte(strings.Replace(string(f.Root["main.tf"].Content), "{}", "{\n    workspace_dir = \"other\"\n  }", 1))}
	expect("another backend", changed, "init", "version", "init", "init", "workspace select", "workspace new", "plan", "apply")
	if !strings.Contains(b.log.String(), "left the state where it was") {
		t.Errorf("no word on the changed backend: %s", b.log)
	}
	if got := len(b.state(t)); got != 2 {
		t.Errorf("the old state has %d objects, 2 were left", got)
	}
}

func TestAnExecutableThatIsReplacedIsAskedAgain(t *testing.T) {
	b := newBench(t, nil)
	b.run(t, b.root(data("a", "input = 1")))
	wrapper := filepath.Join(filepath.Dir(b.dir), "terraform")
	text, err := os.ReadFile(wrapper)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wrapper, append(text, "# new\n"...), 0o755); err != nil {
		t.Fatal(err)
	}
	b.forget(t)
	b.run(t, b.root(data("a", "input = 2")))
	if diff := cmp.Diff([]string{"version", "version", "init", "plan", "apply"}, b.commands(t)); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestARememberedWorkspaceWhoseStateIsGoneIsMadeAgain(t *testing.T) {
	for name, reset := range map[string]bool{"with the same configuration": false, "with a changed one": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			files := b.root(data("a", "input = 1"))
			b.run(t, files)
			if err := os.Rename(filepath.Join(b.dir, "terraform.tfstate.d/web"), filepath.Join(b.dir, "terraform.tfstate.d/other")); err != nil {
				t.Fatal(err)
			}
			if reset {
				files = b.root(data("b", "input = 1"))
			}
			if out := b.run(t, files); out.Plan.Count(tasks.Create) != 1 {
				t.Errorf("plan: %s", out.Plan.Summary())
			}
			if got := b.state(t); len(got) != 1 {
				t.Errorf("state has %v", got)
			}
		})
	}
}

func TestTheDigestIsThatOfTheChanges(t *testing.T) {
	main := data("a", "input = { s = sensitive(\"canary-sensitive\"), l = [1.50, true, null], e = {}, set = toset([\"q\", \"r\"]), \"odd key\" = 12345678901234567890 }") +
		data("b", "for_each = toset([\"k\\\"1\", \"ü\"])\ninput = [terraform_data.a.id, each.key]\ntriggers_replace = [sensitive(\"hidden-value\"), []]")
	b := newBench(t, nil)
	b.run(t, b.root(data("a", "input = sensitive(\"canary-sensitive\")")+data("gone", "input = 1")))
	inspect := func(main string, always bool) tasks.Plan {
		t.Helper()
		b.alwaysShow = always
		b.forget(t)
		out, err := b.Run(t.Context(), b.root(main), no)
		if err != nil {
			t.Fatal(err)
		}
		if shown := slices.Contains(b.commands(t), "show"); shown != always {
			t.Fatalf("show ran: %v, wanted %v; log: %s", shown, always, b.log)
		}
		return out.Plan
	}
	fast, again, shown := inspect(main, false), inspect(main, false), inspect(main, true)
	if diff := cmp.Diff(fast, again); diff != "" {
		t.Errorf("two plans of one input differ:\n%s", diff)
	}
	if diff := cmp.Diff(shown, fast); diff != "" {
		t.Errorf("the plan file and show tell different plans (-show +file):\n%s", diff)
	}
	if fast.Lineage == "" || fast.Serial == 0 {
		t.Errorf("no state is named: %q %d", fast.Lineage, fast.Serial)
	}
	if text := cmp.Diff(tasks.Plan{}, fast); strings.Contains(text, "canary-sensitive") || strings.Contains(text, "hidden-value") {
		t.Errorf("a sensitive value is shown:\n%s", text)
	}
	if other := inspect(strings.Replace(main, "hidden-value", "hidden-other", 1), false); other.Digest == fast.Digest {
		t.Error("another sensitive value has the same digest")
	}
	if got := len(fast.Changes); got != 4 {
		t.Errorf("%d changes", got)
	}
}

func TestShowReadsWhatThePlanFileReaderDoesNotKnow(t *testing.T) {
	b := newBench(t, nil)
	b.run(t, b.root(data("a", "input = 1")+data("keep", "input = 1")))
	main := "moved {\n from = terraform_data.a\n to = terraform_data.b\n}\n" + data("b", "input = 1") + data("keep", "input = 1") +
		"output \"o\" {\n value = terraform_data.b.input\n}\n"
	b.forget(t)
	out := b.run(t, b.root(main))
	if !slices.Contains(b.commands(t), "show") {
		t.Errorf("commands: %v", b.commands(t))
	}
	want := []tasks.Change{{Address: "terraform_data.b", Type: "terraform_data", Provider: "terraform.io/builtin/terraform", Action: tasks.NoOp,
		Fields: []tasks.Field{{Path: "(address)", Before: "terraform_data.a", After: "terraform_data.b"}}}}
	if diff := cmp.Diff(want, out.Plan.Changes); diff != "" || !out.Plan.Outputs || !out.Applied {
		t.Errorf("outputs %v, applied %v, changes (-want +got):\n%s", out.Plan.Outputs, out.Applied, diff)
	}
	if out := b.run(t, b.root(main)); !out.Plan.Empty() || out.Applied {
		t.Errorf("a second run: %s", out.Plan.Summary())
	}
}

func TestAStalePlanIsRefused(t *testing.T) {
	b, other := newBench(t, nil), newBench(t, nil)
	files := b.root(data("a", "input = 1"))
	b.run(t, files)
	files = b.root(data("a", "input = 2"))
	_, err := b.Run(t.Context(), files, func(tasks.Plan) bool {
		// Somebody else applies the same state from another directory.
		f := other.root(data("a", "input = 3"))
		main := strings.Replace(string(f.Root["main.tf"].Content), "{}", "{\n    workspace_dir = \""+b.dir+"/terraform.tfstate.d\"\n  }", 1)
		f.Root["main.tf"] = tasks.File{Content: []byte(main)}
		return other.run(t, f).Applied
	})
	if err == nil || !strings.Contains(err.Error(), "apply") || !strings.Contains(err.Error(), "plans again") {
		t.Fatalf("error is %v", err)
	}
	if out := b.run(t, files); !out.Applied {
		t.Error("the next run did not carry on")
	}
}

func TestWhatAKilledRunLeftIsCleaned(t *testing.T) {
	b := newBench(t, nil)
	left := filepath.Join(b.dir, planName)
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("an old plan"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.root(data("a", "input = 1")))
	if got := find(t, b.dir, "an old plan"); len(got) > 0 {
		t.Errorf("it is left in %v", got)
	}
	if _, err := os.Stat(filepath.Dir(left)); !os.IsNotExist(err) {
		t.Errorf("the directory of the run is left: %v", err)
	}
}
