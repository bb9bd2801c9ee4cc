//go:build wasip1

package plugin

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/engine"
)

// Metric types of the ABI.
const (
	metricCounter = 0
	metricGauge   = 1
)

// metric is a number that Envoy keeps.
type metric struct {
	id      uint32
	defined bool
}

func defineMetric(kind uint32, name string) metric {
	s := status(proxyDefineMetric(kind, textPointer(name), uint32(len(name)), unsafe.Pointer(&outID)))
	return metric{id: outID, defined: s == statusOK}
}

// counter only grows. It is counted here and told to Envoy with the tick: a host
// call costs more than much of the work that it would count.
type counter struct {
	metric
	pending int64
}

func (c *counter) add(n int64) { c.pending += n }

//go:noinline
func (c *counter) flush() {
	if c.defined && c.pending > 0 {
		proxyIncrementMetric(c.id, c.pending)
	}
	c.pending = 0
}

// gauge goes up and down.
type gauge struct{ metric }

// add changes what all VMs together have; set tells what this one has.
func (g gauge) add(n int64) {
	if g.defined && n != 0 {
		proxyIncrementMetric(g.id, n)
	}
}

func (g gauge) set(n uint64) {
	if g.defined {
		proxyRecordMetric(g.id, n)
	}
}

// metrics are the numbers of a VM; Envoy adds up those of all workers and
// prefixes the names with wasmcustom.
type metrics struct {
	held            gauge   // weir.held_bytes: body bytes held over callbacks now, by streams that hold 64 KiB or more
	memory          gauge   // weir.memory_bytes: linear memory of the VM that said so last
	requests        counter // weir.requests: requests that the filter saw
	hostErrors      counter // weir.host_errors: host calls with an answer that none expects
	bucketConflicts counter // weir.bucket_conflicts: steps that another worker beat
	bucketFailures  [len(failureNames)]counter
	leaseRenewals   counter // weir.lease_renewals: answers of the xds-server that were put in force
	leaseFailures   counter // weir.lease_failures: calls of it that failed
	reserved        counter // weir.tokens_reserved: tokens taken from budgets before requests, once a request
	settledTokens   counter // weir.tokens_settled: tokens that these requests cost
	refunded        counter // weir.tokens_refunded: of the reserved ones, those that flowed back
	overrun         counter // weir.tokens_overrun: those that requests cost beyond what was reserved
	unpaid          counter // weir.tokens_unpaid: of the overrun, those beyond what a budget may owe
	lowered         counter // weir.caps_lowered: requests whose output cap was lowered to what was left
	stopped         counter // weir.streams_stopped: streams that were ended because nothing was left
	cutOff          counter // weir.streams_cut_off: of these, those whose upstream went on for longer than the grace
	unlisted        counter // weir.reservations_unlisted: those that found no room in the list of open ones
	recordsSealed   counter // weir.records_sealed: records that a key seals
	recordsUnsealed counter // weir.records_unsealed: those of a chain that no key seals yet
	keyFailures     counter // weir.record_key_failures: calls of the xds-server for keys that failed
	orphaned        counter // weir.reservations_orphaned: those of a worker that trapped, settled by another
	settlements     [len(wayNames)]counter
	replies         [len(replyCodes)]counter
	answers         [len(answerNames)]counter // weir.answers.<what went wrong>
	redactions      []redactionMetric
	customs         []uint64       // hashes of names of custom entries with counters of their own
	limits          []limitMetrics // by index, see limitMetrics
}

