package engine

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// caps is where the output caps stand in what came out of the pipe, so that they can
// be lowered when the whole body was read.
type caps struct {
	count int
	list  [paramMaxOutputTokens - paramMaxTokens + 1]capPlace

	complete   bool  // the outermost container is closed
	filledBody bool  // there is a member
	end        int64 // where the bracket that closes the body came out, 0: not yet
}

// capPlace is the value of one cap.
type capPlace struct {
	at      int64 // bytes that came out before it
	ordinal int32 // scalars that came before it
	size    int32 // bytes
	value   int64 // tokens, none: null
}

// isCap says whether p is an output cap.
func (p param) isCap() bool { return p >= paramMaxTokens && p <= paramMaxOutputTokens }

// foundCap notes the place of the cap whose value begins.
func (in *inspector) foundCap() {
	in.list[in.count] = capPlace{at: in.s.out.written, ordinal: in.scalars, value: none}
	in.count++
}

// sizeCap notes how long the value of the last cap is.
func (in *inspector) sizeCap(size int) { in.list[in.count-1].size = int32(size) }

// moved corrects the place of a cap that comes out again.
func (c *caps) moved(ordinal int32, at int64) {
	for i := range c.count {
		if c.list[i].ordinal == ordinal {
			c.list[i].at = at
		}
	}
}

// findEnd notes the place of the bracket that closes the body, which is in the span
// of structure that has just come out.
//
//go:noinline
func (in *inspector) findEnd(raw []byte) {
	if !in.complete || in.end > 0 {
		return
	}
	for i := len(raw) - 1; i >= 0; i-- {
		switch raw[i] {
		case '}':
			in.end = in.s.out.written - int64(len(raw)-i)
			return
		case ']':
			return
		}
	}
}

// capName is the name of the output cap in requests to this path, empty if there is
// none.
func (s *Stream) capName() string {
	switch s.api() {
	case apiChat:
		return paramNames[paramMaxCompletionTokens]
	case apiText, apiMessages:
		return paramNames[paramMaxTokens]
	case apiResponses:
		return paramNames[paramMaxOutputTokens]
	}
	return ""
}

// lowerable says whether the request's output cap can be lowered: the body has been
// read, none of it has left, and there is a cap or a place for one.
func (s *Stream) lowerable() bool {
	return s.body == bodyJSON && s.phase == phaseHold && s.in.end > 0 && s.capName() != ""
}

// lower makes the output cap what was taken for it, if that was less than it costs.
func (s *Stream) lower(m modelLimit, c *bucket.Charge) {
	if c.LeastMicro <= 0 {
		return
	}
	asked := s.outputCap(&s.program.limits[m.index])
	fits := s.affordable(m, c.CostMicro, asked) / s.in.choices
	if fits*s.in.choices >= asked {
		return
	}
	if s.charges.asked == none {
		s.charges.asked = asked
	}
	s.in.output = fits
}

// affordable returns how many output tokens, up to most, a reservation of so many
// micro-units pays for.
func (s *Stream) affordable(m modelLimit, micro, most int64) int64 {
	low, high := int64(0), most // low is paid for, or nothing is
	for low < high {
		middle := high - (high-low)/2
		if s.cost(m, s.charges.prompt, 0, middle) <= micro {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// writeCap writes a cap that was lowered into the body: over those that stand there,
// with spaces for the digits that it lacks, or behind the last member.
func (s *Stream) writeCap() error {
	if s.charges.asked == none {
		return nil
	}
	var space [maxScalar]byte
	for i := range s.in.count {
		c := &s.in.list[i]
		if c.value != none && c.value <= s.in.output {
			continue
		}
		b := jsonscan.AppendInt(space[:0], min(s.in.output, largest(c.size)))
		for len(b) < int(c.size) {
			b = append(b, ' ')
		}
		if err := s.out.overwrite(c.at, b); err != nil {
			return err
		}
	}
	if s.in.count > 0 {
		return nil
	}
	return s.addCap()
}

// addCap writes the cap behind the last member. What came out behind it is a bracket
// and white space, so it may be written over.
func (s *Stream) addCap() error {
	b := s.scratch.open()
	if s.in.filledBody {
		b = append(b, ',')
	}
	b = append(jsonscan.AppendString(b, s.capName()), ':')
	b = append(jsonscan.AppendInt(b, s.in.output), '}')
	behind := min(int(s.out.written-s.in.end), len(b))
	if err := s.out.overwrite(s.in.end, b[:behind]); err != nil {
		return err
	}
	return s.out.insert(b[behind:])
}

// largest is the largest number of so many digits.
func largest(digits int32) int64 {
	n := int64(0)
	for range min(digits, 18) {
		n = n*10 + 9
	}
	return n
}
