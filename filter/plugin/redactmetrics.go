//go:build wasip1

package plugin

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// redactionMetric counts values of a kind that were found in a direction and treated in
// a mode, in requests of an outcome: weir.redactions.<kind>.<direction>.<mode>.<outcome>.
// The kind of a custom entry is custom_<name>, but for the first maxCustomMetrics names
// that a VM met custom__other: Envoy never forgets a counter. There are as many as have
// ever been counted: at most (29 + 65) x 2 x 8 x 2.
type redactionMetric struct {
	counter
	kind      spec.EntityKind // EntityCustom for all custom entries
	name      uint64          // hash of a custom entry's name; 0: none, or the shared one
	direction spec.Direction
	mode      spec.RedactionMode
	refused   bool
}

// maxCustomMetrics bounds the names of custom entries with counters of their own.
const maxCustomMetrics = 64

// outcomes are those of requests: what of them went on, and what was answered here.
var outcomes = [...]string{"forwarded", "refused"}

// redacted counts what was found in a request and its answer.
func (m *metrics) redacted(s *engine.Stream, refused bool) {
	for _, d := range [...]spec.Direction{spec.DirectionRequest, spec.DirectionResponse} {
		for kind := range spec.EntityKind(redact.Kinds) {
			if n := s.Found(d, kind); n > 0 {
				want := redactionMetric{kind: kind, direction: d, mode: s.FoundMode(d, kind), refused: refused}
				m.redaction(want, s.FoundName(kind)).add(int64(n))
			}
		}
	}
}

// custom returns the hash and the name by which matches of a custom entry are counted.
//
//go:noinline
func (m *metrics) custom(name string) (uint64, string) {
	hash := bucket.LimitKey(name).Sum()
	for _, known := range m.customs {
		if known == hash {
			return hash, name
		}
	}
	if len(m.customs) == maxCustomMetrics {
		return 0, sharedName
	}
	m.customs = append(m.customs, hash)
	return hash, name
}

// redaction returns the counter like want, of the kind or entry of that name; it is
// defined when it first counts.
func (m *metrics) redaction(want redactionMetric, name string) *counter {
	if want.kind >= spec.EntityCustom {
		want.kind = spec.EntityCustom
		want.name, name = m.custom(name)
	}
	for i := range m.redactions {
		r := &m.redactions[i]
		if r.kind == want.kind && r.name == want.name && r.direction == want.direction && r.mode == want.mode && r.refused == want.refused {
			return &r.counter
		}
	}
	outcome := outcomes[0]
	if want.refused {
		outcome = outcomes[1]
	}
	line, prefix := append(worker.line[:0], "weir.redactions."...), ""
	if want.kind == spec.EntityCustom {
		prefix = "custom_"
	}
	for _, part := range [...]string{prefix, name, ".", want.direction.String(), ".", want.mode.String(), ".", outcome} {
		line = append(line, part...)
	}
	worker.line = line
	want.metric = defineMetric(metricCounter, view(line))
	m.redactions = append(m.redactions, want)
	return &m.redactions[len(m.redactions)-1].counter
}
