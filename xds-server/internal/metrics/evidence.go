package metrics

import "github.com/prometheus/client_golang/prometheus"

// evidence are the numbers of the records of decisions.
type evidence struct {
	records     *prometheus.CounterVec
	missing     prometheus.Counter
	lost        prometheus.Counter
	given       prometheus.Counter
	refused     prometheus.Counter
	outstanding prometheus.Gauge
}

func newEvidence(m *Metrics) evidence {
	return evidence{
		records:     counters(m, "weir_evidence_records_total", "Records of decisions that came from Envoys, by what they are worth.", "verdict"),
		missing:     counter(m, "weir_evidence_missing_total", "Records of decisions that never came: later ones of their chains did."),
		lost:        counter(m, "weir_evidence_lost_total", "Records of decisions that came and could not be kept."),
		given:       counter(m, "weir_evidence_keys_total", "Keys for records that were given to workers of Envoys."),
		refused:     counter(m, "weir_evidence_key_refusals_total", "Requests for such keys that were refused."),
		outstanding: gauge(m, "weir_evidence_outstanding", "Records that workers of Envoys say they made and that have not come, as of the last request for a key."),
	}
}

// EvidenceTaken notes a record and those before it that never came.
func (m *Metrics) EvidenceTaken(verdict string, missing uint64) {
	m.evidence.records.WithLabelValues(verdict).Inc()
	m.evidence.missing.Add(float64(missing))
}

// EvidenceLost notes a record that could not be kept.
func (m *Metrics) EvidenceLost() { m.evidence.lost.Inc() }

// EvidenceKeyGiven notes a key that was given, and how many records have not come.
func (m *Metrics) EvidenceKeyGiven(outstanding uint64) {
	m.evidence.given.Inc()
	m.evidence.outstanding.Set(float64(outstanding))
}

// EvidenceKeyRefused notes a request for a key that was refused.
func (m *Metrics) EvidenceKeyRefused() { m.evidence.refused.Inc() }
