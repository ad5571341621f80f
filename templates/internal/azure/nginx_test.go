package azure_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/templates"
	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/moduletest"
)

const configuration = "Nginx.NginxPlus/nginxDeployments/edge/configurations/default"

var onDeployment = []string{
	`nginx_deployment_id = "` + azure.ID("Nginx.NginxPlus/nginxDeployments/edge") + `"`,
	`config_files = { "/etc/nginx/nginx.conf" = <<-EOT
    pid nginx.pid;
    events {}
    http {
      include /etc/nginx/conf.d/*.conf;
      server {
        listen 127.0.0.1:1;
        location / { proxy_pass http://web; }
      }
    }
    EOT
  }`,
	`protected_files = { "/etc/nginx/ssl/key.pem" = "secret" }`,
	`service_names = ["web"]`,
}

// file is what ARM has under a path of the configuration.
func (r *rig) file(tb testing.TB, path string) string {
	tb.Helper()
	for _, x := range r.properties(tb, configuration)["files"].([]any) {
		if file := x.(azure.Body); file["virtualPath"] == path {
			content, err := base64.StdEncoding.DecodeString(file["content"].(string))
			if err != nil {
				tb.Fatalf("decode %s: %v", path, err)
			}
			return string(content)
		}
	}
	tb.Fatalf("the configuration has no %s", path)
	return ""
}

// accepted tests the configuration by a real NGINX.
func (r *rig) accepted(tb testing.TB) {
	tb.Helper()
	dir := tb.TempDir()
	for _, path := range []string{"/etc/nginx/nginx.conf", "/etc/nginx/conf.d/patchbay-upstreams.conf"} {
		at := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			tb.Fatal(err)
		}
		content := strings.ReplaceAll(r.file(tb, path), "/etc/nginx/", dir+"/etc/nginx/")
		if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	nginx := exec.Command("nginx", "-t", "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "etc/nginx/nginx.conf"),
		"-g", "error_log stderr;")
	if out, err := nginx.CombinedOutput(); err != nil && !strings.Contains(string(out), "syntax is ok") {
		tb.Fatalf("nginx -t: %v: %s", err, out)
	}
}

func TestAzureNginxHasTheUpstreamsOfServices(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nginx", onDeployment...)
	const upstreams = "/etc/nginx/conf.d/patchbay-upstreams.conf"
	heavy := instance("web", "10.0.0.1", 80).With(func(i *moduletest.Instance) { i.Meta = map[string]string{"weight": "3"} })
	sick := instance("web", "::1", 81).With(func(i *moduletest.Instance) { i.Status = "critical" })
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     string
		calls    int
	}{
		{"no instance", nil, "upstream web {\n  zone web 64k;\n  server 127.0.0.1:1 down;\n}\n", 1},
		{"a weight and a sick one of IPv6", []moduletest.Instance{heavy, sick},
			"upstream web {\n  zone web 66k;\n  server 10.0.0.1:80 weight=3 max_fails=1 fail_timeout=10s;\n  server [::1]:81 weight=1 max_fails=1 fail_timeout=10s down;\n}\n", 1},
		{"emptied", nil, "upstream web {\n  zone web 64k;\n  server 127.0.0.1:1 down;\n}\n", 1},
		{"filled again", []moduletest.Instance{heavy}, "upstream web {\n  zone web 65k;\n  server 10.0.0.1:80 weight=3 max_fails=1 fail_timeout=10s;\n}\n", 1},
	} {
		r.arm.Forget()
		r.Give(t, step.services...)
		r.Apply(t)
		_, got, _ := strings.Cut(r.file(t, upstreams), "\n\n")
		same(t, step.sentence, step.want, strings.TrimSuffix(got, "\n"))
		same(t, step.sentence+": writes", step.calls, r.arm.Count("PUT", ""))
		r.Settled(t)
		r.accepted(t)
	}
	secrets := r.properties(t, configuration)["protectedFiles"].([]any)
	if len(secrets) != 1 || secrets[0].(azure.Body)["content"] != nil {
		t.Errorf("protected files that ARM shows: %v", secrets)
	}
}