func (m *metrics) define() {
	m.held.metric = defineMetric(metricGauge, "weir.held_bytes")
	m.memory.metric = defineMetric(metricGauge, "weir.memory_bytes")
	m.requests.metric = defineMetric(metricCounter, "weir.requests")
	m.hostErrors.metric = defineMetric(metricCounter, "weir.host_errors")
	m.bucketConflicts.metric = defineMetric(metricCounter, "weir.bucket_conflicts")
	for i, name := range failureNames {
		m.bucketFailures[i].metric = defineMetric(metricCounter, "weir.bucket_failures."+name)
	}
	m.leaseRenewals.metric = defineMetric(metricCounter, "weir.lease_renewals")
	m.leaseFailures.metric = defineMetric(metricCounter, "weir.lease_failures")
	for i, code := range replyCodes {
		m.replies[i].metric = defineMetric(metricCounter, "weir.replies."+code)
	}
	m.reserved.metric = defineMetric(metricCounter, "weir.tokens_reserved")
	m.settledTokens.metric = defineMetric(metricCounter, "weir.tokens_settled")
	m.refunded.metric = defineMetric(metricCounter, "weir.tokens_refunded")
	m.overrun.metric = defineMetric(metricCounter, "weir.tokens_overrun")
	m.unpaid.metric = defineMetric(metricCounter, "weir.tokens_unpaid")
	m.lowered.metric = defineMetric(metricCounter, "weir.caps_lowered")
	m.stopped.metric = defineMetric(metricCounter, "weir.streams_stopped")
	m.cutOff.metric = defineMetric(metricCounter, "weir.streams_cut_off")
	m.unlisted.metric = defineMetric(metricCounter, "weir.reservations_unlisted")
	m.orphaned.metric = defineMetric(metricCounter, "weir.reservations_orphaned")
	m.recordsSealed.metric = defineMetric(metricCounter, "weir.records_sealed")
	m.recordsUnsealed.metric = defineMetric(metricCounter, "weir.records_unsealed")
	m.keyFailures.metric = defineMetric(metricCounter, "weir.record_key_failures")
	for i, name := range answerNames {
		m.answers[i].metric = defineMetric(metricCounter, "weir.answers."+name)
	}
	for i, name := range wayNames {
		m.settlements[i].metric = defineMetric(metricCounter, "weir.settlements."+name)
	}
}

// flush tells Envoy what was counted since the last tick.
func (m *metrics) flush() {
	m.memory.set(uint64(memoryPages(0)) * wasmPage)
	m.requests.flush()
	m.hostErrors.flush()
	m.bucketConflicts.flush()
	for i := range m.bucketFailures {
		m.bucketFailures[i].flush()
	}
	m.leaseRenewals.flush()
	m.leaseFailures.flush()
	for i := range m.replies {
		m.replies[i].flush()
	}
	for i := range m.redactions {
		m.redactions[i].flush()
	}
	m.reserved.flush()
	m.settledTokens.flush()
	m.refunded.flush()
	m.overrun.flush()
	m.unpaid.flush()
	m.lowered.flush()
	m.stopped.flush()
	m.cutOff.flush()
	m.flushLimits()
	m.unlisted.flush()
	m.orphaned.flush()
	m.recordsSealed.flush()
	m.recordsUnsealed.flush()
	m.keyFailures.flush()
	for i := range m.answers {
		m.answers[i].flush()
	}
	for i := range m.settlements {
		m.settlements[i].flush()
	}
}

// stored counts what a store and its leases met since it was last asked.
func (m *metrics) stored(s *pageStore, l *leases) {
	m.bucketConflicts.add(int64(s.conflicts))
	s.conflicts = 0
	for i := range s.failures {
		m.bucketFailures[i].add(int64(s.failures[i]))
		s.failures[i] = 0
	}
	m.leaseRenewals.add(int64(l.renewals))
	m.leaseFailures.add(int64(l.failures))
	l.renewals, l.failures = 0, 0
}

// sealed counts what a worker's seal did since it was last asked.
func (m *metrics) sealed(s *seal) {
	m.recordsSealed.add(int64(s.sealed))
	m.recordsUnsealed.add(int64(s.unsealed))
	m.keyFailures.add(int64(s.failures))
	s.sealed, s.unsealed, s.failures = 0, 0, 0
}

// settled counts a settlement.
func (m *metrics) settled(s *engine.Settlement) {
	cost := s.Settled()
	m.reserved.add(s.Reserved)
	m.settledTokens.add(cost)
	m.refunded.add(max(s.Reserved-cost, 0))
	m.overrun.add(max(cost-s.Reserved, 0))
	m.unpaid.add(s.Unpaid)
	m.settlements[s.Way].add(1)
	if s.Lowered {
		m.lowered.add(1)
	}
	if s.Stopped {
		m.stopped.add(1)
	}
}

const wasmPage = 64 << 10

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
