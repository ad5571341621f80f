package xds

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
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

	// delta is the resource as a field of a response of differences. The end of it,
	// from world on, is the field of a response of whole states.
	delta []byte
	world int
}

// Delta gives the resource as it stands in an encoded response of differences, World
// as in one of whole states: its field resources, tag and length included, which has
// the number 2 in both. Do not change the bytes; nil when the resource was not made
// by [NewResource].
func (r *Resource) Delta() []byte { return r.delta }

// World is told of at [Resource.Delta].
func (r *Resource) World() []byte { return r.delta[r.world:] }

// NewResource encodes a message.
func NewResource(t Type, name string, m proto.Message) (*Resource, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", t, name, err)
	}
	sum := sha256.Sum256(body)
	r := &Resource{Type: t, Name: name, Version: base64.RawURLEncoding.EncodeToString(sum[:16])}
	r.encode(body)
	return r, nil
}

// The numbers of fields of the messages DeltaDiscoveryResponse, DiscoveryResponse,
// Resource and Any.
const (
	fieldResources = 2
	fieldVersion   = 1
	fieldResource  = 2
	fieldName      = 3
	fieldURL       = 1
	fieldValue     = 2
)

// encode writes the field once for all who are sent it. Body shares its bytes.
func (r *Resource) encode(body []byte) {
	texts := protowire.AppendTag(nil, fieldName, protowire.BytesType)
	texts = protowire.AppendString(texts, r.Name)
	texts = protowire.AppendTag(texts, fieldVersion, protowire.BytesType)
	texts = protowire.AppendString(texts, r.Version)
	head := protowire.AppendTag(nil, fieldURL, protowire.BytesType)
	head = protowire.AppendString(head, r.Type.URL())
	head = protowire.AppendTag(head, fieldValue, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(body)))
	inner := len(head) + len(body)
	whole := len(texts) + protowire.SizeTag(fieldResource) + protowire.SizeBytes(inner)
	out := make([]byte, 0, protowire.SizeTag(fieldResources)+protowire.SizeBytes(whole))
	out = protowire.AppendTag(out, fieldResources, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(whole))
	out = append(out, texts...)
	r.world = len(out)
	out = protowire.AppendTag(out, fieldResource, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(inner))
	out = append(out, head...)
	out = append(out, body...)
	r.delta = out
	r.Body = &anypb.Any{TypeUrl: r.Type.URL(), Value: out[len(out)-len(body) : len(out) : len(out)]}
}
