package afterapply

import (
	"context"
	"errors"
	"testing"

	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

func block(name string, arguments map[string]cty.Value) tasks.Provider {
	return tasks.Provider{Name: name, Arguments: tasks.NewSecretValue(cty.ObjectVal(arguments))}
}

func TestFakeSyncFailsAsItsBlockSays(t *testing.T) {
	tests := map[string]struct {
		arguments map[string]cty.Value
		want      []string // errors of three runs
	}{
		"without err it succeeds":       {map[string]cty.Value{"name": cty.StringVal("n")}, []string{"", "", ""}},
		"err = false succeeds":          {map[string]cty.Value{"name": cty.StringVal("n"), "err": cty.False}, []string{"", "", ""}},
		"err = true fails each run":     {map[string]cty.Value{"name": cty.StringVal("n"), "err": cty.True}, []string{"error n", "error n", "error n"}},
		"success_first spares one":      {map[string]cty.Value{"name": cty.StringVal("n"), "err": cty.True, "success_first": cty.True}, []string{"", "error n", "error n"}},
		"success_first alone succeeds":  {map[string]cty.Value{"name": cty.StringVal("n"), "success_first": cty.True}, []string{"", "", ""}},
		"an alias changes nothing here": {map[string]cty.Value{"name": cty.StringVal("m"), "err": cty.True, "alias": cty.StringVal("a")}, []string{"error m", "error m", "error m"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var s Steps
			for n, want := range tc.want {
				err := s.Run(t.Context(), hclog.NewNullLogger(), Request{Providers: []tasks.Provider{block("fake-sync", tc.arguments)}})
				if got := message(err); got != want {
					t.Errorf("run %d: %q, want %q", n+1, got, want)
				}
			}
		})
	}
}

func TestStepsAreMadeForTheirProvidersAlone(t *testing.T) {
	commit := map[string]cty.Value{"hostname": cty.StringVal("h"), "username": cty.StringVal("u"), "api_key": cty.StringVal("k"), "auto_commit": cty.True}
	silent := map[string]cty.Value{"hostname": cty.StringVal("h"), "auto_commit": cty.False}
	tests := map[string]struct {
		provider     tasks.Provider
		has, commits bool
		waiting      bool // Request.Commit
		made         int
	}{
		"panos with auto_commit":                       {block("panos", commit), true, true, true, 1},
		"panos with auto_commit, nothing was applied":  {block("panos", commit), true, true, false, 0},
		"panos without":                                {block("panos", silent), false, false, true, 0},
		"another provider with auto_commit":            {block("fortios", commit), false, false, true, 0},
		"fake-sync":                                    {block("fake-sync", map[string]cty.Value{}), true, false, true, 0},
		"a provider without arguments":                 {tasks.Provider{Name: "panos"}, false, false, true, 0},
		"panos with a text that only looks like a yes": {block("panos", map[string]cty.Value{"auto_commit": cty.StringVal("true")}), false, false, true, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			made := 0
			s := Steps{commit: func(_ context.Context, d device, description string) (job, error) {
				made++
				if d.username != "u" || description != "Patchbay: task t" {
					t.Errorf("commit of %q as %q", d.username, description)
				}
				return job{}, nil
			}}
			err := s.Run(t.Context(), hclog.NewNullLogger(), Request{Task: "t", Providers: []tasks.Provider{tc.provider}, Commit: tc.waiting})
			if err != nil || made != tc.made || Has(tc.provider) != tc.has || Commits(tc.provider) != tc.commits {
				t.Errorf("err %v, %d commits, has %t, commits %t; want %+v", err, made, Has(tc.provider), Commits(tc.provider), tc)
			}
		})
	}
}

func TestAFailingStepLeavesNoOtherOut(t *testing.T) {
	refused := errors.New("refused")
	s := Steps{commit: func(context.Context, device, string) (job, error) { return job{}, refused }}
	err := s.Run(t.Context(), hclog.NewNullLogger(), Request{Commit: true, Providers: []tasks.Provider{
		block("panos", map[string]cty.Value{"hostname": cty.StringVal("h"), "username": cty.StringVal("u"), "api_key": cty.StringVal("k"), "auto_commit": cty.True}),
		block("fake-sync", map[string]cty.Value{"name": cty.StringVal("n"), "err": cty.True})}})
	if !errors.Is(err, refused) || message(err) == message(refused) {
		t.Errorf("err = %v", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
