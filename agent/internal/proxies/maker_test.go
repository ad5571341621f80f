package proxies

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"patchbay/xds"
	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
)

// plain is what a client sees of a role.
type plainRole struct {
	Name, Identity string
	Versions       []string
	Targets        []mesh.Target
}

func plainRoles(roles []xds.Role) (out []plainRole) {
	for _, r := range roles {
		p := plainRole{Name: r.Name, Identity: r.Identity, Targets: r.Targets}
		for _, x := range r.Resources {
			p.Versions = append(p.Versions, fmt.Sprint(x.Type, " ", x.Name, " ", x.Version))
		}
		out = append(out, p)
	}
	return out
}

const manyServices = 8

func serviceName(n int) string { return fmt.Sprintf("s%d", n%manyServices) }

// randomTarget is of any service, with datacenter and subset now and then.
func randomTarget(r *rand.Rand) mesh.Target {
	t := mesh.Target{Service: serviceName(r.IntN(manyServices))}
	if r.IntN(6) == 0 {
		t.Datacenter = "dc2"
	}
	return t
}

// randomService leads to others in any way that a service can.
func randomService(r *rand.Rand, n int) mesh.Service {
	s := mesh.Service{Name: serviceName(n), Protocol: mesh.HTTP, Subsets: []mesh.Subset{{Name: "v1"}}, Panic: r.IntN(3)}
	half := uint32(mesh.Whole / 2)
	if r.IntN(3) == 0 {
		s.Default = []mesh.Leg{{Target: s.Own("v1"), Weight: half}, {Target: randomTarget(r), Weight: half}}
	}
	if r.IntN(3) == 0 {
		s.Routes = []mesh.Route{{Name: "r", Match: mesh.Match{Prefix: "/r"}, To: []mesh.Leg{{Target: randomTarget(r), Weight: mesh.Whole}}, Mirror: &mesh.Mirror{Target: randomTarget(r), Share: 100}}}
	}
	if r.IntN(3) == 0 {
		s.Failover = []mesh.Target{randomTarget(r)}
	}
	if r.IntN(3) == 0 {
		s.Subsets[0].Failover = []mesh.Target{randomTarget(r)}
	}
	return s
}

func TestRolesThatAreKeptAreThoseThatWouldBeMade(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := mesh.Mesh{Gateways: []mesh.Gateway{{Name: "edge", Listeners: []mesh.Door{{Port: 1, Protocol: mesh.HTTP, Hosts: []mesh.Host{{Target: randomTarget(r)}}}}}}}
		for n := range manyServices {
			m.Services = append(m.Services, randomService(r, n))
			s := mesh.Sidecar{Service: serviceName(n), Connect: n%2 == 0}
			for k := range 1 + r.IntN(2) {
				s.Upstreams = append(s.Upstreams, mesh.Upstream{Target: randomTarget(r), Port: 100 + k})
			}
			m.Sidecars = append(m.Sidecars, s)
		}
		var k maker
		kept := 0
		for step := range 30 {
			next := m
			next.Services = append([]mesh.Service{}, m.Services...)
			switch n := r.IntN(len(next.Services)); r.IntN(10) {
			case 0: // nothing is declared of it any more
				next.Services = append(next.Services[:n], next.Services[n+1:]...)
			case 1:
				next.Services = append(next.Services, mesh.Service{Name: serviceName(n), Datacenter: "dc2", Protocol: mesh.HTTP, Panic: step})
			case 2:
				next.Observe.AccessLog = fmt.Sprint("/dev/stdout", step)
			case 3:
				next.Sidecars = append([]mesh.Sidecar{}, m.Sidecars...)
				next.Sidecars[0].Upstreams = []mesh.Upstream{{Target: randomTarget(r), Port: 99}}
			default:
				next.Services[n] = randomService(r, r.IntN(manyServices))
			}
			if len(next.Services) == 0 {
				continue
			}
			m = next
			before := k.roles
			got, err := k.make(&m)
			if err != nil {
				t.Fatal(err)
			}
			want, err := xds.NewRoles(&m)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plainRoles(want), plainRoles(got)); diff != "" {
				t.Fatalf("seed %d, step %d: roles (-made +kept):\n%s", seed, step, diff)
			}
			for n := range before {
				if n < len(got) && len(got[n].Resources) > 0 && len(before[n].Resources) > 0 && got[n].Resources[0] == before[n].Resources[0] {
					kept++
				}
			}
		}
		if kept == 0 {
			t.Errorf("seed %d: no role was ever kept", seed)
		}
	}
}

// TestAServiceNamesOthersInNoWayThatIsNotFollowed fails when a service gets another
// field by which it can lead to others.
func TestAServiceNamesOthersInNoWayThatIsNotFollowed(t *testing.T) {
	var found []string
	var walk func(path string, of reflect.Type)
	walk = func(path string, of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(path, of.Elem())
		case reflect.Struct:
			if of == reflect.TypeFor[mesh.Target]() {
				found = append(found, path)
				return
			}
			for n := range of.NumField() {
				walk(path+"."+of.Field(n).Name, of.Field(n).Type)
			}
		}
	}
	walk("", reflect.TypeFor[mesh.Service]())
	want := []string{".Subsets.Failover", ".Routes.To.Target", ".Routes.Mirror.Target", ".Default.Target", ".Failover"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("targets in a service; teach leadsTo the new ones (-known +found):\n%s", diff)
	}
}
