package afterapply

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var null = cty.NullVal(cty.String)

// run makes the steps of one panos block and gives their error and log.
func run(t *testing.T, s *Steps, arguments map[string]cty.Value) (string, error) {
	t.Helper()
	var log bytes.Buffer
	s.wait = time.Millisecond
	if s.Getenv == nil {
		s.Getenv = func(string) string { return "" }
	}
	err := s.Run(t.Context(), hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace}), Request{Task: "fw-web", Commit: true,
		Providers: []tasks.Provider{{Name: "panos", Arguments: tasks.NewSecretValue(cty.ObjectVal(arguments))}}})
	text := log.String()
	if err != nil {
		text += err.Error()
	}
	for _, secret := range []string{goodPassword, goodKey, "wrong-key"} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is shown in %s", text)
		}
	}
	return log.String(), err
}

func TestACommitTakesTheUsersChangesAlone(t *testing.T) {
	f := newFirewall(t, httptest.NewServer)
	f.changes("cts", "address web-1", "group web")
	f.changes("alice", "half a policy")
	log, err := run(t, &Steps{}, f.arguments(map[string]cty.Value{"target": cty.StringVal("0123")}))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"address web-1", "group web"}, f.committed()); d != "" {
		t.Errorf("in force, want (-), got (+):\n%s", d)
	}
	if d := cmp.Diff([]string{"commit", "op", "op", "op"}, f.requests); d != "" {
		t.Errorf("requests, want (-), got (+):\n%s", d)
	}
	if d := cmp.Diff([]string{"0123"}, f.targets); d != "" {
		t.Errorf("targets, want (-), got (+):\n%s", d)
	}
	if !strings.Contains(log, "changes were committed: task=fw-web provider=panos device=127.0.0.1 user=cts job=4 warnings=1") {
		t.Errorf("log = %s", log)
	}
}

func TestACommitWithoutChangesIsASuccess(t *testing.T) {
	for name, custom := range map[string]bool{"of a superuser": false, "of a user with a custom role": true} {
		t.Run(name, func(t *testing.T) {
			f := newFirewall(t, httptest.NewServer)
			f.custom = custom
			log, err := run(t, &Steps{}, f.arguments(nil))
			if err != nil || !strings.Contains(log, "nothing was left to commit: task=fw-web") {
				t.Errorf("err %v, log %s", err, log)
			}
			if d := cmp.Diff([]string{"commit"}, f.requests); d != "" {
				t.Errorf("requests, want (-), got (+):\n%s", d)
			}
		})
	}
}

func TestAPasswordMakesAKeyFirst(t *testing.T) {
	f := newFirewall(t, httptest.NewServer)
	f.changes("cts", "a")
	if _, err := run(t, &Steps{}, f.arguments(map[string]cty.Value{"api_key": null, "password": cty.StringVal(goodPassword)})); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"keygen", "commit", "op", "op", "op"}, f.requests); d != "" {
		t.Errorf("requests, want (-), got (+):\n%s", d)
	}
}

