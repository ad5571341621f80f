package store

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanariesAreThereAfterTheStoreIsOpenedAnewAndUntilTheyAreForgotten(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Keep{Runs: 1})
	if err != nil {
		t.Fatal(err)
	}
	for service, value := range map[string]any{"web": map[string]int{"weight": 500}, "a/b ü": "x", "gone": 1} {
		if err := s.SaveCanary(service, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, service := range []string{"gone", "never there"} {
		if err := s.ForgetCanary(service); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(dir, Keep{Runs: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Canaries()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]json.RawMessage{"web": json.RawMessage(`{"weight":500}`), "a/b ü": json.RawMessage(`"x"`)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("canaries (-want +got):\n%s", diff)
	}
}

func TestACanaryThatCannotBeFoundAgainIsRefused(t *testing.T) {
	s, err := Open(t.TempDir(), Keep{Runs: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for what, service := range map[string]string{"no name": "", "too long a name": strings.Repeat("x", maxName+1), "not UTF-8": "\xff"} {
		if err := s.SaveCanary(service, 1); err == nil {
			t.Errorf("%s was saved", what)
		}
	}
	if err := s.SaveCanary("web", func() {}); err == nil {
		t.Error("what is no JSON was saved")
	}
	if got, err := s.Canaries(); err != nil || len(got) != 0 {
		t.Errorf("nothing could be saved, got %v, %v", got, err)
	}
}
