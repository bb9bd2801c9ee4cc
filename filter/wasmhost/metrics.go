package wasmhost

import (
	"maps"
	"slices"
)

// metricType is proxy_metric_type_t.
type metricType uint32

const (
	metricCounter metricType = iota
	metricGauge
	metricHistogram
)

// metricTypeBits of an id carry its type, as in Envoy.
const metricTypeBits = 2

type metricTable struct {
	names  []string // by id >> metricTypeBits
	values map[string]int64
}

func newMetricTable() *metricTable { return &metricTable{values: map[string]int64{}} }

// define returns the id of a metric; as in Envoy, defining a name twice gives
// two ids for one metric.
func (m *metricTable) define(t metricType, name string) uint32 {
	m.names = append(m.names, name)
	m.values[name] += 0
	return uint32(len(m.names)-1)<<metricTypeBits | uint32(t)
}

func (m *metricTable) name(id uint32) (string, bool) {
	i := int(id >> metricTypeBits)
	if i >= len(m.names) {
		return "", false
	}
	return m.names[i], true
}

func (m *metricTable) increment(id uint32, offset int64) Status {
	name, ok := m.name(id)
	if !ok {
		return StatusNotFound
	}
	switch t := metricType(id & (1<<metricTypeBits - 1)); {
	case t == metricCounter && offset <= 0, t == metricHistogram:
		return StatusBadArgument
	}
	m.values[name] += offset
	return StatusOK
}

func (m *metricTable) record(id uint32, value uint64) Status {
	name, ok := m.name(id)
	if !ok {
		return StatusNotFound
	}
	if metricType(id&(1<<metricTypeBits-1)) == metricGauge {
		m.values[name] = int64(value)
	} else {
		m.values[name] += int64(value)
	}
	return StatusOK
}

// Metrics are the values of all metrics that the filter defined, by name
// (without Envoy's prefix wasmcustom). Histograms are sums.
func (vm *VM) Metrics() map[string]int64 { return maps.Clone(vm.metrics.values) }

// MetricNames are the names of Metrics in order.
func (vm *VM) MetricNames() []string { return slices.Sorted(maps.Keys(vm.metrics.values)) }
