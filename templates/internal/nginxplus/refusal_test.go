package nginxplus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/templates/internal/moduletest"
)

func TestARefusalOfTheAPISaysWhatToDo(t *testing.T) {
	html := httptest.NewServer(http.NotFoundHandler())
	defer html.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>It works!</html>") }))
	defer other.Close()
	for _, c := range []struct {
		sentence string
		break_   func(*device)
		url      string
		want     []string
	}{
		{"an upstream that is not there", func(d *device) { delete(d.upstreams, "http/web") }, "", []string{"http upstream web", "add it to its configuration, with zone and state", "nothing was changed"}},
		{"an upstream without zone", func(d *device) { d.upstreams["http/web"].static = true }, "", []string{"add zone"}},
		{"an API that only reads", func(d *device) { d.readOnly = true }, "", []string{"api write=on"}},
		{"a full zone", func(d *device) { d.upstreams["http/web"].room = 1 }, "", []string{"cannot add server 10.0.0.2:80", "enlarge"}},
		{"a refused request", func(d *device) { d.allowed = func(*http.Request) bool { return false } }, "", []string{"refuses the credentials", "credentials_file"}},
		{"no API at the address", nil, html.URL + "/api", []string{"no API of version 9"}},
		{"another server at the address", nil, other.URL + "/api", []string{"cannot compare the servers", "nothing was changed"}},
		{"nobody at the address", nil, "http://" + moduletest.FreeAddr(t) + "/api", []string{"cannot be reached", "check api_urls"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			d := newDevice(t)
			if c.break_ != nil {
				c.break_(d)
			}
			if c.url != "" {
				d.url = c.url
			}
			s := newStack(t, d)
			s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
			said := s.Refused(t)
			for _, want := range append(c.want, d.url, "web") {
				if !strings.Contains(said, want) {
					t.Errorf("the error does not say %q:\n%s", want, said)
				}
			}
		})
	}
}

func TestAnAnswerThatBreaksOffChangesNothing(t *testing.T) {
	d := newDevice(t)
	var broken atomic.Value // how the address ends that is answered in half
	broken.Store("none")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		d.ServeHTTP(whole, r)
		body := whole.Body.Bytes()
		if strings.HasSuffix(r.URL.RequestURI(), broken.Load().(string)) {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body[:len(body)/2])
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(whole.Code)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	d.url = server.URL + "/api"
	s := newStack(t, d)
	s.Give(t, moduletest.Instances("web", 4)...)
	s.Apply(t)
	before := d.has("http/web")
	d.asked()
	s.Give(t, moduletest.Instances("web", 2)...)
	broken.Store("/servers")
	if said := s.Refused(t); !strings.Contains(said, "cannot read the servers") || !strings.Contains(said, "broke off") {
		t.Errorf("the error does not say what broke off:\n%s", said)
	}
	same(t, "servers", before, d.has("http/web"))
	same(t, "calls", []string{"GET /http/upstreams/web/servers"}, d.asked())
	broken.Store("fields=peers")
	if said := s.Refused(t); !strings.Contains(said, "the drained servers") || !strings.Contains(said, "the next run tries again") {
		t.Errorf("the error does not say what broke off:\n%s", said)
	}
	if got := len(d.has("http/web")); got != 4 {
		t.Errorf("%d servers are left, want the drained ones too", got)
	}
	broken.Store("none")
	s.Apply(t)
	if got := len(d.has("http/web")); got != 2 {
		t.Errorf("%d servers are left, want 2", got)
	}
}

func TestAnInstanceThatFailsStopsNeitherTheOtherNorOtherUpstreams(t *testing.T) {
	one, two := newDevice(t), newDevice(t)
	one.upstreams["http/api"], two.upstreams["http/api"] = &upstream{}, &upstream{}
	one.with(func() { one.upstreams["http/web"].static = true })
	s := moduletest.New(t, "nginx-plus", fmt.Sprintf("api_urls = [%q, %q]", one.url, two.url))
	api := at("10.0.0.9", 80).With(func(i *moduletest.Instance) { i.Name = "api" })
	s.Give(t, at("10.0.0.1", 80), api)
	said := s.Refused(t)
	if want := "http upstream web is not as wanted at " + one.url + " (messages are above)"; !strings.Contains(said, want) {
		t.Errorf("the error does not say %q:\n%s", want, said)
	}
	same(t, "web of the other", []string{"10.0.0.1:80 weight=1"}, two.has("http/web"))
	same(t, "api of the one", []string{"10.0.0.9:80 weight=1"}, one.has("http/api"))
	one.with(func() { one.upstreams["http/web"].static = false })
	one.asked()
	s.Apply(t)
	same(t, "web of the one", []string{"10.0.0.1:80 weight=1"}, one.has("http/web"))
	if calls := one.asked(); len(calls) != 2 {
		t.Errorf("the next run asked %q, want only the upstream that had failed", calls)
	}
	s.Settled(t)
}

