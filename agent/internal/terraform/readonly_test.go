package terraform

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
)

// beside gives a ReadOnly over the bench's executable and files of a new directory.
func (b *bench) beside(t *testing.T, files tasks.Files) (*ReadOnly, tasks.Files) {
	t.Helper()
	files.Dir = filepath.Join(t.TempDir(), "scratch")
	b.forget(t)
	return &ReadOnly{runner: b.Runner}, files
}

// kept is everything in Consul that a state command could change.
func kept(t *testing.T, c *api.Client) (out []string) {
	t.Helper()
	pairs, _, err := c.KV().List("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		out = append(out, fmt.Sprint(p.Key, p.CreateIndex, p.ModifyIndex, p.LockIndex, p.Session, string(p.Value)))
	}
	sessions, _, err := c.Session().List(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		out = append(out, s.ID)
	}
	slices.Sort(out)
	return out
}

// unlocking is a root with the consul backend that takes no lock by itself.
func unlocking(b *bench, address, main string) tasks.Files {
	f := consulRoot(b, address, main)
	content := string(f.Root["main.tf"].Content)
	f.Root["main.tf"] = text(strings.Replace(content, "    gzip ", "    lock    = false\n    gzip ", 1))
	return f
}

func TestAReadOnlyPlanLeavesALockedStateInConsulAsItIs(t *testing.T) {
	client, address := consul(t)
	b := newBench(t, nil)
	b.run(t, consulRoot(b, address, data("a", "input = 1")))
	session, _, err := client.Session().Create(&api.SessionEntry{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const lock = "consul-terraform-sync/terraform-env:web/.lock"
	if ok, _, err := client.KV().Acquire(&api.KVPair{Key: lock, Session: session}, nil); err != nil || !ok {
		t.Fatalf("acquire = %v, %v", ok, err)
	}
	before := kept(t, client)
	tests := map[string]struct {
		main    string
		changes int
	}{
		"the same configuration plans nothing": {data("a", "input = 1"), 0},
		"another one plans its change":         {data("a", "input = 2"), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, files := b.beside(t, unlocking(b, address, tt.main))
			got, err := r.Plan(t.Context(), files, Copied{})
			if err != nil || len(got.Changes) != tt.changes || got.Lineage == "" {
				t.Fatalf("plan = %+v, %v\n%s", got, err, b.out)
			}
			for _, c := range b.commands(t) {
				if !slices.Contains([]string{"version", "init", "plan", "show"}, c) {
					t.Errorf("ran %s", c)
				}
			}
			if diff := cmp.Diff(before, kept(t, client)); diff != "" {
				t.Errorf("Consul changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestAReadOnlyPlanMakesNoWorkspace(t *testing.T) {
	client, address := consul(t)
	b := newBench(t, nil)
	for _, others := range []string{"none", "one"} {
		t.Run("while "+others+" is there", func(t *testing.T) {
			if others == "one" {
				files := consulRoot(b, address, data("a", "input = 1"))
				files.Workspace = "dns"
				b.run(t, files)
			}
			before := kept(t, client)
			r, files := b.beside(t, unlocking(b, address, data("a", "input = 1")))
			if got, err := r.Plan(t.Context(), files, Copied{}); !errors.Is(err, ErrNoState) {
				t.Errorf("plan = %+v, %v, want ErrNoState", got, err)
			}
			if diff := cmp.Diff(before, kept(t, client)); diff != "" {
				t.Errorf("Consul changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestAReadOnlyPlanTakesACopiedState(t *testing.T) {
	b := newBench(t, nil)
	b.run(t, b.root(data("a", "input = 1")))
	state, err := os.ReadFile(filepath.Join(b.dir, "terraform.tfstate.d/web/terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		copied Copied
		want   map[tasks.Action]int
	}{
		"a state is planned against":        {Copied{Local: true, State: state}, map[tasks.Action]int{tasks.Replace: 0, tasks.Update: 1, tasks.Create: 0}},
		"without a state all is new":        {Copied{Local: true}, map[tasks.Action]int{tasks.Create: 1, tasks.Update: 0}},
		"a broken state is an error":        {Copied{Local: true, State: []byte(`{"version":`)}, nil},
		"a broken lock file is one as well": {Copied{Local: true, Lock: []byte("}")}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			files := b.root("")
			files.Root["main.tf"] = text(data("a", "input = 2"))
			r, files := b.beside(t, files)
			got, err := r.Plan(t.Context(), files, tt.copied)
			if (err != nil) != (tt.want == nil) {
				t.Fatalf("plan = %+v, %v", got, err)
			}
			for action, n := range tt.want {
				if got.Count(action) != n {
					t.Errorf("plan has %d to %s, want %d: %+v", got.Count(action), action, n, got.Changes)
				}
			}
		})
	}
}

func TestAReadOnlyHasNoMethodButPlan(t *testing.T) {
	var names []string
	for m := range reflect.TypeFor[*ReadOnly]().NumMethod() {
		names = append(names, reflect.TypeFor[*ReadOnly]().Method(m).Name)
	}
	if diff := cmp.Diff([]string{"Plan"}, names); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	if _, ok := any(&ReadOnly{}).(tasks.Workspace); ok {
		t.Error("a ReadOnly can be used where something is applied")
	}
}

func TestAReadOnlyPlanOnlyReadsABackendWithoutWorkspaces(t *testing.T) {
	kept := &states{}
	var mu sync.Mutex
	var methods []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		methods = append(methods, r.Method)
		mu.Unlock()
		kept.ServeHTTP(w, r)
	}))
	defer server.Close()
	b := newBench(t, nil)
	b.run(t, httpRoot(b, server.URL, data("a", "input = 1")))
	methods = nil
	r, files := b.beside(t, httpRoot(b, server.URL, data("a", "input = 2")))
	got, err := r.Plan(t.Context(), files, Copied{})
	if err != nil || got.Count(tasks.Update) != 1 || len(got.Changes) != 1 {
		t.Errorf("plan = %+v, %v", got, err)
	}
	if slices.Sort(methods); !slices.Equal(slices.Compact(methods), []string{http.MethodGet}) {
		t.Errorf("methods = %v", methods)
	}
}
