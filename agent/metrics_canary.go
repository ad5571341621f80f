package agent

import (
	"patchbay/agent/internal/canaries"
	"patchbay/tasks/rollout"

	"github.com/prometheus/client_golang/prometheus"
)

// canaryPhases are all that a canary can be in.
var canaryPhases = []rollout.Phase{rollout.Waiting, rollout.Progressing, rollout.Paused, rollout.Succeeded, rollout.RolledBack, rollout.Aborted}

// canaryGauges reads the canaries when Prometheus asks. Services and subsets are
// bounded by the configuration, so they may be labels.
type canaryGauges struct {
	records       func() []canaries.Record
	weight, phase *prometheus.Desc
}

func (m *metrics) canaries(records func() []canaries.Record) {
	m.registry.MustRegister(canaryGauges{records,
		prometheus.NewDesc("patchbay_canary_weight_ratio", "Share of a service's traffic that a subset has, 0 to 1.", []string{"service", "subset"}, nil),
		prometheus.NewDesc("patchbay_canary_phase", "1 for the phase that a canary is in.", []string{"service", "phase"}, nil)})
}

// Describe implements [prometheus.Collector].
func (g canaryGauges) Describe(out chan<- *prometheus.Desc) { out <- g.weight; out <- g.phase }

// Collect implements [prometheus.Collector].
func (g canaryGauges) Collect(out chan<- prometheus.Metric) {
	for _, r := range g.records() {
		for subset, share := range rollout.Weights(r.State) {
			out <- prometheus.MustNewConstMetric(g.weight, prometheus.GaugeValue, float64(share)/float64(rollout.Whole), r.Service(), subset)
		}
		for _, phase := range canaryPhases {
			value := 0.0
			if phase == r.State.Phase {
				value = 1
			}
			out <- prometheus.MustNewConstMetric(g.phase, prometheus.GaugeValue, value, r.Service(), string(phase))
		}
	}
}
