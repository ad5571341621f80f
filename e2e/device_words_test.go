package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"patchbay/e2e/internal/rig"
)

// deviceChange is what the API tells of a change in the device's words.
type deviceChange struct {
	Object string `json:"object"`
	Size   struct {
		Before int `json:"before"`
		After  int `json:"after"`
	} `json:"size"`
	Items []struct {
		What  string   `json:"what"`
		Items []string `json:"items"`
		Why   struct {
			Kind   string `json:"kind"`
			Check  string `json:"check"`
			Status string `json:"status"`
		} `json:"why"`
	} `json:"items"`
	Text []string `json:"text"`
}

// words gives how the API tells a task's newest run, of which the phase is awaited.
func (w *world) words(task string) deviceChange {
	w.t.Helper()
	var got struct {
		State struct {
			Newest struct {
				Devices []deviceChange `json:"devices"`
			} `json:"newest"`
		} `json:"state"`
	}
	w.must(w.patchbay.Get("/v1/tasks/"+task+"/state", &got))
	if len(got.State.Newest.Devices) != 1 || len(got.State.Newest.Devices[0].Text) != 1 {
		w.t.Fatalf("the newest run tells %+v", got.State.Newest.Devices)
	}
	return got.State.Newest.Devices[0]
}

// saysLine asks for a task and wants a line of its newest run.
func (w *world) saysLine(task, pattern string) {
	w.t.Helper()
	if out := w.ask("task", "show", task); !regexp.MustCompile(`(?m)^    ` + pattern + `$`).MatchString(out) {
		w.t.Errorf("patchbay task show %s has no line %s:\n%s", task, pattern, out)
	}
}

func TestARunSpeaksTheWordsOfTheDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1", "web-2", "web-3")
	config := w.config(local, w.nginxTask("web", "web", web.File))
	w.start(config)
	w.answers("web", "web-1", "web-2", "web-3")
	w.phase("web", "applied")
	w.saysLine("web", `\+ upstream web 3 servers, \+ 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+`)

	at := fmt.Sprintf("127.0.0.1:%d", w.backends["web-2"].Port())
	w.must(w.consul.SetHealth("web-2", "critical"))
	w.answers("web", "web-1", "web-3")
	w.cause("web", "web-2", "health")
	ill := "upstream web 3 → 2 servers, − " + regexp.QuoteMeta(at) +
		` because check "told by the test" is critical since \d\d:\d\d:\d\d \(the test says critical\)`
	w.saysLine("web", ill)
	d := w.words("web")
	if i := d.Items[0]; d.Object != "upstream web" || d.Size.Before != 3 || d.Size.After != 2 || i.What != "removed" || i.Items[0] != at ||
		i.Why.Kind != "check" || i.Why.Check != "told by the test" || i.Why.Status != "critical" {
		t.Errorf("the API tells %+v", d)
	}
	if !regexp.MustCompile("^" + ill + "$").MatchString(d.Text[0]) {
		t.Errorf("the API tells %q", d.Text[0])
	}
	wantText(t, w.ask("task", "show", "web", "-raw"), "terraform_data.upstreams", "servers=3 down=0")
	wantText(t, w.ask("task", "runs", "web"), "upstream web 3 → 2 servers")

	w.must(w.consul.SetHealth("web-2", "passing"))
	w.answers("web", "web-1", "web-2", "web-3")
	w.cause("web", "web-2", "health")
	w.saysLine("web", "upstream web 2 → 3 servers, \\+ "+regexp.QuoteMeta(at)+` because check "told by the test" passes again after \d+ (s|min)`)

	w.must(w.consul.Deregister("web-3"))
	w.answers("web", "web-1", "web-2")
	w.cause("web", "web-3", "removed")
	w.saysLine("web", `upstream web 3 → 2 servers, − 127\.0\.0\.1:\d+ because it (is gone from Consul since|was deregistered at) \d\d:\d\d:\d\d`)

	w.must(w.patchbay.Stop(limit))
	w.must(w.consul.SetHealth("web-2", "critical"))
	w.start(config)
	w.answers("web", "web-1")
	_, err := w.patchbay.AwaitRun(t.Context(), "web", limit, func(r rig.Run) bool { return r.Trigger == "first pass" && r.Phase == "applied" })
	w.must(err)
	w.saysLine("web", `upstream web 2 → 1 server, − .* because check "told by the test" is critical since \d\d:\d\d:\d\d or earlier \(the test says critical\)`)
}

func TestAnInspectionSpeaksTheWordsOfTheDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1")
	file := filepath.Join(w.program.Dir, "patchbay.hcl")
	w.must(os.WriteFile(file, []byte(w.config(local, w.nginxTask("web", "web", web.File))), 0o644))
	out, code := w.patch("start", "-config-file", file, "-inspect")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	wantText(t, out, fmt.Sprintf("+ upstream web 1 server, + 127.0.0.1:%d", w.backends["web-1"].Port()))
}
