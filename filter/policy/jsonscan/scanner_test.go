package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// recorder writes down what it is told, pieces of one span joined.
type recorder struct {
	raw   bytes.Buffer // every byte, in order
	log   strings.Builder
	piece bytes.Buffer
}

func (r *recorder) span(raw []byte) error {
	r.raw.Write(raw)
	r.piece.Write(raw)
	return nil
}

func (r *recorder) event(format string, args ...any) error {
	fmt.Fprintf(&r.log, format+";", args...)
	return nil
}

func (r *recorder) take() string {
	defer r.piece.Reset()
	return r.piece.String()
}

func (r *recorder) Structure(raw []byte) error     { r.raw.Write(raw); return nil }
func (r *recorder) Begin(object bool, d int) error { return r.event("begin %v %d", object, d) }
func (r *recorder) End(d int) error                { return r.event("end %d", d) }
func (r *recorder) KeyStart() error                { return nil }
func (r *recorder) KeyBytes(raw []byte) error      { return r.span(raw) }
func (r *recorder) KeyEnd() error                  { return r.event("key %s", r.take()) }
func (r *recorder) StringStart() error             { return nil }
func (r *recorder) StringBytes(raw []byte) error   { return r.span(raw) }
func (r *recorder) StringEnd() error               { return r.event("string %s", r.take()) }
func (r *recorder) Scalar(raw []byte) error        { return r.span(raw) }
func (r *recorder) ScalarEnd() error               { return r.event("scalar %s", r.take()) }

// scan reads text in the pieces that next sizes, and returns what was seen.
func scan(text []byte, depth int, next func() int) (*recorder, int64, error) {
	var s jsonscan.Scanner
	s.Reset(depth)
	r := &recorder{}
	for rest := text; len(rest) > 0; {
		n := min(next(), len(rest))
		if err := s.Scan(bytes.Clone(rest[:n]), r); err != nil {
			return r, s.Offset(), err
		}
		rest = rest[n:]
	}
	return r, s.Offset(), s.Close(r)
}

func whole() int { return 1 << 30 }
func one() int   { return 1 }

