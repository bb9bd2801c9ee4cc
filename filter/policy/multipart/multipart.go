// Package multipart reads bodies of several parts (RFC 2046 section 5.1, as forms use
// them: RFC 7578) as spans of raw bytes, in pieces of any size. A Scanner has fixed size
// and never allocates.
//
// It is strict, because a server must not find a part where it found none: lines end in
// CRLF, nothing but that stands before the first delimiter or behind the last, and header
// lines are bounded and not folded.
package multipart

// Sink receives what a Scanner reads. Pass and Content carry all bytes of the body, in
// order and without gaps, valid during the call. An error stops the scan.
type Sink interface {
	// Pass takes delimiters and headers.
	Pass(raw []byte) error
	// Header takes a header line of the part that comes next, without its end: it has
	// been passed.
	Header(line []byte) error
	// Start, Content and End carry the content of a part.
	Start() error
	Content(raw []byte) error
	End() error
}

// Bounds.
const (
	MaxBoundary = 70  // bytes, RFC 2046 section 5.1.1
	MaxLine     = 512 // bytes of a header line
)

// Error is why a body was refused. Scanner.Offset says where.
type Error uint8

// Reasons to refuse a body.
const (
	ErrDelimiter Error = iota + 1 // something other than CRLF or -- follows a boundary
	ErrPreamble                   // the body does not begin with the boundary
	ErrHeader                     // a header line that is too long, folded or no header
	ErrEpilogue                   // something follows the last delimiter
	ErrEnd                        // the body ends within a part
)

var reasons = [...]string{
	"", "the boundary is not followed by a line's end", "it does not begin with its boundary",
	"a header line of a part is malformed or too long", "something follows the last part", "it ends within a part",
}

// Error says the reason as a part of a sentence about the body.
func (e Error) Error() string { return reasons[e] }

// state is what the next byte belongs to.
type state uint8

const (
	inFirst   state = iota // the boundary that begins the body
	inTail                 // behind a boundary
	inHeader               // header lines
	inContent              // a part
	inLast                 // the second dash behind the last boundary
	inEnd                  // behind that
)

// Scanner reads one body. Use Reset before the first Scan.
type Scanner struct {
	state     state
	delimiter [4 + MaxBoundary]byte // CRLF, two dashes, the boundary
	length    int                   // of the delimiter
	matched   int                   // bytes of it that were read
	unread    int                   // of these, those at its begin that belong to the headers before
	line      [MaxLine]byte
	lined     int
	cr        bool // a CR was read that an LF must follow
	offset    int64
}

// Reset makes s ready for a body with this boundary, and says whether it may be one.
func (s *Scanner) Reset(boundary []byte) bool {
	s.state, s.lined, s.cr, s.unread, s.offset = inFirst, 0, false, 0, 0
	s.matched = 2 // of the first delimiter only the dashes and the boundary
	copy(s.delimiter[:], "\r\n--")
	s.length = 4 + copy(s.delimiter[4:], boundary)
	for _, c := range boundary {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(boundary) > 0 && len(boundary) <= MaxBoundary && boundary[len(boundary)-1] != ' '
}

// Offset returns how many bytes were accepted.
func (s *Scanner) Offset() int64 { return s.offset }

// Scan reads the next piece.
func (s *Scanner) Scan(p []byte, sink Sink) error {
	for len(p) > 0 {
		var n int
		var err error
		if s.state == inContent {
			n, err = s.content(p, sink)
		} else {
			n, err = s.structure(p, sink)
		}
		s.offset += int64(n)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Close says that the body has ended.
func (s *Scanner) Close() error {
	if s.state != inEnd || s.cr {
		return ErrEnd
	}
	return nil
}

// content reads a part up to the boundary behind it or the end of p. What was read of a
// delimiter is held back.
func (s *Scanner) content(p []byte, sink Sink) (int, error) {
	from := 0 // of the bytes of p that are content and were not let out
	for i, c := range p {
		if c == s.delimiter[s.matched] {
			if s.matched == 0 {
				if err := sink.Content(p[from:i]); err != nil {
					return i, err
				}
			}
			if s.matched++; s.matched == s.length {
				return i + 1, s.endPart(sink)
			}
			from = i + 1
			continue
		}
		if s.matched == 0 {
			continue
		}
		// No delimiter after all. A CR stands at its begin only.
		held := s.delimiter[s.unread:s.matched]
		s.matched, s.unread = 0, 0
		if c == '\r' {
			s.matched = 1
		}
		if err := sink.Content(held); err != nil {
			return i, err
		}
		from = i + s.matched
	}
	return len(p), sink.Content(p[from:])
}

// endPart ends a part at the delimiter that was read.
func (s *Scanner) endPart(sink Sink) error {
	delimiter := s.delimiter[s.unread:s.length]
	s.matched, s.unread, s.state = 0, 0, inTail
	if err := sink.End(); err != nil {
		return err
	}
	return sink.Pass(delimiter)
}

// structure reads a byte, or a run of header bytes, outside of a part's content.
func (s *Scanner) structure(p []byte, sink Sink) (int, error) {
	n := 1
	c := p[0]
	switch {
	case s.state == inFirst:
		if c != s.delimiter[s.matched] {
			return 0, ErrPreamble
		}
		if s.matched++; s.matched == s.length {
			s.matched, s.state = 0, inTail
		}
	case s.cr:
		return s.lineEnd(p, sink)
	case c == '\r':
		s.cr = true
	case s.state == inHeader:
		for n < len(p) && p[n] != '\r' && p[n] != '\n' {
			n++
		}
		if c == '\n' || s.lined == 0 && (c == ' ' || c == '\t') {
			return 0, ErrHeader
		}
		if s.lined+n > MaxLine {
			return MaxLine - s.lined, ErrHeader
		}
		s.lined += copy(s.line[s.lined:], p[:n])
	case s.state == inTail && c == '-':
		s.state = inLast
	case s.state == inLast && c == '-':
		s.state = inEnd
	case s.state == inEnd:
		return 0, ErrEpilogue
	default:
		return 0, ErrDelimiter
	}
	return n, sink.Pass(p[:n])
}

// lineEnd reads the LF behind a CR.
func (s *Scanner) lineEnd(p []byte, sink Sink) (int, error) {
	s.cr = false
	if p[0] != '\n' || s.state == inLast {
		return 0, ErrDelimiter
	}
	if err := sink.Pass(p[:1]); err != nil {
		return 1, err
	}
	switch {
	case s.state == inTail:
		s.state = inHeader
	case s.state == inHeader && s.lined == 0:
		// A part without content may have its delimiter right behind its headers.
		s.state, s.matched, s.unread = inContent, 2, 2
		return 1, sink.Start()
	case s.state == inHeader:
		line := s.line[:s.lined]
		s.lined = 0
		return 1, sink.Header(line)
	}
	return 1, nil
}
