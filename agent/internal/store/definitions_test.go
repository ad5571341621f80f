package store

import (
	"encoding/json"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

func TestDefinitionsSurviveAReopenAndAreForgottenOnRequest(t *testing.T) {
	dir := t.TempDir()
	keep := Keep{Runs: 10, Age: time.Hour}
	s, err := Open(dir, keep)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Definitions(); err != nil || len(got) != 0 {
		t.Fatalf("definitions of a new store = %v, %v", got, err)
	}
	want := map[string]tasks.Definition{
		"api": {Task: json.RawMessage(`{"name":"api"}`)},
		"fw":  {File: catalog.NewHasher().String("block").Sum(), Removed: true},
	}
	for name, d := range want {
		if err := s.SaveDefinition(name, &d); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveDefinition("gone", &tasks.Definition{}); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveDefinition("gone", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveDefinition("", &tasks.Definition{}); err == nil {
		t.Error("a definition without name was kept")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, keep); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Definitions()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("definitions after a reopen (-want +got), %v:\n%s", err, diff)
	}
}
