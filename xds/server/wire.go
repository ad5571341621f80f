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

// frame makes the frame of a response that was built just now, which has no resources
// of its own.
func (c *client) frame(head interface {
	proto.Message
	GetTypeUrl() string
	GetNonce() string
}) (*frame, error) {
	t, _ := xds.TypeOf(head.GetTypeUrl()) // others are never built
	c.mu.Lock()
	f := c.kinds[t].flight
	f.nonce = head.GetNonce()
	c.mu.Unlock()
	encoded, err := proto.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	return &frame{encoded, f.wire}, nil
}

// deltaWire is a stream of differences that is written in frames, and whose loop is
// spared what only acknowledges: with many clients that is most of what comes.
type deltaWire struct {
	cpstream.DeltaStream
	client *client
}

// Send implements [cpstream.DeltaStream].
func (w deltaWire) Send(r *discovery.DeltaDiscoveryResponse) error {
	f, err := w.client.frame(r)
	if err != nil {
		return err
	}
	return w.SendMsg(f)
}

// Recv implements [cpstream.DeltaStream].
func (w deltaWire) Recv() (*discovery.DeltaDiscoveryRequest, error) {
	for {
		req, err := w.DeltaStream.Recv()
		if err != nil || !w.client.settles(req) {
			return req, err
		}
	}
}

// settles takes a request that acknowledges or refuses and asks for nothing. A request
// before it may still be on its way through the loop; neither depends on the other.
func (c *client) settles(req *discovery.DeltaDiscoveryRequest) bool {
	t, ok := xds.TypeOf(req.GetTypeUrl())
	if !ok || req.GetResponseNonce() == "" || req.GetNode() != nil ||
		len(req.GetResourceNamesSubscribe())+len(req.GetResourceNamesUnsubscribe())+len(req.GetInitialResourceVersions()) > 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.kinds[t].asked {
		return false // it is not admitted yet
	}
	r := request{kind: t, nonce: req.GetResponseNonce()}
	r.judge(req.GetErrorDetail())
	c.acknowledge(r)
	c.kick()
	return true
}

// worldWire is deltaWire for whole states. Their requests name all they ask for
// each time, so none of them only acknowledges.
type worldWire struct {
	cpstream.Stream
	client *client
}

// Send implements [cpstream.Stream].
func (w worldWire) Send(r *discovery.DiscoveryResponse) error {
	f, err := w.client.frame(r)
	if err != nil {
		return err
	}
	return w.SendMsg(f)
}
