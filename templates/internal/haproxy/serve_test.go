package haproxy_test

import (
	"testing"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"
)

func TestHaproxyServesWhatConsulHas(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	a, b, c := moduletest.Backend(t, "a"), moduletest.Backend(t, "b"), moduletest.Backend(t, "c")
	s.Give(t, a)
	s.Apply(t) // the first one makes the slots, which needs a reload
	worker := h.Worker(t)

	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     []string
	}{
		{"one instance", []moduletest.Instance{a}, []string{"a"}},
		{"scaled up", []moduletest.Instance{a, b, c}, []string{"a", "b", "c"}},
		{"one moved, one gone", []moduletest.Instance{b}, []string{"b"}},
		{"a critical and a maintained one take no traffic, a warning one does", []moduletest.Instance{
			a.With(func(i *moduletest.Instance) { i.Status = "critical" }),
			b.With(func(i *moduletest.Instance) { i.Status = "maintenance" }),
			c.With(func(i *moduletest.Instance) { i.Status = "warning" }),
		}, []string{"c"}},
		{"the node's address stands for an empty one", []moduletest.Instance{
			a.With(func(i *moduletest.Instance) { i.Address, i.Node = "", i.Address }),
		}, []string{"a"}},
	} {
		s.Give(t, step.services...)
		s.Apply(t)
		h.Serves(t, step.want...)
		s.Settled(t)
		if got := h.Worker(t); got != worker {
			t.Errorf("%s: haproxy was reloaded: worker %s, before %s", step.sentence, got, worker)
		}
	}
}
