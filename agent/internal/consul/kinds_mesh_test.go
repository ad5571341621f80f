package consul

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
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

func TestTheChainOfAnotherDatacenterIsCompiledHere(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		queries := make(chan string, 100)
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if !strings.HasPrefix(c.path, "/v1/discovery-chain/") {
				return false
			}
			queries <- c.query
			if c.blocking {
				<-c.gone
			}
			raw("10", `{"Chain":{"ServiceName":"web"}}`)(rw)
			return true
		})
		w.until(w.client.Watch(w.ctx, []catalog.Want{catalog.Query{Kind: catalog.DiscoveryChain, Name: "web", Datacenter: "dc2"}}), trusted)
		if got, err := url.ParseQuery(<-queries); err != nil || got.Get("compile-dc") != "dc2" || got.Has("dc") {
			t.Errorf("%v: the query is %v", err, got)
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

func TestARegistrationIsToldWithoutItsHealthAndItsName(t *testing.T) {
	one := func(id, node, more string) string {
		return `{"Node":{"Node":"` + node + `","Datacenter":"dc1"},"Checks":[{"CheckID":"` + more + `","Status":"critical"}],"Service":{"Kind":"connect-proxy","ID":"` + id +
			`","Service":"web-sidecar-proxy","Port":21000,"Proxy":{"DestinationServiceName":"web","DestinationServiceID":"` + id + `","LocalServicePort":8080}}}`
	}
	native := `{"Node":{"Node":"n3"},"Service":{"ID":"web-3","Service":"web","Port":80,"Connect":{"Native":true}}}`
	inWorld(t, withToken, func(w *world) {
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if !strings.HasPrefix(c.path, "/v1/health/connect/") {
				return false
			}
			if c.blocking {
				<-c.gone
			}
			raw("10", "["+one("a", "n1", "x")+","+one("b@c", "n2", "y")+","+native+"]")(rw)
			return true
		})
		s, _ := w.until(w.client.Watch(w.ctx, []catalog.Want{catalog.Query{Kind: catalog.ConnectProxies, Name: "web"}}), trusted)
		pairs := only(s).Pairs
		first, second := pairs[catalog.ProxyKey("a", "n1")], pairs[catalog.ProxyKey("b@c", "n2")]
		if len(pairs) != 2 || first == "" || first != second || !strings.Contains(first, `"LocalServicePort":8080`) {
			t.Errorf("two proxies that are registered alike are told as %v", pairs)
		}
		if id, node := catalog.SplitProxyKey(catalog.ProxyKey("b@c", "n 2")); id != "b@c" || node != "n 2" {
			t.Errorf("the key of b@c on n 2 is read as %q on %q", id, node)
		}
	})
}

func TestWhatIsNoRegistrationIsRefused(t *testing.T) {
	proxy := `{"Node":{"Node":"n1"},"Service":{"Kind":"connect-proxy","ID":"a","Proxy":{"DestinationServiceName":"web"}}}`
	for name, c := range map[string]struct{ answer, says string }{
		"null":            {"null", "holds no list"},
		"a null entry":    {"[null]", "has no node"},
		"one proxy twice": {"[" + proxy + "," + proxy + "]", "is listed twice"},
		"an answer too long": {`[{"Node":{"Node":"n1"},"Service":{"Kind":"connect-proxy","ID":"a","Proxy":{"Config":{"x":"` +
			strings.Repeat("A", maxPairs) + `"}}}}]`, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			var entries []*api.ServiceEntry
			if err := json.Unmarshal([]byte(c.answer), &entries); err != nil {
				t.Fatal(err)
			}
			if got, err := decodeProxies(entries); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%d registrations are taken, %v", len(got), err)
			}
		})
	}
}
