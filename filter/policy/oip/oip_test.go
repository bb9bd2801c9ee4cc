package oip_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/oip"
)

// Parts of messages, as protocol buffers write them.

func tag(field, wire int) []byte { return binary.AppendUvarint(nil, uint64(field)<<3|uint64(wire)) }

func lengthed[T ~string | ~[]byte](field int, content T) []byte {
	b := binary.AppendUvarint(tag(field, 2), uint64(len(content)))
	return append(b, content...)
}

func varint(field int, n uint64) []byte { return binary.AppendUvarint(tag(field, 0), n) }

func fixed64(field int, n uint64) []byte {
	return binary.LittleEndian.AppendUint64(tag(field, 1), n)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func parameter(name string, value []byte) []byte {
	return lengthed(4, join(lengthed(1, name), lengthed(2, value)))
}

func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// heard is a Sink that writes down what it is shown.
type heard struct {
	lines []string
	text  []byte
	field oip.Field
}

func (h *heard) Start(f oip.Field) { h.field, h.text = f, nil }
func (h *heard) Bytes(p []byte)    { h.text = append(h.text, p...) }
func (h *heard) End() error {
	h.lines = append(h.lines, fmt.Sprintf("%s %q", []string{"model", "version", "text"}[h.field], h.text))
	return nil
}

func (h *heard) Parameter(name []byte, v *oip.Value) error {
	value := "none"
	switch v.Kind {
	case oip.Bool, oip.Uint:
		value = fmt.Sprint(v.Bits)
	case oip.Int:
		value = fmt.Sprint(int64(v.Bits))
	case oip.Double:
		value = fmt.Sprint(math.Float64frombits(v.Bits))
	case oip.String:
		value = fmt.Sprintf("%q %v", v.Text, v.Over)
	}
	h.lines = append(h.lines, fmt.Sprintf("%s = %s", name, value))
	return nil
}

// scan reads a body in pieces that next sizes.
func scan(kind oip.Kind, body []byte, next func() int) ([]string, error) {
	var s oip.Scanner
	var h heard
	s.Reset(kind)
	for rest := body; len(rest) > 0; {
		piece := bytes.Clone(rest[:min(next(), len(rest))])
		rest = rest[len(piece):]
		if err := s.Scan(piece, &h); err != nil {
			return h.lines, err
		}
	}
	return h.lines, s.Close()
}

func whole() int { return math.MaxInt }

// raw is the raw content of a BYTES tensor.
func raw(elements ...string) []byte {
	var b []byte
	for _, e := range elements {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(e))), e...)
	}
	return b
}

