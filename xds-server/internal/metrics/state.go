package metrics

import "github.com/prometheus/client_golang/prometheus"

// State is what a scrape is told beside what was counted.
type State struct {
	Revision  uint64          // number of the configuration in force; 0: the first is not there yet
	Pinned    bool            // a rollback holds
	Problems  int             // of the newest resources
	Held      int             // resources that stand at an earlier version
	Sources   map[string]bool // whether each source can be read
	Resources map[string]int  // in force, by type URL, over all identities
	InSync    int             // streams of Envoys that acknowledged everything
	Pending   int             // resources that wait to be sent, over all streams
	Waiting   int             // responses that wait for their ACK, over all streams
	Draining  int             // resources that are to be taken away, over all streams
	Warming   int             // acknowledged clusters that are not ready yet, over all streams
	HeldBack  int             // resources that wait for a cluster that was refused or warms, over all streams
	Parked    int             // refused resources that are not sent again, over all streams
	Canaries  int             // groups whose canaries have a configuration that the others do not have yet
}

// Ask has the state asked for at every scrape. It is called once; state must be
// safe for concurrent use.
func (m *Metrics) Ask(state func() State) {
	m.registry.MustRegister(&stateCollector{state: state})
}

// stateCollector makes gauges of the state.
type stateCollector struct{ state func() State }

var (
	revisionGauge  = prometheus.NewDesc("weir_config_revision", "Number of the configuration in force.", nil, nil)
	pinnedGauge    = prometheus.NewDesc("weir_config_pinned", "1 while a rollback holds.", nil, nil)
	problemsGauge  = prometheus.NewDesc("weir_config_problems", "Problems of the newest resources.", nil, nil)
	heldGauge      = prometheus.NewDesc("weir_config_resources_held", "Resources that stand at an earlier version because the newest has problems.", nil, nil)
	sourceGauge    = prometheus.NewDesc("weir_config_source_connected", "1 if a source of resources can be read.", []string{"source"}, nil)
	resourcesGauge = prometheus.NewDesc("weir_xds_resources", "xDS resources in force, by type, over all identities.", []string{"type"}, nil)
	nodesGauge     = prometheus.NewDesc("weir_xds_nodes_in_sync", "Envoys that acknowledged everything.", nil, nil)
	pendingGauge   = prometheus.NewDesc("weir_xds_pending_resources", "Resources that wait to be sent, over all streams.", nil, nil)
	waitingGauge   = prometheus.NewDesc("weir_xds_responses_unacknowledged", "Responses that wait for their ACK, over all streams.", nil, nil)
	heldBackGauge  = prometheus.NewDesc("weir_xds_held_back_resources", "Resources that wait for a cluster that was refused or warms, over all streams.", nil, nil)
	drainingGauge  = prometheus.NewDesc("weir_xds_draining_resources", "Resources that are to be taken away after the drain delay, over all streams.", nil, nil)
	warmingGauge   = prometheus.NewDesc("weir_xds_warming_clusters", "Acknowledged clusters that are not ready yet, over all streams.", nil, nil)
	parkedGauge    = prometheus.NewDesc("weir_xds_parked_resources", "Refused resources that are not sent again until they change, over all streams.", nil, nil)
	canaryGauge    = prometheus.NewDesc("weir_config_canary_groups_waiting", "Groups of Envoys whose canaries have a configuration that the others do not have yet.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		revisionGauge, pinnedGauge, problemsGauge, heldGauge, sourceGauge, resourcesGauge,
		nodesGauge, pendingGauge, waitingGauge, drainingGauge, warmingGauge, heldBackGauge, parkedGauge, canaryGauge,
	} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(out chan<- prometheus.Metric) {
	s := c.state()
	tell := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	tell(revisionGauge, float64(s.Revision))
	tell(pinnedGauge, number(s.Pinned))
	tell(problemsGauge, float64(s.Problems))
	tell(heldGauge, float64(s.Held))
	for name, connected := range s.Sources {
		tell(sourceGauge, number(connected), name)
	}
	for label, n := range byLabel(s.Resources) {
		tell(resourcesGauge, float64(n), label)
	}
	tell(nodesGauge, float64(s.InSync))
	tell(pendingGauge, float64(s.Pending))
	tell(waitingGauge, float64(s.Waiting))
	tell(drainingGauge, float64(s.Draining))
	tell(warmingGauge, float64(s.Warming))
	tell(heldBackGauge, float64(s.HeldBack))
	tell(parkedGauge, float64(s.Parked))
	tell(canaryGauge, float64(s.Canaries))
}

// byLabel adds up types that have one label.
func byLabel(resources map[string]int) map[string]int {
	labels := make(map[string]int, len(resources))
	for url, n := range resources {
		labels[typeLabel(url)] += n
	}
	return labels
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
