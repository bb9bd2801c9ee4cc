//go:build wasip1

package plugin

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
)

// maxLimitMetrics bounds the limits with counters of their own, over all policies that
// a VM has had: Envoy never forgets a counter. Further ones share those of the first.
const maxLimitMetrics = 256

// sharedLimit is the index and the name of the counters that further limits share.
const (
	sharedLimit = 0
	sharedName  = "_other" // no limit and no custom entry can be named so
)

// limitCounts are the counters of a limit, each weir.limit.<name>.<count>. They count
// streams that have ended: the first three requests, the others what the limit counts.
var limitCounts = [...]string{"allowed", "limited", "failed", "reserved", "settled", "refunded", "overrun"}

// Indices in limitCounts.
const (
	countAllowed = iota
	countLimited
	countFailed
	countReserved
	countSettled
	countRefunded
	countOverrun
)

// limitMetrics are the counters of one limit.
type limitMetrics struct {
	name   uint64 // hash of the limit's name, which is also what buckets know it by
	counts [len(limitCounts)]counter
}

// limitMetrics returns by the index of each limit of a program that of its counters.
// Those of a name are defined once; updates find them again.
func (m *metrics) limitMetrics(p *engine.Program) []uint16 {
	limits := p.Document().Limits
	if len(m.limits) == 0 && len(limits) > 0 {
		m.defineLimit(0, sharedName)
	}
	index := make([]uint16, len(limits))
	for i := range limits {
		index[i] = m.limit(limits[i].Name)
	}
	return index
}

func (m *metrics) limit(name string) uint16 {
	hash := bucket.LimitKey(name).Sum()
	for i := 1; i < len(m.limits); i++ {
		if m.limits[i].name == hash {
			return uint16(i)
		}
	}
	if len(m.limits) > maxLimitMetrics {
		return sharedLimit
	}
	m.defineLimit(hash, name)
	return uint16(len(m.limits) - 1)
}

func (m *metrics) defineLimit(hash uint64, name string) {
	l := limitMetrics{name: hash}
	for i, count := range limitCounts {
		text := append(worker.line[:0], "weir.limit."...)
		for _, c := range []byte(name) {
			text = append(text, statByte(c))
		}
		text = append(append(text, '.'), count...)
		worker.line = text
		l.counts[i].metric = defineMetric(metricCounter, view(text))
	}
	m.limits = append(m.limits, l)
}

// statByte is what stands for a byte of a limit's name: dots are between the parts of
// a counter's name, and sinks of statistics have uses for the other signs.
func statByte(c byte) byte {
	switch c {
	case '.', '/', ':', '+':
		return '_'
	}
	return c
}

// tally counts what a request was to the limits that counted it.
func (m *metrics) tally(s *engine.Stream, index []uint16) {
	for i := range s.Tallies() {
		t := s.Tally(i)
		counts := &m.limits[index[t.Limit]].counts
		switch t.Admission {
		case engine.AdmissionLimited:
			counts[countLimited].add(1)
		case engine.AdmissionFailed:
			counts[countFailed].add(1)
		case engine.AdmissionAllowed:
			counts[countAllowed].add(1)
			counts[countReserved].add(t.Reserved)
			counts[countSettled].add(t.Settled)
			counts[countRefunded].add(max(t.Reserved-t.Settled, 0))
			counts[countOverrun].add(max(t.Settled-t.Reserved, 0))
		}
	}
}

func (m *metrics) flushLimits() {
	for i := range m.limits {
		for j := range m.limits[i].counts {
			m.limits[i].counts[j].flush()
		}
	}
}