func TestWhatPanosRefusesIsTold(t *testing.T) {
	tests := map[string]struct {
		given map[string]cty.Value
		set   func(*firewall)
		told  []string
	}{
		"a bad key": {given: map[string]cty.Value{"api_key": cty.StringVal("wrong-key")},
			told: []string{"commit changes of cts on 127.0.0.1:", "code 403 (forbidden): Invalid Credential <secret>", "check api_key or password"}},
		"a bad password": {given: map[string]cty.Value{"api_key": null, "password": cty.StringVal("wrong-key")},
			told: []string{"make an API key: PAN-OS answered with code 403 (forbidden)"}},
		"another commit under way": {set: func(f *firewall) { f.inTheWay = 1 },
			told: []string{"code 13", "Another commit/validate is in progress", "Patchbay tries again"}},
		"a job that fails": {set: func(f *firewall) {
			f.breaks = []string{"Validation Error:", "rules -> web -> to 'dmz' is not a valid reference", "key " + goodKey, "line\nfeed"}
		},
			told: []string{"job 4 ended with FAIL: Validation Error:; rules -> web -> to 'dmz' is not a valid reference; key <secret>; line feed"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFirewall(t, httptest.NewServer)
			f.changes("cts", "a")
			if tc.set != nil {
				f.set(tc.set)
			}
			_, err := run(t, &Steps{}, f.arguments(tc.given))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.told {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
			if got := f.committed(); got != nil {
				t.Errorf("in force: %q", got)
			}
		})
	}
}

func TestACommitThatFailedIsMadeUpByTheNext(t *testing.T) {
	f := newFirewall(t, httptest.NewServer)
	f.changes("cts", "a")
	f.set(func(f *firewall) { f.breaks = []string{"no"} })
	s := &Steps{}
	if _, err := run(t, s, f.arguments(nil)); err == nil {
		t.Fatal("the first commit did not fail")
	}
	if _, err := run(t, s, f.arguments(nil)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a"}, f.committed()); d != "" {
		t.Errorf("in force, want (-), got (+):\n%s", d)
	}
}

func TestADeviceThatIsSilentWhileItCommitsIsWaitedFor(t *testing.T) {
	f := newFirewall(t, httptest.NewServer)
	f.changes("cts", "a")
	f.set(func(f *firewall) { f.silent = maxMissed - 1 })
	if _, err := run(t, &Steps{}, f.arguments(nil)); err != nil {
		t.Fatal(err)
	}
	f.changes("cts", "b")
	f.set(func(f *firewall) { f.silent = maxMissed })
	if _, err := run(t, &Steps{}, f.arguments(nil)); err == nil || !strings.Contains(err.Error(), "look at job 5, 10 times") {
		t.Errorf("err = %v", err)
	}
}

func TestAWaitEndsWithTheRun(t *testing.T) {
	f := newFirewall(t, httptest.NewServer)
	f.changes("cts", "a")
	ctx, cancel := context.WithCancel(t.Context())
	f.set(func(f *firewall) { f.silent = 1 })
	c := device{hostname: "127.0.0.1", username: "cts", key: goodKey, protocol: "http", timeout: time.Second}.open(&Steps{wait: time.Hour})
	c.url = f.URL + "/api/"
	defer c.http.CloseIdleConnections()
	id, err := c.begin(ctx, "d")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.watch(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestACertificateIsVerifiedUnlessTheConfigurationSaysOtherwise(t *testing.T) {
	tests := map[string]struct {
		given  map[string]cty.Value
		env    string
		trusts bool
		fails  string
	}{
		"by default":                             {fails: "let this machine trust the device's certificate"},
		"by default, of a known CA":              {trusts: true},
		"verify_certificate = true":              {given: map[string]cty.Value{"verify_certificate": cty.True}, fails: "certificate"},
		"verify_certificate = false":             {given: map[string]cty.Value{"verify_certificate": cty.False}},
		"skip_verify_certificate = true":         {given: map[string]cty.Value{"skip_verify_certificate": cty.True}},
		"skip_verify_certificate = false":        {given: map[string]cty.Value{"skip_verify_certificate": cty.False}, env: "PANOS_VERIFY_CERTIFICATE=false", fails: "certificate"},
		"PANOS_SKIP_VERIFY_CERTIFICATE":          {env: "PANOS_SKIP_VERIFY_CERTIFICATE=true"},
		"PANOS_VERIFY_CERTIFICATE":               {env: "PANOS_VERIFY_CERTIFICATE=0"},
		"a value that is neither true nor false": {env: "PANOS_VERIFY_CERTIFICATE=maybe", fails: "verify_certificate is neither true nor false"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFirewall(t, httptest.NewTLSServer)
			f.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil) // it tells of refused handshakes
			s := &Steps{Getenv: func(name string) string {
				value, _ := strings.CutPrefix(tc.env, name+"=")
				if value == tc.env {
					return ""
				}
				return value
			}}
			if tc.trusts {
				s.roots = x509.NewCertPool()
				s.roots.AddCert(f.Certificate())
			}
			_, err := run(t, s, f.arguments(tc.given))
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("err = %v, want %q", err, tc.fails)
			}
			if tc.fails != "" && f.requests != nil {
				t.Errorf("the device got %q", f.requests)
			}
		})
	}
}