func TestEvents(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{}`, "begin true 1;end 1;"},
		{` [ ] `, "begin false 1;end 1;"},
		{`{"a": [1, -0.5e+3, true], "b\"": {"c": "d\\"}}`,
			`begin true 1;key a;begin false 2;scalar 1;scalar -0.5e+3;scalar true;end 2;` +
				`key b\";begin true 2;key c;string d\\;end 2;end 1;`},
		{`"\u4e2d中文 and text long enough for words"`, `string \u4e2d中文 and text long enough for words;`},
		{"12\n", "scalar 12;"},
		{"0", "scalar 0;"},
		{`""`, "string ;"},
		{"[null,false]", "begin false 1;scalar null;scalar false;end 1;"},
	} {
		for name, next := range map[string]func() int{"whole": whole, "bytes": one} {
			r, _, err := scan([]byte(tt.text), 8, next)
			if err != nil || r.log.String() != tt.want {
				t.Errorf("%s %s: %s, %v; want %s", name, tt.text, r.log.String(), err, tt.want)
			}
			if r.raw.String() != tt.text {
				t.Errorf("%s %s: spans are %q", name, tt.text, r.raw.String())
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		text string
		want jsonscan.Error
		at   int64
	}{
		{"", jsonscan.ErrEnd, 0},
		{"{", jsonscan.ErrEnd, 1},
		{`{"a"`, jsonscan.ErrEnd, 4},
		{`"abc`, jsonscan.ErrEnd, 4},
		{"-", jsonscan.ErrEnd, 1},
		{"[0,0", jsonscan.ErrEnd, 4},
		{"1.", jsonscan.ErrEnd, 2},
		{"1e", jsonscan.ErrEnd, 2},
		{"tru", jsonscan.ErrEnd, 3},
		{"\ufeff{}", jsonscan.ErrSyntax, 0},
		{"{]", jsonscan.ErrSyntax, 1},
		{"[1,]", jsonscan.ErrSyntax, 3},
		{`{"a":1,}`, jsonscan.ErrSyntax, 7},
		{`{"a" 1}`, jsonscan.ErrSyntax, 5},
		{`{1:2}`, jsonscan.ErrSyntax, 1},
		{"[1 2]", jsonscan.ErrSyntax, 3},
		{"01", jsonscan.ErrTrailing, 1},
		{"[01]", jsonscan.ErrSyntax, 2},
		{"+1", jsonscan.ErrSyntax, 0},
		{".5", jsonscan.ErrSyntax, 0},
		{"--1", jsonscan.ErrSyntax, 1},
		{"nulL", jsonscan.ErrSyntax, 3},
		{"NaN", jsonscan.ErrSyntax, 0},
		{"[1]x", jsonscan.ErrTrailing, 3},
		{"{}{}", jsonscan.ErrTrailing, 2},
		{"1]", jsonscan.ErrTrailing, 1},
		{"[[[[1]]]]", jsonscan.ErrDepth, 3},
		{"\"a\nb\"", jsonscan.ErrControl, 2},
		{`"\x"`, jsonscan.ErrEscape, 2},
		{`"\u12g4"`, jsonscan.ErrEscape, 5},
		{"\"\xff\"", jsonscan.ErrUTF8, 1},
		{"\"\xc0\xaf\"", jsonscan.ErrUTF8, 1},
		{"\"\xe0\x80\x80\"", jsonscan.ErrUTF8, 2},
		{"\"\xed\xa0\x80\"", jsonscan.ErrUTF8, 2},
		{"\"\xf4\x90\x80\x80\"", jsonscan.ErrUTF8, 2},
		{"\"\xe4\xb8\"", jsonscan.ErrUTF8, 3},
		{"\"\xf8\x88\x80\x80\x80\"", jsonscan.ErrUTF8, 1},
	} {
		for name, next := range map[string]func() int{"whole": whole, "bytes": one} {
			_, at, err := scan([]byte(tt.text), 3, next)
			if err != tt.want || at != tt.at {
				t.Errorf("%s %q: %v at %d; want %v at %d", name, tt.text, err, at, tt.want, tt.at)
			}
		}
	}
}

func TestErrorStays(t *testing.T) {
	var s jsonscan.Scanner
	s.Reset(4)
	r := &recorder{}
	if err := s.Scan([]byte("]"), r); err != jsonscan.ErrSyntax {
		t.Fatal(err)
	}
	if err := s.Scan([]byte("1"), r); err != jsonscan.ErrSyntax {
		t.Fatalf("later scan: %v", err)
	}
	if err := s.Close(r); err != jsonscan.ErrSyntax {
		t.Fatalf("close: %v", err)
	}
}

// FuzzScan holds the verdict against encoding/json, and every chunking against
// the whole text.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e-3,"\ud83d\ude00中文",null,true]}`, `[[]]`, `"\u00`, "\"\xe4\xb8\xad\"", `-0.0E1`, "\"12345678\\\\12345678\""} {
		f.Add([]byte(seed), uint64(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		r, at, err := scan(text, jsonscan.MaxDepth, whole)
		if err != jsonscan.ErrDepth {
			if want := json.Valid(text) && utf8.Valid(text); (err == nil) != want {
				t.Fatalf("%q: %v, encoding/json says valid = %v", text, err, want)
			}
		}
		if err == nil && !bytes.Equal(r.raw.Bytes(), text) {
			t.Fatalf("spans of %q are %q", text, r.raw.Bytes())
		}
		random := rand.New(rand.NewPCG(seed, 1))
		for _, next := range []func() int{one, func() int { return 1 + random.IntN(9) }} {
			r2, at2, err2 := scan(text, jsonscan.MaxDepth, next)
			if err2 != err || at2 != at || (err == nil && r2.log.String() != r.log.String()) {
				t.Fatalf("%q in pieces: %v at %d, %s; whole: %v at %d, %s", text, err2, at2, r2.log.String(), err, at, r.log.String())
			}
		}
	})
}

// nothing is the cheapest sink.
type nothing struct{}

func (nothing) Structure([]byte) error   { return nil }
func (nothing) Begin(bool, int) error    { return nil }
func (nothing) End(int) error            { return nil }
func (nothing) KeyStart() error          { return nil }
func (nothing) KeyBytes([]byte) error    { return nil }
func (nothing) KeyEnd() error            { return nil }
func (nothing) StringStart() error       { return nil }
func (nothing) StringBytes([]byte) error { return nil }
func (nothing) StringEnd() error         { return nil }
func (nothing) Scalar([]byte) error      { return nil }
func (nothing) ScalarEnd() error         { return nil }

func BenchmarkScan(b *testing.B) {
	for name, content := range map[string]string{
		"english": strings.Repeat("The quick brown fox jumps over the lazy dog. ", 22),
		"chinese": strings.Repeat("请把这段话翻译成英文。", 31),
	} {
		text := []byte(`{"model":"gpt-4","messages":[{"role":"user","content":"` + content + `"}],"max_tokens":100}`)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var s jsonscan.Scanner
			var sink jsonscan.Sink = nothing{}
			for b.Loop() {
				s.Reset(64)
				if err := s.Scan(text, sink); err != nil {
					b.Fatal(err)
				}
				if err := s.Close(sink); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
