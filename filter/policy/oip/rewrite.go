package oip

import "encoding/binary"

// Output is where a message comes out that is rewritten, such as a hold.Buffer.
type Output interface {
	Append(p []byte) error
	Len() int
	// Overwrite puts p in place of bytes that came out, from offset at on.
	Overwrite(at int, p []byte)
}

// Rewrite makes s, which has read a message whole, ready to read it once more and to let
// it out. The sink then gets Param besides the other texts, and lets out to the same
// output what is to stand in the place of what it is given; for Model and Version, that
// is what it is given.
func (s *Scanner) Rewrite(out Output) error {
	if s.tensors > maxTensors {
		return ErrTensors
	}
	s.state, s.held, s.at, s.tensors, s.raws = inFrame, 0, 0, 0, 0
	s.out, s.opened = out, 0
	return nil
}

// Rewrote ends the rewriting: s forgets the output.
func (s *Scanner) Rewrote() { s.out = nil }

// Name returns the name of the parameter that is being read.
func (s *Scanner) Name() []byte { return s.name[:s.named] }

// maxOpens is how many lengths may be open: of the frame, a tensor, an entry, a value and
// a string.
const maxOpens = 5

// form is how a length is written.
type form uint8

const (
	asVarint form = iota
	bigEndian
	littleEndian
)

// length is one that came out before it was known.
type length struct {
	at    int // offset of its first byte
	width uint8
	form  form
}

// maxWidth is the widest length that every parser reads: five bytes of a varint.
const maxWidth = 5

// write lets bytes out, if the message is rewritten.
//
//go:noinline
func (s *Scanner) write(p []byte) error {
	if s.out == nil {
		return nil
	}
	return s.out.Append(p)
}

// copied lets the bytes out that a step in this state has read, if they stay as they are
// and nobody else lets them out.
func (s *Scanner) copied(read state, p []byte) error {
	switch read {
	case inTag, inVarint, inFixed, inSkipped, inKey, inType:
		return s.write(p)
	}
	return nil
}

// announce lets the length out that was read, of bytes that may change or do not.
//
//go:noinline
func (s *Scanner) announce(changes bool) error {
	width := int(s.shift)/7 + 1
	if changes {
		return s.open(asVarint, max(width, min(width+1, maxWidth)))
	}
	return s.write(putVarint(s.written[:width], s.number))
}

// open leaves room for the length of what comes out from now on.
//
//go:noinline
func (s *Scanner) open(f form, width int) error {
	if s.out == nil {
		return nil
	}
	s.opens[s.opened] = length{s.out.Len(), uint8(width), f}
	s.opened++
	return s.out.Append(s.written[:width])
}

// shut writes the length that was opened last: what it counts has come out.
//
//go:noinline
func (s *Scanner) shut() {
	if s.out == nil {
		return
	}
	s.opened--
	l := s.opens[s.opened]
	n := uint64(s.out.Len() - l.at - int(l.width))
	b := s.written[:l.width]
	switch l.form {
	case asVarint:
		putVarint(b, n)
	case bigEndian:
		binary.BigEndian.PutUint32(b, uint32(n))
	case littleEndian:
		binary.LittleEndian.PutUint32(b, uint32(n))
	}
	s.out.Overwrite(l.at, b)
}

// endText ends a text whose length was opened, if it was.
//
//go:noinline
func (s *Scanner) endText(sink Sink, opened bool) error {
	err := sink.End()
	if opened {
		s.shut()
	}
	return err
}

// putVarint fills b with a number that fits, with leading zeros, and returns it.
func putVarint(b []byte, n uint64) []byte {
	for i := range b {
		b[i] = byte(n) | 0x80
		n >>= 7
	}
	b[len(b)-1] &= 0x7F
	return b
}
