package templates

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// backends has every type that a driver may have, with the block that it becomes.
func backends() map[string]struct {
	attributes cty.Value
	want       string
} {
	texts := func(list ...string) cty.Value {
		var out []cty.Value
		for _, s := range list {
			out = append(out, cty.StringVal(s))
		}
		return cty.TupleVal(out)
	}
	return map[string]struct {
		attributes cty.Value
		want       string
	}{
		"local": {object("workspace_dir", "states"), `
backend "local" {
  workspace_dir = "states"
}`},
		"consul": {object("path", "a ${b}", "address", "localhost:8500", "gzip", true), `
backend "consul" {
  address = "localhost:8500"
  gzip    = true
  path    = "a $${b}"
}`},
		"azurerm": {object("storage_account_name", "s", "container_name", "c", "key", "k", "use_msi", true), `
backend "azurerm" {
  container_name       = "c"
  key                  = "k"
  storage_account_name = "s"
  use_msi              = true
}`},
		"cos": {object("region", "r", "bucket", "b-1", "assume_role", object("role_arn", "a", "session_name", "s", "session_duration", 60)), `
backend "cos" {
  bucket = "b-1"
  region = "r"
  assume_role {
    role_arn         = "a"
    session_duration = 60
    session_name     = "s"
  }
}`},
		"gcs": {object("bucket", "b", "prefix", "p", "impersonate_service_account_delegates", texts("a", "b")), `
backend "gcs" {
  bucket                                = "b"
  impersonate_service_account_delegates = ["a", "b"]
  prefix                                = "p"
}`},
		"http": {object("address", "https://example.com/{task}/state", "lock_address", "https://example.com/{task}/lock", "username", "{task}", "retry_max", 1), `
backend "http" {
  address      = "https://example.com/net/state"
  lock_address = "https://example.com/net/lock"
  retry_max    = 1
  username     = "{task}"
}`},
		"kubernetes": {object("secret_suffix", "s", "labels", object("a", "b"), "exec",
			cty.TupleVal([]cty.Value{object("api_version", "v1", "command", "get", "args", texts("x"), "env", object("A", "${b}"))})), `
backend "kubernetes" {
  labels = {
    a = "b"
  }
  secret_suffix = "s"
  exec {
    api_version = "v1"
    args        = ["x"]
    command     = "get"
    env = {
      A = "$${b}"
    }
  }
}`},
		"manta": {object("path", "p"), `
backend "manta" {
  path = "p"
}`},
		"pg": {object("conn_str", "postgres://127.0.0.1/x?sslmode=disable", "schema_name", "s"), `
backend "pg" {
  conn_str    = "postgres://127.0.0.1/x?sslmode=disable"
  schema_name = "s"
}`},
		"s3": {object("bucket", "b", "key", "k", "region", "r", "endpoints", object("s3", "http://127.0.0.1"),
			"assume_role", object("role_arn", "arn:aws:iam::1:role/x", "tags", object("a", "b"))), `
backend "s3" {
  assume_role = {
    role_arn = "arn:aws:iam::1:role/x"
    tags = {
      a = "b"
    }
  }
  bucket = "b"
  endpoints = {
    s3 = "http://127.0.0.1"
  }
  key    = "k"
  region = "r"
}`},
		"remote": {object("hostname", "localhost", "organization", "o", "workspaces", object("prefix", "net-")), `
backend "remote" {
  hostname     = "localhost"
  organization = "o"
  workspaces {
    prefix = "net-"
  }
}`},
		"cloud": {object("hostname", "localhost", "organization", "o", "workspaces", object("tags", texts("net"), "project", "p")), `
cloud {
  hostname     = "localhost"
  organization = "o"
  workspaces {
    project = "p"
    tags    = ["net"]
  }
}`},
	}
}

