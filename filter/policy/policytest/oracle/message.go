package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Message returns how out differs from what has to become of a message of the Open
// Inference Protocol, framed as gRPC does it: a request, or an answer. It must be one that
// can be read.
func (o *Oracle) Message(answer bool, in, out []byte) string {
	if len(out) < 5 || out[0] != 0 || int(binary.BigEndian.Uint32(out[1:])) != len(out)-5 {
		return fmt.Sprintf("a frame of %d bytes begins with %x", len(out), out[:min(5, len(out))])
	}
	m := messages{Oracle: o, rawField: 7}
	if answer {
		m.rawField = 6
	}
	m.types(in[5:])
	m.compare("message", in[5:], out[5:])
	return m.problem
}

// messages compares two messages field by field.
type messages struct {
	*Oracle
	rawField uint64
	texts    []bool // tensors of the type BYTES
	raws     int    // raw contents so far
	name     string // of the parameter
	problem  string
}

// nesting says which messages stand in others, by field.
var nesting = map[string]map[uint64]string{
	"message": {4: "entry", 5: "tensor", 6: "wanted"}, "tensor": {4: "entry", 5: "contents"}, "wanted": {2: "entry"}, "entry": {2: "value"},
}

// item is a field of a message.
type item struct {
	tag     uint64
	number  uint64
	content []byte // of wire type 2 and of fixed numbers
}

// cutItem reads a field.
func cutItem(p []byte) (it item, rest []byte, ok bool) {
	var n, k int
	it.tag, n = binary.Uvarint(p)
	if n <= 0 {
		return it, nil, false
	}
	size := map[uint64]uint64{1: 8, 5: 4}[it.tag&7]
	if it.tag&7 == 0 || it.tag&7 == 2 {
		it.number, k = binary.Uvarint(p[n:])
		if k <= 0 {
			return it, nil, false
		}
	}
	p = p[n+k:]
	if it.tag&7 == 2 {
		size = it.number
	}
	if size > uint64(len(p)) {
		return it, nil, false
	}
	it.content = p[:size]
	return it, p[size:], true
}

// types notes which tensors hold texts.
func (m *messages) types(p []byte) {
	for it, rest, ok := cutItem(p); ok; it, rest, ok = cutItem(rest) {
		if it.tag != 5<<3|2 {
			continue
		}
		text := false
		for inner, more, ok := cutItem(it.content); ok; inner, more, ok = cutItem(more) {
			text = text || inner.tag == 2<<3|2 && string(inner.content) == "BYTES"
		}
		m.texts = append(m.texts, text)
	}
}

func (m *messages) fail(format string, args ...any) {
	if m.problem == "" {
		m.problem = fmt.Sprintf(format, args...)
	}
}

func (m *messages) compare(kind string, in, out []byte) {
	for m.problem == "" && len(in) > 0 {
		a, restIn, ok := cutItem(in)
		b, restOut, same := cutItem(out)
		if !ok || !same || a.tag != b.tag || a.tag&7 == 0 && a.number != b.number {
			m.fail("%s: %q became %q", kind, in, out)
			return
		}
		in, out = restIn, restOut
		field := a.tag >> 3
		inner, nested := nesting[kind][field]
		switch {
		case a.tag&7 != 2:
			m.equal(kind, a, b)
		case kind == "message" && field == m.rawField:
			m.raw(a.content, b.content)
		case nested:
			if inner == "entry" {
				m.name = ""
			}
			m.compare(inner, a.content, b.content)
		case kind == "value" && field == 3:
			m.text(m.name, a.content, b.content)
		case kind == "contents" && field == 8:
			m.text("", a.content, b.content)
		default:
			if kind == "entry" && field == 1 {
				m.name = string(a.content[:min(32, len(a.content))])
			}
			m.equal(kind, a, b)
		}
	}
	if len(out) > 0 {
		m.fail("%s: %q came out behind it", kind, out)
	}
}

func (m *messages) equal(kind string, a, b item) {
	if !bytes.Equal(a.content, b.content) {
		m.fail("field %d of %s: %q became %q", a.tag>>3, kind, a.content, b.content)
	}
}

func (m *messages) text(name string, in, out []byte) {
	if want := m.String(name, in); !bytes.Equal(want, out) {
		m.fail("%s: %q became %q, want %q", name, in, out, want)
	}
}

// raw compares the raw contents of the next tensor.
func (m *messages) raw(in, out []byte) {
	i := m.raws
	m.raws++
	switch {
	case i >= len(m.texts):
		m.text("", in, out)
		return
	case !m.texts[i]:
		if !bytes.Equal(in, out) {
			m.fail("numbers %q became %q", in, out)
		}
		return
	}
	for m.problem == "" && len(in) >= 4 && len(out) >= 4 {
		n, k := uint64(binary.LittleEndian.Uint32(in)), uint64(binary.LittleEndian.Uint32(out))
		if n > uint64(len(in)-4) { // it ends with its tensor, and its length stays
			if n != k {
				m.fail("a length of %d became %d", n, k)
			}
			m.text("", in[4:], out[4:])
			return
		}
		if k > uint64(len(out)-4) {
			m.fail("an element of %d bytes in %q", k, out)
			return
		}
		m.text("", in[4:4+n], out[4:4+k])
		in, out = in[4+n:], out[4+k:]
	}
	if !bytes.Equal(in, out) {
		m.fail("%q became %q at the end of a tensor", in, out)
	}
}
