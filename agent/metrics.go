package agent

import (
	"patchbay/tasks"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are what Prometheus reads at /metrics. Tasks are bounded by the
// configuration, so they may be labels.
type metrics struct {
	registry *prometheus.Registry
	runs     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patchbay_run_attempts_total", Help: "Attempts of runs by task and phase in which they ended.",
		}, []string{"task", "phase"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "patchbay_run_seconds", Help: "Time from the start of a run to its end, with retries.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 14),
		}, []string{"task"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "patchbay_stage_seconds", Help: "Time of each Terraform stage of an attempt.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
		}, []string{"stage"}),
	}
	m.registry.MustRegister(m.runs, m.seconds, m.stages, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ended counts an attempt that ended.
func (m *metrics) ended(run tasks.Run) {
	m.runs.WithLabelValues(run.Task, string(run.Phase)).Inc()
	if run.Phase.Ended() {
		m.seconds.WithLabelValues(run.Task).Observe(run.Updated.Sub(run.Started).Seconds())
	}
	for stage, took := range run.Took {
		m.stages.WithLabelValues(string(stage)).Observe(took.Seconds())
	}
}

// gauge registers a value that is read when Prometheus asks.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}
