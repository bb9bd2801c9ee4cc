package oip_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/oip"
)

// output is an Output in memory.
type output struct{ bytes.Buffer }

func (o *output) Append(p []byte) error          { o.Write(p); return nil }
func (o *output) Overwrite(at int, p []byte)     { copy(o.Bytes()[at:], p) }
func (o *output) text(s string, err error) error { o.WriteString(s); return err }

// editor lets out what edit makes of each text.
type editor struct {
	heard
	out  *output
	edit func(string) string
	of   func() []byte // name of the parameter
	said []string
}

func (e *editor) End() error {
	text := string(e.text)
	switch e.field {
	case oip.Text:
		text = e.edit(text)
	case oip.Param:
		e.said = append(e.said, fmt.Sprintf("%s %q", e.of(), text))
		text = e.edit(text)
	}
	return e.out.text(text, nil)
}

func (e *editor) Parameter([]byte, *oip.Value) error { return nil }

// rewrite reads a body and rewrites it.
func rewrite(t *testing.T, kind oip.Kind, body []byte, edit func(string) string, next func() int) ([]byte, []string) {
	t.Helper()
	var s oip.Scanner
	s.Reset(kind)
	if err := s.Scan(body, &heard{}); err != nil || s.Close() != nil {
		t.Fatal("not read:", err)
	}
	e := &editor{out: &output{}, edit: edit, of: s.Name}
	if err := s.Rewrite(e.out); err != nil {
		t.Fatal(err)
	}
	for rest := body; len(rest) > 0; {
		piece := bytes.Clone(rest[:min(next(), len(rest))])
		rest = rest[len(piece):]
		if err := s.Scan(piece, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return e.out.Bytes(), e.said
}

// everything is a message with all that a message may have, in an unusual order, and
// with its texts edited.
func everything(e func(string) string) []byte {
	return framed(join(
		lengthed(7, ""), lengthed(7, raw(e("one a"), e(""), e("two"))), lengthed(7, "\x01\x00\x00\x00a"), lengthed(7, "\x01\x00\x00\x00a"),
		lengthed(7, append(raw(e("ok a")), "\xFF\x00\x00\x00"+e("too a")...)), lengthed(7, e("surplus a")),
		lengthed(1, "chat"), lengthed(2, "v1"), lengthed(3, "id a"), varint(99, 1<<40), fixed64(98, 7), lengthed(97, "a skipped"),
		lengthed(4, join(lengthed(2, lengthed(3, e("early a"))), lengthed(1, "late"))),
		parameter("user", lengthed(3, e("a"))), parameter("n", varint(2, 3)), parameter("long", lengthed(3, e(strings.Repeat("a ", 400)))), lengthed(4, ""),
		lengthed(5, join(lengthed(1, "name a"), lengthed(2, "BYTES"), lengthed(3, "\x01"), parameter("x", lengthed(3, e("a of a tensor"))),
			lengthed(5, join(lengthed(8, e("a")), lengthed(8, e("")), varint(2, 1), lengthed(8, e(strings.Repeat("b", 127)+"a")))))),
		lengthed(5, join(lengthed(1, "raw"), lengthed(2, "BYTES"))),
		lengthed(5, join(lengthed(1, "numbers"), lengthed(2, "FP32"), lengthed(5, lengthed(6, "aaaa")))),
		lengthed(5, join(lengthed(1, "raw numbers"), lengthed(2, "INT8"))), lengthed(5, join(lengthed(2, "BYTES"))),
		lengthed(6, join(lengthed(1, "out a"), lengthed(2, join(lengthed(1, "y"), lengthed(2, lengthed(3, e("a wanted"))))))),
	))
}

// inner are the messages in messages, by field.
var inner = map[string]map[uint64]string{
	"request": {4: "entry", 5: "tensor", 6: "wanted"}, "entry": {2: "value"}, "tensor": {4: "entry", 5: "contents"}, "wanted": {2: "entry"},
}

// shortest is a message with all its lengths written as short as they can be.
func shortest(t *testing.T, m string, b []byte) (out []byte) {
	t.Helper()
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			t.Fatalf("%s: no number at %q", m, b)
		}
		b = b[size:]
		return n
	}
	for len(b) > 0 {
		tag := number()
		out = binary.AppendUvarint(out, tag)
		switch tag & 7 {
		case 0:
			out = binary.AppendUvarint(out, number())
		case 1:
			out, b = append(out, b[:8]...), b[8:]
		case 2:
			n := number()
			if n > uint64(len(b)) {
				t.Fatalf("%s: %d bytes of %q", m, n, b)
			}
			content := b[:n]
			b = b[n:]
			if in := inner[m][tag>>3]; in != "" {
				content = shortest(t, in, content)
			}
			out = append(binary.AppendUvarint(out, uint64(len(content))), content...)
		}
	}
	return out
}

