package engine

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// A budget may be kept by a service, whom Envoy's own ratelimit filter asks, behind
// this one, whether it is exceeded, and tells in the end what the request cost. The
// filter says by properties of the stream what to ask and to tell: without them that
// filter leaves the limit out.

// Names of those properties, before the name of the limit or of the part of a key.
// Envoy has them as filter state, behind "wasm.".
const (
	PropertyLimit = "weir.limit." // the limit's name once more
	PropertyCost  = "weir.cost."  // hits when the stream has ended, of limits that count tokens
	PropertyKey   = "weir.key."   // a part of a key
)

// PropertyDecompress tells Envoy's decompressors, in the same way, that the answer is for
// them.
const PropertyDecompress = "weir.decompress"

// Absent is what a service is told of a part of a key that a request does not have.
const Absent = "-"

// mostHits bounds what Envoy's ratelimit filter tells a service at once.
const mostHits = 1_000_000_000

const notText = "is not text in UTF-8"

var absent = []byte(Absent)

// served says whether a service keeps the budget.
func (l *limit) served() bool { return l.asks != "" }

// serve notes that a limit has the part in its key. Envoy knows the client's headers by
// itself.
func (part *keyPart) serve(scope spec.Scope) {
	if scope != spec.ScopeService {
		return
	}
	part.plain = true
	if part.Source != spec.KeyHeader {
		part.told = PropertyKey + part.String()
	}
}

// presentable says whether a service can be told of the parts of a limit's key, which
// it reads as text; otherwise the answer is 400.
func (s *Stream) presentable(l *limit) bool {
	for _, i := range l.parts {
		part := &s.program.parts[i]
		if part.told != "" && !utf8.Valid(s.partValue(part)) {
			return s.refuseParameter(part.String(), notText)
		}
	}
	return true
}

// Question returns the i-th property that Envoy's ratelimit filter has to find when
// the request goes on; more says whether there is another one, and the name is empty
// where there is nothing to tell. The value is valid until the next call of any
// method.
func (s *Stream) Question(i int) (property string, value []byte, more bool) {
	n := s.charges.count
	switch {
	case !s.asked():
		return "", nil, false
	case i < n:
		return s.limit(i).asks, bytesOf(s.program.doc.Limits[s.charges.charge[i].Limit].Name), true
	case i < 2*n:
		property, value, _ = s.Cost(i - n)
		return property, value, true
	case i < 2*n+len(s.program.parts):
		return s.tellPart(&s.program.parts[i-2*n])
	}
	return "", nil, false
}

// tellPart returns the property of a part of a key.
func (s *Stream) tellPart(part *keyPart) (property string, value []byte, more bool) {
	if part.told == "" {
		return "", nil, true
	}
	if value = s.partValue(part); len(value) == 0 {
		value = absent
	}
	return part.told, value, true
}

// asked says whether a service was left a charge.
func (s *Stream) asked() bool {
	for i := range s.charges.count {
		if s.limit(i).served() {
			return true
		}
	}
	return false
}

// Cost returns the i-th property that says what a request cost, as far as is known:
// before the stream has ended, what was reserved. The results are those of Question.
func (s *Stream) Cost(i int) (property string, value []byte, more bool) {
	if i >= s.charges.count {
		return "", nil, false
	}
	l, micro := s.limit(i), int64(0)
	if !l.served() || !l.tokens() {
		return "", nil, true
	}
	switch s.charges.state[i] {
	case chargeAsked:
		micro = s.charges.charge[i].CostMicro
	case chargeReported:
		micro = s.charges.actual[i]
	}
	return l.costs, jsonscan.AppendInt(s.scratch.open(), min(ceilDiv(micro, bucket.Micro), mostHits)), true
}

// Overruled takes Envoy's response code details when an answer begins: if its ratelimit
// filter has refused the request, nothing of it counts.
func (s *Stream) Overruled(details string) {
	state := chargeRefused
	switch details {
	case "request_rate_limited":
	case "rate_limiter_error":
		state = chargeFailed
	default:
		return
	}
	for i := range s.charges.count {
		if s.charges.state[i] == chargeAsked {
			s.charges.state[i] = state
		}
	}
	s.Finish(CauseReply)
}

// MayBeOverruled says whether Overruled wants to know the details of an answer whose
// headers were shown.
func (s *Stream) MayBeOverruled() bool { return !s.got.good && s.asked() }
