package terraform

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

const (
	envCanary  = "env-canary-5c1f"
	fileCanary = "file canary \"qzx7kanary\" with spaces"
)

func secretFiles(b *bench, extra string) tasks.Files {
	f := b.root("variable \"fw\" {\n sensitive = true\n}\n" +
		"resource \"terraform_data\" \"a\" {\n input = sha256(var.fw.password)\n" + extra + "}\n")
	f.Root["providers.auto.tfvars"] = tasks.File{Secret: true, Content: []byte("# This file is generated.\n# Task: web\n\n" +
		"fw = {\n  password = " + quote(fileCanary) + "\n}\n")}
	f.Env = map[string]tasks.Secret{"FW_TOKEN": tasks.NewSecret(envCanary), "CONSUL_HTTP_ADDR": tasks.NewSecret("127.0.0.1:8500")}
	return f
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func noCanary(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range []string{envCanary, fileCanary, "qzx7kanary"} {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows %q:\n%s", where, canary, text)
		}
	}
}

func TestSecretsStayInTheEnvironmentAndInTheirFiles(t *testing.T) {
	// Short enough for the paths of sockets, which are below it.
	temp, err := os.MkdirTemp("/tmp", "pbt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	b := newBench(t, func(o *Options) { o.Text = true })
	t.Setenv(envTmp, temp)
	files := secretFiles(b, "provisioner \"local-exec\" {\n interpreter = [\"/bin/sh\", \"-c\"]\n command = \"echo token=$FW_TOKEN; cat /proc/$PPID/cmdline /proc/$$/cmdline | tr '\\\\0' ' '\"\n }\n")
	var mode fs.FileMode
	var during string
	out, err := b.Run(t.Context(), files, func(p tasks.Plan) bool {
		info, err := os.Stat(filepath.Join(b.dir, planName))
		if err != nil {
			t.Error(err)
			return false
		}
		mode = info.Mode().Perm()
		text, _ := os.ReadFile(filepath.Join(b.dir, "providers.auto.tfvars"))
		during = string(text)
		noCanary(t, "the reviewed plan", cmp.Diff(tasks.Plan{}, p))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if mode != 0o600 || !strings.Contains(during, "qzx7kanary") {
		t.Errorf("plan has mode %o, provider file is %q", mode, during)
	}
	argv, err := os.ReadFile(b.argv)
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, "a command line", string(argv))
	noCanary(t, "the log", b.log.String())
	noCanary(t, "the output", b.out.String())
	noCanary(t, "the text", out.Text)
	if !strings.Contains(b.out.String(), "token=<secret>") {
		t.Errorf("the provisioner did not get its environment: %s", b.out)
	}
	for _, canary := range []string{envCanary, "qzx7kanary"} {
		if got := find(t, b.dir, canary); len(got) > 0 {
			t.Errorf("%s is left in %v", canary, got)
		}
	}
	if got := find(t, b.dir, "# Task: web"); !cmp.Equal(got, []string{"providers.auto.tfvars"}) {
		t.Errorf("the header of the provider file is in %v", got)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestErrorsHaveTerraformsWordsAndNoSecrets(t *testing.T) {
	cases := map[string]struct{ extra, stage, want string }{
		"a plan that fails":   {"lifecycle {\n precondition {\n condition = var.fw.password == \"\"\n error_message = \"bad ${nonsensitive(var.fw.password)} here\"\n }\n }\n", "plan", "bad <secret> here"},
		"an apply that fails": {"provisioner \"local-exec\" {\n interpreter = [\"/bin/sh\", \"-c\"]\n command = \"echo device said $FW_TOKEN >&2; exit 3\"\n }\n", "apply", "exit status 3"},
		"an init that fails":  {"}\nmodule \"x\" {\n source = \"./absent\"\n", "init", "Unreadable module directory"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			out, err := b.Run(t.Context(), secretFiles(b, c.extra), yes)
			if err == nil || out.Applied {
				t.Fatalf("applied %v, error %v", out.Applied, err)
			}
			noCanary(t, "the error", err.Error())
			noCanary(t, "the output", b.out.String())
			if !strings.Contains(err.Error(), " "+c.stage+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v", err)
			}
			if got := find(t, b.dir, "qzx7kanary"); len(got) > 0 {
				t.Errorf("the secret is left in %v", got)
			}
		})
	}
}

func TestScrubbing(t *testing.T) {
	files := tasks.Files{
		Root: map[string]tasks.File{
			"p.auto.tfvars": {Secret: true, Content: []byte("a = { list = [\"long-secret-inner\", \"long-secret\"], n = 12345678, t = \"tiny\" }\n")},
			"x.auto.tfvars": {Secret: true, Content: []byte("not = = hcl brokensecret\n")},
			"main.tf":       {Content: []byte("a = \"not-a-secret\"\n")},
		},
		Env: map[string]tasks.Secret{
			"T": tasks.NewSecret("line one\nline two"), "CONSUL_HTTP_ADDR": tasks.NewSecret("10.1.2.3:8500"),
			"CONSUL_CACERT": tasks.NewSecret("user:pw@place"), "E": tasks.NewSecret(""),
		},
	}
	for name, c := range map[string]struct{ in, want string }{
		"a secret within a longer one":    {"x long-secret-inner y long-secret", "x <secret> y <secret>"},
		"a secret over several lines":     {"line one\nline two", "<secret>"},
		"as HCL and JSON write it":        {`"line one\nline two"`, `"<secret>"`},
		"wrapped and framed by Terraform": {"│ line\n│ one line two.", "│ <secret>."},
		"in the query of a URL":           {"?t=line+one%0Aline+two", "?t=<secret>"},
		"short values stay":               {"tiny", "tiny"},
		"addresses stay":                  {"dial 10.1.2.3:8500", "dial 10.1.2.3:8500"},
		"but not with a password":         {"user:pw@place", "<secret>"},
		"a secret file that is not HCL":   {"brokensecret", "<secret>"},
		"texts of other files stay":       {"not-a-secret", "not-a-secret"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newScrubber(files).text(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := (scrubber{}).failure("╷\n│ Error: x\n│\n│ y\n╵\n" + strings.Repeat("z", 2*maxError)); !strings.HasPrefix(got, "Error: x\n\ny\n\nzz") || len(got) > maxError+20 {
		t.Errorf("got %.40q, %d bytes", got, len(got))
	}
}

func TestAPersistedLogTellsOfTheRunAndShowsNoSecret(t *testing.T) {
	b := newBench(t, func(o *Options) { o.PersistLog = true })
	// It stands for a provider that says its password.
	files := secretFiles(b, "provisioner \"local-exec\" {\n command = \"echo said $FW_TOKEN >> "+runDir+"/"+logName+"\"\n }\n")
	if _, err := b.Run(t.Context(), files, func(tasks.Plan) bool { return true }); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(b.dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[TRACE]", "said <secret>"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	noCanary(t, "the log", string(log))
}
