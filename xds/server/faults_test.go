package server

import (
	"testing"
	"time"

	"patchbay/xds"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// Which test plays which rule of the protocol, and which fault of the stock caches:
//
//	rule or fault                                     | differences                                             | whole states
//	a refusal is told by error_detail alone           | TestARefusedVersionIsSentAgainOnlyWhenItsContentChanges | TestOnlyAnErrorDetailIsARefusal
//	a refused version comes again only when changed   | the same                                                | TestARefusedWholeStateDoesNotLoop
//	the accepted version stands in for a refused one  | -                                                       | TestAWholeStateHoldsTheAcceptedVersionInPlaceOfARefusedOne
//	make before break                                 | TestRoutesWaitForTheClustersAndEndpointsThatTheyUse     | TestAStreamOfWholeStatesGetsEverythingInOrder
//	removals last                                     | TestAClusterGoesAfterTheRoutesHaveLetItGo               | the same
//	endpoints follow every change of their cluster    | TestEndpointsFollowEveryChangeOfTheirCluster            | TestEndpointsFollowEveryChangeOfTheirClusterInWholeStates
//	a name once in a response                         | TestEveryHistoryKeepsTheOrderAndConverges               | the same
//	equal content has equal versions everywhere       | TestVersionsAreThoseOfTheContentOnEveryServer           | the same
//	a stale nonce still subscribes                    | TestAStaleNonceStillSubscribes                          | ignored, as the protocol lets it
//	a name asked for again is answered again          | TestANameAskedForAgainIsAnsweredAgain                   | TestAnAddedNameIsAnsweredThoughNothingChanged
//	a missing name is told                            | TestANameThatDoesNotExistIsToldToBeMissing              | TestScenariosOfWholeStates
//	letting go of a name beside the wildcard          | TestANameLetGoOfBesideTheWildcardIsAnswered             | -
//	initial_resource_versions                         | TestAClientThatComesBackIsSentWhatDiffersAndToldWhatIsGone | -
//	the wildcard and how it ends                      | TestTheWildcardEndsOnlyWhenItIsUnsubscribed             | TestAnEmptyListOfNamesLetsGoOfAll
//	the first request is answered whatever it says    | -                                                       | TestTheFirstRequestIsAnsweredWhateverItsVersion
//	endpoints of a subset of names (stock fault 5)    | -                                                       | TestAnAddedNameIsAnsweredThoughNothingChanged
//	an unknown type ends nothing                      | TestAnUnknownTypeDoesNotEndTheStream                    | FuzzRequests

func TestOnlyAnErrorDetailIsARefusal(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.sotw(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "2")}})
	d.see("RDS out")
	d.last[xds.Routes].VersionInfo = "an older one" // as who refused it would say
	d.request(xds.Routes, "")
	d.quiet()
	if state := w.server.Clients()[0].Types[xds.Routes]; state.Refused != 0 || state.Resources["out"] != routes(t, "out", "2").Version {
		t.Errorf("it counts as a refusal: %+v", state)
	}
}

func TestVersionsAreThoseOfTheContentOnEveryServer(t *testing.T) {
	var versions []string
	for range 2 {
		w := newWorld(t, 0)
		w.publish(t)
		d := w.delta(t, "web-1", "web")
		d.subscribe(xds.Cluster)
		versions = append(versions, d.expect("CDS +api").GetResources()[0].GetVersion())
	}
	if versions[0] != versions[1] || versions[0] == "" {
		t.Errorf("versions %q", versions)
	}
}

func TestANameThatGoesBeforeItIsSentIsToldToBeGone(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "extra", "1")}})
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "2")}})
	out := d.see("RDS +out")
	d.subscribe(xds.Routes, "extra")
	d.quiet()
	w.store.Publish(Change{Scope: "web", Removed: []Key{{xds.Routes, "extra"}}})
	d.ack(out)
	d.expect("RDS -extra")
}

func TestEndpointsAskedForBeforeTheirClusterComeWithIt(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	d.subscribe(xds.Endpoints, "db")
	d.expect("EDS -db")
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 2)}},
		Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "db", 1)}})
	d.expect("CDS +db")
	d.expect("EDS +db")
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 3)}})
	d.expect("EDS +db")
}

func TestALaterClusterDoesNotLetRoutesToARefusedOneThrough(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 2), endpoints(t, "mail", 3)}},
		Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "db"), cluster(t, "db", 1)}})
	d.nack(d.see("CDS +db"), "no such thing")
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "mail", 1)}})
	d.expect("CDS +mail")
	d.subscribe(xds.Endpoints, "mail")
	d.expect("EDS +mail")
	d.quiet() // the routes still name what is not there
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "db", 2)}})
	d.expect("CDS +db")
	d.subscribe(xds.Endpoints, "db")
	d.expect("EDS +db")
	d.expect("RDS +out")
}

func TestRefusedRoutesKeepTheClusterThatTheOldOnesUse(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "bad")}, Removed: []Key{{xds.Cluster, "api"}}})
	d.nack(d.see("RDS +out"), "no such thing")
	d.quiet()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "good")}})
	d.expect("RDS +out")
	d.expect("CDS -api")
}

func TestRoutesThatWereRefusedAndLetGoOfHoldNothing(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "bad")}, Removed: []Key{{xds.Cluster, "api"}}})
	refused := d.see("RDS +out")
	d.unsubscribe(xds.Routes, "out")
	d.nack(refused, "no such thing")
	d.expect("CDS -api")
}

func TestAskingAnewLeavesNoOlderSubscription(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "none"), listener(t, "in", "2")}, Removed: []Key{{xds.Cluster, "api"}}})
	d.expect("LDS +in")
	d.expect("RDS +out")
	d.expect("CDS -api")
	d.subscribe(xds.Endpoints, "api")
	d.expect("EDS -api")
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 9)}})
	d.quiet() // they are those of a foreign service now
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if n := len(w.store.scopes[Shared].entries[Key{xds.Endpoints, "api"}].subs); n != 0 {
		t.Errorf("%d clients read them still", n)
	}
}

func TestAnEmptyListOfNamesLetsGoOfAll(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.sotw(t, "web-1", "web")
	d.begin()
	d.subscribe(xds.Endpoints)
	d.quiet()
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 3)}})
	d.quiet()
	d.subscribe(xds.Endpoints, "api")
	d.expect("EDS api")
}

func TestNamesToldAsKeptAreNotSubscribedByThat(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Routes.URL(), ResourceNamesSubscribe: []string{"out"},
		InitialResourceVersions: map[string]string{"out": "older", "other": "x"}})
	d.expect("RDS +out")
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "other", "1")}})
	d.quiet()
}
