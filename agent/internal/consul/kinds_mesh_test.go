package consul

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/tasks/catalog"
)

var webChain = catalog.Query{Kind: catalog.DiscoveryChain, Name: "web"}

// chained lets reads of chains be answered by what script gives for the number of the
// read, counted from 0; a blocking one waits a second first. It gives a count of reads.
func (w *world) chained(script func(n int) func(http.ResponseWriter)) *atomic.Int64 {
	var count atomic.Int64
	w.tell(func(rw http.ResponseWriter, c call) bool {
		if !strings.HasPrefix(c.path, "/v1/discovery-chain/") {
			return false
		}
		if c.blocking {
			select {
			case <-c.gone:
			case <-time.After(time.Second):
			}
		}
		script(int(count.Add(1)) - 1)(rw)
		return true
	})
	return &count
}

func TestAChainIsKeptAsItsText(t *testing.T) {
	const first, second = `{"Chain":{"ServiceName":"web"}}`, `{"Chain":{"ServiceName":"web","Protocol":"http"}}`
	inWorld(t, withToken, func(w *world) {
		w.chained(func(n int) func(http.ResponseWriter) {
			switch n {
			case 0:
				return raw("10", first)
			case 1:
				return status(http.StatusInternalServerError, "rpc error")
			}
			return raw("11", second)
		})
		ch := w.client.Watch(w.ctx, []catalog.Want{webChain})
		s, _ := w.until(ch, trusted)
		if got := only(s).Pairs["web"]; got != first {
			t.Fatalf("the chain is %q", got)
		}
		s, _ = w.until(ch, trust(catalog.Refused))
		if got := only(s).Pairs["web"]; got != first {
			t.Errorf("a failed read left the chain %q", got)
		}
		s, _ = w.until(ch, trusted)
		if got := only(s).Pairs["web"]; got != second {
			t.Errorf("the changed chain is %q", got)
		}
	})
}

func TestWithoutConnectNoChainHoldsAndConsulIsNotPressed(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		count := w.chained(func(int) func(http.ResponseWriter) {
			return status(http.StatusInternalServerError, "Connect must be enabled in order to use this endpoint")
		})
		ch := w.client.Watch(w.ctx, []catalog.Want{webChain})
		s, _ := w.until(ch, trusted)
		if got, ok := only(s).Pairs["web"]; got != "" || !ok {
			t.Errorf("the chain is %q, %v", got, ok)
		}
		time.Sleep(10 * time.Minute)
		if got := count.Load(); got > 30 {
			t.Errorf("%d reads in 10 minutes", got)
		}
	})
}
