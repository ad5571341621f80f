package agent

import (
	"time"

	"patchbay/xds"

	"github.com/prometheus/client_golang/prometheus"
)

// pushes counts what Envoys are sent; it implements server.Meter.
type pushes struct {
	seconds *prometheus.HistogramVec
	refused *prometheus.CounterVec
}

func (m *metrics) pushes() pushes {
	p := pushes{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "patchbay_xds_push_seconds", Help: "Time from a change to its acknowledgement by a client.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"type"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patchbay_xds_refused_total", Help: "Responses that clients did not accept.",
		}, []string{"type"}),
	}
	m.registry.MustRegister(p.seconds, p.refused)
	return p
}

func (p pushes) Pushed(t xds.Type, took time.Duration) {
	p.seconds.WithLabelValues(t.String()).Observe(took.Seconds())
}

func (p pushes) Refused(t xds.Type) { p.refused.WithLabelValues(t.String()).Inc() }