const secret = "s3cr3t-of-the-device"

func TestCredentialsReachTheAPIAndNothingElse(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatalf("find curl: %v", err)
	}
	for sentence, c := range map[string]struct {
		lines   string
		allowed func(*http.Request) bool
	}{
		"basic": {`user = "patchbay:` + secret + `"`, func(r *http.Request) bool {
			name, password, _ := r.BasicAuth()
			return name == "patchbay" && password == secret
		}},
		"a header": {"# for the edge\nheader = \"Authorization: Bearer " + secret + "\"\n", func(r *http.Request) bool {
			return r.Header.Get("Authorization") == "Bearer "+secret
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := newDevice(t)
			d.allowed = c.allowed
			dir := t.TempDir()
			file := filepath.Join(dir, "credentials")
			put(t, file, c.lines, 0o600)
			put(t, filepath.Join(dir, "curl"), fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$*\" >>%q\nexec %s \"$@\"\n", dir+"/arguments", curl), 0o755)
			s := newStack(t, d, fmt.Sprintf("credentials_file = %q", file), `service_names = ["web"]`)
			s.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
			s.Give(t, moduletest.Instances("web", 3)...)
			s.Apply(t)
			s.Give(t)
			s.Apply(t)
			same(t, "servers", []string{}, d.has("http/web"))
			arguments, err := os.ReadFile(dir + "/arguments")
			if err != nil || len(arguments) == 0 {
				t.Fatalf("read arguments of curl: %q, %v", arguments, err)
			}
			state := s.Must(t, "show", "-json")
			if strings.Contains(string(arguments)+state, secret) {
				t.Errorf("the secret is in arguments or state:\n%s", arguments)
			}
		})
	}
}

func TestCredentialsThatAreNoneAreRefusedWithoutShowingThem(t *testing.T) {
	for sentence, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"a password alone":       {secret + "\n", 0o600, "cannot use line 1"},
		"an option of curl":      {"user = \"a:b\"\noutput = \"/tmp/" + secret + "\"\n", 0o600, "cannot use line 2"},
		"a file for everyone":    {"user = \"a:" + secret + "\"\n", 0o644, "set its mode to 0600"},
		"a wrong password":       {"user = \"a:" + secret + "\"\n", 0o600, "refuses the credentials"},
		"a value without an end": {"user = \"a:" + secret + "\n", 0o600, "refuses the credentials"},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := newDevice(t)
			d.allowed = func(*http.Request) bool { return false }
			file := filepath.Join(t.TempDir(), "credentials")
			put(t, file, c.content, c.mode)
			s := newStack(t, d, fmt.Sprintf("credentials_file = %q", file))
			s.Give(t, at("10.0.0.1", 80))
			said := s.Refused(t)
			if !strings.Contains(said, c.want) || !strings.Contains(said, file) && c.mode == 0o644 {
				t.Errorf("the error does not say %q:\n%s", c.want, said)
			}
			if strings.Contains(said, secret) {
				t.Errorf("the error shows the secret:\n%s", said)
			}
		})
	}
}

func TestClientCertificatesAndAPrivateAuthority(t *testing.T) {
	dir := t.TempDir()
	certificate := selfSigned(t, filepath.Join(dir, "client"))
	d := blank()
	server := httptest.NewUnstartedServer(d)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that is refused
	clients := x509.NewCertPool()
	clients.AddCert(certificate)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.StartTLS()
	defer server.Close()
	d.url = server.URL + "/api"
	put(t, filepath.Join(dir, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o600)
	file := filepath.Join(dir, "credentials")
	s := newStack(t, d, fmt.Sprintf("credentials_file = %q", file))
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))

	put(t, file, fmt.Sprintf("cert = %q\nkey = %q\n", dir+"/client.pem", dir+"/client.key"), 0o600)
	if said := s.Refused(t); !strings.Contains(said, "cannot be reached") || !strings.Contains(said, "cacert of credentials_file") {
		t.Errorf("a server of an unknown authority was taken:\n%s", said)
	}
	put(t, file, fmt.Sprintf("cacert = %q\ncert = %q\nkey = %q\n", dir+"/ca.pem", dir+"/client.pem", dir+"/client.key"), 0o600)
	s.Apply(t)
	same(t, "servers", []string{"10.0.0.1:80 weight=1", "10.0.0.2:80 weight=1"}, d.has("http/web"))
}

