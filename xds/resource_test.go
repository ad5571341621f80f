package xds

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestAResourceIsEncodedAsItStandsInBothResponses(t *testing.T) {
	for name, length := range map[string]int{"empty": 0, "short": 10, "of two bytes of length": 200, "long": 70_000} {
		t.Run(name, func(t *testing.T) {
			c := &clusterv3.Cluster{Name: "web/v2", AltStatName: strings.Repeat("x", length)}
			r, err := NewResource(Cluster, "web/v2", c)
			if err != nil {
				t.Fatal(err)
			}
			body, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			inner := &anypb.Any{TypeUrl: Cluster.URL(), Value: body}
			var delta discovery.DeltaDiscoveryResponse
			if err := proto.Unmarshal(r.Delta(), &delta); err != nil {
				t.Fatal(err)
			}
			if want := (&discovery.DeltaDiscoveryResponse{Resources: []*discovery.Resource{{Name: "web/v2", Version: r.Version, Resource: inner}}}); !proto.Equal(want, &delta) {
				t.Errorf("differences: %v", &delta)
			}
			var world discovery.DiscoveryResponse
			if err := proto.Unmarshal(r.World(), &world); err != nil {
				t.Fatal(err)
			}
			if want := (&discovery.DiscoveryResponse{Resources: []*anypb.Any{inner}}); !proto.Equal(want, &world) {
				t.Errorf("whole states: %v", &world)
			}
			if !proto.Equal(inner, r.Body) {
				t.Errorf("the body is %v", r.Body)
			}
		})
	}
}
