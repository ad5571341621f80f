package dynamic

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

func TestSecretsAreReadFromVault(t *testing.T) {
	f := newFakeVault(t)
	f.always("GET kv/data/a/b", kv2(body{"pw": "s3cret", "port": 8080, "nothing": nil}))
	f.always("GET kv/data/a/b?version=2", kv2(body{"pw": "second"}))
	f.always("GET kv/data/data", kv2(body{"pw": "odd"}))
	f.always("GET kv/metadata/a", body{"data": body{"custom_metadata": body{"owner": "net"}}})
	f.always("GET old/a", body{"lease_duration": 2764800, "data": body{"pw": "first"}})
	f.always("GET team/kv/data/a", kv2(body{"pw": "unknown mount"}))
	f.always("GET kv/metadata/a?list=true", body{"data": body{"keys": []string{"y", "x/"}}})
	f.always("GET kv/metadata?list=true", body{"data": body{"keys": []string{"a/"}}})
	f.always("GET old/a?list=true", body{"data": body{"keys": []string{"k"}}})
	f.on("PUT pki/issue/web", func(request body) (int, body) {
		if diff := cmp.Diff(body{"common_name": "lb", "ttl": "1h"}, request); diff != "" {
			t.Errorf("written: %s", diff)
		}
		return 200, body{"data": body{"certificate": "PEM", "expiration": time.Now().Add(time.Hour).Unix()}}
	})
	tests := map[string]struct{ text, want string }{
		"KV version 2, without data":           {`{{ with secret "kv/a/b" }}{{ .Data.data.pw }}{{ end }}`, "s3cret"},
		"KV version 2, with data":              {`{{ with secret "kv/data/a/b" }}{{ .Data.data.pw }}{{ end }}`, "s3cret"},
		"slashes around":                       {`{{ with secret " /kv/a/b/ " }}{{ .Data.data.pw }}{{ end }}`, "s3cret"},
		"a version":                            {`{{ with secret "kv/a/b?version=2" }}{{ .Data.data.pw }}{{ end }}`, "second"},
		"metadata":                             {`{{ with secret "kv/metadata/a" }}{{ .Data.custom_metadata.owner }}{{ end }}`, "net"},
		"KV version 1":                         {`{{ with secret "old/a" }}{{ .Data.pw }}{{ end }}`, "first"},
		"a mount that Vault does not tell":     {`{{ with secret "team/kv/data/a" }}{{ .Data.data.pw }}{{ end }}`, "unknown mount"},
		"a number":                             {`{{ with secret "kv/a/b" }}{{ .Data.data.port }}{{ end }}`, "8080"},
		"a condition on a field that is not":   {`{{ with secret "kv/a/b" }}{{ if .Data.data.no }}x{{ else }}y{{ end }}{{ end }}`, "y"},
		"a field by index":                     {`{{ (index (secret "kv/a/b").Data "data").pw }}`, "s3cret"},
		"text around":                          {`user:{{ with secret "kv/a/b" }}{{ .Data.data.pw }}{{ end }}@host`, "user:s3cret@host"},
		"a list of KV version 2":               {`{{ range secrets "kv/a" }}{{ . }},{{ end }}`, "x/,y,"},
		"a list of KV version 2 with metadata": {`{{ range secrets "kv/metadata/a/" }}{{ . }},{{ end }}`, "x/,y,"},
		"a list of a whole mount":              {`{{ range secrets "kv" }}{{ . }},{{ end }}`, "a/,"},
		"a list of KV version 1":               {`{{ range secrets "old/a" }}{{ . }},{{ end }}`, "k,"},
		"a list of nothing":                    {`<{{ range secrets "kv/none" }}{{ . }},{{ end }}>`, "<>"},
		"a certificate made to order":          {`{{ with secret "pki/issue/web" "common_name=lb" "ttl = 1h" "" }}{{ .Data.certificate }}{{ end }}`, "PEM"},
	}
	r := f.resolver(f.config())
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time the mount is known
				if got := mustResolve(t, r, tc.text); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
		})
	}
}

