package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	clusterType  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	endpointType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	window       = 1 << 20
)

// fleet says what sidecars to simulate. Node has %d for the number.
type fleet struct {
	Server string `json:"server"`
	Count  int    `json:"count"`
	Node   string `json:"node"`
	// Cluster and Role are for Patchbay.
	Cluster string `json:"cluster"`
	Role    string `json:"role"`
}

// change asks for the times at which a weight arrived of which the PUT began at Start.
type change struct {
	// Service is part of the name of the endpoints that change.
	Service string `json:"service"`
	Weight  uint32 `json:"weight"`
	Start   int64  `json:"start"`
}

// arrival is what the fleet answers: the microseconds from Start to each
// acknowledgement, sorted.
type arrival struct {
	Took []int64 `json:"took"`
	// Others counts the messages to sidecars that no change explains.
	Others int `json:"others"`
}

// simulate runs a fleet that standard input describes: one line for the fleet, one
// for each change. It answers a line each.
func simulate(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	var f fleet
	if !lines.Scan() {
		return errors.New("read fleet: nothing came")
	}
	if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
		return fmt.Errorf("read fleet: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &clients{fleet: f, weights: map[string]uint32{}}
	c.changed.L = &c.mu
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	ready := make(chan struct{}, f.Count)
	for n := range f.Count {
		group.Go(func() error { return c.sidecar(ctx, n, func() { ready <- struct{}{} }) })
	}
	for range f.Count {
		select {
		case <-ready:
		case <-ctx.Done(): // one of them failed
			return group.Wait()
		}
	}
	encode := json.NewEncoder(out)
	if err := encode.Encode(arrival{Took: []int64{time.Since(began).Microseconds()}}); err != nil {
		return err
	}
	for lines.Scan() {
		var next change
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return fmt.Errorf("read change: %w", err)
		}
		if err := encode.Encode(c.await(next)); err != nil {
			return err
		}
	}
	cancel()
	_ = group.Wait() // their streams end with the process
	return lines.Err()
}

type clients struct {
	fleet fleet

	mu      sync.Mutex
	changed sync.Cond
	wanted  change
	took    []int64
	others  int
	weights map[string]uint32
}

// await waits until every sidecar acknowledged the weight.
func (c *clients) await(next change) arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted, c.took = next, nil
	// The fleet is told of the change after the answer to the one before, so that
	// nothing is missed: what came early is counted when it is looked for.
	for len(c.took) < c.fleet.Count {
		c.changed.Wait()
	}
	slices.Sort(c.took)
	out := arrival{Took: c.took, Others: c.others}
	c.others = 0
	return out
}

// sidecar plays one Envoy until ctx ends.
func (c *clients) sidecar(ctx context.Context, n int, ready func()) error {
	conn, err := grpc.NewClient("passthrough:///"+c.fleet.Server, grpc.WithTransportCredentials(insecure.NewCredentials()),
		// With a window of a fixed size gRPC does not ping the server at each message to
		// measure the line. Envoy does not either, and the server would have to answer.
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	node := &core.Node{Id: fmt.Sprintf(c.fleet.Node, n), Cluster: c.fleet.Cluster, UserAgentName: "envoy"}
	metadata := map[string]any{"node_name": "node-1"}
	if c.fleet.Role != "" {
		metadata["patchbay.role"] = c.fleet.Role
	}
	if node.Metadata, err = structpb.NewStruct(metadata); err != nil {
		return err
	}
	if err := stream.Send(&discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: clusterType}); err != nil {
		return err
	}
	return c.follow(stream, ready)
}

// follow takes clusters, asks for their endpoints and acknowledges everything.
func (c *clients) follow(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, ready func()) error {
	missing := map[string]bool{}
	began := false
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}); err != nil {
			return err
		}
		at := time.Now()
		switch r.GetTypeUrl() {
		case clusterType:
			var names []string
			for _, x := range r.GetResources() {
				// Consul has clusters without endpoints: they are for the program itself.
				if x.GetName() != "local_app" && x.GetName() != "local_agent" {
					names = append(names, x.GetName())
					missing[x.GetName()] = true
				}
			}
			if len(names) == 0 {
				continue
			}
			if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: endpointType, ResourceNamesSubscribe: names}); err != nil {
				return err
			}
		case endpointType:
			if began {
				c.arrived(r, at)
				continue
			}
			for _, x := range r.GetResources() {
				delete(missing, x.GetName())
			}
			if len(missing) == 0 {
				began = true
				ready()
			}
		}
	}
}

// arrived notes a change that a sidecar acknowledged.
func (c *clients) arrived(r *discovery.DeltaDiscoveryResponse, at time.Time) {
	for _, x := range r.GetResources() {
		c.mu.Lock()
		if strings.Contains(x.GetName(), c.wanted.Service) && c.weigh(x) == c.wanted.Weight {
			c.took = append(c.took, (at.UnixNano()-c.wanted.Start)/1000)
			if len(c.took) == c.fleet.Count {
				c.changed.Broadcast()
			}
		} else {
			c.others++
		}
		c.mu.Unlock()
	}
}

// weigh is weightOf for the very bytes that each sidecar was sent: those that another was
// sent too are decoded once, so that the sidecars take less of what is measured.
func (c *clients) weigh(x *discovery.Resource) uint32 {
	body := x.GetResource().GetValue()
	weight, ok := c.weights[string(body)]
	if !ok {
		weight = weightOf(x)
		c.weights[string(body)] = weight
	}
	return weight
}

// weightOf gives the greatest weight of the endpoints.
func weightOf(x *discovery.Resource) (most uint32) {
	var a endpoint.ClusterLoadAssignment
	if err := x.GetResource().UnmarshalTo(&a); err != nil {
		return 0
	}
	for _, l := range a.GetEndpoints() {
		for _, e := range l.GetLbEndpoints() {
			most = max(most, e.GetLoadBalancingWeight().GetValue())
		}
	}
	return most
}
