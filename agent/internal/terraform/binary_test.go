package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake writes an executable that prints text.
func fake(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+text+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindingTheExecutable(t *testing.T) {
	bin, only, empty := t.TempDir(), t.TempDir(), t.TempDir()
	tf := fake(t, bin, "terraform", "Terraform v1.11.4\non linux_amd64")
	tofu := fake(t, bin, "tofu", "There is a warning\nOpenTofu v1.12.6-dev\non linux_amd64")
	fake(t, bin, "old", "Terraform v1.4.7")
	fake(t, bin, "odd", "hello")
	onlyTofu := fake(t, only, "tofu", "OpenTofu v1.10.0")
	for name, c := range map[string]struct {
		path   string
		choice Choice
		want   Binary
		fails  string
	}{
		"terraform is preferred":      {bin, Choice{}, Binary{Path: tf, Product: Terraform, Version: "1.11.4"}, ""},
		"tofu when there is no other": {only, Choice{}, Binary{Path: onlyTofu, Product: OpenTofu, Version: "1.10.0"}, ""},
		"one by name":                 {bin, Choice{Binary: "tofu"}, Binary{Path: tofu, Product: OpenTofu, Version: "1.12.6-dev"}, ""},
		"one by path":                 {empty, Choice{Binary: tofu}, Binary{Path: tofu, Product: OpenTofu, Version: "1.12.6-dev"}, ""},
		"the one of a directory":      {only, Choice{Path: bin}, Binary{Path: tf, Product: Terraform, Version: "1.11.4"}, ""},
		"the wanted version":          {bin, Choice{Version: "v1.11.4"}, Binary{Path: tf, Product: Terraform, Version: "1.11.4"}, ""},
		"another version":             {bin, Choice{Version: "1.2.0"}, Binary{Path: tf, Product: Terraform, Version: "1.11.4", Note: "version 1.2.0 of Terraform was asked for, Terraform 1.11.4 at " + tf + " is used"}, ""},
		"none on PATH":                {empty, Choice{}, Binary{}, "install Terraform 1.5.0 or newer or OpenTofu"},
		"none in the directory":       {bin, Choice{Path: empty}, Binary{}, "put it there or set path"},
		"none of that name":           {bin, Choice{Binary: "absent"}, Binary{}, "set binary in driver"},
		"one that is too old":         {bin, Choice{Binary: "old"}, Binary{}, "it is too old; install 1.5.0 or newer"},
		"one that is something else":  {bin, Choice{Binary: "odd"}, Binary{}, "names neither Terraform nor OpenTofu"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", c.path+":/bin")
			got, err := Find(t.Context(), c.choice)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("error is %v", err)
				}
				return
			}
			got.stamp = ""
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTheRealExecutableIsFound(t *testing.T) {
	b, err := Find(t.Context(), Choice{Binary: tool(t, "terraform", "tofu")})
	if err != nil || b.Product != Terraform && b.Product != OpenTofu || !filepath.IsAbs(b.Path) {
		t.Errorf("got %+v, %v", b, err)
	}
}
