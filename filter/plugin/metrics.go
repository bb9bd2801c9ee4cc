//go:build wasip1

package plugin

import "unsafe"

// Metric types of the ABI.
const (
	metricCounter = 0
	metricGauge   = 1
)

// metric is a counter or gauge of Envoy; 0 is one that could not be defined.
type metric struct {
	id      uint32
	defined bool
}

// add changes the metric; a counter takes positive numbers only.
func (m metric) add(n int64) {
	if m.defined && n != 0 {
		proxyIncrementMetric(m.id, n)
	}
}

func defineMetric(kind uint32, name string) metric {
	s := status(proxyDefineMetric(kind, textPointer(name), uint32(len(name)), unsafe.Pointer(&outID)))
	return metric{id: outID, defined: s == statusOK}
}

// metrics are the numbers of a VM; Envoy adds up those of all workers and
// prefixes the names with wasmcustom.
type metrics struct {
	requests        metric // weir.requests: requests that the filter saw
	held            metric // weir.held_bytes: body bytes held over callbacks now, by streams that hold 64 KiB or more
	hostErrors      metric // weir.host_errors: host calls with an answer that none expects
	bucketConflicts metric // weir.bucket_conflicts: steps that another worker beat
	bucketFailures  metric // weir.bucket_failures: charges that the store could not do
	replies         [len(replyCodes)]metric
	redactions      [len(entityNames)]metric
}

func (m *metrics) define() {
	m.requests = defineMetric(metricCounter, "weir.requests")
	m.held = defineMetric(metricGauge, "weir.held_bytes")
	m.hostErrors = defineMetric(metricCounter, "weir.host_errors")
	m.bucketConflicts = defineMetric(metricCounter, "weir.bucket_conflicts")
	m.bucketFailures = defineMetric(metricCounter, "weir.bucket_failures")
	for i, code := range replyCodes {
		m.replies[i] = defineMetric(metricCounter, "weir.replies."+code)
	}
	for i, name := range entityNames {
		m.redactions[i] = defineMetric(metricCounter, "weir.redactions."+name)
	}
}

// replied counts a local reply by its code; codes of no own metric count under
// the last one.
func (m *metrics) replied(code string) {
	for i := range replyCodes {
		if replyCodes[i] == code || i == len(replyCodes)-1 {
			m.replies[i].add(1)
			return
		}
	}
}
