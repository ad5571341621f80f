package xds

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Type is a kind of resource. Types are in the order in which a change must reach
// a client so that no request meets a cluster that is not there yet.
type Type uint8

// The types that are served.
const (
	Cluster Type = iota
	Endpoints
	Secret
	Listener
	Routes
	// Types counts the types.
	Types
)

const prefix = "type.googleapis.com/"

var urls = [Types]string{
	Cluster:   prefix + "envoy.config.cluster.v3.Cluster",
	Endpoints: prefix + "envoy.config.endpoint.v3.ClusterLoadAssignment",
	Secret:    prefix + "envoy.extensions.transport_sockets.tls.v3.Secret",
	Listener:  prefix + "envoy.config.listener.v3.Listener",
	Routes:    prefix + "envoy.config.route.v3.RouteConfiguration",
}

// shorts are the names by which people know the services of the types.
var shorts = [Types]string{Cluster: "CDS", Endpoints: "EDS", Secret: "SDS", Listener: "LDS", Routes: "RDS"}

// URL is the type's name on the wire.
func (t Type) URL() string { return urls[t] }

// String gives CDS, EDS, SDS, LDS or RDS.
func (t Type) String() string { return shorts[t] }

// TypeOf gives the type of a name on the wire; ok is false for types that are not
// served.
func TypeOf(url string) (t Type, ok bool) {
	for t, u := range urls {
		if u == url {
			return Type(t), true
		}
	}
	return 0, false
}

// Resource is one encoded resource. It is immutable: share it, never change it.
type Resource struct {
	Type Type
	// Name is unique for its type within what one client gets.
	Name string
	// Version is the digest of Body: equal content has equal versions.
	Version string
	Body    *anypb.Any
	// Waits is, for a cluster, the name of the endpoints without which Envoy does
	// not use it; "" when it needs none.
	Waits string
}

// NewResource encodes a message.
func NewResource(t Type, name string, m proto.Message) (*Resource, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", t, name, err)
	}
	sum := sha256.Sum256(body)
	return &Resource{Type: t, Name: name, Version: base64.RawURLEncoding.EncodeToString(sum[:16]),
		Body: &anypb.Any{TypeUrl: t.URL(), Value: body}}, nil
}