func TestAnAnswerThatIsNoneOfTheXMLAPIIsRefused(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		told   string
	}{
		"a page of a proxy":       {502, "<html><body>Bad gateway</body>", "the device answered HTTP 502"},
		"a redirect":              {302, "", "the device sends to another address (HTTP 302)"},
		"another document":        {200, "<html/>", "it is not the XML API's"},
		"no XML":                  {200, "\x00\x1b[31m", "it is not the XML API's"},
		"too much":                {200, "<response>" + strings.Repeat("x", maxAnswer) + "</response>", "it is larger than"},
		"no status":               {200, "<response><result><job>4</job></result></response>", "PAN-OS refused it"},
		"a job without number":    {200, `<response status="success" code="19"><result><job>4; rm</job></result></response>`, "its job has no number"},
		"a success that is none":  {500, `<response status="success" code="19"/>`, "the device answered HTTP 500"},
		"a success of other code": {200, `<response status="success" code="21"/>`, "PAN-OS answered with code 21"},
		"many lines": {200, `<response status="error" code="18"><msg>` + strings.Repeat("<line>"+strings.Repeat("y", 1000)+"</line>", 30) + `</msg></response>`,
			"and 20 more lines"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				reply(w, tc.status, tc.body)
			}))
			defer server.Close()
			_, err := run(t, &Steps{}, (&firewall{Server: server}).arguments(nil))
			if err == nil || !strings.Contains(err.Error(), tc.told) {
				t.Fatalf("err = %v, want %q", err, tc.told)
			}
			if len(err.Error()) > 2*maxLines*maxLine || strings.ContainsAny(err.Error(), "\x00\x1b\n") {
				t.Errorf("the error is not fit to be shown: %q", err)
			}
		})
	}
}

func TestArgumentsComeFromTheBlockThenTheEnvironmentThenTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "panos.json")
	if err := os.WriteFile(file, []byte(`{"hostname":"file","api_key":"fk","username":"fu","password":"fp","port":8443,"timeout":20,"target":"ft","protocol":"http","verify_certificate":false}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"PANOS_HOSTNAME": "env", "PANOS_USERNAME": "eu", "PANOS_PORT": "443", "PANOS_TIMEOUT": ""}
	got, err := newDevice(map[string]cty.Value{"json_config_file": cty.StringVal(file), "hostname": cty.StringVal("block"), "port": null},
		func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := device{hostname: "block", username: "eu", password: "fp", key: "fk", protocol: "http", port: 443, target: "ft", timeout: 20 * time.Second, insecure: true}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(device{})); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestWrongArgumentsAreTold(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte("["+goodPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		given map[string]cty.Value
		told  string
	}{
		"no username":            {map[string]cty.Value{"username": null}, "username is missing; write it in the terraform_provider block or set PANOS_USERNAME"},
		"no hostname":            {map[string]cty.Value{"hostname": null}, "hostname is missing"},
		"a URL as hostname":      {map[string]cty.Value{"hostname": cty.StringVal("https://fw/")}, "hostname is none"},
		"a hostname with user":   {map[string]cty.Value{"hostname": cty.StringVal("a@b")}, "hostname is none"},
		"another protocol":       {map[string]cty.Value{"protocol": cty.StringVal("ftp")}, "protocol must be https or http"},
		"a port beyond all":      {map[string]cty.Value{"port": cty.NumberIntVal(65536)}, "port must be a whole number from 1 to 65535"},
		"a timeout beyond all":   {map[string]cty.Value{"timeout": cty.NumberIntVal(61)}, "timeout must be a whole number from 1 to 60"},
		"no secret":              {map[string]cty.Value{"api_key": null}, "neither api_key nor password is there"},
		"a file that is missing": {map[string]cty.Value{"json_config_file": cty.StringVal("/nowhere/x.json")}, "read json_config_file: stat /nowhere/x.json: no such file"},
		"a file that is no JSON": {map[string]cty.Value{"json_config_file": cty.StringVal(bad)}, "it is no JSON object"},
		"a device as file":       {map[string]cty.Value{"json_config_file": cty.StringVal("/dev/zero")}, "is no regular file"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFirewall(t, httptest.NewServer)
			_, err := run(t, &Steps{}, f.arguments(tc.given))
			if err == nil || !strings.Contains(err.Error(), tc.told) {
				t.Errorf("err = %v, want %q", err, tc.told)
			}
			if f.requests != nil {
				t.Errorf("the device got %q", f.requests)
			}
		})
	}
}
