package oip

import "encoding/binary"

// Raw contents stand beside the tensors, one a tensor. Those of a BYTES tensor are
// its elements, each behind its length in four bytes, little-endian. A content whose
// tensor is not known is taken for one text: so nothing is a way around being
// counted.

// enterRaw begins to read the raw content of the next tensor.
func (s *Scanner) enterRaw(sink Sink) error {
	i := s.raws
	s.raws++
	known := i < s.known && i < maxTensors
	if known && s.texts>>i&1 == 0 {
		s.state = inSkipped
		return s.announce(false)
	}
	s.state, s.plain, s.element, s.held = inRaw, !known, 0, 0
	err := s.announce(true)
	if s.plain {
		sink.Start(Text)
	}
	return err
}

// readRaw reads a part of a raw content: p ends with it at the latest.
func (s *Scanner) readRaw(p []byte, sink Sink) (int, error) {
	if s.plain {
		sink.Bytes(p)
		return len(p), nil
	}
	if s.element == 0 {
		n := copy(s.frame[s.held:4], p)
		if s.held += uint8(n); s.held == 4 {
			return n, s.startElement(s.at+uint64(n), sink)
		}
		return n, nil
	}
	p = p[:min(uint64(len(p)), s.element-s.at)]
	sink.Bytes(p)
	return len(p), s.endElement(s.at+uint64(len(p)), sink)
}

// startElement begins the element that begins at this offset. One that claims to be
// longer than its tensor ends with that.
func (s *Scanner) startElement(at uint64, sink Sink) error {
	end := at + uint64(binary.LittleEndian.Uint32(s.frame[:]))
	s.element, s.held = min(end, s.end), 0
	s.sound = end <= s.end
	var err error
	if s.sound {
		err = s.open(littleEndian, 4)
	} else {
		err = s.write(s.frame[:4])
	}
	if err != nil {
		return err
	}
	sink.Start(Text)
	return s.endElement(at, sink)
}

// endRaw ends a raw content.
func (s *Scanner) endRaw(sink Sink) error {
	var err error
	if s.plain {
		err = sink.End()
	} else {
		err = s.write(s.frame[:s.held]) // of a length that ends within itself
	}
	s.shut()
	return err
}

// endElement ends the element that ends at this offset.
func (s *Scanner) endElement(at uint64, sink Sink) error {
	if at < s.element {
		return nil
	}
	s.element = 0
	return s.endText(sink, s.sound)
}
