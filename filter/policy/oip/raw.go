package oip

import "encoding/binary"

// Raw contents stand beside the tensors, one a tensor. Those of a BYTES tensor are
// its elements, each behind its length in four bytes, little-endian. A content whose
// tensor is not known is taken for one text: so nothing is a way around being
// counted.

// enterRaw begins to read the raw content of the next tensor.
func (s *Scanner) enterRaw(sink Sink) {
	i := s.raws
	s.raws++
	known := i < s.tensors && i < maxTensors
	if known && s.texts>>i&1 == 0 {
		s.state = inSkipped
		return
	}
	s.state, s.plain, s.element, s.held = inRaw, !known, 0, 0
	if s.plain {
		sink.Start(Text)
	}
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
			at := s.at + uint64(n)
			s.element, s.held = min(at+uint64(binary.LittleEndian.Uint32(s.frame[:])), s.end), 0
			sink.Start(Text)
			return n, s.endElement(at, sink)
		}
		return n, nil
	}
	p = p[:min(uint64(len(p)), s.element-s.at)]
	sink.Bytes(p)
	return len(p), s.endElement(s.at+uint64(len(p)), sink)
}

// endElement ends the element that ends at this offset.
func (s *Scanner) endElement(at uint64, sink Sink) error {
	if at < s.element {
		return nil
	}
	s.element = 0
	return sink.End()
}
