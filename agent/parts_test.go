package agent

import (
	"testing"

	"patchbay/agent/config"
	"patchbay/agent/internal/terraform"

	"github.com/google/go-cmp/cmp"
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
