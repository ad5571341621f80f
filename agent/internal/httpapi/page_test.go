package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"patchbay/tasks"
)

func TestTheStatusPageShowsWordsAndThePlanOneClickAway(t *testing.T) {
	f := newFake()
	hostile := `<script>alert("x")</script>` + "\x1b[2J\u202e"
	newest := *f.list[0].Newest
	newest.Plan.Changes = []tasks.Change{{Address: "module.web." + hostile, Action: tasks.Update, Fields: []tasks.Field{{Path: "a", Before: hostile, After: "</pre></details>"}}}}
	newest.Devices[0].Object = "pool " + hostile
	f.list[0].Newest, f.list[0].Note, f.list[0].Task.Description = &newest, hostile, hostile
	f.list[0].Record.Held.Findings = []tasks.Finding{{Rule: tasks.RuleAllMembersLost, Decision: tasks.Hold, Evidence: []string{"gone " + hostile}}}
	w := call(t, f, "GET", "/ui", nil)
	body := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if p := w.Header().Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || !strings.Contains(p, "frame-ancestors 'none'") {
		t.Errorf("policy is %q", p)
	}
	for _, want := range []string{"<title>Patchbay</title>", "<h2>web</h2>", "<h2>db</h2>", "<h2>new</h2>", "Ready. As of", "32 → 31 members",
		"− 10.0.4.17:8080 and 3 more weight 1 → 5 because check &#34;http /health&#34; is critical since", "and 2 more",
		"<details><summary>Terraform’s plan</summary><pre>update module.web.&lt;script&gt;", "-&gt; &lt;/pre&gt;&lt;/details&gt;", "all-members-lost: gone", "Newest run run-3: retrying"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(body, "<script") || strings.ContainsAny(body, "\x1b\u202e") || strings.Count(body, "<details>") != 1 || strings.Count(body, "</details>") != 1 {
		t.Errorf("hostile text is in the page as it came:\n%s", body)
	}
	if head := call(t, f, "HEAD", "/ui", nil); head.Code != http.StatusOK || head.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", head.Code, head.Body.Len())
	}
	if post := call(t, f, "POST", "/ui", nil); post.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", post.Code)
	}
}

func TestTheStatusPageIsBounded(t *testing.T) {
	f := newFake()
	newest := *f.list[0].Newest
	for n := range 1000 {
		c := tasks.Change{Address: fmt.Sprint("module.web.x.y", n), Action: tasks.Create}
		for m := range 100 {
			c.Fields = append(c.Fields, tasks.Field{Path: fmt.Sprint("a", m), After: strings.Repeat("z", 1000)})
		}
		newest.Plan.Changes = append(newest.Plan.Changes, c)
	}
	f.list = f.list[:1]
	f.list[0].Newest, f.ready = &newest, false
	body := call(t, f, "GET", "/ui", nil).Body.String()
	for _, want := range []string{"and 800 more objects", "and 80 more attributes", "Not ready; Consul does not answer; the first pass is not done."} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if len(body) > 2<<20 {
		t.Errorf("the page has %d bytes", len(body))
	}
	f.list = nil
	if body := call(t, f, "GET", "/ui", nil).Body.String(); !strings.Contains(body, "No tasks are configured.") {
		t.Errorf("without tasks:\n%s", body)
	}
}
