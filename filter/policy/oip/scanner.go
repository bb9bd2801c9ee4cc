package oip

import "encoding/binary"

// Wire types of protocol buffers.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// state is what the next byte belongs to.
type state uint8

const (
	inFrame   state = iota // the five bytes before a message
	inTag                  // number and type of a field
	inVarint               // a number
	inLength               // the length of bytes
	inFixed                // a number of fixed size
	inSkipped              // bytes that do not matter
	inText                 // bytes for the sink
	inKey                  // name of a parameter
	inString               // string of a parameter
	inType                 // data type of a tensor
	inRaw                  // raw content of a tensor
	ended                  // the message is complete
)

const (
	frameBytes = 5
	maxLevels  = 4 // message, tensor, entry, value
	maxTensors = 64
)

// level is a message that is being read.
type level struct {
	message message
	seen    uint8  // fields that may stand there once, by bit
	end     uint64 // offset of its end
}

// Scanner reads one message. Use Reset before the first Scan.
type Scanner struct {
	kind   Kind
	state  state
	action action // what to do with the field that is being read
	shift  uint8
	depth  uint8
	number uint64 // a varint or what there is of it, a fixed number
	at     uint64 // bytes read, the frame's among them
	end    uint64 // of the bytes that are being read
	levels [maxLevels]level

	frame [8]byte // a frame's begin, a fixed number, the length of a raw element
	held  uint8   // how much of it is there

	// Tensors of the message: which are of type BYTES, how many there were, and how
	// many raw contents.
	texts   uint64
	tensors uint32
	known   uint32 // tensors whose type is known: all of a message that is rewritten
	raws    uint32
	plain   bool   // the raw content that is being read is one text
	sound   bool   // the raw element that is being read ends within its tensor
	element uint64 // offset of the end of the raw element that is being read, 0 before its length

	name   [maxName]byte
	named  uint8
	value  Value
	text   [MaxText]byte
	texted uint16

	out     Output // of a message that is rewritten
	opens   [maxOpens]length
	opened  uint8
	written [binary.MaxVarintLen64]byte // a length that is let out
}

// Reset makes s ready for a message.
func (s *Scanner) Reset(kind Kind) {
	s.kind, s.state, s.held, s.at = kind, inFrame, 0, 0
	s.texts, s.tensors, s.known, s.raws = 0, 0, 0, 0
	s.out = nil
}

// Offset returns how many bytes were read.
func (s *Scanner) Offset() int64 { return int64(s.at) }

// Scan reads the next piece.
func (s *Scanner) Scan(p []byte, sink Sink) error {
	for len(p) > 0 {
		before := s.state
		n, err := s.step(p, sink)
		s.at += uint64(n)
		if err == nil {
			err = s.copied(before, p[:n])
		}
		if err != nil {
			return err
		}
		p = p[n:]
		if err := s.leave(sink); err != nil {
			return err
		}
	}
	return nil
}

// Close says that there is nothing after what was read.
func (s *Scanner) Close() error {
	switch {
	case s.state == ended:
		return nil
	case s.at == 0:
		return ErrMissing
	}
	return ErrTruncated
}

// step reads a part of p, at least one byte.
func (s *Scanner) step(p []byte, sink Sink) (int, error) {
	switch s.state {
	case inFrame:
		return s.readFrame(p)
	case inTag, inVarint, inLength:
		return s.readVarint(p, sink)
	case inFixed:
		return s.readFixed(p)
	case ended:
		return 0, ErrSecond
	}
	p = p[:min(uint64(len(p)), s.end-s.at)]
	switch s.state {
	case inText:
		sink.Bytes(p)
	case inKey:
		s.named += uint8(copy(s.name[s.named:], p))
	case inString:
		if s.out != nil {
			sink.Bytes(p)
			break
		}
		n := copy(s.text[s.texted:], p)
		s.texted += uint16(n)
		s.value.Over = s.value.Over || n < len(p)
	case inType:
		s.held += uint8(copy(s.frame[s.held:], p))
	case inRaw:
		return s.readRaw(p, sink)
	}
	return len(p), nil
}

// readFrame reads the five bytes before the message.
func (s *Scanner) readFrame(p []byte) (int, error) {
	n := copy(s.frame[s.held:frameBytes], p)
	s.held += uint8(n)
	switch {
	case s.frame[0] == 1:
		return 0, ErrCompressed
	case s.frame[0] > 1:
		return 0, ErrFlag
	case s.held < frameBytes:
		return n, nil
	}
	s.depth = 0
	s.levels[0] = level{message: messages[s.kind], end: frameBytes + uint64(binary.BigEndian.Uint32(s.frame[1:]))}
	s.begin(inTag)
	if err := s.write(s.frame[:1]); err != nil {
		return n, err
	}
	return n, s.open(bigEndian, frameBytes-1)
}

// begin goes to a state that reads a varint.
func (s *Scanner) begin(next state) { s.state, s.number, s.shift = next, 0, 0 }

