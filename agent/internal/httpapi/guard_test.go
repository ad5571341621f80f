package httpapi

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func header(key, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(key, value) }
}

func host(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }

func peer(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }

// reached tells at which of its addresses the server was asked.
func reached(addr string) func(*http.Request) {
	return func(r *http.Request) {
		local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
		*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
	}
}

func TestWritesComeFromThisMachineAndNotFromAPage(t *testing.T) {
	for name, c := range map[string]struct {
		edits []func(*http.Request)
		want  string // in the refusal; "" lets it through
	}{
		"loopback":                        {nil, ""},
		"loopback of IPv6":                {[]func(*http.Request){peer("[::1]:1"), host("[::1]:8558")}, ""},
		"localhost":                       {[]func(*http.Request){host("LocalHost.:8558")}, ""},
		"the listener's own name":         {[]func(*http.Request){host("patchbay.lan")}, ""},
		"the host's own address":          {[]func(*http.Request){peer("10.0.0.4:999"), reached("10.0.0.4:8558"), host("10.0.0.4:8558")}, ""},
		"a page of this very origin":      {[]func(*http.Request){header("Sec-Fetch-Site", "same-origin")}, ""},
		"typed into a browser":            {[]func(*http.Request){header("Sec-Fetch-Site", "none")}, ""},
		"an old browser, this origin":     {[]func(*http.Request){header("Origin", "http://127.0.0.1:8558")}, ""},
		"another host":                    {[]func(*http.Request){peer("10.0.0.5:999")}, `it came from "10.0.0.5:999"`},
		"another host, reached by LAN":    {[]func(*http.Request){peer("10.0.0.5:999"), reached("10.0.0.4:8558")}, `it came from "10.0.0.5:999"`},
		"another host of IPv6":            {[]func(*http.Request){peer("[2001:db8::1]:999")}, "another host than the agent's"},
		"a peer without address":          {[]func(*http.Request){peer("@")}, `it came from "@"`},
		"a name that DNS points here":     {[]func(*http.Request){host("evil.example:8558")}, `Host header "evil.example:8558"`},
		"no Host":                         {[]func(*http.Request){host("")}, `Host header ""`},
		"a page of another site":          {[]func(*http.Request){header("Sec-Fetch-Site", "cross-site")}, "web page of another origin"},
		"a page of another port":          {[]func(*http.Request){header("Sec-Fetch-Site", "same-site")}, "web page of another origin"},
		"an old browser, another origin":  {[]func(*http.Request){header("Origin", "http://127.0.0.1:3000")}, "web page of another origin"},
		"an old browser, a hidden origin": {[]func(*http.Request){header("Origin", "null")}, "web page of another origin"},
	} {
		for path, body := range map[string]string{"approve": "{}", "run": ""} {
			t.Run(name+" asks to "+path, func(t *testing.T) {
				r := httptest.NewRequest("POST", "/v1/tasks/web/"+path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:8558"
				for _, edit := range c.edits {
					edit(r)
				}
				f, w := newFake(), httptest.NewRecorder()
				f.approved.By = "nobody"
				checked(t, New(Options{Reader: f, Operator: f, Prober: f, Names: []string{"patchbay.lan"}})).ServeHTTP(w, r)
				refused := w.Code == http.StatusForbidden
				if refused != (c.want != "") || refused && !strings.Contains(w.Body.String(), strings.ReplaceAll(c.want, `"`, `\"`)) {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				if called := f.approved.By == ""; path == "approve" && called == refused {
					t.Errorf("the operator was asked: %v", called)
				}
			})
		}
	}
}

func TestReadsNeedNoSuchThing(t *testing.T) {
	w := call(t, newFake(), "GET", "/v1/status", nil, peer("10.0.0.5:999"), host("evil.example"), header("Sec-Fetch-Site", "cross-site"))
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestABodyMustSayThatItIsJSON(t *testing.T) {
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json; charset"} {
		if w := call(t, newFake(), "POST", "/v1/tasks/web/approve", strings.NewReader("{}"), header("Content-Type", kind)); w.Code != 400 {
			t.Errorf("%q: %d", kind, w.Code)
		}
	}
	if w := call(t, newFake(), "POST", "/v1/tasks/web/approve", strings.NewReader("{}"), header("Content-Type", "application/json; charset=utf-8")); w.Code != 200 {
		t.Errorf("with a charset: %d %s", w.Code, w.Body)
	}
	if w := call(t, newFake(), "POST", "/v1/tasks/web/approve", nil); w.Code != 400 {
		t.Errorf("without a body: %d", w.Code)
	}
}

func TestRequestsAreLoggedButForHealth(t *testing.T) {
	var text bytes.Buffer
	f := newFake()
	h := newAPI(Options{Reader: f, Operator: f, Prober: f, Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Debug})},
		func() string { return "id-1" })
	for _, target := range []string{"/v1/health", "/v1/health/ready", "/v1/tasks/none", "/x?" + strings.Repeat("y", 9000)} {
		r := httptest.NewRequest("GET", target, nil)
		if strings.HasPrefix(target, "/x") {
			r.RequestURI = "/a\nb\x1b[2J" + r.RequestURI
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	got := text.String()
	for _, want := range []string{"uri=/v1/tasks/none method=GET status_code=404 duration=", "request_id=id-1", `\x1b`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if strings.Contains(got, "health") || strings.ContainsAny(got, "\x1b") || len(got) > 2000 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestAFaultOfOneRequestIsAnsweredAndLogged(t *testing.T) {
	var text bytes.Buffer
	w := httptest.NewRecorder()
	New(Options{Log: hclog.New(&hclog.LoggerOptions{Output: &text})}).ServeHTTP(w, httptest.NewRequest("GET", "/v1/status", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "see its log") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(text.String(), "request panicked") || !strings.Contains(text.String(), "status.go") {
		t.Errorf("log: %s", text.String())
	}
}
