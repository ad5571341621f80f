package consul

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

// tokenFile is a token file that a test rewrites.
type tokenFile struct {
	t    *testing.T
	path string
}

func newTokenFile(t *testing.T, content string) tokenFile {
	f := tokenFile{t, filepath.Join(t.TempDir(), "token")}
	f.write(content)
	return f
}

func (f tokenFile) write(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f tokenFile) config() config.Consul {
	return config.Consul{Address: "consul.invalid:8500", Token: tasks.NewSecret("first"), TokenFile: f.path}
}

func TestARotatedTokenFileReachesTheNextReadAndTheRegistration(t *testing.T) {
	file := newTokenFile(t, "first\n")
	inWorld(t, file.config(), func(w *world) {
		_, stop := w.keeping(asPatchbay, func(rw http.ResponseWriter, c call) bool {
			if !strings.HasPrefix(c.path, "/v1/agent/") {
				return false
			}
			if !puts("")(c) {
				rw.WriteHeader(http.StatusNotFound) // lost each time
			}
			return true
		})
		w.set("web", instance("web-1", "n1", 80))
		w.next(w.watch(byName("web")))
		time.Sleep(time.Second)
		last := func(keep func(call) bool) string {
			calls := w.seen(keep)
			if len(calls) == 0 {
				t.Fatal("nothing was asked")
			}
			return calls[len(calls)-1].token
		}
		if got := []string{last(health), last(puts("register"))}; got[0] != "first" || got[1] != "first" {
			t.Errorf("before the rotation: %q", got)
		}
		file.write("second\n")
		time.Sleep(3 * time.Minute) // the blocking query under way ends, and the next ones begin
		if got := []string{last(health), last(puts("register"))}; got[0] != "second" || got[1] != "second" {
			t.Errorf("after the rotation: %q", got)
		}
		stop()
		if got := last(puts("deregister")); got != "second" {
			t.Errorf("taken off with %q", got)
		}
	})
}

func TestATokenFileThatCannotBeReadLeavesTheLastToken(t *testing.T) {
	file, log := newTokenFile(t, "first"), &lines{}
	tokens := newTokens(file.config(), hclog.New(&hclog.LoggerOptions{Output: log}))
	want := func(when, token string, warnings int) {
		t.Helper()
		for range 2 {
			if got := tokens.current().Reveal(); got != token {
				t.Errorf("%s: got %q, want %q", when, got, token)
			}
		}
		if n := log.count("was not read"); n != warnings {
			t.Errorf("%s: %d warnings, want %d", when, n, warnings)
		}
	}
	want("as it was at the start", "first", 0)
	file.write("")
	want("emptied, as while it is written", "first", 1)
	file.write("second")
	want("written", "second", 1)
	if err := os.Remove(file.path); err != nil {
		t.Fatal(err)
	}
	want("removed", "second", 2)
	if err := os.Mkdir(file.path, 0o700); err != nil {
		t.Fatal(err)
	}
	want("a directory", "second", 2)
	tokens.use(config.Consul{Token: tasks.NewSecret("third")})
	want("another configuration", "third", 2)
	for _, secret := range []string{"first", "second", "third"} {
		if log.count(secret) > 0 {
			t.Errorf("the log shows %q", secret)
		}
	}
}

func TestATokenOfAChangedConfigurationCountsFromTheNextRequest(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", instance("web-1", "n1", 80))
		w.next(w.watch(byName("web")))
		w.client.UseToken(config.Consul{Address: "evil.invalid", Token: tasks.NewSecret("other")})
		w.set("web", instance("web-1", "n1", 81))
		time.Sleep(time.Minute)
		calls := w.seen(health)
		if got := calls[len(calls)-1].token; got != "other" {
			t.Errorf("the newest read brought %q", got)
		}
		if strings.Contains(w.client.base, "evil") {
			t.Errorf("the address was taken too: %s", w.client.base)
		}
		if w.client.anonymous() {
			t.Error("the client takes itself for anonymous")
		}
	})
}
