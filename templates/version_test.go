package templates

import (
	"os/exec"
	"regexp"
	"testing"
)

func TestTheRequiredVersionAcceptsTheExecutableInUse(t *testing.T) {
	cases := map[string]struct{ found, want string }{
		"the oldest that can review a plan":   {"1.5.0", ctsVersions},
		"the newest of CTS":                   {"1.14.3", ctsVersions},
		"the newest of CTS, built by oneself": {"1.14.3-dev", ctsVersions},
		"the next one":                        {"1.14.4", anyVersion},
		"the next one, before its release":    {"1.14.4-rc1", anyVersion},
		"a minor version later":               {"1.15.0-alpha20260101", anyVersion},
		"a major version later":               {"2.0.0", anyVersion},
		"an OpenTofu built by oneself":        {"1.12.6-dev", ctsVersions},
		"an OpenTofu beyond CTS":              {"1.15.1", anyVersion},
		"a version with a leading v":          {"v1.11.4+abc", ctsVersions},
		"a version that cannot be read":       {"latest", anyVersion},
		"no executable":                       {"", ctsVersions},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			if got := RequiredVersion(c.found); got != c.want {
				t.Errorf("%q gives %q, want %q", c.found, got, c.want)
			}
		})
	}
}

func TestTheInstalledExecutableAcceptsItsRequiredVersion(t *testing.T) {
	tf := newTerraform(t, nil)
	out, err := exec.Command(tf.binary, "version").Output()
	m := regexp.MustCompile(`(?m)^(?:Terraform|OpenTofu) v(\S+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("version: %v: %s", err, out)
	}
	files, err := render(task("version"), Inputs{RequiredVersion: RequiredVersion(string(m[1])), Backend: local()}, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	for path, f := range withoutRegistry(t, files.Root) {
		tf.write(t, path, f.Content)
	}
	tf.run(t, "init", "-input=false", "-no-color")
	// The same with a constraint that it does not fulfil, so that init is known to look.
	files, err = render(task("version"), Inputs{RequiredVersion: "<= 0.13.0", Backend: local()}, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	for path, f := range withoutRegistry(t, files.Root) {
		tf.write(t, path, f.Content)
	}
	cmd := exec.Command(tf.binary, "init", "-input=false", "-no-color")
	cmd.Dir = tf.dir
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a constraint that excludes the executable was accepted:\n%s", out)
	}
}
