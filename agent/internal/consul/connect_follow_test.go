package consul

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/xds"

	"github.com/hashicorp/consul/api"
)

// authority is Consul's CA, played by a test: it answers for the roots alone.
type authority struct {
	mu    sync.Mutex
	index uint64
	roots []string
	down  bool
	asked int
}

func (a *authority) set(f func(*authority)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a)
}

// answer is a [lie].
func (a *authority) answer(w http.ResponseWriter, c call) bool {
	if !strings.HasPrefix(c.path, "/v1/connect/") && !strings.HasPrefix(c.path, "/v1/agent/connect/") {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.down || c.path != "/v1/connect/ca/roots" {
		http.Error(w, "no leader", http.StatusInternalServerError)
		return true
	}
	if strings.Contains(c.query, "index="+strconv.FormatUint(a.index, 10)+"&") {
		return false // nothing is new: the fake waits, and then this is asked again
	}
	list := api.CARootList{TrustDomain: "td.consul"}
	for _, text := range a.roots {
		list.Roots = append(list.Roots, &api.CARoot{RootCertPEM: text})
	}
	w.Header().Set("X-Consul-Index", strconv.FormatUint(a.index, 10))
	_ = json.NewEncoder(w).Encode(list)
	return true
}

func TestRootsAreReadAgainAfterConsulFailedAndBeganAnew(t *testing.T) {
	first, _ := pair(t, true)
	second, _ := pair(t, true)
	inWorld(t, withToken, func(w *world) {
		ca := &authority{index: 20, roots: []string{first}}
		w.tell(ca.answer)
		connect := w.client.Connect(true)
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan error, 1)
		go func() { done <- connect.Run(ctx) }()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		var known xds.News
		await := func(what string, roots int) {
			t.Helper()
			for strings.Count(known.Authorities, "BEGIN") != roots {
				select {
				case <-connect.Changed():
					known = known.And(connect.Take())
				case <-time.After(time.Hour):
					t.Fatalf("%s: did not come", what)
				}
			}
		}
		await("the first root", 1)
		ca.set(func(a *authority) { a.down, a.asked = true, 0 })
		w.change(func() {})
		time.Sleep(5 * time.Minute)
		if n := strings.Count(known.Authorities, "BEGIN"); n != 1 {
			t.Errorf("%d roots are known while Consul fails", n)
		}
		ca.set(func(a *authority) {
			if a.asked < 3 || a.asked > 100 {
				t.Errorf("it was asked %d times in 5 minutes", a.asked)
			}
			a.down, a.index, a.roots = false, 3, []string{first, second}
		})
		await("the roots of a Consul that began anew", 2)
	})
}
