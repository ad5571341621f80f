package server

import (
	"testing"
	"time"

	"patchbay/xds"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// publish puts a role "web" with a cluster "api", its endpoints, a listener and routes.
func (w *world) publish(t testing.TB) {
	t.Helper()
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 1)}},
		Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "api", 1), listener(t, "in", "1"), routes(t, "out", "1")}})
}

// begin plays an Envoy's start.
func (d *deltaStream) begin() {
	d.t.Helper()
	d.subscribe(xds.Cluster)
	d.expect("CDS +api")
	d.subscribe(xds.Endpoints, "api")
	d.expect("EDS +api")
	d.subscribe(xds.Listener)
	d.expect("LDS +in")
	d.subscribe(xds.Routes, "out")
	d.expect("RDS +out")
}

func TestAnEnvoyGetsEverythingInOrder(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.quiet()
}

func TestAStateThatDidNotChangeIsNotSent(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.publish(t)
	d.quiet()
}

func TestANameAskedForAgainIsAnsweredAgain(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.subscribe(xds.Endpoints, "api")
	d.expect("EDS +api")
}

func TestANameThatDoesNotExistIsToldToBeMissing(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.subscribe(xds.Routes, "nothing")
	d.expect("RDS -nothing")
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "nothing", "1")}})
	d.expect("RDS +nothing")
}

func TestEndpointsOfAForeignServiceAreNotGiven(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "billing", 1)}})
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.subscribe(xds.Endpoints, "billing")
	d.expect("EDS -billing")
}

func TestARefusedVersionIsSentAgainOnlyWhenItsContentChanges(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "bad")}})
	d.nack(d.see("RDS +out"), "no such thing")
	d.quiet()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "bad")}})
	d.quiet()
	state := w.server.Clients()[0].Types[xds.Routes]
	if state.Refused != 1 || state.Reason != "no such thing" || state.Rejected == "" || state.Acked == state.Rejected {
		t.Errorf("the refusal is not shown: %+v", state)
	}
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "good")}})
	d.expect("RDS +out")
	d.quiet()
	if state := w.server.Clients()[0].Types[xds.Routes]; state.Rejected != "" || state.Refused != 1 {
		t.Errorf("the refusal is over: %+v", state)
	}
}

func TestRoutesWaitForTheClustersAndEndpointsThatTheyUse(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 2)}},
		Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "db"), cluster(t, "db", 1)}})
	clusters := d.see("CDS +db")
	d.quiet() // neither endpoints nor routes before they can be used
	d.ack(clusters)
	d.quiet() // the endpoints were not asked for yet
	d.subscribe(xds.Endpoints, "db")
	members := d.see("EDS +db")
	d.quiet()
	d.ack(members)
	d.expect("RDS +out")
}

func TestAClusterGoesAfterTheRoutesHaveLetItGo(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "none")}, Removed: []Key{{xds.Cluster, "api"}}})
	out := d.see("RDS +out")
	d.quiet()
	d.ack(out)
	d.expect("CDS -api")
	d.quiet()
}

func TestAClusterThatComesBackBeforeItWentStays(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "none")}, Removed: []Key{{xds.Cluster, "api"}}})
	out := d.see("RDS +out")
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "api", 1), routes(t, "out", "1")}})
	d.ack(out)
	for { // what comes may say that the cluster is there, never that it is gone
		r, got := d.next()
		d.ack(r)
		if got == "RDS +out" {
			break
		}
		if got != "CDS" && got != "CDS +api" && got != "EDS +api" {
			t.Fatalf("got %q", got)
		}
	}
}

func TestEndpointsFollowEveryChangeOfTheirCluster(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "api", 2)}})
	d.expect("CDS +api")
	d.expect("EDS +api")
	d.quiet()
}

func TestRoutesAreLetThroughWhenEndpointsAreNeverAskedFor(t *testing.T) {
	w := newWorld(t, 50*time.Millisecond)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.subscribe(xds.Cluster)
	d.expect("CDS +api")
	d.subscribe(xds.Listener)
	d.expect("LDS +in")
}

func TestOneResponseOfATypeIsOnItsWayAndWhatFollowsMerges(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 1, 2)}})
	first := d.see("EDS +api")
	for port := range uint32(50) {
		w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 3+port)}})
	}
	d.quiet()
	d.ack(first)
	last := d.expect("EDS +api")
	if want := endpoints(t, "api", 52).Version; last.GetResources()[0].GetVersion() != want {
		t.Errorf("version %s, want the newest %s", last.GetResources()[0].GetVersion(), want)
	}
	d.quiet()
}

