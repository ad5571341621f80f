package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/agent/config"
	"patchbay/agent/internal/terraform"
	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func TestUnderTheLegacyNameOneDirectoryIsSearchedAndNeverPATH(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	site := &terraform.Site{}
	for sentence, c := range map[string]struct {
		driver config.Driver
		legacy bool
		want   terraform.Choice
	}{
		"the legacy name searches the process's directory":   {config.Driver{}, true, terraform.Choice{Path: dir, Home: dir, Site: site, Newer: true}},
		"the legacy name searches path":                      {config.Driver{Path: "/opt/tf", Version: "1.9.8"}, true, terraform.Choice{Path: "/opt/tf", Version: "1.9.8", Home: dir, Site: site, Newer: true}},
		"a binary wins under the legacy name too":            {config.Driver{Binary: "tofu"}, true, terraform.Choice{Binary: "tofu", Home: dir, Site: site, Newer: true}},
		"the own name searches PATH":                         {config.Driver{}, false, terraform.Choice{Home: dir, Site: site}},
		"the own name installs a version in this directory":  {config.Driver{Version: "1.9.8"}, false, terraform.Choice{Version: "1.9.8", Home: dir, Site: site}},
		"the own name searches path and not PATH when it is": {config.Driver{Path: "/opt/tf"}, false, terraform.Choice{Path: "/opt/tf", Home: dir, Site: site}},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := choose(Options{Config: config.Config{Driver: c.driver}, Legacy: c.legacy}, site)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAComparisonInstallsNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tf")
	opts := Options{Log: hclog.NewNullLogger(), Config: config.Config{Driver: config.Driver{Path: dir, Version: "1.9.8"}}}
	if _, err := Compare(t.Context(), opts); !errors.Is(err, ErrTerraform) || !strings.Contains(err.Error(), "put it there or set path") {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of Terraform: %v", err)
	}
}

func TestAStopEndsTheSearchForTerraform(t *testing.T) {
	stop := make(chan struct{}, 1)
	stop <- struct{}{}
	slow := filepath.Join(t.TempDir(), "terraform")
	if err := os.WriteFile(slow, []byte("#!/bin/sh\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	opts := Options{Log: hclog.NewNullLogger(), Stop: stop, Config: config.Config{Driver: config.Driver{Binary: slow}}}
	if err := Once(t.Context(), opts); !errors.Is(err, tasks.ErrStopping) {
		t.Errorf("error is %v", err)
	}
}