func TestAzureNginxShiftsTrafficAsACanarySays(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nginx", onDeployment...)
	of := func(version string) moduletest.Instance {
		return instance("web", "10.0.0.1", 80).With(func(i *moduletest.Instance) { i.Meta = map[string]string{"version": version} })
	}
	r.Give(t, of("v1"), of("v2"))
	r.Set(t, "canary_weights", map[string]any{"web": map[string]any{"v1": 95, "v2": 5}})
	r.Apply(t)
	r.accepted(t)
	var upstreams map[string]struct{ Servers []string }
	r.Output(t, "upstreams", &upstreams)
	same(t, "servers", []string{
		"10.0.0.1:80 weight=62225 max_fails=1 fail_timeout=10s", "10.0.0.1:80 weight=3275 max_fails=1 fail_timeout=10s",
	}, upstreams["web"].Servers)
}

func TestAzureNginxTakesNoHostileText(t *testing.T) {
	t.Parallel()
	r := newRig(t, "azure-nginx", onDeployment...)
	const inject = "; } server { listen 1; } upstream x { server 10.0.0.1:1"
	bad := instance("web", "10.0.0.1"+inject, 80)
	odd := instance("we b\n{"+inject, "10.0.0.2", 80).With(func(i *moduletest.Instance) {
		i.Meta = map[string]string{"weight": "1" + inject}
		i.User = map[string]string{"nginx_method": "least_conn" + inject}
	})
	r.Give(t, bad, odd)
	r.Apply(t)
	r.Settled(t)
	r.accepted(t)
	if text := r.file(t, "/etc/nginx/conf.d/patchbay-upstreams.conf"); strings.Contains(text, "server { listen") {
		t.Errorf("hostile text was written:\n%s", text)
	}
	same(t, "notes", 3, len(r.skipped(t)))
}

func TestAzureNginxRefusesASenselessPlan(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		arguments []string
		want      string
	}{
		"no root file":        {[]string{onDeployment[0], `config_files = {}`}, "No file is /etc/nginx/nginx.conf, where NGINX begins to read (root_file): nothing was changed."},
		"a file of its own":   {append([]string{`upstreams_path = "/etc/nginx/nginx.conf"`}, onDeployment...), "A file is there twice: /etc/nginx/nginx.conf: nothing was changed."},
		"a file twice":        {append([]string{`protected_files = { "/etc/nginx/nginx.conf" = "x" }`}, onDeployment[:2]...), "A file is there twice: /etc/nginx/nginx.conf: nothing was changed."},
		"too large a file":    {[]string{onDeployment[0], `config_files = { "/etc/nginx/nginx.conf" = join("", [for n in range(1000) : format("#%03000d\n", n)]) }`}, "bytes as it is sent, and more than 3,000,000 would not fit"},
		"a path out of reach": {[]string{onDeployment[0], `config_files = { "/root/nginx.conf" = "x" }`}, "config_files must be text by absolute path below /etc/nginx"},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := newRig(t, "azure-nginx", c.arguments...)
			r.Give(t)
			if said := r.Refused(t); !strings.Contains(said, c.want) {
				t.Errorf("want %q:\n%s", c.want, said)
			}
			same(t, "writes", 0, r.arm.Count("PUT", ""))
		})
	}
}

func TestAzureNginxJudgesInstancesAsNginxDoes(t *testing.T) {
	t.Parallel()
	ours, _ := templates.Builtin("azure-nginx")
	theirs, _ := templates.Builtin("nginx")
	for _, file := range []string{"instances.tf", "canary.tf"} {
		if string(ours[file]) != string(theirs[file]) {
			t.Errorf("%s differs: a module is read and copied alone, so the file is there twice; change both", file)
		}
	}
}