func withBackend(t *testing.T, kind string, attributes cty.Value) tasks.Files {
	t.Helper()
	files, err := render(task("net"), Inputs{Backend: Backend{Type: kind, Attributes: attributes.AsValueMap()}}, shippedForTest)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryBackendIsWrittenAsTerraformHasIt(t *testing.T) {
	for kind, c := range backends() {
		t.Run(kind, func(t *testing.T) {
			files := withBackend(t, kind, c.attributes)
			want := "terraform {" + strings.ReplaceAll(c.want, "\n", "\n  ") + "\n}\n"
			got := string(files.Root[fileMain].Content)
			got = got[strings.Index(got, "terraform {"):strings.Index(got, "\nmodule ")]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("block (-want +got):\n%s", diff)
			}
			if got := files.Root[fileMain].Secret; got != (kind != "local" && kind != "consul") {
				t.Errorf("main.tf is secret: %v", got)
			}
			if want := map[bool]string{true: "default", false: "net"}[kind == "http"]; files.Workspace != want {
				t.Errorf("workspace is %s, want %s", files.Workspace, want)
			}
		})
	}
}

func TestTerraformAcceptsEveryBackendsBlock(t *testing.T) {
	for kind, c := range backends() {
		t.Run(kind, func(t *testing.T) {
			root := withoutRegistry(t, withBackend(t, kind, c.attributes).Root)
			tf := newTerraform(t, root)
			tf.run(t, "init", "-backend=false", "-input=false", "-no-color")
			tf.run(t, "validate", "-no-color")
			if kind == "manta" { // Terraform before 1.3 has it
				return
			}
			// One argument that no backend has is the only one that Terraform complains
			// of, before it connects to anything: it knows all others.
			tf.write(t, fileMain, withStranger(t, root[fileMain].Content))
			cmd := exec.Command(tf.binary, "init", "-input=false", "-no-color")
			cmd.Dir, cmd.Env = tf.dir, append(os.Environ(), "CHECKPOINT_DISABLE=1")
			out, err := cmd.CombinedOutput()
			said := string(out)
			if err == nil || strings.Count(said, "Error: ") != 1 || !strings.Contains(said, `An argument named "stranger" is not expected here`) {
				t.Errorf("init: %v\n%s", err, said)
			}
		})
	}
}

func withStranger(t *testing.T, main []byte) []byte {
	t.Helper()
	file, diags := hclwrite.ParseConfig(main, fileMain, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	file.Body().FirstMatchingBlock("terraform", nil).Body().Blocks()[0].Body().SetAttributeValue("stranger", cty.True)
	return file.Bytes()
}

func TestABackendThatTasksWouldShareIsRefused(t *testing.T) {
	cases := map[string]struct {
		kind       string
		attributes cty.Value
		want       []string
	}{
		"http without an address":       {"http", cty.EmptyObjectVal, []string{"one state", "{task}", "address"}},
		"http with one address for all": {"http", object("address", "http://hunter2@x/state"), []string{"one state", "{task}", "address"}},
		"http with one lock for all": {"http", object("address", "http://x/{task}", "lock_address", "http://hunter2@x"),
			[]string{"{task}", "lock_address"}},
		"http with an address that is no text": {"http", object("address", 1), []string{"address"}},
		"remote with one workspace":            {"remote", object("workspaces", object("name", "hunter2")), []string{"workspaces", "prefix"}},
		"cloud with one workspace":             {"cloud", object("workspaces", object("name", "hunter2")), []string{"workspaces", "tags"}},
		"a nested attribute that is no name":   {"kubernetes", object("exec", object("a b", "hunter2")), []string{`"exec"`, `"a b"`}},
		"a nested value that is unknown":       {"remote", object("workspaces", object("prefix", cty.UnknownVal(cty.String))), []string{`"workspaces"`, "literal"}},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			_, err := render(task("net"), Inputs{Backend: Backend{Type: c.kind, Attributes: c.attributes.AsValueMap()}}, shippedForTest)
			if err == nil {
				t.Fatal("it was rendered")
			}
			for _, want := range append(c.want, `backend "`+c.kind+`"`) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %s: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error shows a value: %v", err)
			}
		})
	}
}

func TestACloudWorkspaceMayHaveTheTasksName(t *testing.T) {
	files := withBackend(t, "cloud", object("workspaces", object("name", "net")))
	if got := string(files.Root[fileMain].Content); !strings.Contains(got, `name = "net"`) {
		t.Errorf("main.tf is\n%s", got)
	}
}
