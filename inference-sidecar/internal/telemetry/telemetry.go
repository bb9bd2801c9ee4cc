// Package telemetry counts what the server does, under the names of Triton Inference Server where it has one, so that
// existing dashboards and scaling rules work.
package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Reason is why a request failed, in Triton's words.
type Reason string

// The reasons: refused by admission, given up by the client or its time limit, failed in the runtime, anything else (a
// bad request, for instance).
const (
	Rejected Reason = "REJECTED"
	Canceled Reason = "CANCELED"
	Backend  Reason = "BACKEND"
	Other    Reason = "OTHER"
)

var reasons = []Reason{Rejected, Canceled, Backend, Other}

// Metrics are the metrics of all models of one server.
type Metrics struct {
	registry *prometheus.Registry

	success, failure, inferences, executions       *prometheus.CounterVec
	request, queue, input, infer, output, tokensIn *prometheus.CounterVec
	pending, loadSeconds                           *prometheus.GaugeVec
	latency                                        *prometheus.HistogramVec
}

// latencyBuckets, in seconds, follow a model that answers within milliseconds as well as one that takes seconds.
var latencyBuckets = []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1.024, 2.048, 4.096, 8.192, 16.384}

// New returns Metrics that count from zero.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	labels := []string{"model", "version"}
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(labels[:2:2], more...))
		m.registry.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.success = counter("nv_inference_request_success", "Requests answered with a result.")
	m.failure = counter("nv_inference_request_failure", "Requests answered with an error, by reason.", "reason")
	m.inferences = counter("nv_inference_count", "Inferences: batch elements, or texts.")
	m.executions = counter("nv_inference_exec_count", "Runs of the model.")
	m.request = counter("nv_inference_request_duration_us", "Time of requests from admission to answer, in microseconds.")
	m.queue = counter("nv_inference_queue_duration_us", "Time that runs waited for a slot, in microseconds.")
	m.input = counter("nv_inference_compute_input_duration_us", "Time for reading and tokenising inputs, in microseconds.")
	m.infer = counter("nv_inference_compute_infer_duration_us", "Time in the model, in microseconds.")
	m.output = counter("nv_inference_compute_output_duration_us", "Time for writing outputs, in microseconds.")
	m.tokensIn = counter("weir_inference_input_tokens_total", "Tokens that models were given by texts.")
	m.pending = gauge("nv_inference_pending_request_count", "Requests that are admitted and not answered.")
	m.loadSeconds = gauge("nv_model_load_duration_secs", "Time that loading the model took, in seconds.")
	m.latency = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weir_inference_request_duration_seconds", Help: "Time of requests from admission to answer, in seconds.", Buckets: latencyBuckets,
	}, labels)
	m.registry.MustRegister(m.latency, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in the Prometheus text format. OpenMetrics, which scrapers prefer where it is offered, would
// add _total to the counters, and they would have Triton's names no more.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Model are the metrics of one version of a model. It is safe for concurrent use.
type Model struct {
	success, inferences, executions                prometheus.Counter
	request, queue, input, infer, output, tokensIn prometheus.Counter
	failure                                        map[Reason]prometheus.Counter
	pending                                        prometheus.Gauge
	latency                                        prometheus.Observer
}

// Loaded returns the metrics of a version that took the given time to load. All exist from then on, with the value zero.
func (m *Metrics) Loaded(model, version string, took time.Duration) *Model {
	of := func(v *prometheus.CounterVec) prometheus.Counter { return v.WithLabelValues(model, version) }
	m.loadSeconds.WithLabelValues(model, version).Set(took.Seconds())
	out := &Model{
		success: of(m.success), inferences: of(m.inferences), executions: of(m.executions),
		request: of(m.request), queue: of(m.queue), input: of(m.input), infer: of(m.infer), output: of(m.output), tokensIn: of(m.tokensIn),
		failure: map[Reason]prometheus.Counter{},
		pending: m.pending.WithLabelValues(model, version),
		latency: m.latency.WithLabelValues(model, version),
	}
	for _, r := range reasons {
		out.failure[r] = m.failure.WithLabelValues(model, version, string(r))
	}
	return out
}

func micros(d time.Duration) float64 { return float64(max(d, 0)) / float64(time.Microsecond) }

// Begin counts a request as pending. The caller calls end, once, with its whole time and, if it failed, the reason.
func (m *Model) Begin() (end func(took time.Duration, failed Reason)) {
	m.pending.Inc()
	return func(took time.Duration, failed Reason) {
		m.pending.Dec()
		m.request.Add(micros(took))
		m.latency.Observe(max(took, 0).Seconds())
		if failed == "" {
			m.success.Inc()
			return
		}
		m.failure[failed].Inc()
	}
}

// Refused counts a request that was not admitted.
func (m *Model) Refused() { m.failure[Rejected].Inc() }

// Ran counts a run of n inferences that waited and then computed for the given times.
func (m *Model) Ran(n int, waited, computed time.Duration) {
	m.executions.Inc()
	m.inferences.Add(float64(n))
	m.queue.Add(micros(waited))
	m.infer.Add(micros(computed))
}

// Read counts the time for reading and tokenising a request and the tokens of its texts.
func (m *Model) Read(took time.Duration, tokens int) {
	m.input.Add(micros(took))
	m.tokensIn.Add(float64(tokens))
}

// Wrote counts the time for writing an answer.
func (m *Model) Wrote(took time.Duration) { m.output.Add(micros(took)) }
