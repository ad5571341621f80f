package rollout

import (
	"testing"
	"time"
)

// A call while a step is held is what happens most: on each change of health.
func BenchmarkStepOfAHeldCanary(b *testing.B) {
	p := webPlan()
	p.Metrics = []Metric{errorRate()}
	s, _ := Step(p, State{}, good(p, State{}, start), start)
	s, _ = Step(p, s, good(p, s, start), start.Add(time.Second))
	if s.Phase != Progressing {
		b.Fatalf("the canary is %s, want progressing", s.Phase)
	}
	o := good(p, s, start)
	b.ReportAllocs()
	for b.Loop() {
		s, _ = Step(p, s, o, start.Add(2*time.Second))
	}
}
