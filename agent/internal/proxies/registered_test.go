package proxies

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"
	"patchbay/xds/server"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// registration is how a sidecar of shop is registered that reaches web at a port.
func registration(port int) string {
	return fmt.Sprintf(`{"Datacenter":"dc1","Port":21000,"Proxy":{"DestinationServiceName":"shop","LocalServicePort":8080,"Upstreams":[{"DestinationName":"web","LocalBindPort":%d}]}}`, port)
}

// enroll tells how the sidecars of shop are registered, by id@node.
func (w *world) enroll(pairs map[string]string) {
	w.t.Helper()
	list := map[string]string{}
	for name, text := range pairs {
		id, node, _ := strings.Cut(name, "@")
		list[catalog.ProxyKey(id, node)] = text
	}
	w.views.set(catalog.NewPairsView(proxiesOf("shop"), list))
	w.settle()
}

// come is a client that is admitted.
func (w *world) come(id, node string) (server.Peer, error) {
	w.t.Helper()
	meta, err := structpb.NewStruct(map[string]any{xds.NodeNameKey: node})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := peer.NewContext(w.ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}})
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out server.Peer
	done := make(chan error, 1)
	go func() {
		var err error
		out, err = w.feed.Admit(ctx, &core.Node{Id: id, Cluster: "shop", Metadata: meta})
		done <- err
	}()
	w.settle()
	w.trusted() // identities are known once they are wanted
	err = <-done
	return out, err
}

// admitted is a client that must be.
func (w *world) admitted(id, node string) server.Peer {
	w.t.Helper()
	p, err := w.come(id, node)
	if err != nil {
		w.t.Fatalf("%s on %s: %v", id, node, err)
	}
	return p
}

// trusted makes known what identities need.
func (w *world) trusted() {
	w.t.Helper()
	w.hears(xds.News{Trust: trust, Roots: roots(w.t, "root"), Leaves: leaf(w.t, "shop", "1"), Intentions: map[string]mesh.Intentions{"shop": {}}})
}

// inMesh is a world in which shop's sidecars are registered and web has no proxies.
func inMesh(t *testing.T, pairs map[string]string, f func(*world)) {
	inWorld(t, func(w *world) {
		w.declare(mesh.Mesh{})
		w.views.set(catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceConnect, Name: "web"}, nil))
		w.enroll(pairs)
		f(w)
	})
}

func TestARegisteredSidecarHasTheRoleOfItsRegistration(t *testing.T) {
	inMesh(t, map[string]string{"a@n1": registration(9001), "b@n1": registration(9001), "c@n2": registration(9002)}, func(w *world) {
		a, b, c := w.admitted("a", ""), w.admitted("b", "n1"), w.admitted("c", "")
		if a.Role != b.Role || a.Role == c.Role {
			t.Errorf("the roles are %q, %q and %q", a.Role, b.Role, c.Role)
		}
		if a.Node != "a" || b.Node != "b@n1" {
			t.Errorf("the nodes are %q and %q", a.Node, b.Node)
		}
		if service, variant := xds.SplitRole(c.Role); service != "shop" || variant == "" {
			t.Errorf("%q is the variant %q of %q", c.Role, variant, service)
		}
	})
}

