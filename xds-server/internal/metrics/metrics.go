// Package metrics counts what the xds-server does, for Prometheus. It
// implements the observers of the packages that do it and imports none of them.
//
// No label is a client's to choose: node ids are not among them. What happened at
// which Envoy stands in the status and in the traces of changes.
package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Metrics are the counters of one server. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	reloadOK   prometheus.Gauge
	reloadTime prometheus.Gauge
	reloads    *prometheus.CounterVec

	streams   prometheus.Gauge
	closed    *prometheus.CounterVec
	responses *prometheus.CounterVec
	updated   *prometheus.CounterVec
	removed   *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	nacks     *prometheus.CounterVec
	acks      *prometheus.HistogramVec

	suppressed *prometheus.CounterVec
	parked     *prometheus.CounterVec
	pushes     prometheus.Histogram
	converged  prometheus.Histogram

	changePushed    prometheus.Histogram
	changeConverged prometheus.Histogram

	issued   prometheus.Counter
	refused  prometheus.Counter
	rejected prometheus.Counter

	leases   leases
	evidence evidence
}

// New returns metrics that are all zero.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.reloadOK = gauge(m, "weir_config_last_reload_successful", "1 if the resources on disk are in force, 0 if an older version is because they have a problem.")
	m.reloadTime = gauge(m, "weir_config_last_reload_success_timestamp_seconds", "When resources were last put in force, in Unix time.")
	m.reloads = counters(m, "weir_config_reloads_total", "Reads of the resources, by result.", "result")
	m.streams = gauge(m, "weir_xds_streams", "Open xDS streams.")
	m.closed = counters(m, "weir_xds_streams_closed_total", "xDS streams that ended, by reason.", "reason")
	m.responses = counters(m, "weir_xds_responses_total", "xDS responses sent, by resource type.", "type")
	m.updated = counters(m, "weir_xds_resources_sent_total", "Resources sent, by type.", "type")
	m.removed = counters(m, "weir_xds_resources_removed_total", "Removals of resources sent, by type.", "type")
	m.bytes = counters(m, "weir_xds_response_bytes_total", "Size of the xDS responses sent, by type.", "type")
	m.nacks = counters(m, "weir_xds_nacks_total", "Responses that an Envoy refused, by type.", "type")
	m.acks = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weir_xds_ack_seconds", Help: "Time from a response to its ACK, by type.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"type"})
	m.registry.MustRegister(m.acks)
	m.suppressed = counters(m, "weir_xds_resends_suppressed_total", "Refused resources that were not sent again because nothing in them changed, by type.", "type")
	m.parked = counters(m, "weir_xds_resources_refused_total", "Resources that an Envoy refused, by type.", "type")
	m.pushes = seconds(m, "weir_xds_push_seconds", "Time from the publication of a snapshot to its first response to an Envoy.")
	m.converged = seconds(m, "weir_xds_convergence_seconds", "Time from the publication of a snapshot until an Envoy acknowledged all of it.")
	m.changePushed = seconds(m, "weir_change_push_seconds", "Time from the acceptance of a change to its first response to an Envoy, one observation for each Envoy.")
	m.changeConverged = seconds(m, "weir_change_convergence_seconds", "Time from the acceptance of a change until an Envoy acknowledged all of it, one observation for each Envoy.")
	m.issued = counter(m, "weir_identity_svids_issued_total", "SVIDs made by the development CA.")
	m.refused = counter(m, "weir_identity_refusals_total", "Requests for identities that a process has no right to.")
	m.rejected = counter(m, "weir_identity_secret_nacks_total", "Secrets that an Envoy refused.")
	m.leases = newLeases(m)
	m.evidence = newEvidence(m)
	return m
}

func gauge(m *Metrics, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.registry.MustRegister(g)
	return g
}

func counter(m *Metrics, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func counters(m *Metrics, name, help, label string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	m.registry.MustRegister(c)
	return c
}

// seconds is a histogram of times that are milliseconds when all is well.
func seconds(m *Metrics, name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help,
		Buckets: []float64{.001, .0025, .005, .01, .02, .03, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}})
	m.registry.MustRegister(h)
	return h
}

// Handler serves the metrics in Prometheus' text formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Reloaded notes a read of the resources that was put in force.
func (m *Metrics) Reloaded(at time.Time) {
	m.reloadOK.Set(1)
	m.reloadTime.Set(float64(at.UnixMilli()) / 1000)
	m.reloads.WithLabelValues("success").Inc()
}

// ReloadFailed notes a read of the resources that had problems.
func (m *Metrics) ReloadFailed() {
	m.reloadOK.Set(0)
	m.reloads.WithLabelValues("problem").Inc()
}

// StreamOpened notes a new xDS stream.
func (m *Metrics) StreamOpened() { m.streams.Inc() }

// StreamClosed notes the end of an xDS stream.
func (m *Metrics) StreamClosed(reason string) {
	m.streams.Dec()
	m.closed.WithLabelValues(reason).Inc()
}

// ResponseSent notes an xDS response.
func (m *Metrics) ResponseSent(typeURL string, updated, removed, bytes int) {
	t := typeLabel(typeURL)
	m.responses.WithLabelValues(t).Inc()
	m.updated.WithLabelValues(t).Add(float64(updated))
	m.removed.WithLabelValues(t).Add(float64(removed))
	m.bytes.WithLabelValues(t).Add(float64(bytes))
}

// Acked notes an ACK and how long the Envoy took.
func (m *Metrics) Acked(typeURL string, took time.Duration) {
	m.acks.WithLabelValues(typeLabel(typeURL)).Observe(took.Seconds())
}

// Nacked notes a NACK.
func (m *Metrics) Nacked(typeURL string) { m.nacks.WithLabelValues(typeLabel(typeURL)).Inc() }

// Suppressed notes refused resources that were not sent again.
func (m *Metrics) Suppressed(typeURL string, resources int) {
	m.suppressed.WithLabelValues(typeLabel(typeURL)).Add(float64(resources))
}

// Parked notes the resources that an Envoy refused.
func (m *Metrics) Parked(_ spiffeid.ID, _, _, typeURL string, names []string, _ string) {
	m.parked.WithLabelValues(typeLabel(typeURL)).Add(float64(len(names)))
}

// Pushed notes the first response of a snapshot to an Envoy.
func (m *Metrics) Pushed(_ spiffeid.ID, _, _ string, took time.Duration) {
	m.pushes.Observe(took.Seconds())
}

// Converged notes that an Envoy acknowledged all of a snapshot.
func (m *Metrics) Converged(_ spiffeid.ID, _, _ string, took time.Duration) {
	m.converged.Observe(took.Seconds())
}

// Issued notes an SVID that was made.
func (m *Metrics) Issued() { m.issued.Inc() }

// Refused notes a request for an identity without the right to it.
func (m *Metrics) Refused() { m.refused.Inc() }

// Rejected notes a secret that an Envoy refused.
func (m *Metrics) Rejected() { m.rejected.Inc() }

// typeLabel is the message name of a type URL. A client chooses the type URL, so
// that only known ones become labels.
func typeLabel(typeURL string) string {
	switch name := typeURL[strings.LastIndexByte(typeURL, '.')+1:]; name {
	case "Cluster", "ClusterLoadAssignment", "Listener", "ScopedRouteConfiguration", "RouteConfiguration", "TypedExtensionConfig", "Secret":
		return name
	default:
		return "other"
	}
}