func TestSecretsThatCannotBeReadAreErrors(t *testing.T) {
	f := newFakeVault(t)
	f.always("GET kv/data/a", kv2(body{"pw": "hunter2", "null": nil}))
	f.always("GET kv/data/gone", body{"data": body{"data": nil, "metadata": body{"deletion_time": "2020-01-01T00:00:00Z"}}})
	f.always("GET kv/data/destroyed", body{"data": body{"data": nil, "metadata": body{"deletion_time": "", "destroyed": true}}})
	f.on("GET kv/metadata/denied?list=true", func(body) (int, body) { return 403, body{"errors": []string{"permission denied"}} })
	f.always("GET kv/metadata/odd?list=true", body{"data": body{"keys": []any{1, nil}}})
	f.on("GET kv/data/denied", func(body) (int, body) {
		return 403, body{"errors": []string{"permission denied for root-token\x1b[31m"}}
	})
	f.on("GET kv/data/bad", func(body) (int, body) { return 400, body{"hunter2": "no errors here"} })
	f.on("GET kv/data/hunter2", func(body) (int, body) { return 400, body{"errors": []string{"bad path hunter2"}} })
	f.always("GET kv/data/large", kv2(body{"pw": strings.Repeat("hunter2", maxAnswer/7)}))
	r := New((&values{env: map[string]string{"PW": "hunter2"}}).options(f.config()))
	tests := map[string]struct {
		text string
		want []string
	}{
		"a secret that is not there":       {`{{ with secret "kv/no" }}{{ end }}`, []string{`{{ secret "kv/no" }}: there is no such secret in Vault`}},
		"a secret that was destroyed":      {`{{ with secret "kv/destroyed" }}{{ end }}`, []string{"no such secret"}},
		"a list without right":             {`{{ secrets "kv/denied" }}`, []string{`{{ secrets "kv/denied" }}: vault: status 403 Forbidden`}},
		"a list of no path":                {`{{ secrets "" }}`, []string{"not a path"}},
		"a list of what is no list":        {`{{ secrets "kv/odd" | len }}{{ key "no" }}`, []string{"no such key"}},
		"a secret that was deleted":        {`{{ with secret "kv/gone" }}{{ end }}`, []string{"no such secret"}},
		"a field that is not there":        {`{{ with secret "kv/a" }}{{ .Data.data.nope }}{{ end }}`, []string{"no such field", ".Data.data.nope"}},
		"a field that is null":             {`{{ with secret "kv/a" }}{{ .Data.data.null }}{{ end }}`, []string{"no such field"}},
		"a field below one that is not":    {`{{ with secret "kv/a" }}{{ .Data.nope.pw }}{{ end }}`, []string{"cannot be executed"}},
		"a field of a text":                {`{{ with secret "kv/a" }}{{ .Data.data.pw.x }}{{ end }}`, []string{"cannot be executed"}},
		"no right":                         {`{{ with secret "kv/denied" }}{{ end }}`, []string{"vault: status 403 Forbidden (permission denied for <secret> [31m)", "was revoked"}},
		"an answer that is no error":       {`{{ with secret "kv/bad" }}{{ end }}`, []string{"vault: status 400 Bad Request"}},
		"an error that repeats a value":    {`{{ with secret (printf "kv/%s" (env "PW")) }}{{ end }}`, []string{"{{ secret … }}: vault: status 400 Bad Request"}},
		"an answer that is too large":      {`{{ with secret "kv/large" }}{{ end }}`, []string{"vault: "}},
		"a loop over a secret's text":      {`{{ with secret "kv/a" }}{{ range .Data.data.pw }}{{ end }}{{ end }}`, []string{"cannot be executed"}},
		"a secret for a path":              {`{{ with secret "kv/a" }}{{ key .Data.data }}{{ end }}`, []string{"cannot be executed"}},
		"a key named by a secret":          {`{{ with secret "kv/a" }}{{ key .Data.data.pw }}{{ end }}`, []string{"{{ key … }}: there is no such key"}},
		"a write that is refused as a 404": {`{{ with secret "pki/issue/x" "a=b" }}{{ end }}`, []string{"{{ secret \"pki/issue/x\" }}: "}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := resolve(t, r, tc.text)
			says(t, err, tc.want, "hunter2", "root-token", "\x1b")
		})
	}
}

func TestARotatedSecretReachesTheNextRun(t *testing.T) {
	f := newFakeVault(t)
	r := f.resolver(f.config())
	for _, pw := range []string{"one", "two", "three"} {
		f.always("GET kv/data/a", kv2(body{"pw": pw}))
		if got := mustResolve(t, r, `{{ with secret "kv/a" }}{{ .Data.data.pw }}{{ end }}`); got != pw {
			t.Errorf("got %q, want %q", got, pw)
		}
	}
	if diff := cmp.Diff([]string{"GET kv/data/a", "GET kv/data/a", "GET kv/data/a"}, f.asked()); diff != "" {
		t.Errorf("Vault was asked otherwise: %s", diff)
	}
}

func TestNameAndPasswordOfOneSecretBelongTogether(t *testing.T) {
	f := newFakeVault(t)
	n := 0
	f.on("GET kv/data/a", func(body) (int, body) {
		n++
		return 200, kv2(body{"user": n, "pw": n})
	})
	user, pw := `{{ with secret "kv/a" }}{{ .Data.data.user }}{{ end }}`, `{{ with secret "kv/a" }}{{ .Data.data.pw }}{{ end }}`
	p := tasks.Provider{Name: "p", Env: map[string]tasks.Secret{"PW": tasks.NewSecret(pw)},
		Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{"user": cty.StringVal(user)}))}
	got, err := f.resolver(f.config()).Provider(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got.Arguments.Reveal().GetAttr("user").AsString() != "1" || got.Env["PW"].Reveal() != "1" {
		t.Errorf("got %#v and %q, want 1 and 1", got.Arguments.Reveal(), got.Env["PW"].Reveal())
	}
}