// selfSigned writes a client certificate and its key to path.pem and path.key.
func selfSigned(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o600)
	put(t, path+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o600)
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func TestAMissingCurlIsSaid(t *testing.T) {
	d := newDevice(t)
	bin := t.TempDir()
	for _, tool := range []string{"awk", "base64", "gzip", "mktemp"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	s := newStack(t, d)
	s.Env = []string{"PATH=" + bin}
	s.Give(t, at("10.0.0.1", 80))
	if said := s.Refused(t); !strings.Contains(said, "cannot run curl: it is not on PATH; nothing was changed; install it") {
		t.Errorf("the error does not say what is missing:\n%s", said)
	}
}

func TestGarbageDoesNoHarm(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d)
	good := at("10.0.0.1", 80)
	all := []moduletest.Instance{good}
	texts := []string{`","weight":9}`, "\t9\t9\t9", "\n", "1\t2", "${x}", `"`, "\\", "\x00", " ", "", "１", "1; rm -rf /", "$(id)", strings.Repeat("x", 5000)}
	for n, text := range texts {
		all = append(all,
			with(at("10.0.1.1", 1000+n), "weight", text, "max_conns", text, "slow_start", text, "backup", text, text, text).With(func(i *moduletest.Instance) {
				i.Tags, i.User = []string{text}, map[string]string{"nginx_max_conns": text, "nginx_backup": text, "nginx_slow_start": text, text: text}
			}),
			at(text, 80), at("10.0.0.1"+text, 80).With(func(i *moduletest.Instance) { i.Port = 90 + n }),
			good.With(func(i *moduletest.Instance) { i.Name = text }))
	}
	all = append(all, at("::ffff:1.2.3.4", 80), at("fe80::1%eth0", 80), at(":::", 80), at("localhost", 80), at("10.0.0.1", 0), at("10.0.0.1", 65536))
	s.Give(t, all...)
	s.Apply(t)
	s.Settled(t)
	want := []string{"10.0.0.1:80 weight=1", "10.0.0.1:99 weight=1"} // the second with nothing after its address
	for n := range texts {
		want = append(want, fmt.Sprintf("10.0.1.1:%d weight=1", 1000+n))
	}
	same(t, "servers", want, d.has("http/web"))
	var skipped []struct{ Instance, Reason string }
	s.Output(t, "skipped", &skipped)
	refused := map[string]bool{}
	for _, note := range skipped {
		refused[note.Instance] = refused[note.Instance] || strings.HasPrefix(note.Reason, "skipped: ")
	}
	for n, i := range all {
		if served := slices.Contains(want, i.HostPort()+" weight=1") && i.Name == "web"; served == refused[moduletest.Key(n)] {
			t.Errorf("instance %d, %+v: served %v, told as skipped %v", n, i, served, refused[moduletest.Key(n)])
		}
	}
}

func TestBadVariablesStopThePlan(t *testing.T) {
	address := `api_urls = ["http://127.0.0.1:1/api"]`
	for sentence, arguments := range map[string][]string{
		"no address":              {`api_urls = []`},
		"an address with a slash": {`api_urls = ["http://127.0.0.1/api/"]`},
		"an address with a quote": {`api_urls = ["http://127.0.0.1/\"api"]`, `context = "mail"`, `credentials_file = "secret"`, `max_conns = 1.5`},
		"an address with a user":  {`api_urls = ["http://a:b@127.0.0.1/api"]`, `ledger_dir = "ledger"`, `drain_seconds = 1000`, `max_fails = -1`},
		"an address of a file":    {`api_urls = ["file:///etc/passwd"]`, `request_timeout = 0`, `fail_timeout = "soon"`, `slow_start = "1s\""`},
		"an address twice":        {`api_urls = ["http://127.0.0.1/api", "http://127.0.0.1/api"]`, `service_names = ["a b"]`},
		"two owners of upstreams": {`upstreams = { web = "x", api = "x" }`, `service_names = ["web", "api"]`, address},
	} {
		t.Run(sentence, func(t *testing.T) {
			said := moduletest.New(t, "nginx-plus", arguments...).Refused(t)
			if !strings.Contains(said, "Variables of the nginx-plus module cannot be used; nothing was changed: ") {
				t.Fatalf("want a refusal:\n%s", said)
			}
			if arguments[len(arguments)-1] == address {
				arguments = arguments[:1]
			}
			for _, argument := range arguments {
				if name, _, _ := strings.Cut(argument, " "); !strings.Contains(said, name+" must") {
					t.Errorf("the error does not name %s:\n%s", name, said)
				}
			}
		})
	}
}
