package server

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/protobuf/proto"
)

// pipe is a stream without a network: what the server writes waits for a reader, as
// on a slow connection.
type pipe[In, Out any] struct {
	grpc.ServerStream
	ctx context.Context
	in  chan *In
	out chan *Out
}

func newPipe[In, Out any](ctx context.Context) *pipe[In, Out] {
	return &pipe[In, Out]{ctx: ctx, in: make(chan *In, 1000), out: make(chan *Out)}
}

func (p *pipe[In, Out]) Context() context.Context { return p.ctx }

// SendMsg takes frames, as gRPC does, and reads what they say.
func (p *pipe[In, Out]) SendMsg(m any) error {
	encoded, err := codec{encoding.GetCodecV2(grpcproto.Name)}.Marshal(m)
	if err != nil {
		return err
	}
	r := new(Out)
	if err := proto.Unmarshal(encoded.Materialize(), any(r).(proto.Message)); err != nil {
		return err
	}
	return p.Send(r)
}

func (p *pipe[In, Out]) Send(r *Out) error {
	select {
	case p.out <- r:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

func (p *pipe[In, Out]) Recv() (*In, error) {
	select {
	case r := <-p.in:
		return r, nil
	case <-p.ctx.Done():
		return nil, io.EOF
	}
}

// read takes what was written, nil when there is nothing.
func (p *pipe[In, Out]) read() *Out {
	select {
	case r := <-p.out:
		return r
	default:
		return nil
	}
}
