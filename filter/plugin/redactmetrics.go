//go:build wasip1

package plugin

import (
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// redactionMetric counts values of a kind that were found in a direction and treated in
// a mode, in requests of an outcome: weir.redactions.<kind>.<direction>.<mode>.<outcome>.
// There are as many as have ever been counted: at most 29 x 2 x 8 x 2.
type redactionMetric struct {
	counter
	kind      spec.EntityKind
	direction spec.Direction
	mode      spec.RedactionMode
	refused   bool
}

// outcomes are those of requests: what of them went on, and what was answered here.
var outcomes = [...]string{"forwarded", "refused"}

// redacted counts what was found in a request and its answer.
func (m *metrics) redacted(s *engine.Stream, refused bool) {
	for _, d := range [...]spec.Direction{spec.DirectionRequest, spec.DirectionResponse} {
		for kind := range spec.EntityKind(redact.Kinds) {
			if n := s.Found(d, kind); n > 0 {
				m.redaction(redactionMetric{kind: kind, direction: d, mode: s.FoundMode(d, kind), refused: refused}).add(int64(n))
			}
		}
	}
}

// redaction returns the counter like want; it is defined when it first counts.
func (m *metrics) redaction(want redactionMetric) *counter {
	for i := range m.redactions {
		r := &m.redactions[i]
		if r.kind == want.kind && r.direction == want.direction && r.mode == want.mode && r.refused == want.refused {
			return &r.counter
		}
	}
	outcome := outcomes[0]
	if want.refused {
		outcome = outcomes[1]
	}
	name := append(worker.line[:0], "weir.redactions."...)
	for _, part := range [...]string{want.kind.String(), ".", want.direction.String(), ".", want.mode.String(), ".", outcome} {
		name = append(name, part...)
	}
	worker.line = name
	want.metric = defineMetric(metricCounter, view(name))
	m.redactions = append(m.redactions, want)
	return &m.redactions[len(m.redactions)-1].counter
}
