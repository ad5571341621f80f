package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const webTask = "task {\n  name = \"web\"\n  module = \"builtin/nginx\"\n  condition \"services\" { names = [\"web\"] }\n}\n"

func TestDefaultsAreThoseOfTheReference(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.hcl", webTask)
	cfg, err := Load([]string{"a.hcl"}, testOptions(dir, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`API.Address = "127.0.0.1"`, `Buffer.Max = 20000000000`, `Buffer.Min = 5000000000`, `Consul.Address = "localhost:8500"`,
		`Consul.KVPath = "consul-terraform-sync/"`, `Consul.MaxPolls = 100`, `Consul.TLS.Enabled = false`, `Consul.TLS.Verify = true`,
		`Consul.Transport.MaxIdleConnsPerHost = 100`, `Driver.Backend.Attributes.address = "localhost:8500"`,
		`Driver.Backend.Attributes.gzip = true`, `Driver.Backend.Attributes.path = "consul-terraform-sync/terraform"`,
		`Driver.Backend.Type = "consul"`, `History.Age = 7776000000000000`, `History.Runs = 1000`, `ID = "patchbay-host"`,
		`LogFormat = "text"`, `LogLevel = "INFO"`, `MaxParallelTasks = 10`, `Port = 8558`, `ShutdownGrace = 300000000000`,
		`Tasks[0].Guard.MaxDestroys = 10`,
	}
	got := map[string]bool{}
	for _, line := range dump(t, cfg, false) {
		got[line] = true
	}
	for _, line := range want {
		if !got[line] {
			t.Errorf("missing %s", line)
		}
	}
	if len(cfg.Driver.Backend.Attributes) != 3 || len(cfg.Warnings) != 0 {
		t.Errorf("backend %v, warnings %v", cfg.Driver.Backend.Attributes, cfg.Warnings)
	}
}

func TestAnErrorGivesNoConfig(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.hcl", webTask+"port = -1\n")
	cfg, err := Load([]string{"a.hcl"}, testOptions(dir, nil))
	var list *Error
	if !errors.As(err, &list) || len(list.Problems) != 1 {
		t.Fatalf("error = %v, want one problem", err)
	}
	if d := cmp.Diff(Config{}.Tasks, cfg.Tasks); d != "" || cfg.Port != 0 {
		t.Errorf("config is not empty: %+v", cfg)
	}
	want := "read configuration: a.hcl:6:1: port is out of range: write a number from 0 to 65535"
	if err.Error() != want {
		t.Errorf("error = %q, want %q", err, want)
	}
}

func TestSecretsAreNotInErrorsAndDumps(t *testing.T) {
	for name, text := range map[string]string{
		"bare word":                  "consul { token = hunter2 }",
		"unterminated":               "consul {\n token = \"hunter2\n}",
		"no equals sign":             "consul {\n token \"hunter2\"\n}",
		"colon":                      "consul {\n token: \"hunter2\"\n}",
		"list":                       "consul { token = [\"hunter2\"] }",
		"unknown escape":             "consul { token = \"hunter2\\w\" }",
		"call":                       "consul { token = f(\"hunter2\") }",
		"wrong type elsewhere":       "port = \"hunter2\"\nshutdown_grace = \"hunter2\"\nlog_format = \"hunter2\"\napi { address = \"hunter2:1\" }",
		"dynamic value":              "terraform_provider \"x\" { p = \"{{ with secret \\\"hunter2\\\" }}hunter2{{ end }}\" }",
		"two of one":                 "consul { token = \"hunter2\" }\nconsul { token = \"hunter2\" }",
		"old form":                   "consul { token = \"hunter2\", token = [\"hunter2\"], max_polls = \"hunter2\" }",
		"provider argument is wrong": "terraform_provider \"x\" {\n p = [hunter2]\n q = \"${hunter2}\" +\n}",
		"environment":                "terraform_provider \"x\" {\n task_env = { A = [\"hunter2\"], \"=\" = \"hunter2\" }\n}",
		"variables":                  "task {\n variables = { a = \"hunter2\", b = \"[hunter2\", c = \"f(hunter2)\" }\n}",
		"after a block":              "consul { } hunter2",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "a.hcl", text)
			_, err := Load([]string{"a.hcl"}, testOptions(dir, nil))
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), secretText) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestBackslashesAreHalvedOnlyWhenTheResultCompiles(t *testing.T) {
	for written, want := range map[string]string{
		`^we\\\\b`:  `^we\b`,
		`^we\\b`:    `^we\b`,
		`end\\\\`:   `end\\`,
		`[\\\\]`:    `[\\]`,
		`a\\\\.b`:   `a\.b`,
		`plain`:     `plain`,
		`\\\\\\\\.`: `\\.`,
	} {
		dir := t.TempDir()
		write(t, dir, "a.hcl", "task {\n name = \"a\"\n module = \"a/b/c\"\n condition \"services\" { regexp = \""+written+"\" }\n}")
		cfg, err := Load([]string{"a.hcl"}, testOptions(dir, nil))
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if got := cfg.Tasks[0].Condition.Services.Regexp; got != want {
			t.Errorf("%s becomes %s, want %s", written, got, want)
		}
	}
}

