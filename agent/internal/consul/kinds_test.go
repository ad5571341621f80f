package consul

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks/catalog"
)

var keys = catalog.Query{Kind: catalog.KVPrefix, Name: "fw/"}

// pairs answers like Consul: an array of keys, or 404 for none.
func pairs(index string, list ...string) func(http.ResponseWriter) {
	if len(list) == 0 {
		return func(w http.ResponseWriter) {
			w.Header().Set("X-Consul-Index", index)
			w.WriteHeader(http.StatusNotFound)
		}
	}
	var out []string
	for _, key := range list {
		out = append(out, fmt.Sprintf(`{"Key":%q,"Value":%q}`, key, base64.StdEncoding.EncodeToString([]byte("v"))))
	}
	return raw(index, "["+strings.Join(out, ",")+"]")
}

// answered lets plain and blocking reads of keys be answered by what script gives
// for the number of the read, counted from 0.
func (w *world) answered(script func(n int, c call) func(http.ResponseWriter)) {
	n := -1
	w.tell(func(rw http.ResponseWriter, c call) bool {
		if !strings.HasPrefix(c.path, "/v1/kv/") {
			return false
		}
		if c.blocking {
			select {
			case <-c.gone:
			case <-time.After(time.Second):
			}
		}
		n++
		script(n, c)(rw)
		return true
	})
}

func TestWhatIsNotConsulsAnswerNeverEmptiesAKey(t *testing.T) {
	cases := map[string]struct {
		lie  func(http.ResponseWriter)
		says string
	}{
		"the 404 of a proxy":          {status(http.StatusNotFound, "<html>no such page</html>"), "is not Consul's"},
		"an empty list":               {raw("20", "[]"), "is not Consul's"},
		"null":                        {raw("20", "null"), "is not Consul's"},
		"a key that nobody asked for": {pairs("20", "elsewhere"), "was not asked for"},
		"a null among the keys":       {raw("20", "[null]"), "is null"},
		"no JSON":                     {raw("20", "<html>"), "invalid character"},
		"too much": {func(w http.ResponseWriter) {
			w.Header().Set("X-Consul-Index", "20")
			io.WriteString(w, `[{"Key":"fw/big","Value":"`+strings.Repeat("AAAA", maxPairs/3+1)+`"}]`)
		}, "name a narrower path"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, withToken, func(w *world) {
				w.answered(func(n int, _ call) func(http.ResponseWriter) {
					if n == 0 {
						return pairs("10", "fw/a", "fw/b")
					}
					return c.lie
				})
				ch := w.client.Watch(w.ctx, []catalog.Want{keys})
				s, _ := w.until(ch, trust(catalog.Refused))
				if v := only(s); len(v.Pairs) != 2 || !strings.Contains(describe(s), c.says) {
					t.Errorf("keys %v, %s", v.Pairs, describe(s))
				}
			})
		})
	}
}

func TestAnEmptyAnswerOnceIsContradictedAndNeverShown(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.answered(func(n int, _ call) func(http.ResponseWriter) {
			if n == 1 {
				return pairs("11")
			}
			return pairs("10", "fw/a", "fw/b")
		})
		ch := w.client.Watch(w.ctx, []catalog.Want{keys})
		w.until(ch, trusted)
		w.until(ch, trust(catalog.Suspicious))
		s, _ := w.until(ch, trusted)
		if len(only(s).Pairs) != 2 {
			t.Errorf("keys %v", only(s).Pairs)
		}
	})
}

func TestAnIndexThatFallsAsATombstoneIsForgottenDelaysNoDeletion(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.answered(func(n int, _ call) func(http.ResponseWriter) {
			if n < 2 {
				return pairs("102", "fw/a", "fw/b", "fw/c")
			}
			if n < 5 {
				return pairs("50", "fw/a", "fw/b", "fw/c")
			}
			return pairs("103", "fw/a", "fw/b")
		})
		ch := w.client.Watch(w.ctx, []catalog.Want{keys})
		w.until(ch, trusted)
		s, before := w.until(ch, func(s catalog.Snapshot) bool { return len(only(s).Pairs) == 2 })
		if v := only(s); v.Epoch != 0 || v.Verdict.Confirmed != 0 || len(before) != 0 {
			t.Errorf("the deletion of one key waited: %s", describe(s))
		}
	})
}

