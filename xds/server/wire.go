package server

import (
	"fmt"

	"patchbay/xds"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cpstream "github.com/envoyproxy/go-control-plane/pkg/server/stream/v3"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// frame is an encoded response: what differs from client to client, then the
// resources, whose bytes all clients share. A fleet that connects at once would
// otherwise be given a copy of everything each.
type frame struct {
	head []byte
	wire [][]byte
}

// codec writes frames; everything else is left to the codec of gRPC.
type codec struct{ encoding.CodecV2 }

// Marshal implements [encoding.CodecV2]. The order of fields means nothing.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	out := make(mem.BufferSlice, 0, 1+len(f.wire))
	out = append(out, mem.SliceBuffer(f.head))
	for _, part := range f.wire {
		out = append(out, mem.SliceBuffer(part))
	}
	return out, nil
}

// frame makes the frame of a response that was built just now: head is the response
// without its resources.
func (c *client) frame(url string, head proto.Message) (*frame, error) {
	t, _ := xds.TypeOf(url) // others are never built
	c.mu.Lock()
	f := c.kinds[t].flight
	c.mu.Unlock()
	encoded, err := proto.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	return &frame{encoded, f.wire}, nil
}

// deltaSender sends the responses of a stream of differences as frames.
type deltaSender struct {
	cpstream.DeltaStream
	client *client
}

// Send implements [cpstream.DeltaStream].
func (s deltaSender) Send(r *discovery.DeltaDiscoveryResponse) error {
	f, err := s.client.frame(r.GetTypeUrl(), &discovery.DeltaDiscoveryResponse{SystemVersionInfo: r.GetSystemVersionInfo(), TypeUrl: r.GetTypeUrl(),
		RemovedResources: r.GetRemovedResources(), Nonce: r.GetNonce()})
	if err != nil {
		return err
	}
	return s.SendMsg(f)
}

// worldSender is deltaSender for whole states.
type worldSender struct {
	cpstream.Stream
	client *client
}

// Send implements [cpstream.Stream].
func (s worldSender) Send(r *discovery.DiscoveryResponse) error {
	f, err := s.client.frame(r.GetTypeUrl(), &discovery.DiscoveryResponse{VersionInfo: r.GetVersionInfo(), TypeUrl: r.GetTypeUrl(), Nonce: r.GetNonce()})
	if err != nil {
		return err
	}
	return s.SendMsg(f)
}
