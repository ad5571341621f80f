package moduletest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// long is how many elements a list of a plan may have to stand in a golden file as it is.
const long = 8

// Planned plans without changing anything and gives what would be: the planned values of
// each resource, what is done to it, and the module's outputs. What differs from run to run
// is left out, and a long list is its length and digest.
func (s *Stack) Planned(tb testing.TB) any {
	tb.Helper()
	s.Must(tb, "plan", "-input=false", "-out=golden.plan")
	out := s.Must(tb, "show", "-json", "golden.plan")
	type value struct {
		Actions []string `json:"actions"`
		After   any      `json:"after"`
	}
	var plan struct {
		Resources []struct {
			Address string `json:"address"`
			Change  value  `json:"change"`
		} `json:"resource_changes"`
		Outputs map[string]value `json:"output_changes"`
	}
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		tb.Fatalf("decode plan: %v", err)
	}
	resources := map[string]any{}
	for _, r := range plan.Resources {
		resources[r.Address] = map[string]any{"actions": r.Change.Actions, "values": shortened(r.Change.After)}
	}
	return map[string]any{"outputs": shortened(plan.Outputs["edge"].After), "resources": resources}
}

// shortened replaces the lists that are long, at any depth.
func shortened(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = shortened(inner)
		}
		return v
	case []any:
		if len(v) > long {
			text, _ := json.Marshal(v) // was decoded from JSON
			return fmt.Sprintf("%d elements, sha256 %.16x", len(v), sha256.Sum256(text))
		}
		for n := range v {
			v[n] = shortened(v[n])
		}
	}
	return v
}

// Golden compares plans, keyed by a sentence, with a golden file, or writes it on update.
func Golden(tb testing.TB, file string, update bool, plans map[string]any) {
	tb.Helper()
	var text bytes.Buffer
	encode := json.NewEncoder(&text)
	encode.SetEscapeHTML(false)
	encode.SetIndent("", " ")
	if err := encode.Encode(plans); err != nil {
		tb.Fatalf("encode plans: %v", err)
	}
	if update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			tb.Fatalf("make directory: %v", err)
		}
		if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
			tb.Fatalf("write golden file: %v", err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tb.Fatalf("read golden file: %v; run with -update", err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		tb.Errorf("plans (-want +got), run with -update if this is meant:\n%s", diff)
	}
}