func TestAnUnaffectedClientIsSentNothing(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 1)}},
		Change{Scope: "other", Upserts: []*xds.Resource{cluster(t, "db", 1)}})
	d, other := w.delta(t, "web-1", "web"), w.delta(t, "other-1", "other")
	d.begin()
	other.subscribe(xds.Cluster)
	other.expect("CDS +db")
	other.subscribe(xds.Endpoints, "db")
	other.expect("EDS +db")
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 2)}})
	other.expect("EDS +db")
	d.quiet()
}

func TestAClientThatComesBackIsSentWhatDiffersAndToldWhatIsGone(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Cluster.URL(), InitialResourceVersions: map[string]string{
		"api": cluster(t, "api", 1).Version, "old": "x"}})
	d.expect("CDS") // its routes may use the old one
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Endpoints.URL(), ResourceNamesSubscribe: []string{"api"},
		InitialResourceVersions: map[string]string{"api": endpoints(t, "api", 1).Version}})
	d.expect("EDS") // an answer, as Envoy waits for one
	d.quiet()
	d.subscribe(xds.Listener)
	d.expect("LDS +in")
	d.subscribe(xds.Routes, "out")
	out := d.see("RDS +out")
	d.quiet()
	d.ack(out)
	d.expect("CDS -old")
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 7)}})
	d.expect("EDS +api")
}

func TestAClusterOfEarlierGoesThoughRoutesAreNeverAskedFor(t *testing.T) {
	w := newWorld(t, 50*time.Millisecond)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Cluster.URL(), InitialResourceVersions: map[string]string{"old": "x"}})
	d.expect("CDS +api")
	d.expect("CDS -old")
}

func TestAStaleNonceStillSubscribes(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "extra", "1")}})
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Routes.URL(), ResponseNonce: "999", ResourceNamesSubscribe: []string{"extra"}})
	d.expect("RDS +extra")
}

func TestAnUnsubscribedNameIsNotSentAnyMore(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.unsubscribe(xds.Endpoints, "api")
	d.quiet() // it was taken
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 9)}})
	d.quiet()
}

func TestANameLetGoOfBesideTheWildcardIsAnswered(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.subscribe(xds.Listener, "in", "none")
	d.expect("LDS +in -none")
	d.unsubscribe(xds.Listener, "in", "none")
	d.expect("LDS +in -none")
}

func TestTheWildcardEndsOnlyWhenItIsUnsubscribed(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.subscribe(xds.Listener, "in")
	d.expect("LDS +in")
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{listener(t, "second", "1")}})
	d.expect("LDS +second")
	d.unsubscribe(xds.Listener, "*")
	d.quiet() // it was taken
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{listener(t, "second", "2"), listener(t, "third", "1"), listener(t, "in", "2")}})
	d.expect("LDS +in")
	d.quiet()
}

func TestAnUnknownTypeDoesNotEndTheStream(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: "type.googleapis.com/envoy.service.runtime.v3.Runtime"})
	d.begin()
}

func TestEveryCycleOfAStreamLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	t.Run("cycles", func(t *testing.T) {
		for range 50 {
			d := w.delta(t, "web-1", "web")
			d.begin()
			d.subscribe(xds.Routes, "only for me")
			d.expect("RDS -only for me")
			if err := d.stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
		}
	})
	deadline := time.After(patience)
	for left := 1; left > 0; {
		w.store.mu.Lock()
		left = 0
		for _, sc := range w.store.scopes {
			left += len(sc.clients)
			for _, e := range sc.entries {
				left += len(e.subs)
			}
		}
		w.store.mu.Unlock()
		select {
		case <-deadline:
			t.Fatalf("%d readers are left", left)
		case <-time.After(time.Millisecond):
		}
	}
	if n := len(w.store.scopes["web"].entries); n != 3 {
		t.Errorf("%d entries are left, want the three that exist", n)
	}
}

func TestAStreamCannotBecomeAnotherNode(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.subscribe(xds.Cluster)
	d.expect("CDS +api")
	d.node.Id = "web-2"
	d.subscribe(xds.Listener)
	select {
	case r, ok := <-d.got:
		if ok {
			t.Fatalf("got %q", tell(r))
		}
	case <-time.After(patience):
		t.Fatal("the stream goes on")
	}
}
