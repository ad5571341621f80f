package httpapi

import (
	"encoding/json"
	"testing"

	"patchbay/tasks"
)

func TestEveryRefusalOfAWriteIsJSON(t *testing.T) {
	for name, c := range map[string]struct {
		method, target, body string
		want                 int
	}{
		"no JSON":                     {"POST", "/v1/tasks", `{"task":`, 400},
		"nothing":                     {"POST", "/v1/tasks", ``, 400},
		"a field that is missing":     {"POST", "/v1/tasks", `{"task":{"name":"x","condition":{"services":{"names":["a"]}}}}`, 400},
		"a value of the wrong type":   {"POST", "/v1/tasks", ofTask(`"description":1`), 400},
		"a field that nobody knows":   {"POST", "/v1/tasks", ofTask(`"x":1`), 400},
		"no condition":                {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{}}}`, 400},
		"two types of condition":      {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{"services":{"names":["a"]},"consul_kv":{"path":"k"}}}}`, 400},
		"names and a regexp":          {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{"services":{"names":["a"],"regexp":"b"}}}}`, 400},
		"a run that nobody knows":     {"POST", "/v1/tasks?run=later", minimal, 400},
		"an update without a task":    {"PATCH", "/v1/tasks/none", `{"enabled":true}`, 404},
		"an update of an unknown key": {"PATCH", "/v1/tasks/web", `{"x":1}`, 400},
		"another method":              {"PUT", "/v1/tasks/web", `{}`, 405},
	} {
		t.Run(name, func(t *testing.T) {
			w := write(t, newFake(), &author{}, c.method, c.target, c.body, undocumented)
			var got struct {
				Error struct{ Message string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Error.Message == "" || w.Code != c.want ||
				w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %s %q: %v", w.Code, w.Header().Get("Content-Type"), w.Body, err)
			}
		})
	}
}

func TestACreationWhosePlanIsHeldIsAnsweredAsATask(t *testing.T) {
	op := changes
	op.Findings = []tasks.Finding{{Rule: tasks.RuleDestroyBudget, Decision: tasks.Hold}}
	if w := write(t, newFake(), &author{op: op}, "POST", "/v1/tasks?run=now", minimal); w.Code != 201 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
