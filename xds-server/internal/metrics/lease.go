package metrics

import "github.com/prometheus/client_golang/prometheus"

// leases are the numbers of the shares of budgets.
type leases struct {
	renewed prometheus.Counter
	refused prometheus.Counter
	holders prometheus.Gauge
	keys    prometheus.Gauge
}

func newLeases(m *Metrics) leases {
	return leases{
		renewed: counter(m, "weir_lease_renewals_total", "Leases of shared budgets that were renewed."),
		refused: counter(m, "weir_lease_refusals_total", "Requests for leases that were refused."),
		holders: gauge(m, "weir_lease_envoys", "Envoys that hold leases, as of the last renewal."),
		keys:    gauge(m, "weir_lease_buckets", "Buckets of shared budgets that are divided by demand, as of the last renewal."),
	}
}

// LeasesRenewed notes a renewal, and how many Envoys and buckets have leases.
func (m *Metrics) LeasesRenewed(holders, keys int) {
	m.leases.renewed.Inc()
	m.leases.holders.Set(float64(holders))
	m.leases.keys.Set(float64(keys))
}

// LeaseRefused notes a request for leases that was refused.
func (m *Metrics) LeaseRefused() { m.leases.refused.Inc() }