func TestWhoIsNotRegisteredIsToldWhatToDo(t *testing.T) {
	pairs := map[string]string{"same@n1": registration(9001), "same@n2": registration(9002), "bad@n1": registration(21000)}
	for name, c := range map[string]struct {
		id, node string
		code     codes.Code
		says     string
	}{
		"an id that is not there":              {"other", "", codes.NotFound, "give the id with -proxy-id"},
		"an id on another node":                {"same", "n3", codes.NotFound, "no sidecar of shop"},
		"an id on two nodes":                   {"same", "", codes.FailedPrecondition, "-node-name"},
		"a registration that is contradictory": {"bad", "", codes.FailedPrecondition, "port 21000 of the same address"},
		"one of two nodes":                     {"same", "n2", codes.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inMesh(t, pairs, func(w *world) {
				_, err := w.come(c.id, c.node)
				if status.Code(err) != c.code || c.says != "" && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestAServiceWithoutSidecarsIsNotReadOn(t *testing.T) {
	inMesh(t, nil, func(w *world) {
		if _, err := w.come("a", ""); status.Code(err) != codes.NotFound {
			t.Errorf("a client without any registration: %v", err)
		}
		w.settle()
		if slices.Contains(w.views.list(), proxiesOf("shop")) {
			t.Error("the registrations of a service that has none are still read")
		}
	})
}

func TestAChangedRegistrationLetsGoOfItsSidecarAlone(t *testing.T) {
	inMesh(t, map[string]string{"a@n1": registration(9001), "b@n1": registration(9001)}, func(w *world) {
		here := []server.Peer{w.admitted("a", ""), w.admitted("b", "")}
		w.evicted = nil
		w.clients = here
		w.enroll(map[string]string{"a@n1": registration(9003), "b@n1": registration(9001)})
		if want := []string{"a"}; !slices.Equal(w.evicted, want) {
			t.Fatalf("let go of %v, want %v", w.evicted, want)
		}
		if again := w.admitted("a", ""); again.Role == here[0].Role || !w.store.Has(again.Role) {
			t.Errorf("a comes back to %q", again.Role)
		}
		w.evicted = nil
		w.enroll(map[string]string{"b@n1": registration(9001)})
		if len(w.evicted) > 0 {
			t.Errorf("let go of %v, whose registrations are gone or as they were", w.evicted)
		}
	})
}

func TestASidecarKeepsItsRoleWhileItIsThere(t *testing.T) {
	inMesh(t, map[string]string{"a@n1": registration(9001)}, func(w *world) {
		a := w.admitted("a", "")
		w.clients = []server.Peer{a}
		w.enroll(nil)
		if len(w.evicted) > 0 || !w.feed.Declared(a.Role) {
			t.Errorf("let go of %v; the role of a sidecar whose registration is gone is declared: %v", w.evicted, w.feed.Declared(a.Role))
		}
		w.clients = nil
		w.enroll(map[string]string{"b@n1": registration(9002)})
		if w.feed.Declared(a.Role) || w.store.Has(a.Role) {
			t.Error("a role that nobody has is still there")
		}
	})
}

func TestARegistrationThatBecomesWrongLeavesTheLastGood(t *testing.T) {
	inMesh(t, map[string]string{"a@n1": registration(9001)}, func(w *world) {
		a := w.admitted("a", "")
		w.clients = []server.Peer{a}
		w.enroll(map[string]string{"a@n1": registration(21000)})
		if again := w.admitted("a", ""); again.Role != a.Role || len(w.evicted) > 0 {
			t.Errorf("let go of %v; the role was %q and is %q", w.evicted, a.Role, again.Role)
		}
	})
}

func TestNobodyNamesAVariantOutright(t *testing.T) {
	inMesh(t, map[string]string{"a@n1": registration(9001)}, func(w *world) {
		ctx, cancel := context.WithTimeout(peer.NewContext(w.ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}), time.Minute)
		defer cancel()
		meta, err := structpb.NewStruct(map[string]any{xds.RoleKey: xds.VariantRole("shop", "none")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.feed.Admit(ctx, &core.Node{Id: "a", Metadata: meta}); status.Code(err) != codes.NotFound {
			t.Error(err)
		}
	})
}

func TestTheFileOwnsTheSidecarsThatItDeclares(t *testing.T) {
	inMesh(t, map[string]string{"a@n1": registration(9001)}, func(w *world) {
		w.declare(mesh.Mesh{Sidecars: []mesh.Sidecar{{Service: "shop", Inbound: &mesh.Inbound{Port: 1, LocalPort: 2}}}})
		if p := w.admitted("a", ""); p.Role != xds.SidecarRole("shop") {
			t.Errorf("the role is %q", p.Role)
		}
	})
}

func TestRegistrationsOutliveAProcess(t *testing.T) {
	known := []*catalog.View{catalog.NewPairsView(proxiesOf("shop"), map[string]string{catalog.ProxyKey("a", "n1"): registration(9001)}),
		catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceConnect, Name: "web"}, nil)}
	inWorldAfter(t, known, func(w *world) {
		w.declare(mesh.Mesh{})
		w.settle()
		if p := w.admitted("a", ""); !w.store.Has(p.Role) {
			t.Errorf("%q is not served", p.Role)
		}
	})
}

func TestManyRolesOfOneServiceKeepItsCertificate(t *testing.T) {
	pairs := map[string]string{}
	for n := range 4 {
		pairs[fmt.Sprintf("p%d@n1", n)] = registration(9001 + n)
	}
	inMesh(t, pairs, func(w *world) {
		w.declare(mesh.Mesh{Sidecars: []mesh.Sidecar{{Service: "zoo", Connect: true, Inbound: &mesh.Inbound{Port: 1, LocalPort: 2}}}})
		w.clients = []server.Peer{w.admitted("p0", "")}
		pairs["p0@n1"] = registration(9100)
		w.enroll(pairs)
		role, err := w.feed.Registered(w.ctx, "shop", "p0", "")
		if err != nil || role == w.clients[0].Role || !w.store.Has(role) {
			t.Errorf("%v: %q is not served though the certificate of shop was known before", err, role)
		}
	})
}