func TestMaskingKeepsLengthAndComesOffAgain(t *testing.T) {
	for _, src := range []string{
		`a = "${x}"`, `a = "${"q"} \" ${"`, "a = <<E\n${x}\nE\n", "# ${x} \"\nb = \"%{y}\"", "/* \" */ c = \"$${z}\"", `d = "\\${e}"`,
		"x = <<-E\n  %{ if }\n  E\n", `unterminated = "${`, `heredoc = <<`, "h = <<E\nno end ${x}", `t = "\`, `/* no end`,
	} {
		masked := mask([]byte(src))
		if len(masked) != len(src) || unmask(string(masked)) != src {
			t.Errorf("mask(%q) = %q", src, masked)
		}
		if strings.HasPrefix(src, "a = ") && strings.Contains(string(masked), "${") {
			t.Errorf("mask(%q) = %q still holds a template", src, masked)
		}
	}
}

func TestBrokenTextIsToldWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"id = \"a\"\n x = \"\x01\"": "a.hcl:2:7: the file holds a control character",
		"id = \"\xff\"":             "a.hcl:1:7: the file holds bytes that are not UTF-8",
		"id = \"é\x00\"":            "a.hcl:1:8: the file holds a control character",
	} {
		dir := t.TempDir()
		write(t, dir, "a.hcl", text)
		if _, err := Load([]string{"a.hcl"}, testOptions(dir, nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
}

func TestDeepAndHugeFilesAreRefusedAtOnce(t *testing.T) {
	const many = 100_000
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lists.hcl":    "a = " + strings.Repeat("[", many),
		"blocks.hcl":   strings.Repeat("a {\n", many),
		"calls.hcl":    "a = " + strings.Repeat("f(", many),
		"not.hcl":      "a = " + strings.Repeat("!", many),
		"minus.hcl":    "a = " + strings.Repeat("-", many),
		"splat.hcl":    "a = b" + strings.Repeat(".*", many),
		"sum.hcl":      "a = 1" + strings.Repeat("+1", many),
		"path.hcl":     "a = b" + strings.Repeat(".c", many),
		"colons.hcl":   "a = b" + strings.Repeat("::c", many),
		"lists.json":   strings.Repeat("[", many),
		"maps.json":    strings.Repeat(`{"a":`, many),
		"old.hcl":      "x = 1, y = 2\n" + strings.Repeat("a { b = 1, ", many),
		"old.2.hcl":    "x = 1, y = " + strings.Repeat("[[1],", many),
		"labels.hcl":   strings.Repeat("a ", many) + "{}",
		"labels.2.hcl": "x = 1, y = 2\na " + strings.Repeat("\"\" ", many) + "{}",
		"here.hcl":     "x = 1, y = <<E" + strings.Repeat("\n<<E", many),
		"huge.hcl":     "# " + strings.Repeat("x", maxFile),
	} {
		write(t, dir, name, text)
		_, err := Load([]string{name}, testOptions(dir, nil))
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: error of %d characters", name, len(err.Error()))
		}
	}
}

func TestADirectoryNamedLikeAFileAndASpecialFileAreNotRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "conf/sub.hcl/a.hcl", "port = 1\n")
	write(t, dir, "conf/a.hcl", webTask)
	if err := os.Symlink("/dev/null", filepath.Join(dir, "null.hcl")); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load([]string{"conf"}, testOptions(dir, nil))
	if err != nil || cfg.Port != defaultPort {
		t.Errorf("port %d, %v", cfg.Port, err)
	}
	if _, err := Load([]string{"null.hcl"}, testOptions(dir, nil)); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error = %v, want one that says it is not a regular file", err)
	}
}

func TestDurationsAreCompleteOrRefused(t *testing.T) {
	for written, want := range map[string]time.Duration{`"1m30s"`: 90 * time.Second, `"0"`: 0, `0`: 0, `2`: 2 * time.Second, `0.5`: 500 * time.Millisecond} {
		dir := t.TempDir()
		write(t, dir, "a.hcl", "shutdown_grace = "+written)
		cfg, err := Load([]string{"a.hcl"}, testOptions(dir, nil))
		if err != nil || cfg.ShutdownGrace != want {
			t.Errorf("%s gives %s, %v, want %s", written, cfg.ShutdownGrace, err, want)
		}
	}
	for _, written := range []string{`"5"`, `""`, `"-1s"`, `-1`, `1e300`, `true`, `["1s"]`, `"1 s"`} {
		dir := t.TempDir()
		write(t, dir, "a.hcl", "shutdown_grace = "+written)
		if _, err := Load([]string{"a.hcl"}, testOptions(dir, nil)); err == nil {
			t.Errorf("%s was taken", written)
		}
	}
}

func TestAFileOfAnotherNameIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.hcl", webTask)
	write(t, dir, "notes.txt", "port = 1\n")
	cfg, err := Load([]string{"notes.txt", "a.hcl"}, testOptions(dir, nil))
	want := []string{"notes.txt: passed over: the name of a configuration file ends in .hcl or .json"}
	if d := cmp.Diff(want, cfg.Warnings); d != "" || err != nil || cfg.Port != defaultPort {
		t.Errorf("port %d, error %v, warnings want (-), got (+):\n%s", cfg.Port, err, d)
	}
	if _, err := Load([]string{"notes.txt"}, testOptions(dir, nil)); err == nil || !strings.Contains(err.Error(), "no configuration files found") {
		t.Errorf("error = %v, want one that says that nothing was read", err)
	}
}
