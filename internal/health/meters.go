package health

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"muster/internal/failure"
	"muster/internal/visit"
)

// nativeFactor is the growth of a native histogram's buckets: about a tenth from one to the next. nativeBuckets bounds
// their number.
const (
	nativeFactor  = 1.1
	nativeBuckets = 100
)

// meters are the metrics that are counted as things happen.
type meters struct {
	visits   [3]prometheus.Counter // by outcome
	failures *prometheus.CounterVec
	took     [3]prometheus.Observer // by outcome; nil: not measured
	stages   map[failure.Stage]prometheus.Observer
	sent     prometheus.Counter
	received prometheus.Counter
	uploads  prometheus.Counter
	sweeps   prometheus.Histogram

	all []prometheus.Collector
}

func newMeters() *meters {
	m := &meters{}
	visits := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "muster_visits_total",
		Help: "Visits by outcome; skipped are those that did not take place for reasons that are not the host's.",
	}, []string{"outcome"})
	m.failures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "muster_visit_failures_total",
		Help: "Failed visits by the stage they failed at and the kind of the failure.",
	}, []string{"stage", "kind"})
	took := histogram("muster_visit_duration_seconds", "Duration of visits by outcome, without those skipped.", "outcome")
	stages := histogram("muster_visit_stage_duration_seconds", "Duration of the stages of visits that were not skipped.", "stage")
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "muster_visit_bytes_total", Help: "Bytes on the wire of visits, by direction as the server sees it.",
	}, []string{"direction"})
	m.uploads = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "muster_client_uploads_total", Help: "Visits that had to put the client on the host.",
	})
	sweeps := histogram("muster_sweep_duration_seconds", "Duration of sweeps that ended.")
	m.all = []prometheus.Collector{visits, m.failures, took, stages, bytes, m.uploads, sweeps}

	// All are there from the beginning, so that the first failure is an increase from 0.
	for i, name := range outcomes() {
		m.visits[i] = visits.WithLabelValues(name)
		if outcome(i) != skipped {
			m.took[i] = took.WithLabelValues(name)
		}
	}
	m.stages = make(map[failure.Stage]prometheus.Observer)
	for _, stage := range failure.Stages() {
		m.stages[stage] = stages.WithLabelValues(string(stage))
	}
	m.sent, m.received = bytes.WithLabelValues("sent"), bytes.WithLabelValues("received")
	m.sweeps = sweeps.WithLabelValues().(prometheus.Histogram)
	return m
}

// histogram returns one with native buckets for those who ask for them, and with these for the others: from the command
// on an open connection to the longest deadline that is usual.
func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                        []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		NativeHistogramBucketFactor:    nativeFactor,
		NativeHistogramMaxBucketNumber: nativeBuckets,
	}, labels)
}

// visited counts a visit.
func (m *meters) visited(v *visit.Visit, became outcome) {
	m.visits[became].Inc()
	m.sent.Add(float64(max(v.Sent, 0)))
	m.received.Add(float64(max(v.Received, 0)))
	if v.Uploaded {
		m.uploads.Inc()
	}
	if became == skipped {
		return
	}
	if became == failed {
		m.failures.WithLabelValues(string(v.Failure.Stage), string(v.Failure.Kind)).Inc()
	}
	m.took[became].Observe(v.Took.Seconds())
	for _, t := range v.Stages {
		if stage := m.stages[t.Stage]; stage != nil {
			stage.Observe(t.Took.Seconds())
		}
	}
}

// register fills the registry. It panics where two metrics are the same, which no input can bring about.
func (h *Health) register() {
	h.registry.MustRegister(h.meters.all...)
	h.registry.MustRegister(
		&factsCollector{health: h, metrics: factMetrics()},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
}
