package agent

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/tasks"
	"patchbay/templates"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

const (
	comparedMain = `terraform {
  required_version = ">= 1.5"
  backend "consul" {
    address = "localhost:8500"
    path    = "consul-terraform-sync/terraform"
    gzip    = true
  }
}
module "web" {
  source   = "/work/m"
  version  = "1.0.0"
  services = var.services
  zone     = var.zone
}
`
	comparedValues = `services = {
  "web-1.n1.dc1" = {
    id   = "web-1"
    name = "web"
    port = 80
    tags = ["a"]
    meta = { k = "v" }
  }
}
consul_kv = {
  "token" = "hidden-value"
}
`
	comparedOwn = "zone = \"hidden-zone\"\n"
)

func TestDifferencesOfFiles(t *testing.T) {
	tests := map[string]struct {
		file     string
		old, new string
		want     []string
	}{
		"equal files have none": {},
		"comments, layout, order and required_version have no meaning": {"main.tf", "  required_version = \">= 1.5\"\n  backend",
			"# by hand\n\n  required_version = \"~> 1.0\"\n    backend", nil},
		"a relative source is the same directory":                  {"main.tf", `"/work/m"`, `"../../work/m"`, nil},
		"null is as not set":                                       {"main.tf", "gzip    = true", "gzip = true\n    datacenter = null", nil},
		"how Consul is reached says nothing of where the state is": {"main.tf", "gzip    = true", "gzip = true\n    ca_file = \"/ca.pem\"", nil},
		"another source": {"main.tf", `"/work/m"`, `"acme/m"`,
			[]string{`main.tf: source of the module is "acme/m" in CTS's file and "/work/m" in Patchbay's`}},
		"another version": {"main.tf", `"1.0.0"`, `"2.0.0"`,
			[]string{`main.tf: version of the module is "2.0.0" in CTS's file and "1.0.0" in Patchbay's`}},
		"a variable less": {"main.tf", "  zone     = var.zone\n", "",
			[]string{"main.tf: argument zone of the module is in Patchbay's file only"}},
		"a variable from elsewhere": {"main.tf", "var.zone", "var.other",
			[]string{"main.tf: argument zone of the module differs"}},
		"another label": {"main.tf", `module "web"`, `module "dns"`, []string{
			"main.tf: argument services of the module is in Patchbay's file only",
			"main.tf: argument zone of the module is in Patchbay's file only",
			"main.tf: source of the module is in Patchbay's file only",
			"main.tf: the module's block is in Patchbay's file only",
			"main.tf: version of the module is in Patchbay's file only"}},
		"another path of the state": {"main.tf", "sync/terraform", "sync/other", []string{
			`main.tf: backend consul: path is "consul-terraform-sync/other" in CTS's file and "consul-terraform-sync/terraform" in Patchbay's`}},
		"another address, which may hold a password": {"main.tf", "localhost:8500", "u:hidden@localhost:8500",
			[]string{"main.tf: backend consul: address differs"}},
		"another type of backend": {"main.tf", `backend "consul"`, `backend "s3"`, []string{
			`main.tf: backend is s3 in CTS's file and consul in Patchbay's`,
			"main.tf: backend consul: address is in Patchbay's file only", "main.tf: backend consul: gzip is in Patchbay's file only",
			"main.tf: backend consul: path is in Patchbay's file only", "main.tf: backend s3: address is in CTS's file only",
			"main.tf: backend s3: gzip is in CTS's file only", "main.tf: backend s3: path is in CTS's file only"}},
		"another port": {"terraform.tfvars", "80", "81",
			[]string{"terraform.tfvars: services: web-1.n1.dc1: port is 81 in CTS's file and 80 in Patchbay's"}},
		"another list and map": {"terraform.tfvars", "[\"a\"]\n    meta = { k = \"v\" }", "[\"a\", \"b\"]\n    meta = {}", []string{
			`terraform.tfvars: services: web-1.n1.dc1: meta is [] in CTS's file and [k = "v"] in Patchbay's`,
			`terraform.tfvars: services: web-1.n1.dc1: tags is ["a", "b"] in CTS's file and ["a"] in Patchbay's`}},
		"another member": {"terraform.tfvars", `"web-1.n1.dc1"`, `"web-2.n1.dc1"`, []string{
			`terraform.tfvars: variable services: "web-1.n1.dc1" is in Patchbay's file only`,
			`terraform.tfvars: variable services: "web-2.n1.dc1" is in CTS's file only`}},
		"another value of a key is not shown": {"terraform.tfvars", "hidden-value", "hidden-other",
			[]string{`terraform.tfvars: variable consul_kv: "token" differs`}},
		"a variable that is not given": {"terraform.tfvars", "consul_kv", "catalog_services", []string{
			"terraform.tfvars: variable catalog_services is in CTS's file only",
			"terraform.tfvars: variable consul_kv is in Patchbay's file only"}},
		"what was injected is not evaluated": {"terraform.tfvars", `"hidden-value"`, `"${file("/etc/passwd")}"`, []string{
			"terraform.tfvars: CTS's file is not what Terraform reads as values: line 11: \"${\" is no part of a literal value"}},
		"another value of the user's is not shown": {"variables.auto.tfvars", "hidden-zone", "hidden-other",
			[]string{"variables.auto.tfvars: variable zone differs"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			there := map[string]string{"main.tf": comparedMain, "terraform.tfvars": comparedValues, "variables.auto.tfvars": comparedOwn}
			files := tasks.Files{Root: map[string]tasks.File{}}
			for name, content := range there {
				files.Root[name] = tasks.File{Content: []byte(content)}
			}
			if !strings.Contains(there[tt.file], tt.old) {
				t.Fatalf("%s has no %q", tt.file, tt.old)
			}
			there[tt.file] = strings.Replace(there[tt.file], tt.old, tt.new, 1)
			dir := t.TempDir()
			for name, content := range there {
				if name == "" {
					continue
				}
				// The relative source of a case leads out of two directories.
				if name == "main.tf" && strings.Contains(content, "../../work/m") {
					rel, err := filepath.Rel(dir, "/work/m")
					if err != nil {
						t.Fatal(err)
					}
					content = strings.Replace(content, "../../work/m", rel, 1)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			task := tasks.Task{Name: "web", WorkingDir: dir}
			root, err := readRoot(task)
			if err != nil {
				t.Fatal(err)
			}
			got, err := root.differences(task, files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(got, ""), "hidden") {
				t.Error("a value is shown that may be secret")
			}
		})
	}
}

func TestABackendBesideAnotherToolCannotWrite(t *testing.T) {
	task := tasks.Task{Name: "web", WorkingDir: t.TempDir()}
	path := map[string]cty.Value{"path": cty.StringVal("p")}
	tests := map[string]struct {
		backend templates.Backend
		want    string
		local   bool
		refused string
	}{
		"consul takes no lock":             {templates.Backend{Type: "consul", Attributes: path}, "lock path", false, ""},
		"consul takes none if told to":     {templates.Backend{Type: "consul", Attributes: map[string]cty.Value{"lock": cty.True}}, "lock", false, ""},
		"pg makes no table":                {templates.Backend{Type: "pg"}, "skip_index_creation skip_schema_creation skip_table_creation", false, ""},
		"s3 is left as it is":              {templates.Backend{Type: "s3", Attributes: path}, "path", false, ""},
		"local is copied":                  {templates.Backend{Type: "local", Attributes: path}, "", true, ""},
		"remote makes runs and is refused": {templates.Backend{Type: "remote"}, "", false, "it makes runs of its own"},
		"cloud makes runs and is refused":  {templates.Backend{Type: "cloud"}, "", false, "it makes runs of its own"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, copied, err := besideBackend(task, tt.backend)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("error = %v", err)
				}
				return
			}
			if err != nil || copied.Local != tt.local {
				t.Fatalf("besideBackend = %+v, %v", copied, err)
			}
			names := strings.Join(slices.Sorted(maps.Keys(got.Attributes)), " ")
			if names != tt.want {
				t.Errorf("attributes are %q, want %q", names, tt.want)
			}
			if v, ok := got.Attributes["lock"]; ok && v.True() {
				t.Error("lock is on")
			}
			if v, ok := tt.backend.Attributes["lock"]; ok && v.False() {
				t.Error("the configuration's own backend was changed")
			}
		})
	}
}

func TestAHalfWrittenStateIsNotPlannedAgainst(t *testing.T) {
	task := tasks.Task{Name: "web", WorkingDir: t.TempDir()}
	state := filepath.Join(task.WorkingDir, "terraform.tfstate.d/web")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "terraform.tfstate"), []byte(`{"version": 4,`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := besideBackend(task, templates.Backend{Type: "local"})
	if err == nil || !strings.Contains(err.Error(), "compare again") {
		t.Errorf("error = %v", err)
	}
}