func TestAnEngineThatWasReplacedIsFoundAgain(t *testing.T) {
	f := newFakeVault(t)
	r := f.resolver(f.config())
	_, err := resolve(t, r, `{{ with secret "kv/a" }}{{ .Data.data.pw }}{{ end }}`)
	says(t, err, []string{"no such secret"})
	if len(r.vault.Load().mounts) != 0 {
		t.Errorf("the mount is still remembered: %v", r.vault.Load().mounts)
	}
	r.vault.Load().mounts["kv/a"] = mount{path: "kv"} // as before an upgrade to version 2
	f.on("GET kv/a", func(body) (int, body) {
		return 404, body{"warnings": []string{"Invalid path for a versioned K/V secrets engine."}}
	})
	f.always("GET kv/data/a", kv2(body{"pw": "x"}))
	_, err = resolve(t, r, anySecret)
	says(t, err, []string{"no such secret"})
	if got := mustResolve(t, r, anySecret); got != "x" {
		t.Errorf("after the upgrade got %q", got)
	}
}

func TestTheNamespaceIsSentAndNotRepeated(t *testing.T) {
	f := newFakeVault(t)
	f.namespace = "ops"
	f.always("GET kv/data/a", kv2(body{"pw": "x"}))
	cfg := f.config()
	cfg.Namespace = "ops"
	if got := mustResolve(t, f.resolver(cfg), `{{ with secret "kv/a" }}{{ .Data.data.pw }}{{ end }}`); got != "x" {
		t.Errorf("got %q", got)
	}
	tests := map[string]struct{ m, path, data, metadata string }{
		"a mount":                            {"kv", "kv/a", "kv/data/a", "kv/metadata/a"},
		"a mount of several parts":           {"team/kv", "team/kv/a/b", "team/kv/data/a/b", "team/kv/metadata/a/b"},
		"a mount told with the namespace":    {"ops/kv", "kv/a", "kv/data/a", "kv/a"},
		"a path with data already":           {"kv", "kv/data/a", "kv/data/a", "kv/metadata/data/a"},
		"a path with metadata already":       {"kv", "kv/metadata/a", "kv/metadata/a", "kv/metadata/a"},
		"a path with subkeys":                {"kv", "kv/subkeys/a", "kv/subkeys/a", "kv/metadata/subkeys/a"},
		"a secret whose name begins so":      {"kv", "kv/database", "kv/data/database", "kv/metadata/database"},
		"the mount itself":                   {"kv", "kv", "kv/data", "kv/metadata"},
		"a path that is not below the mount": {"kv", "kvx/a", "kvx/a", "kvx/a"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			m := mount{path: tc.m, v2: true}
			if got := m.data(tc.path, "ops"); got != tc.data {
				t.Errorf("data of %s = %s, want %s", tc.path, got, tc.data)
			}
			if got := m.metadata(tc.path); got != tc.metadata {
				t.Errorf("metadata of %s = %s, want %s", tc.path, got, tc.metadata)
			}
		})
	}
}

func TestVaultsEnvironmentChangesNothing(t *testing.T) {
	f := newFakeVault(t)
	f.always("GET kv/data/a", kv2(body{"pw": "x"}))
	for name, value := range map[string]string{"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_AGENT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "wrong",
		"VAULT_NAMESPACE": "wrong", "VAULT_HEADERS": `{"X-Vault-Wrap-TTL-x":"1"}`, "VAULT_WRAP_TTL": "5m"} {
		if name != "VAULT_HEADERS" {
			t.Setenv(name, value)
		}
	}
	if got := mustResolve(t, f.resolver(f.config()), `{{ with secret "kv/a" }}{{ .Data.data.pw }}{{ end }}`); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestTheAddressMayComeWithoutAScheme(t *testing.T) {
	for want, cfg := range map[string]config.Vault{
		"https://127.0.0.1:8200": {}, "http://v:1": {Address: "v:1"}, "https://v:1": {Address: "v:1", TLS: config.TLS{Enabled: true}},
		"http://v:2": {Address: "http://v:2", TLS: config.TLS{Enabled: true}},
	} {
		if got := address(cfg); got != want {
			t.Errorf("address = %s, want %s", got, want)
		}
	}
	_, err := resolve(t, New((&values{}).options(config.Vault{Enabled: true, Address: "http://\x7f hunter2"})), `{{ secret "a/b" }}`)
	says(t, err, []string{"make vault client", "correct vault { address"}, "hunter2")
}

func TestATokenWithOddLettersIsRefusedWithoutBeingShown(t *testing.T) {
	f := newFakeVault(t)
	cfg := f.config()
	cfg.Token = tasks.NewSecret("hunter2\x01")
	_, err := resolve(t, f.resolver(cfg), `{{ secret "kv/a" }}`)
	says(t, err, []string{"vault: "}, "hunter2")
	if got := f.asked(); got != nil {
		t.Errorf("Vault was asked %v", got)
	}
}

func TestAnAnswerThatIsNotVaultsIsNotShown(t *testing.T) {
	f := newFakeVault(t)
	f.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("<html>hunter2"))
	})
	_, err := resolve(t, f.resolver(f.config()), `{{ secret "kv/a" }}`)
	says(t, err, []string{"vault: the answer cannot be understood"}, "hunter2", "html")
}
