package client

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTokenOfTheEnvironmentIsSentWithEveryRequest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"none":             {nil, ""},
		"itself":           {map[string]string{"PATCHBAY_TOKEN": "s3cret"}, "Bearer s3cret"},
		"of a file":        {map[string]string{"PATCHBAY_TOKEN_FILE": file}, "Bearer of a file"},
		"itself, not file": {map[string]string{"PATCHBAY_TOKEN": "s3cret", "PATCHBAY_TOKEN_FILE": "/nowhere"}, "Bearer s3cret"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Header.Get("Authorization"))
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte("{}"))
			}))
			defer server.Close()
			o, err := Environment(func(name string) string { return c.env[name] })
			if err != nil {
				t.Fatal(err)
			}
			o.Address = server.URL
			api, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer api.Close()
			if err := api.Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("sent %q, want %q", got, c.want)
			}
		})
	}
}

func TestATokenIsNotSentInClearToAnotherHost(t *testing.T) {
	for address, refused := range map[string]bool{"http://192.0.2.1:8558": true, "http://agent.example.com:8558": true,
		"https://192.0.2.1:8558": false, "http://localhost:8558": false, "http://[::1]:8558": false} {
		o, err := Environment(func(name string) string { return map[string]string{"PATCHBAY_TOKEN": "s3cret"}[name] })
		if err != nil {
			t.Fatal(err)
		}
		o.Address = address
		api, err := New(o)
		if err == nil {
			api.Close()
		}
		if got := err != nil && strings.Contains(err.Error(), "use an https address"); got != refused {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error has the token", address)
		}
	}
}

func TestATokenFileThatCannotBeReadIsTold(t *testing.T) {
	_, err := Environment(func(name string) string { return map[string]string{"PATCHBAY_TOKEN_FILE": "/nowhere/token"}[name] })
	if err == nil || !strings.Contains(err.Error(), "/nowhere/token") {
		t.Errorf("got %v", err)
	}
}