func TestScanner(t *testing.T) {
	bytesTensor := lengthed(5, join(lengthed(1, "text"), lengthed(2, "BYTES"), lengthed(3, "\x01"), lengthed(5, join(lengthed(8, "hello"), lengthed(8, ""), lengthed(8, "world")))))
	tests := []struct {
		name string
		kind oip.Kind
		body []byte
		want []string
		err  error
	}{
		{"empty", oip.Empty, framed(nil), nil, nil},
		{"unknown fields of an empty message", oip.Empty, framed(join(lengthed(1, "x"), varint(9, 300), fixed64(3, 1))), nil, nil},
		{"named", oip.Named, framed(join(lengthed(1, "m"), lengthed(2, "v1"))), []string{`model "m"`, `version "v1"`}, nil},
		{"request", oip.Request, framed(join(
			lengthed(1, "chat"), lengthed(2, ""), lengthed(3, "id-1"),
			parameter("max_tokens", varint(2, 7)), parameter("low", varint(2, 1<<64-5)), parameter("on", varint(1, 1)),
			parameter("temperature", fixed64(4, math.Float64bits(0.5))), parameter("user", lengthed(3, "alice")),
			parameter("count", varint(5, 1<<63)), parameter("nothing", []byte{}), lengthed(4, ""),
			bytesTensor)),
			[]string{
				`model "chat"`, `version ""`, "max_tokens = 7", "low = -5", "on = 1", "temperature = 0.5", `user = "alice" false`,
				"count = 9223372036854775808", "nothing = none", " = none", `text "hello"`, `text ""`, `text "world"`,
			}, nil},
		{"value before its name", oip.Request, framed(lengthed(4, join(lengthed(2, varint(2, 7)), lengthed(1, "max_tokens")))), []string{"max_tokens = 7"}, nil},
		{"long names and strings", oip.Request, framed(parameter(strings.Repeat("n", 40), lengthed(3, strings.Repeat("v", 600)))),
			[]string{fmt.Sprintf("%s = %q true", strings.Repeat("n", 32), strings.Repeat("v", 512))}, nil},
		{"raw contents", oip.Request, framed(join(
			lengthed(5, lengthed(2, "INT64")), lengthed(5, lengthed(2, "BYTES")),
			lengthed(7, "12345678"), lengthed(7, raw("one", "", "two")), lengthed(7, "surplus"))),
			[]string{`text "one"`, `text ""`, `text "two"`, `text "surplus"`}, nil},
		{"a raw element that is too long", oip.Request, framed(join(lengthed(5, lengthed(2, "BYTES")), lengthed(7, "\xFF\xFF\xFF\xFFabc"))), []string{`text "abc"`}, nil},
		{"a raw content without a whole length", oip.Request, framed(join(lengthed(5, lengthed(2, "BYTES")), lengthed(7, "ab"))), nil, nil},
		{"answer", oip.Answer, framed(join(
			lengthed(1, "chat"), parameter("completion_tokens", varint(2, 3)), lengthed(5, join(lengthed(2, "BYTES"), lengthed(9, "x"))), lengthed(6, raw("hi")))),
			[]string{"completion_tokens = 3", `text "hi"`}, nil},
		{"parameters of tensors", oip.Request, framed(join(
			lengthed(5, join(parameter("max_tokens", varint(2, 7)), lengthed(2, "BYTES"), lengthed(5, lengthed(8, "hi")))), lengthed(6, parameter("n", varint(2, 7))))), []string{`text "hi"`}, nil},
		{"fields of the wrong type are skipped", oip.Request, framed(join(varint(1, 5), fixed64(4, 1), tag(5, 5), []byte("abcd"))), nil, nil},

		{"nothing", oip.Request, nil, nil, oip.ErrMissing},
		{"half a frame", oip.Request, []byte{0, 0, 0}, nil, oip.ErrTruncated},
		{"half a message", oip.Request, framed(lengthed(1, "chat"))[:8], nil, oip.ErrTruncated},
		{"compressed", oip.Request, []byte{1, 0, 0, 0, 1, 0}, nil, oip.ErrCompressed},
		{"no frame", oip.Request, []byte(`{"model":"m"}`), nil, oip.ErrFlag},
		{"two messages", oip.Request, join(framed(nil), framed(nil)), nil, oip.ErrSecond},
		{"two models", oip.Request, framed(join(lengthed(1, "a"), lengthed(1, "b"))), []string{`model "a"`}, oip.ErrTwice},
		{"two values", oip.Request, framed(parameter("n", join(varint(2, 1), fixed64(4, 2)))), nil, oip.ErrTwice},
		{"two values of an entry", oip.Request, framed(lengthed(4, join(lengthed(2, varint(2, 1)), lengthed(2, varint(2, 2))))), nil, oip.ErrTwice},
		{"field 0", oip.Request, framed([]byte{0}), nil, oip.ErrTag},
		{"group", oip.Request, framed(tag(9, 3)), nil, oip.ErrTag},
		{"type 7", oip.Request, framed(tag(9, 7)), nil, oip.ErrTag},
		{"long varint", oip.Request, framed(append(tag(9, 0), "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"...)), nil, oip.ErrVarint},
		{"field beyond its message", oip.Request, framed(append(tag(1, 2), 5, 'a')), nil, oip.ErrLength},
		{"number beyond its message", oip.Request, join(framed(append(tag(9, 0), 0x80)), []byte{1}), nil, oip.ErrLength},
		{"fixed number beyond its message", oip.Request, framed(append(tag(9, 1), 1, 2)), nil, oip.ErrLength},
		{"field beyond its tensor", oip.Request, framed(join(lengthed(5, append(tag(2, 2), 9)), make([]byte, 20))), nil, oip.ErrLength},
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, next := range []func() int{whole, func() int { return 1 }, func() int { return 1 + random.IntN(9) }} {
				got, err := scan(tt.kind, tt.body, next)
				if !errors.Is(err, tt.err) || !slices.Equal(got, tt.want) {
					t.Errorf("%q, %v; want %q, %v", got, err, tt.want, tt.err)
				}
			}
		})
	}
}

func TestErrorsSayWhy(t *testing.T) {
	for e := oip.ErrFlag; e <= oip.ErrTensors; e++ {
		if e.Error() == "" {
			t.Errorf("error %d says nothing", e)
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	body := framed(join(lengthed(1, "chat"), parameter("user", lengthed(3, "alice")), lengthed(5, join(lengthed(2, "BYTES"), lengthed(5, lengthed(8, "hello"))))))
	var s oip.Scanner
	var sink deaf
	if n := testing.AllocsPerRun(100, func() {
		s.Reset(oip.Request)
		if s.Scan(body, &sink) != nil || s.Close() != nil {
			t.Fatal("not read")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type deaf struct{ n int }

func (d *deaf) Start(oip.Field)                    {}
func (d *deaf) Bytes(p []byte)                     { d.n += len(p) }
func (d *deaf) End() error                         { return nil }
func (d *deaf) Parameter([]byte, *oip.Value) error { return nil }

func BenchmarkScan(b *testing.B) {
	body := framed(join(lengthed(1, "chat"), parameter("max_tokens", varint(2, 100)),
		lengthed(5, join(lengthed(2, "BYTES"), lengthed(5, lengthed(8, strings.Repeat("words ", 200)))))))
	var s oip.Scanner
	var sink deaf
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		s.Reset(oip.Request)
		if err := s.Scan(body, &sink); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzScanner: whatever the bytes are, the scanner neither panics nor reads what
// was not there, and the pieces make no difference.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{"", "AAAAAAA=", "AAAAAAkKBGNoYXQSAXY="} {
		b, err := base64.StdEncoding.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(2), uint8(1))
	}
	f.Add(framed(join(lengthed(1, "m"), parameter("n", varint(2, 1)), lengthed(5, lengthed(2, "BYTES")), lengthed(7, raw("a", "b")))), uint8(2), uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, kind, size uint8) {
		k := oip.Kind(kind % 4)
		want, wantErr := scan(k, body, whole)
		got, err := scan(k, body, func() int { return 1 + int(size%16) })
		if !errors.Is(err, wantErr) || !slices.Equal(got, want) {
			t.Fatalf("whole: %q, %v; in pieces: %q, %v", want, wantErr, got, err)
		}
	})
}
