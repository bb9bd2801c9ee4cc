package usage

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/oip"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/tokens"
)

// Scanner reads one answer. Use Reset before the first Scan.
type Scanner struct {
	format Format
	json   jsonscan.Scanner
	rpc    oip.Scanner
	values reader
	broken bool             // the JSON value was no JSON
	fed    int64            // bytes of the JSON value
	before tokens.Estimator // the estimate before the JSON value
	opaque int64            // bytes that were not read
	events events
	prices *spec.Estimate

	// Of a stream that is watched.
	meter   Meter // nil: it is not
	bound   int64 // tokens of text that may pass
	choices int64
	stopped bool
	stopAt  int   // where in the piece
	passed  int64 // tokens of text, when it was stopped
}

// Reset makes s ready for an answer. With cut, the first event is cut out that
// has usage and an empty list of choices.
func (s *Scanner) Reset(f Format, cut bool) {
	s.format, s.opaque, s.prices = f, 0, nil
	s.values.reset(f == Events)
	s.begin()
	s.events.reset(cut && f == Events)
	s.meter, s.stopped = nil, false
}

// begin makes s ready for a JSON value.
func (s *Scanner) begin() {
	if s.format == Message {
		s.rpc.Reset(oip.Answer)
	}
	s.json.Reset(jsonscan.MaxDepth)
	s.values.begin()
	s.broken, s.fed, s.before = false, 0, s.values.estimate
}

// Scan reads the next piece of the answer and says what of it goes on.
func (s *Scanner) Scan(p []byte) Passage {
	switch s.format {
	case Events:
		return s.scanStream(p)
	case JSON, Message:
		s.value(p)
	default:
		s.opaque += int64(len(p))
	}
	return Passage{}
}

// scanStream reads a piece of a stream of events; of one that was stopped nothing goes
// on any more, but everything counts.
func (s *Scanner) scanStream(p []byte) Passage {
	before := s.stopped
	out := s.scanEvents(p)
	switch {
	case before:
		return Passage{To: len(p)}
	case s.stopped:
		out.until(s.stopAt, len(p))
	}
	return out
}

// value reads a piece of a JSON value or of a message. When it turns out to be none, its text is
// forgotten and all its bytes are counted instead.
func (s *Scanner) value(p []byte) {
	if s.broken {
		s.opaque += int64(len(p))
		return
	}
	s.fed += int64(len(p))
	if s.format == Message && s.rpc.Scan(p, (*frames)(s)) != nil ||
		s.format != Message && s.json.Scan(p, &s.values) != nil {
		s.broken = true
		s.values.estimate = s.before
		s.opaque += s.fed
	}
}

// Rest returns the bytes that still waited when the answer ended, valid until the
// next call.
func (s *Scanner) Rest() []byte {
	var out Passage
	if s.stopped {
		return nil
	}
	s.events.keep(&out)
	return out.Before
}

// Usage returns what the answer said so far.
func (s *Scanner) Usage() Usage { return s.values.usage() }

// Price says how many tokens of the model one of each class of text is; nil: as of any
// model. It is called after Reset.
func (s *Scanner) Price(prices *spec.Estimate) { s.prices = prices }

// Text returns how many tokens the text has that came so far, estimated.
func (s *Scanner) Text() int64 {
	return s.values.estimate.Tokens(s.prices) + (s.opaque+bytesPerToken-1)/bytesPerToken
}