// readVarint reads seven bits a byte.
func (s *Scanner) readVarint(p []byte, sink Sink) (int, error) {
	end := s.levels[s.depth].end
	for i, c := range p {
		if s.at+uint64(i) >= end {
			return i, ErrLength
		}
		if s.shift == 63 && c > 1 {
			return i, ErrVarint
		}
		s.number |= uint64(c&0x7F) << s.shift
		if c >= 0x80 {
			s.shift += 7
			continue
		}
		return i + 1, s.takeVarint(s.at+uint64(i)+1, sink)
	}
	return len(p), nil
}

// takeVarint goes on after a varint whose last byte ends at offset at.
func (s *Scanner) takeVarint(at uint64, sink Sink) error {
	switch s.state {
	case inTag:
		return s.takeTag(at)
	case inVarint:
		s.take(s.number)
		s.begin(inTag)
		return nil
	}
	if s.number > s.levels[s.depth].end-at {
		return ErrLength
	}
	s.end = at + s.number
	return s.enter(sink)
}

// takeTag finds out what to do with a field.
func (s *Scanner) takeTag(at uint64) error {
	field, wire := s.number>>3, uint8(s.number&7)
	if field == 0 || field > 1<<29-1 {
		return ErrTag
	}
	l := &s.levels[s.depth]
	var once uint8
	s.action, once = l.message.action(field, wire)
	if l.seen&once != 0 {
		return ErrTwice
	}
	l.seen |= once
	left := l.end - at
	switch wire {
	case wireVarint:
		s.begin(inVarint)
	case wireBytes:
		s.begin(inLength)
	case wireFixed64, wireFixed32:
		size := uint64(8)
		if wire == wireFixed32 {
			size = 4
		}
		if left < size {
			return ErrLength
		}
		s.state, s.end, s.held = inFixed, at+size, 0
	default:
		return ErrTag
	}
	return nil
}

// readFixed reads a number of four or eight bytes.
func (s *Scanner) readFixed(p []byte) (int, error) {
	n := copy(s.frame[s.held:], p[:min(uint64(len(p)), s.end-s.at)])
	s.held += uint8(n)
	if s.at+uint64(n) == s.end {
		s.take(binary.LittleEndian.Uint64(s.frame[:]))
		s.begin(inTag)
	}
	return n, nil
}

// take takes a number as a parameter's value, if it is one.
func (s *Scanner) take(n uint64) {
	switch s.action {
	case takeBool:
		s.value.Kind, s.value.Bits = Bool, min(n, 1)
	case takeInt:
		s.value.Kind, s.value.Bits = Int, n
	case takeUint:
		s.value.Kind, s.value.Bits = Uint, n
	case takeDouble:
		s.value.Kind, s.value.Bits = Double, n
	}
}

// enter begins to read bytes up to s.end.
func (s *Scanner) enter(sink Sink) error {
	if s.action == readRaw {
		return s.enterRaw(sink)
	}
	if err := s.announce(s.action >= enterEntry || s.action == readText || s.action == readString); err != nil {
		return err
	}
	switch s.action {
	case enterEntry, enterValue, enterTensor, enterContents, enterWanted:
		return s.descend()
	case readModel, readVersion, readText:
		s.state = inText
		sink.Start(Field(s.action - readModel))
	case readKey:
		s.state, s.named = inKey, 0
	case readString:
		s.state, s.texted = inString, 0
		s.value = Value{Kind: String}
		if s.out != nil {
			sink.Start(Param)
		}
	case readType:
		s.state, s.held = inType, 0
	default:
		s.state = inSkipped
	}
	return nil
}

// descend goes into a message.
func (s *Scanner) descend() error {
	switch s.action {
	case enterEntry:
		s.named, s.value = 0, Value{}
	case enterTensor:
		s.tensors++
		s.known = max(s.known, s.tensors)
	}
	s.depth++
	s.levels[s.depth] = level{message: inner[s.action-enterEntry], end: s.end}
	s.begin(inTag)
	return nil
}

// leave ends what ends here: bytes, and the messages that they stood in.
func (s *Scanner) leave(sink Sink) error {
	if s.state >= inSkipped && s.state < ended {
		if s.at < s.end {
			return nil
		}
		if err := s.endBytes(sink); err != nil {
			return err
		}
		s.begin(inTag)
	}
	for s.state == inTag && s.shift == 0 && s.at == s.levels[s.depth].end {
		if s.levels[s.depth].message == entry && s.depth == 1 {
			s.value.Text = s.text[:s.texted]
			if s.value.Kind != String {
				s.value.Text = nil
			}
			if err := sink.Parameter(s.name[:s.named], &s.value); err != nil {
				return err
			}
		}
		s.shut()
		if s.depth == 0 {
			s.state = ended
			return nil
		}
		s.depth--
	}
	return nil
}

// endBytes ends the bytes that were read.
func (s *Scanner) endBytes(sink Sink) error {
	switch s.state {
	case inText:
		return s.endText(sink, s.action == readText)
	case inString:
		if s.out != nil {
			return s.endText(sink, true)
		}
	case inType:
		if string(s.frame[:s.held]) == "BYTES" && s.tensors <= maxTensors {
			s.texts |= 1 << (s.tensors - 1)
		}
	case inRaw:
		return s.endRaw(sink)
	}
	return nil
}
