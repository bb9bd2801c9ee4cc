package jsonscan

// state is where in the grammar the next byte stands. The order matters: states
// from inScalar on are inside a scalar, those from inString on inside a string.
type state uint8

const (
	wantValue    state = iota // a value
	wantFirst                 // a value or ']'
	wantFirstKey              // a key or '}'
	wantKey                   // a key
	wantColon                 // ':'
	wantNext                  // ',' or the closing bracket
	wantNothing               // white space up to the end
	closing                   // the quote that ends the string just read

	inLiteral // true, false, null
	numMinus
	numZero
	numInt
	numDot
	numFrac
	numExp
	numExpSign
	numExpInt

	inString // plain text
	inEscape // after a backslash
	inHex    // within the four digits of \u
	inRune   // within a UTF-8 sequence

	inScalar = inLiteral
)

// Scanner reads one JSON text. Use Reset before the first Scan; the zero value
// refuses every container. It holds no pointer into the bytes that it was given.
type Scanner struct {
	state   state
	key     bool  // the string being read is a key
	left    uint8 // bytes still wanted: hex digits, UTF-8 continuations
	matched uint8 // bytes of the literal read so far
	lo, hi  byte  // range of the next UTF-8 continuation
	literal string
	depth   int
	limit   int
	objects [MaxDepth / 64]uint64 // bit d is set: the container of depth d+1 is an object
	offset  int64
	err     error
}

// Reset makes s ready for a new text that nests at most maxDepth containers
// (bounded by MaxDepth).
func (s *Scanner) Reset(maxDepth int) {
	s.state, s.key, s.depth, s.offset, s.err = wantValue, false, 0, 0, nil
	s.limit = min(maxDepth, MaxDepth)
}

// Depth returns how many containers are open.
func (s *Scanner) Depth() int { return s.depth }

// Offset returns how many bytes were accepted; after an error it is the position
// of the byte that was refused.
func (s *Scanner) Offset() int64 { return s.offset }

// Scan reads the next piece of the text. Its error is an Error or the sink's; it
// stays, and every later call returns it again.
func (s *Scanner) Scan(p []byte, sink Sink) error {
	if s.err != nil {
		return s.err
	}
	for i := 0; i < len(p); {
		var n int
		switch {
		case s.state >= inString:
			n, s.err = s.text(p[i:], sink)
		case s.state >= inScalar:
			n, s.err = s.scalar(p[i:], sink)
		default:
			n, s.err = s.structure(p[i:], sink)
		}
		i += n
		s.offset += int64(n)
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

// Close says that the text has ended and returns ErrEnd if it was not complete.
func (s *Scanner) Close(sink Sink) error {
	if s.err != nil {
		return s.err
	}
	if s.depth > 0 {
		s.err = ErrEnd
		return s.err
	}
	switch s.state {
	case numZero, numInt, numFrac, numExpInt: // a number at the top has no other end
		s.state = wantNothing
		s.err = sink.ScalarEnd()
	case wantNothing:
	default:
		s.err = ErrEnd
	}
	return s.err
}

// structure reads up to the start of a string or scalar or to the end of p.
func (s *Scanner) structure(p []byte, sink Sink) (int, error) {
	for i, c := range p {
		switch c {
		case ' ', '\t', '\n', '\r':
			continue
		case '"':
			if s.state != closing {
				return s.openString(p[:i+1], sink)
			}
			s.closeString()
		case '{', '[':
			if err := s.open(c, sink); err != nil {
				return i, err
			}
		case '}', ']':
			if err := s.close(c, sink); err != nil {
				return i, err
			}
		case ':', ',':
			if !s.separate(c) {
				return i, s.unexpected()
			}
		default:
			if s.state > wantFirst || !s.beginScalar(c) {
				return i, s.unexpected()
			}
			if i == 0 {
				return 0, nil
			}
			return i, sink.Structure(p[:i])
		}
	}
	return len(p), sink.Structure(p)
}

func (s *Scanner) unexpected() error {
	if s.state == wantNothing {
		return ErrTrailing
	}
	return ErrSyntax
}

// openString takes the span that ends in an opening quote.
func (s *Scanner) openString(span []byte, sink Sink) (int, error) {
	switch s.state {
	case wantValue, wantFirst:
		s.key = false
	case wantKey, wantFirstKey:
		s.key = true
	default:
		return len(span) - 1, s.unexpected()
	}
	s.state = inString
	if err := sink.Structure(span); err != nil {
		return len(span), err
	}
	if s.key {
		return len(span), sink.KeyStart()
	}
	return len(span), sink.StringStart()
}

func (s *Scanner) closeString() {
	if s.key {
		s.state = wantColon
		return
	}
	s.afterValue()
}

func (s *Scanner) open(c byte, sink Sink) error {
	if s.state > wantFirst {
		return s.unexpected()
	}
	if s.depth >= s.limit {
		return ErrDepth
	}
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	s.depth++
	if c == '{' {
		s.objects[word] |= bit
		s.state = wantFirstKey
		return sink.Begin(true, s.depth)
	}
	s.objects[word] &^= bit
	s.state = wantFirst
	return sink.Begin(false, s.depth)
}

func (s *Scanner) close(c byte, sink Sink) error {
	object := c == '}'
	switch {
	case s.depth == 0 || s.inObject() != object:
		return s.unexpected()
	case s.state == wantNext, object && s.state == wantFirstKey, !object && s.state == wantFirst:
	default:
		return s.unexpected()
	}
	depth := s.depth
	s.depth--
	s.afterValue()
	return sink.End(depth)
}

// separate takes a colon or comma and says whether one may stand here.
func (s *Scanner) separate(c byte) bool {
	switch {
	case c == ':' && s.state == wantColon:
		s.state = wantValue
	case c == ',' && s.state == wantNext && s.inObject():
		s.state = wantKey
	case c == ',' && s.state == wantNext:
		s.state = wantValue
	default:
		return false
	}
	return true
}

func (s *Scanner) inObject() bool {
	d := s.depth - 1
	return s.objects[d/64]&(1<<(d%64)) != 0
}

func (s *Scanner) afterValue() {
	s.state = wantNext
	if s.depth == 0 {
		s.state = wantNothing
	}
}