func TestRewrite(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	keep := func(s string) string { return s }
	body := everything(keep)
	for name, edit := range map[string]func(string) string{
		"keep":   keep,
		"longer": func(s string) string { return strings.ReplaceAll(s, "a", "<"+strings.Repeat("LONG", 40)+">") },
		"empty":  func(string) string { return "" },
	} {
		for _, next := range []func() int{whole, func() int { return 1 }, func() int { return 1 + random.IntN(9) }} {
			got, said := rewrite(t, oip.Request, body, edit, next)
			if n := binary.BigEndian.Uint32(got[1:]); got[0] != 0 || int(n) != len(got)-5 {
				t.Fatalf("%s: frame %x of %d bytes", name, got[:5], len(got))
			}
			if a, b := shortest(t, "request", got[5:]), everything(edit)[5:]; !bytes.Equal(a, b) {
				t.Errorf("%s:\n%.3000q\nwant\n%.3000q", name, a, b)
			}
			want := []string{` "early a"`, `user "a"`, fmt.Sprintf("long %q", strings.Repeat("a ", 400)), `x "a of a tensor"`, `y "a wanted"`}
			if !slices.Equal(said, want) {
				t.Errorf("%s: parameters %q", name, said)
			}
		}
	}
}

func TestRewriteAnswer(t *testing.T) {
	body := framed(join(lengthed(1, "chat"), parameter("p", lengthed(3, "a")), lengthed(5, join(lengthed(2, "BYTES"))), lengthed(6, raw("a", "b"))))
	got, _ := rewrite(t, oip.Answer, body, func(string) string { return "xyz" }, whole)
	want := join(lengthed(1, "chat"), parameter("p", lengthed(3, "xyz")), lengthed(5, join(lengthed(2, "BYTES"))), lengthed(6, raw("xyz", "xyz")))
	if a := shortest(t, "request", got[5:]); !bytes.Equal(a, want) {
		t.Errorf("%q, want %q", a, want)
	}
}

func TestTooManyTensors(t *testing.T) {
	var s oip.Scanner
	s.Reset(oip.Request)
	if err := s.Scan(framed(bytes.Repeat(lengthed(5, ""), 65)), &heard{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Rewrite(&output{}); !errors.Is(err, oip.ErrTensors) {
		t.Error(err)
	}
}

// FuzzRewrite: what can be read can be rewritten, in any pieces alike, and is then the
// same to every reader.
func FuzzRewrite(f *testing.F) {
	f.Add(everything(func(s string) string { return s })[5:], uint8(3))
	f.Fuzz(func(t *testing.T, message []byte, size uint8) {
		body := framed(message)
		lines, err := scan(oip.Request, body, whole)
		if err != nil {
			t.Skip()
		}
		var s oip.Scanner
		s.Reset(oip.Request)
		if s.Scan(body, &heard{}) != nil || s.Rewrite(&output{}) != nil {
			t.Skip()
		}
		keep := func(s string) string { return s }
		one, _ := rewrite(t, oip.Request, body, keep, whole)
		other, _ := rewrite(t, oip.Request, body, keep, func() int { return 1 + int(size) })
		again, err := scan(oip.Request, one, whole)
		if err != nil || !slices.Equal(lines, again) || !bytes.Equal(one, other) {
			t.Fatalf("%q became %q, %v, in pieces %q", message, one, err, other)
		}
		longer, _ := rewrite(t, oip.Request, body, func(s string) string { return s + strings.Repeat("+", 200) }, whole)
		if _, err := scan(oip.Request, longer, whole); err != nil {
			t.Fatalf("%q became %q: %v", message, longer, err)
		}
	})
}
