package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangesOfTheMeshAreToldByName(t *testing.T) {
	const before = `
xds { port = 1 }
routes "web" {
  subset "v1" {}
  subset "v2" { only_passing = true }
  route "a" {}
}
routes "gone" {}
sidecar "web" { upstreams = ["a:1"] }
gateway "edge" {
  listener {
    port = 1
    service "web" {}
  }
}
canary "web" {
  stable    = "v1"
  candidate = "v2"
  steps     = [100]
}
`
	const after = `
observe { access_log = "/dev/stdout" }
xds { port = 2 }
routes "web" {
  connect_timeout = "1s"
  subset "v1" {}
  subset "v2" { only_passing = true }
  route "b" {}
}
routes "new" { datacenter = "dc2" }
sidecar "web" { upstreams = ["a:2"] }
gateway "edge" {
  listener {
    port = 2
    service "web" {}
  }
}
canary "web" {
  stable     = "v1"
  candidate  = "v2"
  steps      = [50, 100]
  prometheus = "http://127.0.0.1:9090"
  metric "errors" {
    query = "x"
    max   = 1
  }
}
`
	got := Diff(baseOf(t, before), baseOf(t, after))
	want := []string{
		"xds.port changes from 1 to 2; restart the agent for it",
		"observe changes",
		"routes web changes: connect_timeout, route",
		"routes new@dc2 is new",
		"routes gone is gone",
		"sidecar web changes: upstream",
		"gateway edge changes: listener",
		"canary web changes: metric, steps, prometheus",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
	if d := Diff(baseOf(t, before), baseOf(t, "# moved\n\n"+before)); d != nil {
		t.Errorf("what moved in its file changes: %q", d)
	}
}