func TestAnAnonymousEmptyPrefixUnderDefaultDenyIsNotBelieved(t *testing.T) {
	inWorld(t, config.Consul{Address: "consul.invalid:8500"}, func(w *world) {
		w.answered(func(n int, _ call) func(http.ResponseWriter) {
			if n == 0 {
				return pairs("10", "fw/a")
			}
			return func(rw http.ResponseWriter) {
				rw.Header().Set("X-Consul-Default-ACL-Policy", "deny")
				pairs("11")(rw)
			}
		})
		ch := w.client.Watch(w.ctx, []catalog.Want{keys})
		s, _ := w.until(ch, trust(catalog.Refused))
		if len(only(s).Pairs) != 1 || !strings.Contains(describe(s), "no token is configured") || !strings.Contains(describe(s), "key:read") {
			t.Errorf("keys %v, %s", only(s).Pairs, describe(s))
		}
	})
}

func TestNamespaceAndPartitionAreTheDefaultOfQueriesThatNameNone(t *testing.T) {
	cfg := withToken
	cfg.Namespace, cfg.Partition = "team", "east"
	inWorld(t, cfg, func(w *world) {
		w.next(w.client.Watch(w.ctx, []catalog.Want{catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}}))
		w.next(w.client.Watch(w.ctx, []catalog.Want{catalog.Query{Kind: catalog.ServiceHealth, Name: "api", Namespace: "other"}}))
		for service, want := range map[string]string{"web": "ns=team&partition=east", "api": "ns=other&partition=east"} {
			calls := w.seen(func(c call) bool { return c.service == service })
			if len(calls) == 0 || !strings.Contains(calls[0].query, want) {
				t.Errorf("%s: got %+v, want %s", service, calls, want)
			}
		}
	})
}

func TestAFirstEmptyAnswerIsConfirmedBeforeItIsTaken(t *testing.T) {
	cases := map[string]struct {
		second    func(http.ResponseWriter)
		keys      int
		trust     bool
		confirmed int
	}{
		"a read agrees":     {pairs("10"), 0, true, 1},
		"a read finds keys": {pairs("10", "fw/a"), 1, true, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, withToken, func(w *world) {
				w.answered(func(n int, call call) func(http.ResponseWriter) {
					if n == 0 {
						return pairs("10")
					}
					if n == 1 && !call.consistent {
						t.Error("the second read is not consistent")
					}
					return c.second
				})
				s, _ := w.next(w.client.Watch(w.ctx, []catalog.Want{keys}))
				if v := only(s); len(v.Pairs) != c.keys || trusted(s) != c.trust || v.Verdict.Confirmed != c.confirmed {
					t.Errorf("got %d keys, %s", len(v.Pairs), describe(s))
				}
			})
		})
	}
}

func TestAFirstEmptyAnswerThatMayHideKeysIsNotTaken(t *testing.T) {
	for name, header := range map[string]string{"hidden results": "X-Consul-Results-Filtered-By-Acls", "an anonymous read under default deny": "X-Consul-Default-Acl-Policy"} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, config.Consul{Address: "consul.invalid:8500"}, func(w *world) {
				w.answered(func(int, call) func(http.ResponseWriter) {
					return func(rw http.ResponseWriter) {
						rw.Header().Set(header, map[bool]string{true: "true", false: "deny"}[strings.Contains(header, "Filtered")])
						pairs("10")(rw)
					}
				})
				w.quiet(w.client.Watch(w.ctx, []catalog.Want{keys}), time.Hour)
				if err := w.client.Queries()[0].Err; err == nil || !strings.Contains(err.Error(), "key:read") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
