package httpapi

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"patchbay/tasks"
)

func certified(r *http.Request) {
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
}

func anonymous(r *http.Request) { r.TLS = &tls.ConnectionState{} }

func TestOtherHostsMayWriteWhenTheyAreLetIn(t *testing.T) {
	type edits = []func(*http.Request)
	far, named := peer("10.0.0.5:999"), host("patchbay.example.com:8558")
	token := Remote{Token: tasks.NewSecret("s3cret")}
	for name, c := range map[string]struct {
		remote Remote
		edits  edits
		want   string // in the refusal; "" lets it through
	}{
		"nobody":                                {Remote{}, edits{far}, "another host than the agent's"},
		"any token where there is none":         {Remote{}, edits{far, header("Authorization", "Bearer ")}, "another host"},
		"no token":                              {token, edits{far}, "another host"},
		"the token":                             {token, edits{far, named, header("Authorization", "Bearer s3cret")}, ""},
		"the token, in small letters":           {token, edits{far, named, header("Authorization", "bearer s3cret")}, ""},
		"another token":                         {token, edits{far, header("Authorization", "Bearer s3cre")}, "its bearer token is not the agent's"},
		"the token and more":                    {token, edits{far, header("Authorization", "Bearer s3cret ")}, "its bearer token is not the agent's"},
		"an empty token":                        {token, edits{far, header("Authorization", "Bearer ")}, "its bearer token is not the agent's"},
		"the token as a password":               {token, edits{far, header("Authorization", "Basic s3cret")}, "another host"},
		"this machine without the token":        {token, nil, ""},
		"this machine with another token":       {token, edits{header("Authorization", "Bearer old")}, ""},
		"the token behind a page":               {token, edits{far, header("Authorization", "Bearer s3cret"), header("Sec-Fetch-Site", "cross-site")}, "web page"},
		"a name that DNS points to the machine": {token, edits{host("evil.example")}, `Host header \"evil.example\"`},
		"everybody":                             {Remote{Allow: true}, edits{far, named}, ""},
		"everybody but a page":                  {Remote{Allow: true}, edits{far, named, header("Origin", "http://evil.example")}, "web page"},
		"a certificate":                         {Remote{MTLS: true}, edits{far, named, certified}, ""},
		"a certificate nobody verified":         {Remote{MTLS: true}, edits{far, anonymous}, "another host"},
		"no TLS at all":                         {Remote{MTLS: true}, edits{far}, "another host"},
		"a certificate where none is asked for": {Remote{}, edits{far, certified}, "another host"},
		"a certificate behind a page":           {Remote{MTLS: true}, edits{far, certified, header("Sec-Fetch-Site", "same-site")}, "web page"},
	} {
		for _, path := range []string{"POST /v1/tasks", "PATCH /v1/tasks/web", "DELETE /v1/tasks/web", "POST /v1/tasks/web/run", "POST /v1/canaries/web/abort"} {
			t.Run(name+" to "+path, func(t *testing.T) {
				f, a := newFake(), &author{}
				birds := newFlock()
				f.remote, f.canaries = c.remote, birds
				method, target, _ := strings.Cut(path, " ")
				body := map[string]string{"POST /v1/tasks": minimal, "PATCH /v1/tasks/web": `{"enabled":true}`}[path]
				w := write(t, f, a, method, target, body, c.edits...)
				if refused := w.Code == http.StatusForbidden; refused != (c.want != "") || refused && !strings.Contains(w.Body.String(), c.want) || w.Code >= 500 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				if done := len(a.modes)+len(a.removed) > 0; strings.Contains(path, "/v1/tasks") && path != "POST /v1/tasks/web/run" && done != (c.want == "") {
					t.Errorf("the author was asked: %v", done)
				}
				if done := len(birds.given) > 0; strings.Contains(path, "canaries") && done != (c.want == "") {
					t.Errorf("the canary was told: %v", done)
				}
				if strings.Contains(w.Body.String(), "s3cre") {
					t.Errorf("the token is in the answer: %s", w.Body)
				}
			})
		}
	}
}
